package api

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// adminGID is a group id that no system has by default.
const adminGID = 54321

func testLookup(string) (uint32, error) { return adminGID, nil }

func TestAuthorize(t *testing.T) {
	const change = nvadv1.NvadControl_Reload_FullMethodName
	nobody := caller{uid: 65534, groups: []uint32{65534}}
	const pollGID, begin, report = adminGID + 1, nvadv1.NvadControl_BeginAzurePoll_FullMethodName, nvadv1.NvadControl_ReportAzurePoll_FullMethodName
	poller := caller{uid: 65534, groups: []uint32{pollGID}}
	both := func(name string) (uint32, error) {
		return map[string]uint32{AdminGroup: adminGID, PollGroup: pollGID}[name], nil
	}
	for _, tt := range []struct {
		name   string
		method string
		who    *caller
		lookup func(string) (uint32, error)
		want   codes.Code
	}{
		{"reading", nvadv1.Nvad_GetStatus_FullMethodName, &nobody, testLookup, codes.OK},
		{"health", "/grpc.health.v1.Health/Check", &nobody, testLookup, codes.OK},
		{"reflection", "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", &nobody, testLookup, codes.OK},
		{"changing", change, &nobody, testLookup, codes.PermissionDenied},
		{"unknown service", "/nvad.v1.Future/Do", &nobody, testLookup, codes.PermissionDenied},
		{"similar name", "/nvad.v1.NvadX/Do", &nobody, testLookup, codes.PermissionDenied},
		{"root", change, &caller{uid: 0}, testLookup, codes.OK},
		{"member", change, &caller{uid: 1000, groups: []uint32{7, adminGID, 1000}}, testLookup, codes.OK},
		{"no such group", change, &caller{uid: 1000, groups: []uint32{0, 1000}},
			func(string) (uint32, error) { return 0, errors.New("unknown group") }, codes.PermissionDenied},
		{"unknown caller", change, nil, testLookup, codes.Unauthenticated},
		{"poll", begin, &poller, both, codes.OK},
		{"report of a poll", report, &poller, both, codes.OK},
		{"poller that changes", change, &poller, both, codes.PermissionDenied},
		{"member that polls", report, &caller{uid: 1000, groups: []uint32{adminGID}}, both, codes.OK},
		{"stranger that polls", report, &nobody, both, codes.PermissionDenied},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx := context.Background()
			if tt.who != nil {
				ctx = peer.NewContext(ctx, &peer.Peer{AuthInfo: *tt.who})
			}
			err := authorizer{group: AdminGroup, lookup: tt.lookup}.check(ctx, tt.method)
			if got := status.Code(err); got != tt.want {
				t.Errorf("%v, want %v", err, tt.want)
			}
			if tt.want == codes.PermissionDenied && !strings.Contains(err.Error(), "group nvad-admin") {
				t.Errorf("%q does not name the group", err)
			}
		})
	}
}

// TestPeerGroups connects real sockets as other users. Credentials of a unix
// socket are those of the connecting thread, so no second process is needed.
func TestPeerGroups(t *testing.T) {
	if os.Getuid() != 0 {
		if os.Getenv("NVAD_REQUIRE_ROOT") == "1" {
			t.Fatal("needs root to become another user")
		}
		t.Skip("needs root to become another user")
	}
	many := make([]uint32, 300) // more than the first buffer holds
	for i := range many {
		many[i] = uint32(40000 + i)
	}
	for _, tt := range []struct {
		name     string
		uid, gid uint32
		groups   []uint32
		want     codes.Code
	}{
		{"root", 0, 0, nil, codes.OK},
		{"stranger", 65534, 65534, nil, codes.PermissionDenied},
		{"stranger in root's group", 65534, 0, []uint32{0}, codes.PermissionDenied},
		{"primary group", 65534, adminGID, nil, codes.OK},
		{"supplementary group", 65534, 65534, []uint32{4, adminGID}, codes.OK},
		{"one group of many", 65534, 65534, append(many, adminGID), codes.OK},
		{"none of many", 65534, 65534, many, codes.PermissionDenied},
	} {
		t.Run(tt.name, func(t *testing.T) {
			conn := clientOn(t, dialAs(t, serve(t), tt.uid, tt.gid, tt.groups))
			ctx := context.Background()
			if _, err := nvadv1.NewNvadClient(conn).GetVersion(ctx, &nvadv1.GetVersionRequest{}); err != nil {
				t.Errorf("reading: %v", err)
			}
			_, err := nvadv1.NewNvadControlClient(conn).SetLogLevel(ctx, &nvadv1.SetLogLevelRequest{Level: "debug"})
			if got := status.Code(err); got != tt.want {
				t.Errorf("changing: %v, want %v", err, tt.want)
			}
		})
	}
}

// serve runs a server with real credentials until the test ends and returns the
// path of its socket, which every user may open.
func serve(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "nvad")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "nvad.sock")
	l, err := Listen(path, 0o666, "")
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(Params{Reader: stubReader{}, Controller: stubController{}}, unixCredentials{}, testLookup)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, l, s) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return path
}

func clientOn(t *testing.T, c net.Conn) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:nvad", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return c, nil }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// dialAs connects on a thread with another identity, which ends afterwards.
func dialAs(t *testing.T, path string, uid, gid uint32, groups []uint32) net.Conn {
	t.Helper()
	type result struct {
		conn net.Conn
		err  error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread()
		err := become(uid, gid, groups)
		if err != nil {
			done <- result{err: err}
			return
		}
		c, err := net.Dial("unix", path)
		done <- result{c, err}
	}()
	r := <-done
	if r.err != nil {
		t.Fatal(r.err)
	}
	return r.conn
}

// become changes only this thread, unlike the functions of package syscall.
func become(uid, gid uint32, groups []uint32) error {
	var first unsafe.Pointer
	if len(groups) > 0 {
		first = unsafe.Pointer(&groups[0])
	}
	if _, _, e := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(groups)), uintptr(first), 0); e != 0 {
		return os.NewSyscallError("setgroups", e)
	}
	if _, _, e := unix.RawSyscall(unix.SYS_SETRESGID, uintptr(gid), uintptr(gid), uintptr(gid)); e != 0 {
		return os.NewSyscallError("setresgid", e)
	}
	if _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid)); e != 0 {
		return os.NewSyscallError("setresuid", e)
	}
	return nil
}

// stubReader is a Reader that nobody asks.
type stubReader struct{ Reader }

// stubController accepts only log levels.
type stubController struct{ Controller }

func (stubController) SetLogLevel(context.Context, string) error { return nil }

func TestCredentialsRefuseOtherConnections(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if _, _, err := (unixCredentials{}).ServerHandshake(a); !errors.Is(err, errNotUnix) {
		t.Errorf("got %v, want %v", err, errNotUnix)
	}
}
