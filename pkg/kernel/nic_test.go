package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/nvad/nvad/pkg/nic"
)

// foreignRules look like nvad's but are not: each has something more, something less or
// something different.
var foreignRules = []string{
	"from 10.0.0.4 to 168.63.129.16 lookup 77 pref 168",
	"from 10.0.0.4 to 168.63.129.16 lookup 77 pref 169 protocol 201",
	"from 10.0.0.4 to 168.63.129.0/24 lookup 77 pref 168 protocol 201",
	"from 10.0.0.0/24 to 168.63.129.16 lookup 77 pref 168 protocol 201",
	"from 10.0.0.4 to 168.63.129.16 fwmark 1 lookup 77 pref 168 protocol 201",
	"from 10.0.0.4 to 168.63.129.16 iif eth0 lookup 77 pref 168 protocol 201",
	"from 10.0.0.4 to 168.63.129.16 dport 80 ipproto tcp lookup 77 pref 168 protocol 201",
	"from 10.0.0.4 to 168.63.129.16 lookup 77 suppress_prefixlength 0 pref 168 protocol 201",
	"not from 10.0.0.4 to 168.63.129.16 lookup 77 pref 168 protocol 201",
	"from 10.0.0.4 to 168.63.129.16 blackhole pref 168 protocol 201",
}

// nvad reads back what it wrote, writing it twice does no harm, and it neither reads nor
// deletes another program's routes and rules.
func TestNICs(t *testing.T) {
	ns, name := testNS(t)
	k := open(t, ns)
	for _, r := range foreignRules {
		sh(t, "ip -n "+name+" rule add "+r)
	}
	sh(t, "ip -n "+name+" route add default via 10.0.0.9 table 16800")
	sh(t, "ip -n "+name+" route add 168.63.129.16 via 10.0.0.9 proto 201")
	before := sh(t, "ip -n "+name+" rule") + sh(t, "ip -n "+name+" route show table all")

	rule := nic.Rule{From: netip.MustParseAddr("10.0.0.4"), Table: 16800}
	route := nic.Route{Table: 16800, Via: netip.MustParseAddr("10.0.0.1"), Link: eth0(t, k)}
	large := nic.Route{Table: 1<<32 - 1, Via: route.Via, Link: route.Link}
	do(t, k, nic.Op{Kind: nic.AddRoute, Route: route}, nic.Op{Kind: nic.AddRoute, Route: large},
		nic.Op{Kind: nic.AddRule, Rule: rule}, nic.Op{Kind: nic.AddRule, Rule: rule})
	expectNICs(t, k, nil, nic.Found{Rules: []nic.Rule{rule}, Routes: []nic.Route{route, large}})
	route.Via = netip.MustParseAddr("10.0.0.2")
	do(t, k, nic.Op{Kind: nic.ReplaceRoute, Route: route})
	expectNICs(t, k, []uint32{16800, 5}, nic.Found{Rules: []nic.Rule{rule}, Routes: []nic.Route{route}})
	out := sh(t, "ip -n "+name+" rule show pref 168") + sh(t, "ip -n "+name+" route show table 16800")
	for _, want := range []string{"from 10.0.0.4 to 168.63.129.16 lookup 16800 proto 201", "168.63.129.16 via 10.0.0.2 dev eth0 proto 201"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	for range 2 {
		do(t, k, nic.Op{Kind: nic.DeleteRule, Rule: rule}, nic.Op{Kind: nic.DeleteRoute, Route: route}, nic.Op{Kind: nic.DeleteRoute, Route: large})
	}
	expectNICs(t, k, nil, nic.Found{})
	if after := sh(t, "ip -n "+name+" rule") + sh(t, "ip -n "+name+" route show table all"); after != before {
		t.Errorf("was\n%s\nis\n%s", before, after)
	}
}

// If another program has the route, the error says so and can be recognized. The same goes for
// a gateway that the NIC can't reach.
func TestNICRefused(t *testing.T) {
	ns, name := testNS(t)
	k := open(t, ns)
	sh(t, "ip -n "+name+" route add 168.63.129.16 via 10.0.0.9 table 16800")
	route := nic.Route{Table: 16800, Via: netip.MustParseAddr("10.0.0.1"), Link: eth0(t, k)}
	if err := k.NICs.Do(nic.Op{Kind: nic.AddRoute, Route: route}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("taken: %v", err)
	}
	do(t, k, nic.Op{Kind: nic.DeleteRoute, Route: route})
	if out := sh(t, "ip -n "+name+" route show table 16800"); !strings.Contains(out, "10.0.0.9") {
		t.Errorf("another program's route is gone: %q", out)
	}
	route.Table, route.Via = 16801, netip.MustParseAddr("192.0.2.1")
	if err := k.NICs.Do(nic.Op{Kind: nic.AddRoute, Route: route}); err == nil || errors.Is(err, fs.ErrExist) {
		t.Errorf("gateway out of reach: %v", err)
	}
}

func do(t *testing.T, k *Kernel, ops ...nic.Op) {
	t.Helper()
	for _, op := range ops {
		if err := k.NICs.Do(op); err != nil {
			t.Fatalf("%s: %v", op, err)
		}
	}
}

func expectNICs(t *testing.T, k *Kernel, tables []uint32, want nic.Found) {
	t.Helper()
	got, err := k.NICs.Read(tables)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(got.Routes, func(a, b nic.Route) int { return strings.Compare(fmt.Sprint(a.Table), fmt.Sprint(b.Table)) })
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
