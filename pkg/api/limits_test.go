package api_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/api/apitest"
	"github.com/nvad/nvad/pkg/engine"
	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/rib"
	"github.com/nvad/nvad/pkg/route"
	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// large is a daemon with more routes than fit a client's window.
func large() *apitest.Daemon {
	d := apitest.Hub00()
	d.Kernel = nil
	for i := range 20_000 {
		d.Kernel = append(d.Kernel, api.FIBRoute{Status: fib.Status{
			Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{100, byte(i >> 8), byte(i), 0}), 24), Protocol: "bgp", State: fib.Installed,
			Hops: []fib.Hop{{Via: netip.MustParseAddr("10.0.0.1"), Device: "eth0"}},
		}})
	}
	return d
}

// daemon has the calls of nvad that a server needs.
type daemon interface {
	api.Reader
	api.Controller
}

// serveLimited serves d within limits, and returns the socket.
func serveLimited(t *testing.T, d daemon, l *api.Limits) string {
	t.Helper()
	path := socketPath(t)
	listener, err := api.Listen(path, 0o660, "")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	s := api.NewServer(api.Params{Reader: d, Controller: d, AdminGroup: apitest.OwnGroup(t), Limits: l})
	go func() { ended <- api.Serve(ctx, listener, s) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return path
}

func dial(t *testing.T, path string) nvadv1.NvadClient {
	t.Helper()
	conn, err := grpc.NewClient("unix:"+path, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return nvadv1.NewNvadClient(conn)
}

// eventually polls until f returns an empty string.
func eventually(t *testing.T, f func() string) {
	t.Helper()
	limit := time.Now().Add(20 * time.Second)
	for why := f(); why != ""; why = f() {
		if time.Now().After(limit) {
			t.Fatal(why)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// One caller starts to read the FIB 50 times and reads nothing. It gets four answers;
// the other calls are refused with a reason, and everybody's questions are answered.
func TestReadersThatDoNotRead(t *testing.T) {
	limits := api.NewLimits()
	path := serveLimited(t, large(), limits)
	begun, refused := 0, 0
	for i := range 50 {
		s, err := dial(t, path).ListFIB(t.Context(), &nvadv1.ListFIBRequest{})
		if err == nil {
			_, err = s.Recv()
		}
		switch st := status.Convert(err); {
		case err == nil:
			begun++
		case st.Code() == codes.ResourceExhausted && strings.Contains(st.Message(), "too many tables, events and profiles being read: you have 4"):
			refused++
		default:
			t.Fatalf("stream %d: %v", i, err)
		}
	}
	// The oldest connections give way, and with them what they began to read.
	if _, _, calls := limits.Unread(); calls > 4 || begun > 4+50-api.ConnectionsEach || begun+refused != 50 {
		t.Errorf("%d tables are being read, %d were begun, %d refused", calls, begun, refused)
	}
	if octets, _, _ := limits.Unread(); octets > 4*(64+64+32)<<10 {
		t.Errorf("%d octets wait for them", octets)
	}
}

// Watches are counted separately, and one that ends makes room.
func TestWatchers(t *testing.T) {
	limits := api.NewLimits()
	c := dial(t, serveLimited(t, apitest.Hub00(), limits))
	watch := func(ctx context.Context) error {
		s, err := c.Watch(ctx, &nvadv1.WatchRequest{})
		if err == nil {
			_, err = s.Recv()
		}
		return err
	}
	ctx, stop := context.WithCancel(t.Context())
	for range 8 {
		if err := watch(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := watch(ctx); status.Code(err) != codes.ResourceExhausted || !strings.Contains(err.Error(), "too many watches: you have 8") {
		t.Errorf("the ninth: %v", err)
	}
	if _, err := c.ListFIB(ctx, &nvadv1.ListFIBRequest{}); err != nil {
		t.Errorf("a table beside them: %v", err)
	}
	stop()
	eventually(t, func() string {
		if _, _, calls := limits.Unread(); calls > 0 {
			return fmt.Sprintf("%d calls left", calls)
		}
		return ""
	})
	if err := watch(t.Context()); err != nil {
		t.Errorf("after their end: %v", err)
	}
}

// A client that stops reading is disconnected with a reason.
func TestStalledReader(t *testing.T) {
	limits := api.NewLimits()
	limits.SetSendTime(100 * time.Millisecond)
	s, err := dial(t, serveLimited(t, large(), limits)).ListFIB(t.Context(), &nvadv1.ListFIBRequest{})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, func() string {
		if octets, _, _ := limits.Unread(); octets == 0 {
			return "nothing was sent"
		}
		return ""
	})
	eventually(t, func() string {
		if _, _, calls := limits.Unread(); calls > 0 {
			return "the call goes on"
		}
		return ""
	})
	for err == nil {
		_, err = s.Recv()
	}
	switch st := status.Convert(err); {
	case st.Code() == codes.ResourceExhausted && st.Message() == "nvad ended its answer: nobody has read it for 100ms":
	case st.Code() == codes.Unavailable: // where the connection was cut first
	default:
		t.Errorf("got %v", err)
	}
}

// A client whose window stays shut makes calls that end at once, but whose answers wait
// for it. After some octets it is refused; in the end its connection is closed and
// everything is freed.
func TestStalledConnection(t *testing.T) {
	d := apitest.Hub00()
	d.TOML = strings.Repeat("# a large configuration\n", 100_000) // 2.4 MB
	limits := api.NewLimits()
	limits.SetSendTime(200 * time.Millisecond)
	conn := deaf(t, serveLimited(t, d, limits))
	var statuses int
	conn.ask(t, nvadv1.Nvad_GetConfig_FullMethodName, 16)
	eventually(t, func() string {
		octets, _, _ := limits.Unread()
		if octets > 4<<20 {
			t.Fatalf("%d octets wait for one connection", octets)
		}
		if octets == 0 {
			return "nothing waits"
		}
		return ""
	})
	_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	for {
		f, err := conn.framer.ReadFrame()
		if err != nil {
			if ne, ok := err.(net.Error); ok && ne.Timeout() {
				t.Error("the connection of one that does not read stays open")
			}
			break
		}
		if h, ok := f.(*http2.HeadersFrame); ok && h.StreamEnded() {
			statuses++
		}
	}
	if statuses < 8 {
		t.Errorf("%d of 16 calls were refused", statuses)
	}
	eventually(t, func() string {
		if octets, callers, calls := limits.Unread(); octets+callers+calls > 0 {
			return fmt.Sprintf("%d octets of %d callers in %d calls are left", octets, callers, calls)
		}
		return ""
	})
}

// deafConn is an HTTP/2 connection whose windows are shut.
type deafConn struct {
	net.Conn
	framer *http2.Framer
	stream uint32
}

func deaf(t *testing.T, path string) *deafConn {
	t.Helper()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	c := &deafConn{conn, http2.NewFramer(conn, conn), 1}
	if err := c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}); err != nil {
		t.Fatal(err)
	}
	return c
}

// ask makes n calls of a method with an empty request.
func (c *deafConn) ask(t *testing.T, method string, n int) {
	t.Helper()
	for range n {
		var block bytes.Buffer
		e := hpack.NewEncoder(&block)
		for _, f := range [][2]string{
			{":method", "POST"}, {":scheme", "http"}, {":path", method}, {":authority", "nvad"},
			{"content-type", "application/grpc"}, {"te", "trailers"},
		} {
			_ = e.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
		}
		err := c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: c.stream, BlockFragment: block.Bytes(), EndHeaders: true})
		if err == nil {
			err = c.framer.WriteData(c.stream, true, make([]byte, 5))
		}
		if err != nil {
			t.Fatal(err)
		}
		c.stream += 2
	}
}

func TestLargeRequest(t *testing.T) {
	c := dial(t, serveLimited(t, apitest.Hub00(), nil))
	_, err := c.GetNeighbor(t.Context(), &nvadv1.GetNeighborRequest{Address: strings.Repeat("1", 1<<20)})
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a request of a megabyte: %v", err)
	}
}

// A caller that keeps opening connections loses its oldest ones, and is answered on
// each new one.
func TestConnectionsEach(t *testing.T) {
	path := serveLimited(t, apitest.Hub00(), nil)
	var first nvadv1.Nvad_WatchClient
	for i := range 2 * api.ConnectionsEach {
		c := dial(t, path)
		if _, err := c.GetVersion(t.Context(), &nvadv1.GetVersionRequest{}); err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		if i == 0 {
			var err error
			if first, err = c.Watch(t.Context(), &nvadv1.WatchRequest{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	var err error
	for err == nil {
		_, err = first.Recv()
	}
	if status.Code(err) != codes.Unavailable {
		t.Errorf("the oldest: %v", err)
	}
}

// Attributes of 64 kB each, as a neighbor with extended messages may send, fit the
// messages that clients accept.
func TestLongPaths(t *testing.T) {
	d := apitest.Hub00()
	var long route.Attrs
	for i := range 10_000 {
		long.Communities = append(long.Communities, route.Community(i))
	}
	d.Tables = map[engine.Table][]engine.Path{}
	for i := range 128 {
		d.Tables[engine.LocRIB] = append(d.Tables[engine.LocRIB], engine.Path{
			Path: rib.Path{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 0, byte(i), 0}), 24)}, Attrs: &long,
		})
	}
	s, err := dial(t, serveLimited(t, d, nil)).ListRoutes(t.Context(), &nvadv1.ListRoutesRequest{})
	rows := 0
	for err == nil {
		var m *nvadv1.ListRoutesResponse
		if m, err = s.Recv(); err == nil {
			rows += len(m.GetPaths())
		}
	}
	if err != io.EOF || rows != 128 {
		t.Errorf("%d of 128 paths, %v", rows, err)
	}
}
