package ctl

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/api/apitest"
	"github.com/nvad/nvad/pkg/azure/arm"
)

const lastHop = "it is the last next hop"

// drainWith runs nvactl drain beside a route to-onprem that can be changed and one,
// to-last, of which this NVA is the last next hop.
func drainWith(t *testing.T, ctx context.Context, d *apitest.Daemon, args string) (*fakeAzure, result) {
	t.Helper()
	f := newFakeAzure(t)
	f.hopChanges, f.hopErr = true, map[string]error{"to-last": errors.New(lastHop)}
	return f, f.run(ctx, serve(t, d), append([]string{"drain"}, strings.Fields(args)...)...)
}

const tableID = "/subscriptions/00000000-0000-0000-0000-000000000001/resourcegroups/rg-spokes/providers/microsoft.network/routetables/rt-spoke"

// A drain takes the NVA out of the routes, and its end brings it back.
func TestDrainHop(t *testing.T) {
	d := hub00()
	f, r := drainWith(t, t.Context(), d, "--azure-udr rg-spokes/rt-spoke/to-onprem")
	if want := "rg-spokes/rt-spoke/to-onprem: 10.0.0.4 is no next hop any more\ndraining, traffic will have moved in 30s\n"; r.code != 0 || r.out != want {
		t.Errorf("got %+v, want %q", r, want)
	}
	if len(f.did) != 1 || f.did[0] != "hop "+tableID+" to-onprem 10.0.0.4 false" || len(d.Commands()) != 1 {
		t.Errorf("did %q, nvad %q", f.did, d.Commands())
	}
	id := "/subscriptions/S/resourceGroups/RG/providers/Microsoft.Network/routeTables/RT/routes/To"
	f, r = drainWith(t, t.Context(), d, "--off --azure-udr "+id+" --azure-hop 10.0.1.4")
	if want := id + ": 10.0.1.4 is a next hop again\nthis NVA carries traffic again\n"; r.code != 0 || r.out != want {
		t.Errorf("got %+v, want %q", r, want)
	}
	if len(f.did) != 1 || f.did[0] != "hop /subscriptions/s/resourcegroups/rg/providers/microsoft.network/routetables/rt To 10.0.1.4 true" {
		t.Errorf("did %q", f.did)
	}
	f = newFakeAzure(t)
	f.err = errors.New("the identity may not read the VM")
	if r := f.run(t.Context(), serve(t, d), "drain", "--azure-udr", id, "--azure-hop", "10.0.1.4", "--azure-client-id", "a-b"); r.code != 0 || f.options.ClientID != "a-b" {
		t.Errorf("what the flags say is asked for: %+v, options %+v", r, f.options)
	}
	if f, r := drainWith(t, t.Context(), d, ""); r.code != 0 || f.options.Progress != nil {
		t.Errorf("without --azure-udr, Azure is asked: %+v", r)
	}
}

// What Azure refuses keeps neither the drain nor the other routes from changing. The exit
// code is 1.
func TestDrainHopRefused(t *testing.T) {
	d := hub00()
	f, r := drainWith(t, t.Context(), d, "--azure-udr a/b/to-last --azure-udr rg-spokes/rt-spoke/to-onprem")
	if want := "nvactl: a/b/to-last: Azure still sends packets to 10.0.0.4: " + lastHop + "\n"; r.code != 1 || r.err != want {
		t.Errorf("got %+v, want %q", r, want)
	}
	if !strings.Contains(r.out, "to-onprem: 10.0.0.4 is no next hop any more\ndraining") || len(f.did) != 2 || len(d.Commands()) != 1 {
		t.Errorf("%q, did %q, nvad %q", r.out, f.did, d.Commands())
	}
	f = newFakeAzure(t)
	f.err = errors.New("no managed identity")
	d = hub00()
	d.At.Drain.Since = ago(1, 0, 0)
	r = f.run(t.Context(), serve(t, d), "drain", "--wait", "--azure-udr", "a/b/c")
	if want := "nvactl: user-defined routes of Azure are as before: no managed identity\n"; r.code != 1 || r.err != want || len(d.Commands()) != 1 {
		t.Errorf("got %+v, want %q; nvad %q", r, want, d.Commands())
	}
}

// The drain's errors name no flag that only "nvactl azure" has.
func TestDrainHopHints(t *testing.T) {
	for _, c := range []struct{ err, want string }{
		{"not Azure", "this machine does not seem to be a VM of Azure: <nil>; elsewhere, name the VM by its resource ID: with --azure-hop, and the resource ID of each route"},
		{"late", "time is over"},
	} {
		f := newFakeAzure(t)
		f.err = map[string]error{"not Azure": &arm.NotAzureError{}, "late": fmt.Errorf("time is over: %w", context.DeadlineExceeded)}[c.err]
		r := f.run(t.Context(), serve(t, hub00()), "drain", "--azure-udr", "a/b/c")
		if r.code != 1 || !strings.Contains(r.err, c.want) || strings.Contains(r.err, "--timeout") || strings.Contains(r.err, "--vm") {
			t.Errorf("%s: %+v", c.err, r)
		}
	}
}

// --wait waits for the flows that Azure moves, even if the drain itself is long over, or an
// earlier one was interrupted after it had removed the next hop.
func TestDrainHopWaits(t *testing.T) {
	for _, changes := range []bool{true, false} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		d := hub00()
		d.At.Drain.Since = ago(1, 0, 0)
		f := newFakeAzure(t)
		f.hopChanges = changes
		r := f.run(ctx, serve(t, d), "drain", "--wait", "--azure-udr", "a/b/c")
		if r.code != 1 || strings.Contains(r.out, "drained") {
			t.Errorf("the hop was there: %v; it has not waited: %+v", changes, r)
		}
	}
}

// Flags that can't be right change nothing.
func TestDrainHopFlags(t *testing.T) {
	for args, want := range map[string]string{
		"--azure-udr a/b":                       `--azure-udr: "a/b" is neither RESOURCEGROUP/TABLE/ROUTE nor the resource ID of a route`,
		"--azure-udr a//c":                      `"a//c" is neither`,
		"--azure-udr /subscriptions/s/a":        `"/subscriptions/s/a" is neither`,
		"--azure-udr a/b/c --azure-hop x":       `--azure-hop: "x" is not an IPv4 address`,
		"--azure-udr a/b/c --azure-hop fd00::1": `--azure-hop: "fd00::1" is not an IPv4 address`,
		"--azure-hop 10.0.0.4":                  "--azure-hop and --azure-client-id need --azure-udr",
		"--azure-client-id x":                   "--azure-hop and --azure-client-id need --azure-udr",
	} {
		d := hub00()
		f, r := drainWith(t, t.Context(), d, args)
		if r.code != 1 || !strings.Contains(r.err, want) || len(f.did)+len(d.Commands()) > 0 {
			t.Errorf("%s: %+v, did %q, nvad %q; want %s", args, r, f.did, d.Commands(), want)
		}
	}
}
