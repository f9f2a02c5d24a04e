package tunnel_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/tunnel"
	"github.com/nvad/nvad/pkg/tunnel/tunneltest"
)

var (
	t0      = time.Unix(1_700_000_000, 0)
	remote4 = netip.MustParseAddr("10.10.0.4")
	remote5 = netip.MustParseAddr("10.10.0.5")
)

func newKernel() *tunneltest.Kernel {
	k := &tunneltest.Kernel{Low: 32768, High: 60999}
	k.Plant(tunnel.Link{
		Name: "eth0", MTU: 1500, Up: true, Carrier: true, Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.4/24")},
	})
	return k
}

func vxlan0(remotes ...netip.Addr) tunnel.Tunnel {
	return tunnel.Tunnel{
		Name: "vxlan0", VNI: 77, Device: "eth0", Remotes: remotes,
		Addresses: []netip.Prefix{netip.MustParsePrefix("169.254.0.1/24")},
	}
}

func sync(t *testing.T, m *tunnel.Manager, now time.Time) time.Time {
	t.Helper()
	next, err := m.Sync(now)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

const built = "eth0 mtu 1500 up true 10.0.0.4/24\n" +
	"vxlan0 mtu 1450 up true alias nvad 169.254.0.1/24 mac 4e:27:6f:10:3a:1a vni 77 port 4789 to 10.10.0.4 to 12:65:71:58:64:64 at 10.10.0.4\n"

func TestBuildsInOrder(t *testing.T) {
	k := newKernel()
	m := tunnel.New(k)
	m.SetWanted([]tunnel.Tunnel{vxlan0(remote4)})
	sync(t, m, t0)
	if got := k.String(); got != built {
		t.Errorf("kernel holds\n%swant\n%s", got, built)
	}
	got := strings.Join(k.Log, ", ")
	want := "vxlan0: create, vxlan0: set alias, vxlan0: add address 169.254.0.1/24, vxlan0: add remote 12:65:71:58:64:64 at 10.10.0.4, vxlan0: set up, vxlan0: announce 169.254.0.1/24"
	if got != want {
		t.Errorf("did %s\nwant %s", got, want)
	}
	if st := m.Status(); st[0].State != "up" || st[0].Source.String() != "10.0.0.4" || st[0].Underlay != "eth0" {
		t.Errorf("status %+v", st)
	}
	k.Log = nil
	m = tunnel.New(k)
	m.SetWanted([]tunnel.Tunnel{vxlan0(remote4)})
	sync(t, m, t0)
	if len(k.Log) > 0 {
		t.Errorf("a restart did %v", k.Log)
	}
}

// Restoring what another program changed counts as a repair. Applying a new configuration does
// not.
func TestRepairs(t *testing.T) {
	k := newKernel()
	m := tunnel.New(k)
	want := vxlan0(remote4)
	repairs := func(what string, n int) {
		t.Helper()
		sync(t, m, t0)
		if got := m.Repairs(); len(got) != n {
			t.Errorf("%s: repairs %v", what, got)
		}
	}
	m.SetWanted([]tunnel.Tunnel{want})
	repairs("built", 0)
	want.Remotes = append(want.Remotes, remote5)
	want.Addresses = append(want.Addresses, netip.MustParsePrefix("fe80::1/64"))
	m.SetWanted([]tunnel.Tunnel{want})
	repairs("another remote and address", 0)
	want.VNI = 78
	m.SetWanted([]tunnel.Tunnel{want})
	repairs("another VNI", 0)
	k.Log = nil
	repairs("nothing new", 0)
	if len(k.Log) > 0 {
		t.Errorf("did %v", k.Log)
	}
	m.SetWanted([]tunnel.Tunnel{want})
	k.Uproot("vxlan0")
	repairs("taken away", 1)
}

// Entries that a device learned from a remote stay. A stranger's entries are removed, and so
// is an entry that leads a remote's MAC address elsewhere.
func TestForwardingEntries(t *testing.T) {
	stranger := netip.MustParseAddr("10.0.0.66")
	foreign, far := [6]byte{2, 0, 0, 0, 0, 1}, [6]byte{0x12, 0x65, 0x71, 0x58, 0x64, 0x64}
	learned := func(mac [6]byte, at netip.Addr) tunnel.Remote {
		return tunnel.Remote{MAC: mac, Addr: at, Learned: true}
	}
	for _, tt := range []struct {
		name    string
		planted tunnel.Remote
		learns  bool
		did     string
	}{
		{"a far end that is not nvad", learned(foreign, remote4), true, ""},
		{"the same, not to be learned", learned(foreign, remote4), false, "vxlan0: delete remote 02:00:00:00:00:01 at 10.10.0.4"},
		{"a stranger", learned(foreign, stranger), true, "vxlan0: delete remote 02:00:00:00:00:01 at 10.0.0.66"},
		{"put there by another", tunnel.Remote{MAC: foreign, Addr: remote4}, true, "vxlan0: delete remote 02:00:00:00:00:01 at 10.10.0.4"},
		{"a stranger as the remote", learned(far, stranger), true, "vxlan0: delete remote 12:65:71:58:64:64 at 10.0.0.66"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := newKernel()
			m := tunnel.New(k)
			want := vxlan0(remote4)
			want.NoLearning = !tt.learns
			m.SetWanted([]tunnel.Tunnel{want})
			sync(t, m, t0)
			k.Log = nil
			k.Change("vxlan0", func(l *tunnel.Link) { l.FDB = append(l.FDB, tt.planted) })
			sync(t, m, t0)
			if got := strings.Join(k.Log, ", "); got != tt.did || len(m.Repairs()) > 0 != (tt.did != "") {
				t.Errorf("did %q, want %q", got, tt.did)
			}
		})
	}
}

// If another program made a link of the wanted name, nvad takes it over only if it is as
// wanted.
func TestForeignLinks(t *testing.T) {
	like := tunnel.VXLAN{VNI: 77, Device: 1, Remote: remote4, Port: 4789, Learning: true}
	unlike := like
	unlike.VNI = 78
	for _, tt := range []struct {
		name  string
		vxlan *tunnel.VXLAN
		alias string
		state string
		index int
	}{
		{"same attributes", &like, "", "up", 2},
		{"other attributes", &unlike, "", "failed", 2},
		{"other attributes, alias of another", &unlike, "mine", "failed", 2},
		{"not a tunnel", nil, "", "failed", 2},
		{"not a tunnel with nvad's alias", nil, tunnel.Alias, "failed", 2},
		{"nvad's own, other attributes", &unlike, tunnel.Alias, "up", 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := newKernel()
			k.Plant(tunnel.Link{Name: "vxlan0", Alias: tt.alias, VXLAN: tt.vxlan, Up: true, Carrier: true, MTU: 1450})
			m := tunnel.New(k)
			m.SetWanted([]tunnel.Tunnel{vxlan0(remote4)})
			sync(t, m, t0)
			if st := m.Status()[0]; st.State != tt.state {
				t.Errorf("state %s (%s), want %s", st.State, st.Reason, tt.state)
			}
			for _, l := range m.Links() {
				if l.Name == "vxlan0" && l.Index != tt.index {
					t.Errorf("index %d, want %d", l.Index, tt.index)
				}
			}
		})
	}
}

func TestWaitsForUnderlay(t *testing.T) {
	k := &tunneltest.Kernel{Low: 32768, High: 60999}
	m := tunnel.New(k)
	m.SetWanted([]tunnel.Tunnel{vxlan0(remote4)})
	reason := func(want string) {
		t.Helper()
		if !sync(t, m, t0).IsZero() {
			t.Error("a tunnel that waits for a link is polled")
		}
		if st := m.Status()[0]; st.Reason != want {
			t.Errorf("reason %q, want %q", st.Reason, want)
		}
	}
	reason("waiting for link eth0")
	k.Plant(tunnel.Link{Name: "eth0", MTU: 1500, Up: true})
	reason("waiting for an address on eth0")
	k.Change("eth0", func(l *tunnel.Link) { l.Addresses = []netip.Prefix{netip.MustParsePrefix("10.0.0.4/24")} })
	reason("")
	if got := k.String(); got != built {
		t.Errorf("kernel holds\n%s", got)
	}
}

// The hardware address is derived from the VNI and the local address, and does not change when
// the underlay gets more addresses.
func TestStableMAC(t *testing.T) {
	k := newKernel()
	m := tunnel.New(k)
	m.SetWanted([]tunnel.Tunnel{vxlan0(remote4)})
	sync(t, m, t0)
	k.Change("eth0", func(l *tunnel.Link) {
		l.Addresses = append([]netip.Prefix{netip.MustParsePrefix("10.0.0.3/24")}, l.Addresses...)
	})
	sync(t, m, t0)
	if got := k.String(); !strings.Contains(got, "4e:27:6f:10:3a:1a") {
		t.Errorf("hardware address changed\n%s", got)
	}
	k.Change("eth0", func(l *tunnel.Link) { l.Addresses = l.Addresses[:1] })
	k.Log = nil
	sync(t, m, t0)
	if got := strings.Join(k.Log, ", "); !strings.Contains(got, "set mac") || !strings.Contains(got, "announce") {
		t.Errorf("after the address was removed: %s", got)
	}
}

func TestFailureIsRetried(t *testing.T) {
	k := newKernel()
	m := tunnel.New(k)
	k.FailNext("vxlan0: create", errors.New("file exists"))
	m.SetWanted([]tunnel.Tunnel{vxlan0(remote4)})
	next := sync(t, m, t0)
	if st := m.Status()[0]; st.State != "failed" || st.Reason != "vxlan0: create: file exists" || next.IsZero() {
		t.Fatalf("status %+v, next %v", st, next)
	}
	if sync(t, m, next.Add(-1)); m.Status()[0].State != "failed" {
		t.Error("tried too early")
	}
	sync(t, m, next)
	if st := m.Status()[0]; st.State != "up" {
		t.Errorf("status %+v", st)
	}
}

// Whichever way a list of tunnels is reached, the kernel ends with the same ones.
func TestRandomWalk(t *testing.T) {
	other := vxlan0(remote4, remote5)
	other.MTU = 1400
	other.Addresses = append(other.Addresses, netip.MustParsePrefix("fd77::1/64"))
	moved := vxlan0(remote5)
	moved.VNI = 78
	second := tunnel.Tunnel{Name: "vxlan1", VNI: 9, Device: "eth0", Group: netip.MustParseAddr("239.1.1.1"), TTL: 16, Port: 4790}
	states := [][]tunnel.Tunnel{{}, {vxlan0(remote4)}, {other}, {moved, second}, {second}, {vxlan0(remote5), second}}
	goals := make([]string, len(states))
	for i, s := range states {
		k := newKernel()
		k.Plant(tunnel.Link{Name: "br0", MTU: 9000})
		m := tunnel.New(k)
		m.SetWanted(s)
		sync(t, m, t0)
		goals[i] = k.String()
	}
	for seed := range uint64(50) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 2))
			k := newKernel()
			k.Plant(tunnel.Link{Name: "br0", MTU: 9000})
			m := tunnel.New(k)
			now := t0
			for range 20 {
				i := rng.IntN(len(states))
				if rng.IntN(4) == 0 {
					m = tunnel.New(k)
				}
				m.SetWanted(states[i])
				trouble(rng, k)
				_, _ = m.Sync(now) // may fail because of trouble
				for range 3 {      // each attempt may meet one failure
					now = now.Add(time.Minute)
					_, _ = m.Sync(now)
				}
				if got := k.String(); got != goals[i] {
					t.Fatalf("state %d ended as\n%swant\n%s", i, got, goals[i])
				}
			}
		})
	}
}

func trouble(rng *rand.Rand, k *tunneltest.Kernel) {
	switch rng.IntN(7) {
	case 0:
		k.Uproot("vxlan0")
	case 1:
		k.FailNext("vxlan0: create", errors.New("busy"))
	case 2:
		k.FailNext("Links", errors.New("interrupted"))
	case 3:
		k.FailNext("vxlan0: change", errors.New("not supported"))
	case 4:
		k.FailNext("vxlan0: set up", errors.New("busy"))
	case 5:
		k.FailNext("vxlan0: delete", errors.New("busy"))
	}
}

func TestSourcePorts(t *testing.T) {
	for _, tt := range []struct{ low, high, wantLow, wantHigh uint16 }{
		{32768, 60999, 0, 0},
		{1024, 65535, 1024, 65329},
		{65330, 65535, 65331, 65535},
		{65000, 65330, 65000, 65329},
	} {
		k := newKernel()
		k.Low, k.High = tt.low, tt.high
		m := tunnel.New(k)
		m.SetWanted([]tunnel.Tunnel{vxlan0(remote4)})
		sync(t, m, t0)
		for _, l := range m.Links() {
			if v := l.VXLAN; v != nil && (v.PortLow != tt.wantLow || v.PortHigh != tt.wantHigh) {
				t.Errorf("range %d-%d: source ports %d-%d", tt.low, tt.high, v.PortLow, v.PortHigh)
			}
		}
	}
}

func TestFlush(t *testing.T) {
	k := newKernel()
	k.Plant(tunnel.Link{Name: "vxlan9", VXLAN: &tunnel.VXLAN{VNI: 9}})
	before := k.String()
	m := tunnel.New(k)
	m.SetWanted([]tunnel.Tunnel{vxlan0(remote4)})
	sync(t, m, t0)
	if err := m.Flush(); err != nil {
		t.Fatal(err)
	}
	if got := k.String(); got != before {
		t.Errorf("after flush\n%s", got)
	}
}
