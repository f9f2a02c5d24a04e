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

// engine is the one GoBGP server of a Speaker. It listens nowhere, dials nobody
// and holds no routes: it runs a state machine per neighbor over the
// connections it is handed.
type engine struct {
	srv    *server.BgpServer
	accept chan net.Conn
}

// defaultHold is what GoBGP is told where the hold time shall be 0, which its
// configuration cannot express. Both OPENs get the 0 on the way.
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

// setAcceptChannel gives s the channel from which it takes accepted
// connections. GoBGP has no API for that. The field is found by name and must
// have the expected type, so that a release that changes it is an error at
// start. It must be called before Serve, which reads the field.
func setAcceptChannel(s *server.BgpServer, ch chan net.Conn) error {
	field, ok := reflect.TypeFor[server.BgpServer]().FieldByName("acceptCh")
	if !ok || field.Type != reflect.TypeFor[chan net.Conn]() {
		return errors.New("this release of GoBGP has no accept channel to hand connections to")
	}
	*(*chan net.Conn)(unsafe.Add(unsafe.Pointer(s), field.Offset)) = ch
	return nil
}

// add creates the state machine of a neighbor, for one session. It costs GoBGP
// a table for each family (1024 maps, 75 kB), so a neighbor has one only while it
// has a connection, and only that of IPv4, whatever families the session carries.
// Graceful restart is not its business: it has no routes to keep, and its
// End-of-RIB would come too early.
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

// ipv4Unicast is the one family that GoBGP believes in.
var ipv4Unicast = &api.AfiSafi{Config: &api.AfiSafiConfig{
	Family: &api.Family{Afi: api.Family_AFI_IP, Safi: api.Family_SAFI_UNICAST}, Enabled: true,
}}

// remove destroys the state machine of a neighbor. Whatever it still writes
// goes to a tap that has ended.
func (e *engine) remove(addr netip.Addr) error {
	return e.srv.DeletePeer(context.Background(), &api.DeletePeerRequest{Address: addr.String()})
}

// stop ends GoBGP and waits for its goroutines.
func (e *engine) stop() { e.srv.Stop() }
