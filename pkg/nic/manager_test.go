package nic_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/nic"
	"github.com/nvad/nvad/pkg/nic/nictest"
)

var t0 = time.Unix(1_700_000_000, 0)

func link(index int, name string, addresses ...string) fib.Link {
	l := fib.Link{Index: index, Name: name, Up: true, MTU: 1500}
	for _, a := range addresses {
		l.Addresses = append(l.Addresses, netip.MustParsePrefix(a))
	}
	return l
}

// vm returns two NICs, of which the second has a second address, and the other links that may
// be there.
func vm() []fib.Link {
	return []fib.Link{
		link(1, "lo", "127.0.0.1/8"),
		link(2, "eth0", "10.0.0.4/24", "fd00::4/64"),
		link(3, "eth1", "10.0.1.4/24", "10.0.1.5/24", "169.254.1.1/16", "fe80::4/64"),
	}
}

func both() []nic.NIC {
	return []nic.NIC{{Device: "eth0", Table: 16800}, {Device: "eth1", Table: 16801}}
}

const wantBoth = `10.0.0.4 16800
10.0.1.4 16801
10.0.1.5 16801
table 16800 via 10.0.0.1 link 2
table 16801 via 10.0.1.1 link 3`

// text returns everything in the kernel that is nvad's.
func text(t *testing.T, k *nictest.Kernel) string {
	t.Helper()
	f, err := k.Read(nil)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, r := range f.Rules {
		lines = append(lines, fmt.Sprintf("%s %d", r.From, r.Table))
	}
	for _, r := range f.Routes {
		lines = append(lines, fmt.Sprintf("table %d via %s link %d", r.Table, r.Via, r.Link))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func expect(t *testing.T, k *nictest.Kernel, want string) {
	t.Helper()
	if got := text(t, k); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func sync(t *testing.T, m *nic.Manager, links []fib.Link) {
	t.Helper()
	if next, err := m.Sync(links, t0); err != nil || !next.IsZero() {
		t.Fatalf("next %v, %v: %+v", next, err, m.Status())
	}
}

// A manager that starts over what an earlier one left writes nothing, and reads all tables
// once.
func TestAdopts(t *testing.T) {
	k := &nictest.Kernel{}
	for run, want := range []int{5, 0} {
		m := nic.New(k)
		m.SetWanted(both())
		for range 3 {
			sync(t, m, vm())
		}
		ops, reads := k.Take()
		if len(ops) != want || len(m.Repairs()) > 0 {
			t.Errorf("run %d: %v", run, ops)
		}
		if len(reads[0]) != 0 || !slices.Equal(reads[1], []uint32{16800, 16801}) {
			t.Errorf("run %d read tables %v", run, reads)
		}
		expect(t, k, wantBoth)
		k.Take()
	}
}

// The route is added before the first rule that leads to it.
func TestOrder(t *testing.T) {
	k := &nictest.Kernel{}
	m := nic.New(k)
	m.SetWanted(both()[1:])
	sync(t, m, vm())
	m.SetWanted(nil)
	sync(t, m, vm())
	ops, _ := k.Take()
	kinds := []nic.OpKind{nic.AddRoute, nic.AddRule, nic.AddRule, nic.DeleteRule, nic.DeleteRule, nic.DeleteRoute}
	for i, op := range ops {
		if i >= len(kinds) || op.Kind != kinds[i] {
			t.Fatalf("operations %v", ops)
		}
	}
	expect(t, k, "")
	sync(t, m, vm())
	sync(t, m, vm())
	if _, reads := k.Take(); len(reads) > 2 {
		t.Errorf("it still reads %v although they are empty", reads)
	}
}

// What another program removed or changed is restored and counted as a repair. What merely
// follows a change of the links is not counted.
func TestRepairs(t *testing.T) {
	k := &nictest.Kernel{}
	m := nic.New(k)
	m.SetWanted(both())
	sync(t, m, vm())
	for i, spoil := range []func(*nic.Found){
		func(f *nic.Found) { f.Rules = nil },
		func(f *nic.Found) { f.Routes = nil },
		func(f *nic.Found) { f.Routes[0].Via = netip.MustParseAddr("10.0.0.9") },
		func(f *nic.Found) { f.Rules = f.Rules[1:] },
	} {
		k.Change(spoil)
		sync(t, m, vm())
		if got := len(m.Repairs()); got == 0 {
			t.Errorf("%d: no repairs", i)
		}
		expect(t, k, wantBoth)
	}
	links := vm()
	links[2].Addresses = links[2].Addresses[:1]
	sync(t, m, links)
	expect(t, k, strings.Replace(wantBoth, "10.0.1.5 16801\n", "", 1))
	links[2].Up = false
	k.Change(func(f *nic.Found) { // as the kernel does
		f.Routes = slices.DeleteFunc(f.Routes, func(r nic.Route) bool { return r.Link == links[2].Index })
	})
	sync(t, m, links)
	sync(t, m, vm())
	expect(t, k, wantBoth)
	if list := m.Repairs(); len(list) > 0 {
		t.Errorf("repairs %v", list)
	}
}

// When the configuration changes, rules are changed in place, and those of NICs that it no
// longer has are removed.
func TestChange(t *testing.T) {
	k := &nictest.Kernel{}
	old := nic.New(k)
	old.SetWanted(both())
	sync(t, old, vm())
	m := nic.New(k)
	m.SetWanted([]nic.NIC{{Device: "eth0", Table: 16800, Gateway: netip.MustParseAddr("10.0.0.9")}, {Device: "eth1", Table: 101}})
	sync(t, m, vm())
	expect(t, k, `10.0.0.4 16800
10.0.1.4 101
10.0.1.5 101
table 101 via 10.0.1.1 link 3
table 16800 via 10.0.0.9 link 2`)
	if list := m.Repairs(); len(list) > 0 {
		t.Errorf("repairs %v", list)
	}
	if err := m.Flush(); err != nil {
		t.Fatal(err)
	}
	expect(t, k, "")
}

// Each NIC reports its own problem and delays no other.
func TestStates(t *testing.T) {
	k := &nictest.Kernel{}
	k.Occupy(16804)
	m := nic.New(k)
	m.SetWanted([]nic.NIC{
		{Device: "eth0", Table: 16800}, {Device: "eth1", Table: 16801}, {Device: "eth2", Table: 16802}, {Device: "eth3", Table: 16803},
		{Device: "eth4", Table: 16804}, {Device: "eth5", Table: 16805},
	})
	down := link(4, "eth2", "10.0.2.4/24")
	down.Up = false
	next, err := m.Sync([]fib.Link{
		link(2, "eth0", "10.0.0.4/24"), down, link(5, "eth3", "fd00::4/64"), link(6, "eth4", "10.0.4.4/24"), link(7, "eth5", "10.0.5.4/32"),
	}, t0)
	if err != nil || !next.After(t0) {
		t.Errorf("next %v, %v", next, err)
	}
	for i, want := range []string{
		"ready ", "waiting waiting for link eth1", "waiting waiting for link eth2 to come up", "waiting waiting for an IPv4 address on eth3",
		"failed add route via 10.0.4.1 in table 16804: table 16804 has a route of another program to 168.63.129.16",
		"waiting waiting for a subnet with a gateway on eth5 (or set gateway)",
	} {
		if s := m.Status()[i]; s.State+" "+s.Reason != want {
			t.Errorf("%s: %s %s, want %s", s.Device, s.State, s.Reason, want)
		}
	}
	if s := m.Status()[0]; s.Gateway.String() != "10.0.0.1" || fmt.Sprint(s.Addresses) != "[10.0.0.4]" {
		t.Errorf("eth0 is %+v", s)
	}
}

// A failure is retried after a while, or when a link changes.
func TestRetry(t *testing.T) {
	k := &nictest.Kernel{}
	m := nic.New(k)
	m.SetWanted(both()[:1])
	k.FailNext(errors.New("busy"))
	next, _ := m.Sync(vm(), t0)
	if !next.After(t0) {
		t.Fatal("not tried again")
	}
	if again, _ := m.Sync(vm(), t0); again != next {
		t.Error("tried again too early")
	}
	m.Kick()
	sync(t, m, vm())
	expect(t, k, "10.0.0.4 16800\ntable 16800 via 10.0.0.1 link 2")
}
