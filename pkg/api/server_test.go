package api_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/api/apitest"
	"github.com/nvad/nvad/pkg/engine"
	"github.com/nvad/nvad/pkg/telemetry"
	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start serves d and returns a connection to it. The test's own group may change it, so
// that the tests run as any user.
func start(t *testing.T, d *apitest.Daemon) *grpc.ClientConn {
	t.Helper()
	path := socketPath(t)
	l, err := api.Listen(path, 0o660, "")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	s := api.NewServer(api.Params{
		Reader: d, Controller: d, AdminGroup: apitest.OwnGroup(t),
		Build: telemetry.BuildInfo{Version: "v1.2.3", GoVersion: "go1.25.0"},
	})
	go func() { ended <- api.Serve(ctx, l, s) }()
	conn, err := grpc.NewClient("unix:"+path, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return conn
}

// refusal is a call that must fail.
type refusal struct {
	name string
	call func() error
	code codes.Code
	text string
}

func (r refusal) check(t *testing.T) {
	t.Run(r.name, func(t *testing.T) {
		s := status.Convert(r.call())
		if s.Code() != r.code || !strings.Contains(s.Message(), r.text) {
			t.Errorf("got %v %q, want %v %q", s.Code(), s.Message(), r.code, r.text)
		}
	})
}

func TestCodes(t *testing.T) {
	ctx := context.Background()
	conn := start(t, apitest.Hub00())
	read, control := nvadv1.NewNvadClient(conn), nvadv1.NewNvadControlClient(conn)
	reset := func(addr string, kind nvadv1.ResetKind) error {
		_, err := control.ResetNeighbor(ctx, &nvadv1.ResetNeighborRequest{Address: addr, Kind: kind})
		return err
	}
	for _, r := range []refusal{
		{"unknown neighbor", func() error {
			_, err := read.GetNeighbor(ctx, &nvadv1.GetNeighborRequest{Address: "10.0.210.9"})
			return err
		}, codes.NotFound, "neighbor 10.0.210.9 is not configured"},
		{"not an address", func() error {
			_, err := read.GetNeighbor(ctx, &nvadv1.GetNeighborRequest{Address: "hub"})
			return err
		}, codes.InvalidArgument, `"hub" is not an address of a neighbor`},
		{"unknown tunnel", func() error {
			_, err := read.ListTunnels(ctx, &nvadv1.ListTunnelsRequest{Name: "vxlan9"})
			return err
		}, codes.NotFound, "tunnel vxlan9 is not configured"},
		{"reset of an unknown neighbor", func() error { return reset("10.0.210.9", 0) }, codes.NotFound, "not configured"},
		{"unknown reset", func() error { return reset("10.0.210.4", 9) }, codes.InvalidArgument, "unknown kind of reset"},
		{"long message", func() error {
			_, err := control.Shutdown(ctx, &nvadv1.ShutdownRequest{Message: strings.Repeat("x", 256)})
			return err
		}, codes.InvalidArgument, "RFC 9003 allows 255"},
		{"log level", func() error {
			_, err := control.SetLogLevel(ctx, &nvadv1.SetLogLevelRequest{Level: "loud"})
			return err
		}, codes.InvalidArgument, `"loud" is not a log level`},
	} {
		r.check(t)
	}
}

func TestCodesOfRoutes(t *testing.T) {
	read := nvadv1.NewNvadClient(start(t, apitest.Hub00()))
	routes := func(q *nvadv1.ListRoutesRequest) error {
		s, err := read.ListRoutes(t.Context(), q)
		if err != nil {
			return err
		}
		_, err = s.Recv()
		return err
	}
	for _, r := range []refusal{
		{"routes of an unknown neighbor", func() error {
			return routes(&nvadv1.ListRoutesRequest{Kind: nvadv1.RouteKind_ROUTE_KIND_RECEIVED, Neighbor: "10.0.210.9"})
		}, codes.NotFound, "neighbor 10.0.210.9 is not configured"},
		{"routes of no neighbor", func() error {
			return routes(&nvadv1.ListRoutesRequest{Kind: nvadv1.RouteKind_ROUTE_KIND_RECEIVED})
		}, codes.InvalidArgument, `"" is not an address`},
		{"Loc-RIB of an unknown neighbor", func() error {
			return routes(&nvadv1.ListRoutesRequest{Neighbor: "hub"})
		}, codes.InvalidArgument, `"hub" is not an address of a neighbor`},
		{"not a community", func() error {
			return routes(&nvadv1.ListRoutesRequest{Communities: []string{"65001"}})
		}, codes.InvalidArgument, `"65001" is not a community`},
		{"many communities", func() error {
			return routes(&nvadv1.ListRoutesRequest{Communities: slices.Repeat([]string{"1:1"}, 17)})
		}, codes.InvalidArgument, "17 communities are asked for, at most 16"},
		{"not an expression", func() error {
			return routes(&nvadv1.ListRoutesRequest{AsPath: "("})
		}, codes.InvalidArgument, `AS path expression "(": bad regular expression`},
		{"long expression", func() error {
			return routes(&nvadv1.ListRoutesRequest{AsPath: strings.Repeat("1", 1001)})
		}, codes.InvalidArgument, "longer than 1000 characters"},
		{"longer than nothing", func() error {
			return routes(&nvadv1.ListRoutesRequest{Longer: true})
		}, codes.InvalidArgument, "none is given"},
		{"address and prefix", func() error {
			return routes(&nvadv1.ListRoutesRequest{Prefix: "10.0.0.0/8", Address: "10.0.0.4"})
		}, codes.InvalidArgument, "without a prefix"},
		{"not a prefix", func() error {
			return routes(&nvadv1.ListRoutesRequest{Prefix: "10.0.0.4"})
		}, codes.InvalidArgument, `"10.0.0.4" is not a prefix`},
		{"unknown kind", func() error {
			return routes(&nvadv1.ListRoutesRequest{Kind: 99})
		}, codes.InvalidArgument, "unknown kind of routes"},
	} {
		r.check(t)
	}
}

func TestErrorsOfTheDaemon(t *testing.T) {
	for _, tt := range []struct {
		err  error
		code codes.Code
	}{
		{api.Invalid("nvad.toml:3: asn: missing"), codes.InvalidArgument},
		{fmt.Errorf("reload: %w", api.Conflict("another reload is under way")), codes.FailedPrecondition},
		{errors.New("mailbox closed"), codes.Internal},
		{context.DeadlineExceeded, codes.DeadlineExceeded},
		{context.Canceled, codes.Canceled},
	} {
		t.Run(tt.err.Error(), func(t *testing.T) {
			d := apitest.Hub00()
			d.Err = tt.err
			conn := start(t, d)
			_, err := nvadv1.NewNvadControlClient(conn).Reload(context.Background(), &nvadv1.ReloadRequest{})
			if got := status.Code(err); got != tt.code {
				t.Errorf("got %v, want %v", err, tt.code)
			}
		})
	}
}

func TestCommands(t *testing.T) {
	d := apitest.Hub00()
	c := nvadv1.NewNvadControlClient(start(t, d))
	ctx := context.Background()
	var errs []error
	do := func(_ any, err error) { errs = append(errs, err) }
	do(c.Reload(ctx, &nvadv1.ReloadRequest{}))
	do(c.ResetNeighbor(ctx, &nvadv1.ResetNeighborRequest{Address: "10.0.210.4", Kind: nvadv1.ResetKind_RESET_KIND_SOFT_OUT}))
	do(c.ShutdownNeighbor(ctx, &nvadv1.ShutdownNeighborRequest{Address: "::ffff:10.0.210.5", Message: "maintenance"}))
	do(c.EnableNeighbor(ctx, &nvadv1.EnableNeighborRequest{Address: "10.0.210.5"}))
	do(c.MakeTunnelKey(ctx, &nvadv1.MakeTunnelKeyRequest{Tunnel: "wg0"}))
	do(c.SetLogLevel(ctx, &nvadv1.SetLogLevelRequest{Level: "debug"}))
	do(c.Shutdown(ctx, &nvadv1.ShutdownRequest{Flush: true, Message: "bye"}))
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"reload", "reset 10.0.210.4 soft out", `neighbor 10.0.210.5 shutdown=true "maintenance"`,
		`neighbor 10.0.210.5 shutdown=false ""`, "make key of tunnel wg0", "log-level debug", `shutdown flush=true "bye"`,
	}
	if got := d.Commands(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRoutesAreBatched(t *testing.T) {
	d := apitest.Hub00()
	rows := make([]engine.Path, 1000)
	for i := range rows {
		rows[i] = d.Tables[engine.LocRIB][0]
		rows[i].Prefix = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24)
	}
	d.Tables[engine.LocRIB] = rows
	s, err := nvadv1.NewNvadClient(start(t, d)).ListRoutes(context.Background(), &nvadv1.ListRoutesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var messages, paths int
	for {
		r, err := s.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range r.GetPaths() {
			if want := rows[paths].Prefix.String(); p.GetPrefix() != want {
				t.Fatalf("path %d is %s, want %s", paths, p.GetPrefix(), want)
			}
			paths++
		}
		messages++
	}
	if paths != len(rows) || messages > 10 {
		t.Errorf("%d paths in %d messages", paths, messages)
	}
}

// A neighbor chooses the text of its NOTIFICATION, which must not make every list of
// neighbors fail.
func TestInvalidTextOfANeighbor(t *testing.T) {
	d := apitest.Hub00()
	d.Peers[0].Reason = "Cease: \xff\xfe"
	r, err := nvadv1.NewNvadClient(start(t, d)).ListNeighbors(context.Background(), &nvadv1.ListNeighborsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if got := r.GetNeighbors()[0].GetReason(); got != "Cease: \uFFFD" {
		t.Errorf("reason %q", got)
	}
}

func TestHealthAndReflection(t *testing.T) {
	conn := start(t, apitest.Hub00())
	ctx := context.Background()
	h, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{})
	if err != nil || h.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Errorf("health: %v, %v", h, err)
	}
	s, err := grpc_reflection_v1.NewServerReflectionClient(conn).ServerReflectionInfo(ctx)
	if err != nil {
		t.Fatal(err)
	}
	err = s.Send(&grpc_reflection_v1.ServerReflectionRequest{
		MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_ListServices{ListServices: "*"},
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Recv()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, svc := range r.GetListServicesResponse().GetService() {
		names = append(names, svc.GetName())
	}
	for _, want := range []string{"nvad.v1.Nvad", "nvad.v1.NvadControl", "grpc.health.v1.Health"} {
		if !slices.Contains(names, want) {
			t.Errorf("%s is not in %v", want, names)
		}
	}
}

// A client that does not read its stream must not delay the end of the daemon.
func TestServeEndsUnderAStream(t *testing.T) {
	d := apitest.Hub00()
	rows := make([]engine.Path, 200_000)
	for i := range rows {
		rows[i] = d.Tables[engine.LocRIB][0]
	}
	d.Tables[engine.LocRIB] = rows
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- api.Serve(ctx, l, api.NewServer(api.Params{Reader: d, Controller: d})) }()
	conn, err := grpc.NewClient("unix:"+path, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	s, err := nvadv1.NewNvadClient(conn).ListRoutes(context.Background(), &nvadv1.ListRoutesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Recv(); err != nil {
		t.Fatal(err)
	}
	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("still serving")
	}
}
