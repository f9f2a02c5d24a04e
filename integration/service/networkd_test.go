package service

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/failover/probe"
	"github.com/nvad/nvad/integration/lab"
)

// dropIn is the file that makes systemd-networkd leave other programs' routes alone.
const dropIn = "/etc/systemd/networkd.conf.d/nvad.conf"

// longest is ten times the goal, to allow for a busy machine.
const longest = 2 * time.Second

// TestNetworkd makes systemd-networkd configure the links under a running nvad. All of nvad's
// routes are back afterwards. The test prints how long they were missing; docs/failover.md has
// a table of the results.
//
// A container has no udev to wait for, so when networkd restarts, it configures a link before
// it has read the kernel's routes, and deletes none. If a changed file is reloaded, networkd
// takes the same step with the routes known, as it does after a restart on a VM.
func TestNetworkd(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.install("1.0.0")
	version, _, _ := strings.Cut(b.Exec(t, "networkctl", "--version"), "\n")
	t.Log(version)
	for _, routes := range []struct{ name, key, shows string }{
		{"plain routes", "", "via 10.0.0.1"},
		{"next-hop groups", "nexthop-groups = true", "nhid"},
	} {
		b.configure(routes.key)
		b.Sh(t, "systemctl restart nvad")
		b.converged()
		if got := b.Exec(t, "ip", "route", "show", "10.100.0.0/24"); !strings.Contains(got, routes.shows) {
			t.Errorf("%s: %s", routes.name, got)
		}
		for _, drop := range []bool{true, false} {
			b.withDropIn(drop)
			b.converged()
			for _, act := range []struct{ name, command string }{
				{"restart", "systemctl reset-failed systemd-networkd; systemctl restart systemd-networkd"},
				{"reload", "echo '# again' >>/etc/systemd/network/10-eth0.network; networkctl reload"},
			} {
				r := b.networkd(act.command, 2)
				t.Logf("%s, drop-in %v, %s: %d of %d packets lost, outage %v median, %v worst",
					routes.name, drop, act.name, r.Lost, r.Sent, r.Median(), r.Worst())
				if worst := r.Worst(); worst > longest {
					t.Errorf("outage of %v, want at most %v", worst, longest)
				}
			}
		}
	}
	b.Exec(t, "systemctl", "is-active", "nvad")
}

// withDropIn restarts systemd-networkd with the package's drop-in, or without it.
func (b *bed) withDropIn(yes bool) {
	b.Helper()
	target := "/dev/null"
	if yes {
		target = "/usr/share/nvad/networkd.conf"
	}
	b.Sh(b.T, "ln -sf "+target+" "+dropIn)
	b.Sh(b.T, "systemctl reset-failed systemd-networkd; systemctl restart systemd-networkd")
}

// networkd runs a command several times under traffic, and waits each time until the kernel is
// as it was. It returns the outages of all runs together.
func (b *bed) networkd(command string, times int) (all probe.Result) {
	b.Helper()
	for range times {
		before := b.forwarding()
		r := b.watched(func() {
			b.Sh(b.T, command)
			lab.Eventually(b.T, patience, func() error {
				if after := b.forwarding(); after != before {
					return fmt.Errorf("forwarding changed from\n%s\nto\n%s", before, after)
				}
				return nil
			})
		})
		all.Sent, all.Lost = all.Sent+r.Sent, all.Lost+r.Lost
		all.Outages = append(all.Outages, r.Outages...)
		all.Stall = max(all.Stall, r.Stall)
	}
	return all
}
