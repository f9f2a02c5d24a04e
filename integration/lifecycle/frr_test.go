package lifecycle

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/nvad/nvad/integration/frrouting"
	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/rivals"
)

// frr is FRR's bgpd in the neighbors' namespace. It is AS 65010.
type frr struct {
	*bed
	address string
	ours    string // nvad's address
	dir     string
	stop    func()
}

// frrOptions say how an frr differs from an ordinary one.
type frrOptions struct {
	networks []string // announced
	password string
	graceful bool   // graceful restart
	ours     string // nvad's address, if it is not the ordinary one
	// dials lets FRR dial as well as nvad. If both dial at the same moment, FRR may clear the
	// session that has just come up, and most tests here count sessions. integration/interop
	// tests such collisions.
	dials bool
}

// frr starts bgpd at one of the addresses in the neighbors' namespace.
func (b *bed) frr(address string, o frrOptions) *frr {
	b.Helper()
	lab.RequireRival(b.T, rivals.FRR8)
	if o.ours == "" {
		o.ours = ourAddress
	}
	f := &frr{bed: b, address: address, ours: o.ours, dir: b.Dir + "/frr-" + address}
	if err := os.MkdirAll(f.dir, 0o755); err != nil {
		b.Fatal(err)
	}
	conf := b.Write("frr-"+address+".conf", f.text(o))
	f.stop = b.Spawn(b.theirs, "bgpd-"+address,
		frrouting.Command(rivals.FRR8, f.dir, "bgpd", conf, "-Z", "-S", "-l", address, "--log", "stdout")...).Kill
	b.must(frrouting.Await(f.dir, "bgpd"))
	return f
}

func (f *frr) text(o frrOptions) string {
	var w strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&w, format+"\n", args...) }
	p("router bgp 65010\n bgp router-id %s\n no bgp ebgp-requires-policy\n no bgp network import-check", f.address)
	p(" coalesce-time 0")
	if o.graceful {
		p(" bgp graceful-restart\n bgp graceful-restart preserve-fw-state")
	}
	p(" neighbor %s remote-as 65001", f.ours)
	p(" neighbor %s update-source %s", f.ours, f.address)
	p(" neighbor %s timers 3 9\n neighbor %[1]s timers connect 1", f.ours)
	if o.password != "" {
		p(" neighbor %s password %s", f.ours, o.password)
	}
	if !o.dials {
		p(" neighbor %s passive", f.ours)
	}
	p(" address-family ipv4 unicast")
	for _, n := range o.networks {
		p("  network %s", n)
	}
	return w.String()
}

// try runs commands in FRR's shell.
func (f *frr) try(commands ...string) (string, error) {
	var args []string
	for _, c := range commands {
		args = append(args, "-c", c)
	}
	out, err := f.Command(f.theirs, frrouting.Vtysh(rivals.FRR8, f.dir, args...)...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("vtysh: %w: %s", err, out)
	}
	return string(out), err
}

// vtysh runs commands in FRR's shell. They must succeed.
func (f *frr) vtysh(commands ...string) string {
	f.Helper()
	out, err := f.try(commands...)
	if err != nil {
		f.Fatal(err)
	}
	return out
}

// view is FRR's view of its session with nvad.
type view struct {
	State          string `json:"bgpState"`
	Established    int    `json:"connectionsEstablished"`
	Reason         string `json:"lastNotificationReason"`
	ShutdownText   string `json:"lastShutdownDescription"`
	LastResetDueTo string `json:"lastResetDueTo"`
	Messages       struct {
		UpdatesSent     int `json:"updatesSent"`
		UpdatesReceived int `json:"updatesRecv"`
	} `json:"messageStats"`
}

func (f *frr) view() view {
	f.Helper()
	var all map[string]view
	out := f.vtysh("show bgp neighbors " + f.ours + " json")
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		f.Fatalf("%v: %s", err, out)
	}
	return all[f.ours]
}

// knows waits until FRR has a route for prefix and its output contains all of want.
func (f *frr) knows(prefix string, want ...string) {
	f.Helper()
	f.Eventually(patience, func() error {
		return contains(f.vtysh("show bgp ipv4 unicast "+prefix), append(want, "entry for "+prefix)...)
	})
}

// misses waits until FRR has no route for prefix.
func (f *frr) misses(prefix string) {
	f.Helper()
	f.Eventually(patience, func() error {
		return contains(f.vtysh("show bgp ipv4 unicast "+prefix), "Network not in table")
	})
}
