package gobgp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"reflect"
	"time"
	"unsafe"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/server"

	"github.com/nvad/nvad/pkg/speaker"
)

// engine is the GoBGP server of a Speaker. It neither listens nor dials and has no
// routes: it runs a state machine for each neighbor over the connections it is handed.
type engine struct {
	srv    *server.BgpServer
	accept chan net.Conn
}

// defaultHold is the hold time in GoBGP's configuration of a neighbor without one, because
// GoBGP takes 0 for its default. The tap puts the 0 into both OPENs.
const defaultHold = 90 * time.Second

// newEngine starts GoBGP.
func newEngine(asn uint32, routerID netip.Addr, log *slog.Logger) (*engine, error) {
	level := new(slog.LevelVar)
	e := &engine{
		srv:    server.NewBgpServer(server.LoggerOption(slog.New(engineLog{log.Handler()}), level)),
		accept: make(chan net.Conn, 64),
	}
	if err := setAcceptChannel(e.srv, e.accept); err != nil {
		return nil, err
	}
	go e.srv.Serve()
	err := e.srv.StartBgp(context.Background(), &api.StartBgpRequest{Global: &api.Global{
		Asn:        asn,
		RouterId:   routerID.String(),
		ListenPort: -1,
		Families:   []uint32{0, 1}, // a table per family GoBGP knows costs 10 MB
	}})
	if err != nil {
		e.stop()
		return nil, fmt.Errorf("start of the session engine: %w", err)
	}
	return e, nil
}

// setAcceptChannel gives s the channel from which it takes accepted connections. GoBGP
// has no API for that, so the unexported field is found by its name and must have the
// expected type: a release that changes it fails at start rather than at the first
// connection. Call it before Serve, which reads the field once.
func setAcceptChannel(s *server.BgpServer, ch chan net.Conn) error {
	field, ok := reflect.TypeFor[server.BgpServer]().FieldByName("acceptCh")
	if !ok || field.Type != reflect.TypeFor[chan net.Conn]() {
		return errors.New("this release of GoBGP has no accept channel to hand connections to")
	}
	*(*chan net.Conn)(unsafe.Add(unsafe.Pointer(s), field.Offset)) = ch
	return nil
}

// add creates the state machine of a neighbor, for one session. GoBGP allocates
// a table for each family (1024 maps, 75 kB), so a neighbor is known to it only while it
// has a connection, and only with IPv4, whatever families the session carries.
// GoBGP is not told of graceful restart: it has no routes to keep, and it would send
// End-of-RIB as soon as the session is up, long before the engine has sent the routes.
func (e *engine) add(n speaker.Neighbor) error {
	hold := n.HoldTime
	if hold == 0 {
		hold = defaultHold
	}
	unspecified := netip.IPv4Unspecified()
	if n.Address.Is6() {
		unspecified = netip.IPv6Unspecified()
	}
	peer := &api.Peer{
		Conf: &api.PeerConf{
			NeighborAddress: n.Address.String(),
			LocalAsn:        n.LocalASN,
			PeerAsn:         n.RemoteASN,
		},
		Timers: &api.Timers{Config: &api.TimersConfig{
			HoldTime:          uint64(hold / time.Second),
			KeepaliveInterval: uint64(n.Keepalive / time.Second),
		}},
		Transport: &api.Transport{PassiveMode: true, LocalAddress: unspecified.String()},
		AfiSafis:  []*api.AfiSafi{ipv4Unicast},
	}
	if err := e.srv.AddPeer(context.Background(), &api.AddPeerRequest{Peer: peer}); err != nil {
		return fmt.Errorf("neighbor %s: %w", n.Address, err)
	}
	return nil
}

// ipv4Unicast is the family that GoBGP takes every session to have.
var ipv4Unicast = &api.AfiSafi{Config: &api.AfiSafiConfig{
	Family: &api.Family{Afi: api.Family_AFI_IP, Safi: api.Family_SAFI_UNICAST}, Enabled: true,
}}

// remove destroys the state machine of a neighbor. What it still writes goes to a tap
// that has ended, and no further.
func (e *engine) remove(addr netip.Addr) error {
	return e.srv.DeletePeer(context.Background(), &api.DeletePeerRequest{Address: addr.String()})
}

// stop ends GoBGP and waits for its goroutines.
func (e *engine) stop() { e.srv.Stop() }

// engineLog writes GoBGP's log in nvad's form. GoBGP warns of much that is normal here (its
// sockets have their options already, its peers are replaced after each session), so
// everything but errors goes to debug level, and errors become warnings.
type engineLog struct{ slog.Handler }

var engineKeys = map[string]string{
	"Key": keyNeighbor, "State": keyState, "Error": keyReason, "Err": keyReason, "Reason": keyReason,
}

// Enabled implements [slog.Handler].
func (h engineLog) Enabled(ctx context.Context, level slog.Level) bool {
	return h.Handler.Enabled(ctx, engineLevel(level))
}

func engineLevel(level slog.Level) slog.Level {
	if level >= slog.LevelError {
		return slog.LevelWarn
	}
	return min(level, slog.LevelDebug)
}

// Handle implements [slog.Handler].
func (h engineLog) Handle(ctx context.Context, r slog.Record) error {
	out := slog.NewRecord(r.Time, engineLevel(r.Level), "session engine: "+r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool { out.AddAttrs(engineAttrs(a)...); return true })
	return h.Handler.Handle(ctx, out)
}

// WithAttrs implements [slog.Handler].
func (h engineLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return engineLog{h.Handler.WithAttrs(engineAttrs(attrs...))}
}

// WithGroup implements [slog.Handler].
func (h engineLog) WithGroup(name string) slog.Handler { return engineLog{h.Handler.WithGroup(name)} }

// engineAttrs renames GoBGP's keys, and drops the one that names its module.
func engineAttrs(attrs ...slog.Attr) []slog.Attr {
	kept := make([]slog.Attr, 0, len(attrs))
	for _, a := range attrs {
		if k, ok := engineKeys[a.Key]; ok {
			a.Key = k
		}
		if a.Key != "Topic" {
			kept = append(kept, a)
		}
	}
	return kept
}
