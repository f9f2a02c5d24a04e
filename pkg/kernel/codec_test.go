package kernel

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nvad/nvad/pkg/fib"
)

// No message that a kernel might send makes the codec panic, and the codec can read what it
// writes.
func FuzzDecode(f *testing.F) {
	op := fib.Op{Kind: fib.AddRoute, Route: fib.KernelRoute{
		Prefix: prefix24(7), Metric: 20, Protocol: 186, Hops: []fib.NextHop{via("10.0.0.1", 2), via("fd00::1", 3)},
	}}
	f.Add(encodeRoute(nil, op, 1))
	f.Add(encodeObject(nil, fib.Op{Kind: fib.PutObject, Object: fib.Object{ID: 5, Buckets: 128, Members: []fib.Member{{ID: 6, Weight: 2}}}}, 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		messages(b, func(m message) {
			event(m)
			_ = m.answer()
			decodeObject(m.body)
			decodeNFTRule(m.body)
			r, _, ok := decodeRoute(m.body)
			if !ok || !r.Prefix.IsValid() || r.Protocol == 0 {
				return
			}
			for i := range r.Hops {
				if !r.Hops[i].Via.IsValid() {
					return
				}
			}
			encodeRoute(nil, fib.Op{Kind: fib.ReplaceRoute, Route: r}, 1)
		})
	})
}

func TestAnswers(t *testing.T) {
	m := message{kind: unix.NLMSG_ERROR, flags: unix.NLM_F_ACK_TLVS}
	e := -int32(unix.EEXIST)
	m.body = order.AppendUint32(nil, uint32(e))
	m.body = append(m.body, make([]byte, unix.SizeofNlMsghdr)...)
	m.body = attr(m.body, unix.NLMSGERR_ATTR_MSG, []byte("taken\x00"))
	err := m.answer()
	if !errors.Is(err, os.ErrExist) || err.Error() != "file exists (taken)" {
		t.Errorf("error %v", err)
	}
	if err := (&Error{Errno: syscall.EOPNOTSUPP}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("%v does not say unsupported", err)
	}
}

func TestRivals(t *testing.T) {
	root := t.TempDir()
	for _, namespace := range []string{"net1", "net2"} {
		if err := os.WriteFile(filepath.Join(root, namespace), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const all, none, host, user = "CapPrm:\t000001ffffffffff\n", "CapPrm:\t0000000000000000\n", "0 0 4294967295\n", "0 1000 1\n"
	for pid, p := range map[string][4]string{
		"self": {"nvad", "net1", none, host}, "10": {"zebra", "net1", all, host}, "11": {"zebra", "net2", all, host},
		"12": {"sh", "net1", all, host}, "13": {"bird", "net1", all, host}, "14": {"bird", "net1", none, host}, "15": {"bird", "net1", all, user},
	} {
		dir := filepath.Join(root, pid, "net")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Link(filepath.Join(root, p[1]), filepath.Join(dir, "dev")); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{"comm": p[0] + "\n", "status": p[2], "uid_map": p[3]} {
			if err := os.WriteFile(filepath.Join(root, pid, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	found, err := rivalsIn(root)
	if want := []Rival{{"zebra", 10}, {"bird", 13}}; err != nil || !slices.Equal(found, want) {
		t.Errorf("found %v, %v, want %v", found, err, want)
	}
}

// The monitor reports the changes of other programs but not the FIB's own, and it reports when
// events were lost.
func TestMonitor(t *testing.T) {
	ns, name := testNS(t)
	k := open(t, ns)
	link := eth0(t, k)
	ctx, cancel := context.WithCancel(t.Context())
	events := make(chan []fib.Event, 1000)
	done := make(chan error)
	release := make(chan struct{})
	go func() {
		done <- k.Monitor.Watch(ctx, func(list []fib.Event) {
			// A second after the link came up, duplicate address detection finishes for an
			// IPv6 address. That is an event too, but not one that this test is about.
			list = slices.DeleteFunc(list, func(e fib.Event) bool { return e.Kind != fib.RouteEvent && e.Kind != fib.LostEvent })
			if len(list) > 0 {
				events <- list
				<-release
			}
		})
	}()
	noErrors(t, k.FIB.Do(table(1000, fib.AddRoute, 20, 0, via("10.0.0.1", link))))
	sh(t, "ip -n "+name+" route add 10.9.0.0/16 via 10.0.0.1")
	first := <-events
	if len(first) != 1 || first[0].Route.Prefix.String() != "10.9.0.0/16" {
		t.Errorf("events %+v", first)
	}
	other := open(t, ns)
	if err := unix.SetsockoptInt(monitorFD(t, k.Monitor), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 4096); err != nil {
		t.Fatal(err)
	}
	noErrors(t, other.FIB.Do(table(5000, fib.ReplaceRoute, 20, 0, via("10.0.0.2", link))))
	close(release)
	deadline := time.After(5 * time.Second)
	for lost := false; !lost; {
		select {
		case list := <-events:
			lost = slices.ContainsFunc(list, func(e fib.Event) bool { return e.Kind == fib.LostEvent })
		case <-deadline:
			t.Fatal("the loss of events is not reported")
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("watch ended with %v", err)
	}
}

func monitorFD(t *testing.T, m *Monitor) int {
	t.Helper()
	raw, err := m.file.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var out int
	if err := raw.Control(func(fd uintptr) { out = int(fd) }); err != nil {
		t.Fatal(err)
	}
	return out
}
