package ctl

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/api/apitest"
	"github.com/nvad/nvad/pkg/azure"
)

// polled is hub00 with what polls of Azure saw: one prefix as it should be, one that a
// user-defined route takes, one that nvad had not sent.
func polled(t *testing.T, change func(*api.AzureState, *api.AzureView)) *apitest.Daemon {
	t.Helper()
	d := hub00()
	rs0, rs1 := netip.MustParseAddr("10.0.210.4"), netip.MustParseAddr("10.0.210.5")
	d.At.Azure = &api.AzureState{Interval: 10 * time.Minute, Taken: ago(0, 4, 12), Prefixes: 3, Findings: 2}
	fates := map[string]*azure.Fate{
		"10.110.0.0/16": {Learned: []netip.Addr{rs0, rs1}, Effective: "next hop 10.0.0.4, this NVA"},
		"10.100.0.0/16": {Learned: []netip.Addr{rs0}, Unlearned: []netip.Addr{rs1},
			Effective: `user-defined route "to-fw" via 10.0.9.4`, Findings: []azure.Cause{
				{Code: "udr-wins", Reason: `route table rt-nva has the route "to-fw" for 10.100.0.0/16, and Azure prefers user-defined routes`},
				{Code: "not-learned", Reason: "instance 10.0.210.5 did not learn it"},
			}},
		"10.10.0.0/16": nil,
	}
	for s, fate := range fates {
		prefix := netip.MustParsePrefix(s)
		v := &api.AzureView{Taken: ago(0, 4, 12), Fate: fate, LeftOut: 7}
		if fate != nil {
			fate.Prefixes = []netip.Prefix{prefix}
		}
		change(d.At.Azure, v)
		x := d.Stories[prefix]
		x.Azure = v
		d.Stories[prefix] = x
		if addr := prefix.Addr().Next().Next().Next().Next(); d.Ways[addr].Address.IsValid() {
			w := d.Ways[addr]
			w.Azure = v
			d.Ways[addr] = w
		}
	}
	return d
}

// With azure.poll, explain, lookup and status mention what Azure did, and how long ago.
// Without it, they say nothing of Azure.
func TestPolled(t *testing.T) {
	socket := serve(t, polled(t, func(*api.AzureState, *api.AzureView) {}))
	for name, args := range map[string]string{
		"polled-status":  "status",
		"polled-explain": "explain 10.100.0.0/16",
		"polled-unseen":  "explain 10.10.0.0/16",
		"polled-lookup":  "routes lookup 10.110.0.4",
	} {
		t.Run(name, func(t *testing.T) { show(t, socket, name, strings.Fields(args)...) })
	}
	off := serve(t, hub00())
	for _, args := range []string{"status", "explain 10.100.0.0/16", "routes lookup 10.110.0.4"} {
		if r := nvactl(t, off, strings.Fields(args)...); r.code != 0 || strings.Contains(r.out, "Azure") {
			t.Errorf("%s without azure.poll: %d\n%s", args, r.code, r.out)
		}
	}
}

// Old, failing and missing polls are said.
func TestPolledBadly(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*api.AzureState, *api.AzureView)
		status string
		view   string
	}{
		"none yet": {func(s *api.AzureState, v *api.AzureView) {
			*s, *v = api.AzureState{Interval: s.Interval}, api.AzureView{}
		}, "not asked yet (systemctl status nvad-azure.timer says why)", "Azure: not known yet, no poll has succeeded (nvactl status)"},
		"stale": {func(s *api.AzureState, v *api.AzureView) {
			s.Taken, s.Stale, v.Taken, v.Stale = ago(1, 0, 0), true, ago(1, 0, 0), true
		}, "asked 01:00:00 ago, which is too long: 3 prefixes, 2 findings (nvactl azure diff) (systemctl status nvad-azure.timer says why)",
			"Azure, 01:00:00 ago (too long, see nvactl status): 10.100.0.0/16"},
		"not all of it": {func(s *api.AzureState, _ *api.AzureView) { s.Findings, s.NotRead = 0, 2 },
			"3 prefixes, 0 findings, 2 things not read (nvactl azure diff)", "Azure, 00:04:12 ago: 10.100.0.0/16"},
		"one thing less": {func(s *api.AzureState, _ *api.AzureView) { s.Findings, s.NotRead = 1, 1 },
			"3 prefixes, 1 finding, 1 thing not read (nvactl azure diff)", "Azure, 00:04:12 ago: 10.100.0.0/16"},
		"failed": {func(s *api.AzureState, _ *api.AzureView) {
			s.FailedAt, s.Failure = ago(0, 1, 0), "no managed identity"
		}, "the last poll failed 00:01:00 ago: no managed identity", "Azure, 00:04:12 ago: 10.100.0.0/16"},
		"only failed": {func(s *api.AzureState, v *api.AzureView) {
			*s, *v = api.AzureState{Interval: s.Interval, FailedAt: ago(0, 1, 0), Failure: "no managed identity"}, api.AzureView{}
		}, "not asked yet; the last poll failed 00:01:00 ago: no managed identity", "no poll has succeeded"},
	} {
		t.Run(name, func(t *testing.T) {
			socket := serve(t, polled(t, c.change))
			for args, want := range map[string]string{"status": c.status, "explain 10.100.0.0/16": c.view} {
				r := nvactl(t, socket, strings.Fields(args)...)
				if got := strings.Join(strings.Fields(r.out), " "); r.code != 0 || !strings.Contains(got, want) {
					t.Errorf("%s: %d, want %q in\n%s", args, r.code, want, r.out)
				}
			}
		})
	}
}
