package imds

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/lab/emulator/metadata"
)

var beds atomic.Int32

// vm is a network namespace with the addresses of a VM and, on its loopback, the
// metadata service.
type vm struct {
	*metadata.Server
	within func(func() error) error
}

func (v vm) dial(ctx context.Context, network, address string) (c net.Conn, err error) {
	// As the machine's own, the service's address would be the source too.
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(10, 0, 0, 4)}}
	err = v.within(func() error {
		c, err = d.DialContext(ctx, network, address)
		return err
	})
	return c, err
}

var hub00 = metadata.VM{Name: "vm-hub00", NICs: []metadata.NIC{{
	MAC:       net.HardwareAddr{0, 0x0d, 0x3a, 4, 0x75, 0x98},
	Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.4"), netip.MustParseAddr("10.0.0.7")},
	Subnet:    netip.MustParsePrefix("10.0.0.0/24"),
}}}

// newVM makes hub00's VM; listening is whether the service is there already.
func newVM(t *testing.T, listening bool) vm {
	t.Helper()
	lab.RequireRoot(t)
	name := fmt.Sprintf("nvmd%dx%d", os.Getpid(), beds.Add(1))
	for _, cmd := range []string{
		"netns add " + name, "-n " + name + " link set lo up",
		"-n " + name + " addr add 10.0.0.4/32 dev lo", "-n " + name + " addr add 169.254.169.254/32 dev lo",
	} {
		if out, err := exec.Command("ip", strings.Fields(cmd)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v: %s", cmd, err, out)
		}
		if cmd == "netns add "+name {
			t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", name).Run() })
		}
	}
	v := vm{metadata.New(hub00), func(do func() error) error { return lab.WithinNamespace(name, do) }}
	if listening {
		v.listen(t)
	}
	return v
}

func (v vm) listen(t *testing.T) {
	t.Helper()
	l, err := metadata.Listen(v.within)
	if err != nil {
		t.Error(err)
		return
	}
	t.Cleanup(func() { l.Close() })
	go v.Serve(l)
}

func TestInstance(t *testing.T) {
	t.Parallel()
	v := newVM(t, true)
	in, err := newClient(v.dial).Instance(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	n, err := in.Primary()
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintf("%s %s %s %s", in.Name, n.MAC, n.Addresses, n.Subnet)
	if want := "vm-hub00 00:0d:3a:04:75:98 [10.0.0.4 10.0.0.7] 10.0.0.0/24"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestRetries: what the documentation says passes is asked again.
func TestRetries(t *testing.T) {
	for _, status := range []int{404, 410, 429, 500, 503} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			v := newVM(t, true)
			v.Fail(metadata.Fault{Status: status})
			c := newClient(v.dial)
			var told []error
			c.OnRetry = func(err error, pause time.Duration) {
				told = append(told, err)
				if pause < time.Second {
					t.Errorf("asks again after %v", pause)
				}
			}
			if _, err := c.Instance(t.Context()); err != nil {
				t.Fatal(err)
			}
			var se *StatusError
			if len(told) != 1 || !errors.As(told[0], &se) || se.Code != status {
				t.Errorf("told %v", told)
			}
		})
	}
}

// TestSlowStart: the service comes after the machine, and takes its time.
func TestSlowStart(t *testing.T) {
	t.Parallel()
	v := newVM(t, false)
	v.Fail(metadata.Fault{Delay: 2 * time.Second})
	c := newClient(v.dial)
	tries := 0
	c.OnRetry = func(error, time.Duration) {
		if tries++; tries == 1 {
			v.listen(t)
		}
	}
	if _, err := c.Instance(t.Context()); err != nil {
		t.Fatal(err)
	}
	if tries == 0 {
		t.Error("there was an answer before the service")
	}
}

// TestGivesUp: the end of the context ends it, with the last error and a reason.
func TestGivesUp(t *testing.T) {
	t.Parallel()
	v := newVM(t, true)
	for range 10 {
		v.Fail(metadata.Fault{Status: 410})
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_, err := newClient(v.dial).Instance(ctx)
	if err == nil || !strings.Contains(err.Error(), "410 Gone: it is being updated, which takes up to 70 seconds") {
		t.Errorf("got %v", err)
	}
	silent := newVM(t, false)
	ctx, cancel = context.WithTimeout(t.Context(), time.Second/2)
	defer cancel()
	_, err = newClient(silent.dial).Instance(ctx)
	if err == nil || !strings.Contains(err.Error(), "connection refused; the service exists only in Azure") {
		t.Errorf("got %v", err)
	}
}

// TestFinal: what asking again does not mend ends it at once.
func TestFinal(t *testing.T) {
	t.Parallel()
	v := newVM(t, true)
	v.Fail(metadata.Fault{Status: http.StatusForbidden}, metadata.Fault{Status: http.StatusFound})
	for _, code := range []int{http.StatusForbidden, http.StatusFound} {
		_, err := newClient(v.dial).Instance(t.Context())
		var se *StatusError
		if !errors.As(err, &se) || se.Code != code {
			t.Errorf("got %v", err)
		}
	}
	if n := v.Requests(); n != 2 {
		t.Errorf("asked %d times", n)
	}
}

// TestNoProxy: the environment's proxy is not asked.
func TestNoProxy(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:9")
	t.Setenv("http_proxy", "http://127.0.0.1:9")
	v := newVM(t, true)
	if _, err := newClient(v.dial).Instance(t.Context()); err != nil {
		t.Error(err)
	}
}
