package ctl

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nvad/nvad/pkg/api/apitest"
	"github.com/nvad/nvad/pkg/azure"
	"github.com/nvad/nvad/pkg/azure/arm"
	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// azureHub00 is a snapshot of hub00, made by hand.
const azureHub00 = "testdata/azure-hub00.snapshot"

// fakeAzure answers with a snapshot, and writes down what it is asked to change.
type fakeAzure struct {
	snapshot azure.Snapshot
	err      error
	hangs    bool // until the context ends

	options arm.Options
	asked   arm.Ask
	did     []string

	hopChanges bool // what SetHop answers
	hopErr     map[string]error
}

func newFakeAzure(t *testing.T) *fakeAzure {
	t.Helper()
	saved, err := readSnapshot(azureHub00)
	if err != nil {
		t.Fatal(err)
	}
	return &fakeAzure{snapshot: saved.Snapshot}
}

func (f *fakeAzure) Snapshot(ctx context.Context, a arm.Ask) (azure.Snapshot, error) {
	f.asked = a
	if f.hangs {
		f.options.Progress("waiting for effective routes of nic-hub00 (3s)")
		<-ctx.Done()
		return azure.Snapshot{}, fmt.Errorf("time ran out while waiting for effective routes: %w", ctx.Err())
	}
	return f.snapshot, f.err
}

func (f *fakeAzure) Register(_ context.Context, rs azure.RouteServer, name string, peer netip.Addr, asn uint32) (bool, error) {
	f.did = append(f.did, fmt.Sprintf("register %s %s %s %d", rs.Name, name, peer, asn))
	return true, f.err
}

func (f *fakeAzure) ForwardAt(_ context.Context, nic azure.NIC) (bool, error) {
	f.did = append(f.did, "forward "+nic.Name)
	return true, f.err
}

func (f *fakeAzure) Tag(_ context.Context, vm, name, value string) (string, bool, error) {
	f.did = append(f.did, fmt.Sprintf("tag %s %s %s", vm, name, value))
	return "/x/vm-hub00", len(f.did) == 1, f.err
}

func (f *fakeAzure) SetHop(_ context.Context, table azure.RouteTable, route string, hop netip.Addr, present bool) (bool, error) {
	f.did = append(f.did, fmt.Sprintf("hop %s %s %s %t", table.ID, route, hop, present))
	return f.hopChanges, f.hopErr[route]
}

// run runs nvactl with this Azure, and the daemon at socket.
func (f *fakeAzure) run(ctx context.Context, socket string, args ...string) result {
	var out, errs bytes.Buffer
	env := Env{
		Out: &out, Err: &errs, Width: defaultWidth, Now: func() time.Time { return apitest.Now },
		Getenv: func(key string) string { return map[string]string{socketVariable: socket}[key] },
		azure:  func(_ context.Context, o arm.Options) (azureClient, error) { f.options = o; return f, nil },
	}
	code := Run(ctx, env, args)
	return result{out.String(), errs.String(), code}
}

// azureShow checks table and JSON of a command that asks Azure.
func azureShow(t *testing.T, f *fakeAzure, socket, name string, code int, args ...string) {
	t.Helper()
	table := f.run(t.Context(), socket, args...)
	fits(t, table.out)
	structured := f.run(t.Context(), socket, append(args, "-o", "json")...)
	if table.code != code || structured.code != code || table.err != structured.err {
		t.Errorf("table: exit code %d, %s; JSON: exit code %d, %s", table.code, table.err, structured.code, structured.err)
	}
	if !json.Valid([]byte(structured.out)) {
		t.Errorf("not valid JSON: %s", structured.out)
	}
	golden(t, name+".txt", table.out+table.err)
	golden(t, name+".json", structured.out)
}

func TestAzureShow(t *testing.T) {
	f := newFakeAzure(t)
	azureShow(t, f, "", "azure-show", 0, "azure", "show", "--spoke", "rg-spoke/nic-spoke01")
	if want := (arm.Ask{Spokes: []string{"rg-spoke/nic-spoke01"}, Routes: true}); !reflect.DeepEqual(f.asked, want) {
		t.Errorf("asked %+v, want %+v", f.asked, want)
	}
	offline := f.run(t.Context(), "", "azure", "show", "--from-snapshot", azureHub00)
	if online := f.run(t.Context(), "", "azure", "show"); offline != online {
		t.Errorf("from the file: %+v", offline)
	}
}

// TestAzureShowLarge: a hub with hundreds of spokes, of which most may not be read, takes
// one screen for itself, and some for them.
func TestAzureShowLarge(t *testing.T) {
	f := newFakeAzure(t)
	for range 400 {
		hub := &f.snapshot.VNets[0]
		hub.Peerings = append(hub.Peerings, hub.Peerings[1])
		f.snapshot.VNets = append(f.snapshot.VNets, f.snapshot.VNets[2])
		f.snapshot.Missing = append(f.snapshot.Missing, f.snapshot.Missing[0])
	}
	r := f.run(t.Context(), "", "azure", "show")
	fits(t, r.out)
	if n := strings.Count(r.out, "\n"); n > 300 || !strings.Contains(r.out, "and 352 more") || !strings.Contains(r.out, "and 382 more") {
		t.Errorf("%d lines:\n%s", n, r.out)
	}
}

// TestAzureUnknownSpoke: a NIC that is not there is an error, one that may not be read is not.
func TestAzureUnknownSpoke(t *testing.T) {
	f := newFakeAzure(t)
	f.snapshot.Missing = append(f.snapshot.Missing,
		azure.Missing{ID: "/x/nic-spoke07", What: azure.WhatNIC, Reason: "NIC nic-spoke07: 404 ResourceNotFound"},
		azure.Missing{ID: "/x/nic-spoke08", What: azure.WhatNIC, Reason: "forbidden", Permission: "Microsoft.Network/networkInterfaces/read"})
	wantError(t, f.run(t.Context(), "", "azure", "show", "--spoke", "rg-spoke/nic-Spoke07"), "--spoke rg-spoke/nic-Spoke07: NIC nic-spoke07: 404 ResourceNotFound")
	if r := f.run(t.Context(), "", "azure", "show", "--spoke", "nic-spoke08"); r.code != 0 {
		t.Errorf("%+v", r)
	}
}

// TestAzureFlags: who asks, which cloud, as whom.
func TestAzureFlags(t *testing.T) {
	f := newFakeAzure(t)
	r := f.run(t.Context(), "", "azure", "show", "--identity", "managed", "--client-id", "a-b", "--cloud", "AzureChinaCloud")
	f.options.Progress = nil
	if want := (arm.Options{Cloud: "AzureChinaCloud", Identity: "managed", ClientID: "a-b"}); r.code != 0 || !reflect.DeepEqual(f.options, want) {
		t.Errorf("%+v, options %+v, want %+v", r, f.options, want)
	}
	for args, want := range map[string]string{
		"show --identity me":               `invalid argument "me" for "--identity" flag: want managed, workload or cli (see nvactl azure show --help)`,
		"show --cloud moon":                `invalid argument "moon" for "--cloud" flag: want AzurePublicCloud, AzureUSGovernmentCloud or AzureChinaCloud (see nvactl azure show --help)`,
		"show --timeout 0s":                "--timeout 0s: want more than 0",
		"show --from-snapshot a --spoke b": `if any flags in the group [from-snapshot spoke] are set none of the others can be; [from-snapshot spoke] were all set (see nvactl azure show --help)`,
		"regist":                           `unknown command "regist": a command that changes something needs its full name (see nvactl azure --help)`,
	} {
		wantError(t, f.run(t.Context(), "", append([]string{"azure"}, strings.Fields(args)...)...), want)
	}
}

// TestAzureSnapshot: the file has everything that Azure said and, with the routes, nvad's
// side; it can be read again.
func TestAzureSnapshot(t *testing.T) {
	f := newFakeAzure(t)
	socket := serve(t, hub00())
	plain := f.run(t.Context(), socket, "azure", "snapshot", "--tag", "nvad=site1")
	if plain.code != 0 || plain.err != "" || f.asked.Tag != "nvad=site1" || f.asked.Routes || strings.Contains(plain.out, `"nvad": {`) {
		t.Errorf("asked %+v: %+v", f.asked, plain)
	}
	full := f.run(t.Context(), socket, "azure", "snapshot", "--routes")
	saved, err := readSnapshot(write(t, "hub00.json", full.out))
	if err != nil || !reflect.DeepEqual(saved.Snapshot, f.snapshot) || !f.asked.Routes {
		t.Errorf("asked %+v: %v; read back:\n%+v", f.asked, err, saved)
	}
	self, err := json.MarshalIndent(saved.Self, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "azure-self.json", string(self)+"\n")
	alone := f.run(t.Context(), "/nonexistent", "azure", "snapshot", "--routes")
	if alone.code != 0 || alone.err != "Warning: nvad's side is missing: nvad is not running (no socket at /nonexistent).\n" || len(alone.out) < len(plain.out) {
		t.Errorf("%d, %s", alone.code, alone.err)
	}
}

// TestAzureSelfTunnels: the far ends are those of the file, and those that were heard.
func TestAzureSelfTunnels(t *testing.T) {
	got := selfTunnels([]*nvadv1.Tunnel{
		{Name: "a", Port: 4789, Local: "10.0.0.4", Remotes: []string{"10.10.0.4"}, Peers: []*nvadv1.TunnelPeer{{Remote: "10.10.0.4"}, {Remote: "10.20.0.4"}, {}}},
		{Name: "b", Port: 51820, Peers: []*nvadv1.TunnelPeer{{Remote: "203.0.113.9"}}},
	})
	addr := netip.MustParseAddr
	want := []azure.SelfTunnel{
		{Name: "a", Port: 4789, Local: addr("10.0.0.4"), Remotes: []netip.Addr{addr("10.10.0.4"), addr("10.20.0.4")}},
		{Name: "b", Port: 51820, Remotes: []netip.Addr{addr("203.0.113.9")}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestAzureBadSnapshots(t *testing.T) {
	f := newFakeAzure(t)
	large := write(t, "large", "")
	if err := os.Truncate(large, largestSnapshot+1); err != nil {
		t.Fatal(err)
	}
	text := write(t, "text", "{\n  \"taken\": now\n}\n")
	kind := write(t, "kind", "{\n  \"vm\": {\n    \"id\": 7\n  }\n}\n")
	other := write(t, "other", "{}\n")
	for file, want := range map[string]string{
		"/nonexistent": "open /nonexistent: no such file or directory",
		large:          large + ": the file is larger than 64 MiB",
		text:           text + ":2: not JSON: invalid character 'o' in literal null (expecting 'u')",
		kind:           kind + ":3: key vm.id: want string, got number",
		other:          other + `: key vm.id is missing: "nvactl azure snapshot" writes such a file`,
	} {
		wantError(t, f.run(t.Context(), "", "azure", "show", "--from-snapshot", file), want)
	}
}

// TestAzureEnds: a command ends at its timeout, with what it waited for, and when its user
// ends it; it returns what Azure said.
func TestAzureEnds(t *testing.T) {
	f := newFakeAzure(t)
	f.hangs = true
	wantError(t, f.run(t.Context(), "", "azure", "show", "--timeout", "10ms"),
		"time ran out while waiting for effective routes: context deadline exceeded (--timeout is 10ms)")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantError(t, f.run(ctx, "", "azure", "show"), "canceled")
	f.hangs, f.err = false, errors.New("the identity may not read\x1b[31m")
	wantError(t, f.run(t.Context(), "", "azure", "show"), "the identity may not read[31m")
}

// TestAzureElsewhere: nvad runs on another machine, and nothing says which one of Azure that is. This
// machine must not take its place: it would be registered, drained or described in its stead.
func TestAzureElsewhere(t *testing.T) {
	const which = "--address: which machine of Azure is that? give "
	const id = "/subscriptions/S/resourceGroups/RG/providers/Microsoft.Network/routeTables/RT/routes/To"
	for args, want := range map[string]string{
		"azure diff":                 which + "its resource ID with --vm",
		"azure register":             which + "its resource ID with --vm",
		"azure register --asn 65001": which + "its resource ID with --vm",
		"azure tag k=v":              which + "its resource ID with --vm",
		"azure poll":                 "--address: a poll asks Azure about this machine, so it must run where nvad runs",
		"drain --azure-udr a/b/c":    which + "its address with --azure-hop, and the resource ID of each route",
		"drain --azure-udr " + id:    which + "its address with --azure-hop, and the resource ID of each route",
		"drain --off --azure-udr " + id + " --azure-udr a/b/c --azure-hop 10.0.1.4": which + "its address with --azure-hop, and the resource ID of each route",
		// What says which machine it is leads on, to the certificate, which is not there.
		"azure register --vm x":                             "open a: no such file",
		"drain --azure-udr " + id + " --azure-hop 10.0.1.4": "open a: no such file",
		"drain": "open a: no such file",
	} {
		f := newFakeAzure(t)
		r := f.run(t.Context(), "", append(strings.Fields(args), "--address", "10.0.0.9:8443", "--cert", "a", "--key", "b", "--ca", "c")...)
		if r.code != 1 || !strings.Contains(r.err, want) || len(f.did) > 0 || f.options.Progress != nil {
			t.Errorf("%s: %+v, did %q; want %s", args, r, f.did, want)
		}
	}
}

// TestProgress: a terminal shows one line, which is gone at the end; a file shows nothing.
func TestProgress(t *testing.T) {
	master, slave := terminal(t)
	p := newProgress(slave, defaultWidth)
	p.show("effective routes\x1b[2J")
	p.show(strings.Repeat("x", 200))
	p.clear()
	p.clear()
	want := "\r\x1b[KAzure: effective routes[2J\r\x1b[KAzure: " + strings.Repeat("x", defaultWidth-1-8) + "…\r\x1b[K"
	got := make([]byte, len(want))
	if _, err := io.ReadFull(master, got); err != nil || string(got) != want {
		t.Errorf("got %q, %v\nwant %q", got, err, want)
	}
	// stdout may be a file, so that its width says nothing: here stderr has 40 columns.
	if err := unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 10, Col: 40}); err != nil {
		t.Fatal(err)
	}
	newProgress(slave, defaultWidth).show(strings.Repeat("x", 200))
	want = "\r\x1b[KAzure: " + strings.Repeat("x", 40-1-8) + "…"
	got = make([]byte, len(want))
	if _, err := io.ReadFull(master, got); err != nil || string(got) != want {
		t.Errorf("got %q, %v\nwant %q", got, err, want)
	}
	var plain bytes.Buffer
	p = newProgress(&plain, defaultWidth)
	p.show("effective routes")
	p.clear()
	if plain.Len() > 0 {
		t.Errorf("%q", plain.String())
	}
}

// terminal opens a pseudoterminal.
func terminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		if os.Getenv("NVAD_REQUIRE_ROOT") == "1" {
			t.Fatal("no pseudoterminals: ", err)
		}
		t.Skip("no pseudoterminals: ", err)
	}
	t.Cleanup(func() { master.Close() })
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slave.Close() })
	return master, slave
}

// TestAzureSelfBFD: BFD within a tunnel is none of Azure's business, all other is.
func TestAzureSelfBFD(t *testing.T) {
	d := hub00()
	add := func(address string, multihop bool) {
		n := d.Peers[2] // with BFD, within the tunnel
		n.Address = netip.MustParseAddr(address)
		session := *n.BFD
		session.Key.Multihop = multihop
		n.BFD = &session
		d.Peers = append(d.Peers, n)
	}
	add("10.0.0.9", false)
	add("10.10.0.9", true)
	add("169.254.0.77", true) // in the tunnel's subnet, and not among its peers
	saved, err := readSnapshot(write(t, "s.json", newFakeAzure(t).run(t.Context(), serve(t, d), "azure", "snapshot", "--routes").out))
	if err != nil || saved.Self == nil {
		t.Fatalf("%v: %+v", err, saved.Self)
	}
	want := []azure.SelfBFD{{Address: netip.MustParseAddr("10.0.0.9"), Port: 3784}, {Address: netip.MustParseAddr("10.10.0.9"), Port: 4784}}
	if !reflect.DeepEqual(saved.Self.BFD, want) {
		t.Errorf("got %+v, want %+v", saved.Self.BFD, want)
	}
}

// TestWayOut: how the NVA itself reaches the internet.
func TestWayOut(t *testing.T) {
	yes, no := true, false
	for _, c := range []struct {
		public bool
		subnet azure.Subnet
		want   string
	}{
		{true, azure.Subnet{DefaultOutbound: &no}, "public address"},
		{false, azure.Subnet{NATGateway: true, DefaultOutbound: &no}, "NAT gateway"},
		{false, azure.Subnet{DefaultOutbound: &yes}, "default outbound access"},
		{false, azure.Subnet{DefaultOutbound: &no}, "none, unless a route leads to one"},
		{false, azure.Subnet{}, ""},
	} {
		if got := wayOut(&azure.NIC{PublicIP: c.public}, c.subnet); got != c.want {
			t.Errorf("%+v: got %q, want %q", c.subnet, got, c.want)
		}
	}
}
