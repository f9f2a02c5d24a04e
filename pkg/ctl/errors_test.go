package ctl

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/nvad/nvad/pkg/api"
)

// wantError fails unless r is a failure that says want in one line.
func wantError(t *testing.T, r result, want string) {
	t.Helper()
	if r.code != 1 {
		t.Errorf("exit code %d, want 1", r.code)
	}
	if r.err != "nvactl: "+want+"\n" {
		t.Errorf("got  %q\nwant %q", r.err, "nvactl: "+want+"\n")
	}
}

func TestWrongCalls(t *testing.T) {
	for args, want := range map[string]string{
		"neighbrs":                     `unknown command "neighbrs", did you mean neighbors? (see nvactl --help)`,
		"xyz":                          `unknown command "xyz" (see nvactl --help)`,
		"routes recieved":              `unknown command "recieved", did you mean received? (see nvactl routes --help)`,
		"routes 10.0.0.0/33":           `"10.0.0.0/33" is not a prefix (want one like 10.110.0.0/16) (see nvactl routes --help)`,
		"routes received":              `wrong number of arguments, want "nvactl routes received ADDRESS [PREFIX]" (see nvactl routes received --help)`,
		"status now":                   `wrong number of arguments, want "nvactl status" (see nvactl status --help)`,
		"status --fast":                `unknown flag: --fast (see nvactl status --help)`,
		"status -o yaml":               `invalid argument "yaml" for "-o, --output" flag: want table or json (see nvactl status --help)`,
		"reset":                        `wrong number of arguments, want "nvactl reset ADDRESS | --group NAME | --all" (see nvactl reset --help)`,
		"reset 10.0.210.4 --all":       `wrong number of arguments, want "nvactl reset ADDRESS | --group NAME | --all" (see nvactl reset --help)`,
		"reset --group a --all":        `wrong number of arguments, want "nvactl reset ADDRESS | --group NAME | --all" (see nvactl reset --help)`,
		"reset a --soft up":            `invalid argument "up" for "--soft" flag: want in or out (see nvactl reset --help)`,
		"shutdown":                     `wrong number of arguments, want "nvactl shutdown ADDRESS" (see nvactl shutdown --help)`,
		"shutdown a --flush":           `unknown flag: --flush (see nvactl shutdown --help)`,
		"stop 10.0.210.4":              `wrong number of arguments, want "nvactl stop" (see nvactl stop --help)`,
		"events --last -3":             `invalid argument "-3" for "--last" flag: want a whole number from 0 (see nvactl events --help)`,
		"events --last 99999999999999": `invalid argument "99999999999999" for "--last" flag: the number is too large (see nvactl events --help)`,
		"events --follow=maybe":        `invalid argument "maybe" for "--follow" flag: want true or false (see nvactl events --help)`,
		"topology --width wide":        `invalid argument "wide" for "--width" flag: want a whole number (see nvactl topology --help)`,
		"log-level loud":               `invalid argument "loud": want debug, info, warn or error (see nvactl log-level --help)`,
		"config shwo":                  `unknown command "shwo", did you mean show? (see nvactl config --help)`,
		"--socket":                     `flag needs an argument: --socket (see nvactl --help)`,
		"completion elvish":            `unknown command "elvish" (see nvactl completion --help)`,
		"completion bahs":              `unknown command "bahs", did you mean bash? (see nvactl completion --help)`,
		"help neighbrs":                `unknown command "neighbrs", did you mean neighbors? (see nvactl help --help)`,
		"help routes xyz":              `unknown command "xyz" (see nvactl help --help)`,
		"neighbors 1.1.1.1 2":          `wrong number of arguments, want "nvactl neighbors [ADDRESS]" (see nvactl neighbors --help)`,
	} {
		t.Run(args, func(t *testing.T) { wantError(t, nvactl(t, "", strings.Fields(args)...), want) })
	}
}

// TestPrefixWithHostBits: "routes" clears the host bits of a prefix, as "explain" does.
func TestPrefixWithHostBits(t *testing.T) {
	wantError(t, nvactl(t, serve(t, hub00()), "routes", "10.99.1.2/16"), "no route to 10.99.0.0/16")
}

func TestNotRunning(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "none")
	wantError(t, nvactl(t, missing, "neighbors"), "nvad is not running (no socket at "+missing+")")
	wantError(t, nvactl(t, "/run/other", "--socket", missing, "status", "-o", "json"),
		"nvad is not running (no socket at "+missing+")")

	stale := filepath.Join(dir, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	_ = l.Close()
	wantError(t, nvactl(t, stale, "neighbors"), "nvad is not running (nobody answers on "+stale+")")
}

// TestForbiddenSocket opens the socket as another user, in a thread of its own.
func TestForbiddenSocket(t *testing.T) {
	if os.Getuid() != 0 {
		if os.Getenv("NVAD_REQUIRE_ROOT") == "1" {
			t.Fatal("needs root to become another user")
		}
		t.Skip("needs root to become another user")
	}
	socket := serve(t, hub00())
	for _, step := range []error{
		os.Chmod(filepath.Dir(socket), 0o755), os.Chmod(socket, 0o660), os.Chown(socket, 0, 4),
	} {
		if step != nil {
			t.Fatal(step)
		}
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with its identity
		if _, _, e := unix.RawSyscall(unix.SYS_SETRESGID, 65534, 65534, 65534); e != 0 {
			done <- result{err: e.Error()}
			return
		}
		if _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, 65534, 65534, 65534); e != 0 {
			done <- result{err: e.Error()}
			return
		}
		done <- nvactl(t, socket, "neighbors")
	}()
	wantError(t, <-done, "no permission to open "+socket+" (it is for root and members of group adm)")
}

func TestAnswersThatAreErrors(t *testing.T) {
	socket := serve(t, hub00())
	for args, want := range map[string]string{
		"neighbors 10.0.210.9":       "neighbor 10.0.210.9 is not configured",
		"neighbors hub":              `"hub" is not an address of a neighbor`,
		"routes received 10.0.210.9": "neighbor 10.0.210.9 is not configured",
		"routes 192.0.2.0/24":        "no route to 192.0.2.0/24",
		"tunnels vxlan9":             "tunnel vxlan9 is not configured",
		"reset 10.0.210.9":           "neighbor 10.0.210.9 is not configured",
		"shutdown 10.0.210.9":        "neighbor 10.0.210.9 is not configured",
		"policy hits 10.0.210.9":     "neighbor 10.0.210.9 is not configured",
		"reset --group nobody":       "peer-group nobody has no neighbors",
		"enable 10.0.210.9":          "neighbor 10.0.210.9 is not configured",
	} {
		t.Run(args, func(t *testing.T) { wantError(t, nvactl(t, socket, strings.Fields(args)...), want) })
	}
}

func TestFailuresOfTheDaemon(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{status.Error(codes.PermissionDenied, "changing nvad is for root and members of group nvad-admin (you are bob)"),
			"changing nvad is for root and members of group nvad-admin (you are bob)"},
		{status.Error(codes.Unimplemented, "unknown method"),
			"nvad is of another version and does not know this request (see nvactl version)"},
		{status.Error(codes.Unavailable, "transport is closing"), "the connection to nvad was lost before it answered"},
		{context.DeadlineExceeded, "nvad did not answer within 30s"},
		{context.Canceled, "canceled"},
		{errors.New("the kernel says \x1b[31mno"), "the kernel says [31mno"},
	} {
		t.Run(tt.want, func(t *testing.T) {
			d := hub00()
			d.Err = tt.err
			wantError(t, nvactl(t, serve(t, d), "reload"), tt.want)
		})
	}
}

// TestFaultsOfTheFile: the errors of a file are printed as by nvad check.
func TestFaultsOfTheFile(t *testing.T) {
	const want = "/etc/nvad/nvad.toml:3: asn: missing\n/etc/nvad/nvad.toml:9: neighbor.addres: unknown key"
	d := hub00()
	d.Err = api.Invalid("%s", want)
	socket := serve(t, d)
	for _, args := range []string{"reload", "reload --dry-run"} {
		if r := nvactl(t, socket, strings.Fields(args)...); r.code != 1 || r.err != want+"\n" || r.out != "" {
			t.Errorf("%s: exit code %d, stderr %q, stdout %q", args, r.code, r.err, r.out)
		}
	}
}

// TestStreamBreaks: an incomplete table must not look complete.
func TestStreamBreaks(t *testing.T) {
	d := hub00()
	d.Err, d.AfterRows = errors.New("shutting down"), 2
	socket := serve(t, d)
	for _, args := range []string{"routes", "routes fib", "routes -o json", "routes fib -o json"} {
		wantError(t, nvactl(t, socket, strings.Fields(args)...), "shutting down")
	}
}

// TestFirstStep: on a machine without a configuration, nvactl tells how to write one; with
// one, it tells how to start nvad.
func TestFirstStep(t *testing.T) {
	file := filepath.Join(t.TempDir(), "nvad.toml")
	if got := firstStep(DefaultSocket, file); !strings.Contains(got, `there is no `+file+` yet, in Azure "sudo nvad bootstrap"`) {
		t.Errorf("without a file: %q", got)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := firstStep(DefaultSocket, file); got != ": sudo systemctl start nvad" {
		t.Errorf("with a file: %q", got)
	}
	if got := firstStep("/tmp/other.sock", file); got != "" {
		t.Errorf("for another socket: %q", got)
	}
}

// TestStopFlushWithoutDaemon: without a daemon, stop --flush points to nvad flush.
func TestStopFlushWithoutDaemon(t *testing.T) {
	r := nvactl(t, filepath.Join(t.TempDir(), "nvad.sock"), "stop", "--flush")
	if r.code != 1 || !strings.Contains(r.err, `nvad is not running: to remove its routes and devices, run "sudo nvad flush"`) {
		t.Errorf("%+v", r)
	}
}

// TestOverLimit: a caller who exceeds a limit gets the reason in one line.
func TestOverLimit(t *testing.T) {
	d := hub00()
	d.Err = status.Error(codes.ResourceExhausted, "too many tables, events and profiles being read: you have 4 at nvad already, the most that one caller may have; end one first")
	wantError(t, nvactl(t, serve(t, d), "routes", "fib"),
		"too many tables, events and profiles being read: you have 4 at nvad already, the most that one caller may have; end one first")
}

// TestOutputFails: a failed write is an error, in every format.
func TestOutputFails(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	socket := serve(t, hub00())
	for _, args := range []string{"status", "routes", "routes fib -o json", "topology", "config show"} {
		var errs strings.Builder
		env := Env{Out: full, Err: &errs, Width: defaultWidth, Now: time.Now, Getenv: func(string) string { return "" }}
		if code := Run(t.Context(), env, append(strings.Fields(args), "--socket", socket)); code != 1 || !strings.Contains(errs.String(), "no space left") {
			t.Errorf("%s: exit code %d, %q", args, code, errs.String())
		}
	}
}
