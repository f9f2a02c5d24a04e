package ctl

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/nvad/nvad/pkg/azure"
)

func TestAzureRegister(t *testing.T) {
	socket := serve(t, hub00())
	second := func(s *azure.Snapshot) {
		rs := s.RouteServers[0]
		rs.ID, rs.Name, rs.VNet, rs.Connections = "/other/ars-hub10", "ars-hub10", "/other/vnet-hub10", nil
		s.RouteServers = append(s.RouteServers, rs)
	}
	none := func(s *azure.Snapshot) { s.RouteServers[0].Connections = nil }
	const there = "ars-hub00: BGP peer nva1, 10.0.0.4, AS 65001, is there already\n"
	for _, c := range []struct {
		args, out, err string
		change         func(*azure.Snapshot)
		did            []string
	}{
		{args: "", out: "nic-hub00: IP forwarding is on\n" + there, did: []string{"forward nic-hub00"}},
		{args: "--dry-run", out: "nic-hub00: would turn on IP forwarding\n" + there},
		{args: "--asn 65001", out: "nic-hub00: IP forwarding is on already\n" + there, change: func(s *azure.Snapshot) { s.NICs[0].IPForwarding = true }},
		{args: "--asn 65002", err: "Route Server ars-hub00 has 10.0.0.4 as BGP peer nva1 already, but with AS 65001, not 65002"},
		{args: "", change: none, out: "nic-hub00: IP forwarding is on\nars-hub00: BGP peer vm-hub00, 10.0.0.4, AS 65001, is there\n",
			did: []string{"forward nic-hub00", "register ars-hub00 vm-hub00 10.0.0.4 65001"}},
		{args: "", change: func(s *azure.Snapshot) { s.RouteServers[0].Connections[0].ProvisioningState = "Failed" }, did: []string{"forward nic-hub00", "register ars-hub00 nva1 10.0.0.4 65001"},
			out: "nic-hub00: IP forwarding is on\nars-hub00: BGP peer nva1, 10.0.0.4, AS 65001, is there\n"},
		{args: "--dry-run", change: none, out: "nic-hub00: would turn on IP forwarding\nars-hub00: would make BGP peer vm-hub00, 10.0.0.4, AS 65001\n"},
		{args: "", change: second, out: "nic-hub00: IP forwarding is on\n" + there, did: []string{"forward nic-hub00"}},
		{args: "--route-server ARS-hub10 --name nva7 --peer 10.0.0.4", change: second, out: "nic-hub00: IP forwarding is on\nars-hub10: BGP peer nva7, 10.0.0.4, AS 65001, is there\n",
			did: []string{"forward nic-hub00", "register ars-hub10 nva7 10.0.0.4 65001"}},
		{args: "", change: func(s *azure.Snapshot) { second(s); s.RouteServers = s.RouteServers[1:] }, did: []string{"forward nic-hub00", "register ars-hub10 vm-hub00 10.0.0.4 65001"},
			out: "nic-hub00: IP forwarding is on\nars-hub10: BGP peer vm-hub00, 10.0.0.4, AS 65001, is there\n"},
		{args: "", change: func(s *azure.Snapshot) { second(s); second(s); s.RouteServers = s.RouteServers[1:] },
			err: "which Route Server? give --route-server: ars-hub10, ars-hub10"},
		{args: "--route-server ars", err: "no Route Server ars: there is ars-hub00"},
		{args: "--peer 10.0.0.5", err: `--peer: "10.0.0.5" is no address of VM vm-hub00, which has [10.0.0.4]`},
		{args: "", change: func(s *azure.Snapshot) { s.RouteServers = nil }, err: "no Route Server in VNet vnet-hub00, nor in those peered with it"},
		{args: "", change: func(s *azure.Snapshot) {
			s.RouteServers = nil
			s.Missing = []azure.Missing{{ID: "/x/ars-hub00", What: azure.WhatRouteServer, Reason: "forbidden"}}
		}, err: "no Route Server in VNet vnet-hub00, nor in those peered with it (but route-server ars-hub00 could not be read: forbidden)"},
		{args: "", change: func(s *azure.Snapshot) {
			s.Missing = []azure.Missing{{ID: s.RouteServers[0].ID, What: azure.WhatConnections, Reason: "forbidden"}}
		}, err: "whether 10.0.0.4 is a peer of Route Server ars-hub00 already can't be read: forbidden"},
		{args: "", change: func(s *azure.Snapshot) { s.VM.Addresses = nil }, err: "VM vm-hub00 has no private address"},
	} {
		t.Run(c.args, func(t *testing.T) {
			f := newFakeAzure(t)
			if c.change != nil {
				c.change(&f.snapshot)
			}
			r := f.run(t.Context(), socket, append([]string{"azure", "register"}, strings.Fields(c.args)...)...)
			if r.out != c.out || !reflect.DeepEqual(f.did, c.did) {
				t.Errorf("got %q, did %q\nwant %q, %q", r.out, f.did, c.out, c.did)
			}
			if c.err != "" {
				wantError(t, r, c.err)
			} else if r.code != 0 || r.err != "" {
				t.Errorf("exit code %d: %s", r.code, r.err)
			}
		})
	}
}

// TestAzureRegisterAlone: before nvad runs for the first time, the AS number has to be given.
func TestAzureRegisterAlone(t *testing.T) {
	f := newFakeAzure(t)
	if r := f.run(t.Context(), "/nonexistent", "azure", "register", "--asn", "65001", "--dry-run", "-o", "json"); r.code != 0 {
		t.Errorf("with --asn, no daemon is needed: %+v", r)
	} else {
		golden(t, "azure-register.json", r.out)
	}
	wantError(t, f.run(t.Context(), "/nonexistent", "azure", "register"), "which AS number? give --asn: nvad is not running (no socket at /nonexistent)")
}

// TestAzureRegisterNamesakes: somebody in a peered VNet may call a Route Server as this hub's is
// called. It is chosen by its ID alone, in whatever order Azure lists them.
func TestAzureRegisterNamesakes(t *testing.T) {
	for _, c := range []struct {
		server, id, err string
		far             int
	}{
		{server: "ars-hub00", far: 1, id: "/near"},
		{server: "ars-hub00", far: 2, id: "/near"},
		{server: "/far0", far: 1, id: "/far0"},
		{server: "ars-hub00", far: -2, err: "which Route Server? give --route-server with its resource ID: /far0, /far1"},
	} {
		for _, backwards := range []bool{false, true} {
			f := newFakeAzure(t)
			near := f.snapshot.RouteServers[0]
			near.ID, near.Connections = "/near", nil
			list := []azure.RouteServer{near}
			if c.far < 0 {
				list = nil
			}
			for i := range max(c.far, -c.far) {
				far := near
				far.ID, far.VNet = fmt.Sprintf("/far%d", i), "/far-vnet"
				list = append(list, far)
			}
			if backwards && c.err == "" {
				slices.Reverse(list)
			}
			r := registration{routeServer: c.server}
			f.snapshot.RouteServers = list
			got, err := r.chosen(&f.snapshot)
			if c.err != "" && (err == nil || err.Error() != c.err) || c.err == "" && (err != nil || c.id != got.ID) {
				t.Errorf("%s, %d far: got %s, %v", c.server, c.far, got.ID, err)
			}
		}
	}
}
