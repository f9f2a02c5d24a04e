package nat_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/nat"
	"github.com/nvad/nvad/pkg/nat/nattest"
)

var t0 = time.Unix(1_700_000_000, 0)

func prefixes(list ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

// edge returns the rules of the ExpressRoute edge.
func edge() nat.Rules {
	return nat.Rules{
		Masquerades: []nat.Masquerade{{
			Out: "bond0", Source: netip.MustParsePrefix("0.0.0.0/0"),
			ExceptDestinations: prefixes("10.0.0.0/8"), ExceptSources: prefixes("192.168.0.1/32"),
		}},
		Clamps: []nat.Clamp{{Device: "vxlan0"}},
	}
}

const edgeTable = `postrouting hook postrouting
  daddr 168.63.129.16/32 return
  daddr 169.254.169.254/32 return
  oifname "bond0" saddr 0.0.0.0/0 jump masquerade-1
masquerade-1
  daddr 10.0.0.0/8 return
  saddr 192.168.0.1/32 return
  masquerade
forward hook forward
  oifname "vxlan0" tcp maxseg size set rt mtu
  iifname "vxlan0" tcp maxseg size set rt mtu
`

func sync(t *testing.T, m *nat.Manager, now time.Time) {
	t.Helper()
	if _, err := m.Sync(now); err != nil {
		t.Fatal(err)
	}
}

func TestWritesOnceAndAdopts(t *testing.T) {
	k := &nattest.Kernel{}
	for range 2 {
		m := nat.New(k)
		m.SetWanted(edge())
		sync(t, m, t0)
		sync(t, m, t0)
		m.SetWanted(edge())
		sync(t, m, t0)
		if got := k.String(); got != edgeTable {
			t.Errorf("table is\n%s", got)
		}
		if got := m.Repairs(); got != nil {
			t.Errorf("repairs %q", got)
		}
	}
	if got := strings.Join(k.Log, ", "); got != "replace" {
		t.Errorf("did %s", got)
	}
}

// Without rules there is no table, and none is deleted.
func TestWantsNothing(t *testing.T) {
	k := &nattest.Kernel{}
	m := nat.New(k)
	sync(t, m, t0)
	if len(k.Log) > 0 {
		t.Errorf("did %v", k.Log)
	}
	m.SetWanted(edge())
	sync(t, m, t0)
	m.SetWanted(nat.Rules{})
	sync(t, m, t0)
	if got := k.String(); got != "" || len(m.Repairs()) > 0 {
		t.Errorf("table is\n%s", got)
	}
}

func TestRepairs(t *testing.T) {
	for _, tt := range []struct {
		want string
		do   func(*nat.Found) *nat.Found
	}{
		{"the table is missing", func(*nat.Found) *nat.Found { return nil }},
		{"chain postrouting is missing", func(f *nat.Found) *nat.Found { f.Chains = nil; return f }},
		{"the rules of chain postrouting differ", func(f *nat.Found) *nat.Found { f.Chains[0].Marks[1] = ""; return f }},
		{"chain postrouting has another hook", func(f *nat.Found) *nat.Found { f.Chains[0].Hook = nat.OtherHook; return f }},
		{"the table has flags", func(f *nat.Found) *nat.Found { f.Flags = true; return f }},
		{"there are more chains", func(f *nat.Found) *nat.Found {
			f.Chains = append(f.Chains, nat.FoundChain{Name: "extra"})
			return f
		}},
	} {
		k := &nattest.Kernel{}
		m := nat.New(k)
		m.SetWanted(edge())
		sync(t, m, t0)
		k.Change(tt.do)
		k.FailNext("Replace", errors.New("busy"))
		if next, err := m.Sync(t0); err == nil || !next.After(t0) {
			t.Errorf("%s: next %v, %v", tt.want, next, err)
		}
		sync(t, m, t0.Add(time.Minute))
		if got := k.String(); got != edgeTable {
			t.Errorf("%s: table is\n%s", tt.want, got)
		}
		if got := m.Repairs(); !slices.Equal(got, []string{tt.want}) {
			t.Errorf("repairs %q, want %q", got, tt.want)
		}
	}
}

// liar reads back something other than what was written.
type liar struct{ *nattest.Kernel }

func (l liar) Read() (*nat.Found, error) {
	f, err := l.Kernel.Read()
	if f != nil {
		f.Chains = nil
	}
	return f, err
}

// If the table never reads back as wanted, nvad does not write it endlessly.
func TestNoEndlessRepair(t *testing.T) {
	k := &nattest.Kernel{}
	m := nat.New(liar{k})
	m.SetWanted(edge())
	next, err := m.Sync(t0)
	if err == nil || err.Error() != "just written, but chain postrouting is missing" {
		t.Fatal(err)
	}
	if at, err := m.Sync(next.Add(-1)); err == nil || at != next || len(k.Log) != 1 {
		t.Errorf("before the retry is due: %v, %v, did %v", at, err, k.Log)
	}
	if at, _ := m.Sync(next); at.Sub(next) <= next.Sub(t0) || len(k.Log) != 2 {
		t.Errorf("when the retry is due: next %v, did %v", at, k.Log)
	}
}

func TestFlush(t *testing.T) {
	k := &nattest.Kernel{}
	m := nat.New(k)
	m.SetWanted(edge())
	sync(t, m, t0)
	if err := m.Flush(); err != nil || k.String() != "" {
		t.Errorf("%v, table is\n%s", err, k)
	}
}

// Whichever way a list of rules is reached, the kernel ends with the same table.
func TestRandomWalk(t *testing.T) {
	other := edge()
	other.Clamps = []nat.Clamp{{Device: "vxlan0", Size: 1350}, {Device: "vxlan1"}}
	other.Masquerades[0].ExceptSources = nil
	publish := nat.Rules{DNATs: []nat.DNAT{{In: "eth0", Protocol: nat.TCP, To: nat.Endpoint{Addr: netip.MustParseAddr("10.1.0.4")}}}}
	states := []nat.Rules{{}, edge(), other, publish}
	goals := make([]string, len(states))
	for i, s := range states {
		k := &nattest.Kernel{}
		m := nat.New(k)
		m.SetWanted(s)
		sync(t, m, t0)
		goals[i] = k.String()
	}
	for seed := range uint64(50) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 4))
			k := &nattest.Kernel{}
			m, now := nat.New(k), t0
			for range 20 {
				i := rng.IntN(len(states))
				if rng.IntN(4) == 0 {
					m = nat.New(k)
				}
				m.SetWanted(states[i])
				trouble(rng, k)
				for range 4 { // each attempt may meet one failure
					now = now.Add(time.Minute)
					_, _ = m.Sync(now) // may fail because of trouble
				}
				if got := k.String(); got != goals[i] {
					t.Fatalf("state %d ended as\n%swant\n%s", i, got, goals[i])
				}
			}
		})
	}
}

func trouble(rng *rand.Rand, k *nattest.Kernel) {
	switch rng.IntN(6) {
	case 0:
		k.Change(func(*nat.Found) *nat.Found { return nil })
	case 1:
		k.Change(func(*nat.Found) *nat.Found {
			return &nat.Found{Chains: []nat.FoundChain{{Name: "postrouting", Hook: nat.Postrouting, Marks: []string{"mine"}}}}
		})
	case 2:
		k.FailNext("Read", errors.New("interrupted"))
	case 3:
		k.FailNext("Replace", errors.New("busy"))
	case 4:
		k.FailNext("Delete", errors.New("busy"))
	}
}
