package bootstrap

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nvad/nvad/pkg/azure"
)

const (
	hubVNet  = "/subscriptions/s1/resourcegroups/rg-nva/providers/microsoft.network/virtualnetworks/vnet-hub00"
	farVNet  = "/subscriptions/s1/resourcegroups/rg-nva/providers/microsoft.network/virtualnetworks/vnet-hub10"
	ownVM    = "/subscriptions/s1/resourcegroups/rg-nva/providers/microsoft.compute/virtualmachines/vm-hub00"
	otherVM  = "/subscriptions/s2/resourcegroups/rg-far/providers/microsoft.compute/virtualmachines/vm-hub10"
	ownNIC   = "/subscriptions/s1/resourcegroups/rg-nva/providers/microsoft.network/networkinterfaces/nic-hub00"
	serverID = "/subscriptions/s1/resourcegroups/rg-nva/providers/microsoft.network/virtualhubs/rs-hub00"
	siteTag  = "nvad=site1"
)

func addresses(list ...string) (out []netip.Addr) {
	for _, a := range list {
		out = append(out, netip.MustParseAddr(a))
	}
	return out
}

func prefixes(list ...string) (out []netip.Prefix) {
	for _, p := range list {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

// hub00 returns a snapshot as vm-hub00 of the two hubs gets it before anything is registered.
func hub00() azure.Snapshot {
	site := map[string]string{"NVAD": "site1"}
	return azure.Snapshot{
		VM: azure.VM{ID: ownVM, Name: "vm-hub00", ResourceGroup: "rg-nva", Subscription: "s1", Tags: site, Addresses: addresses("10.0.0.4"), VNet: hubVNet},
		NVAs: []azure.VM{
			{ID: otherVM, Name: "vm-hub10", ResourceGroup: "rg-far", Subscription: "s2", Tags: site, Addresses: addresses("10.10.0.4"), VNet: farVNet},
		},
		NICs: []azure.NIC{{ID: ownNIC, Name: "nic-hub00", VM: ownVM, Primary: true, Addresses: addresses("10.0.0.4"), VNet: hubVNet}},
		VNets: []azure.VNet{
			{ID: hubVNet, Name: "vnet-hub00", Space: prefixes("10.0.0.0/16"), Peerings: []azure.Peering{{Remote: farVNet}}},
			{ID: farVNet, Name: "vnet-hub10", Space: prefixes("10.10.0.0/16")},
		},
		RouteServers: []azure.RouteServer{
			{ID: serverID, Name: "rs-hub00", ResourceGroup: "rg-nva", VNet: hubVNet, Addresses: addresses("10.0.210.4", "10.0.210.5"), ProvisioningState: "Succeeded"},
			{ID: serverID + "-far", Name: "rs-hub10", ResourceGroup: "rg-nva", VNet: farVNet, Addresses: addresses("10.10.210.4", "10.10.210.5"), ProvisioningState: "Succeeded"},
		},
	}
}

func discovery(d Discovery) Request { return Request{Azure: &d} }

// ask00 completes a request at vm-hub00.
func ask00(r Request, s azure.Snapshot) (Request, registration, error) {
	return complete(r, s, netip.MustParseAddr("10.0.0.4"))
}

// TestComplete: nothing is given but the tag.
func TestComplete(t *testing.T) {
	r, reg, err := ask00(discovery(Discovery{Tag: siteTag, Register: true}), hub00())
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(r.RouteServers, r.VNets, r.Remotes, r.ASN, r.VNI)
	if want := "[10.0.210.4 10.0.210.5] [10.0.0.0/16] [10.10.0.4=invalid IP] 65001 77"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if !reg.peers || !reg.forwards || reg.server.ID != serverID || reg.name != "vm-hub00" || reg.peer.String() != "10.0.0.4" || reg.asn != 65001 {
		t.Errorf("to register: %+v", reg)
	}
}

// TestGivenWins: what the operator gave is used, whatever Azure says.
func TestGivenWins(t *testing.T) {
	s := hub00()
	s.VM.Tags[tagASN], s.VM.Tags[tagVNI] = "65010", "80"
	s.NVAs[0].Tags = map[string]string{"nvad": "site1", "NVAD-overlay": "169.254.64.7"}
	r := discovery(Discovery{Tag: siteTag})
	got, _, err := ask00(r, s)
	if err != nil || got.ASN != 65010 || got.VNI != 80 || got.Remotes[0].Overlay.String() != "169.254.64.7" {
		t.Errorf("by tags: %v, %+v", err, got)
	}
	r.ASN, r.VNI, r.VNets, r.RouteServers = 65020, 90, prefixes("10.9.0.0/16"), addresses("10.9.210.4", "10.9.210.5")
	r.Remotes = []Remote{{Address: netip.MustParseAddr("10.10.0.4"), Overlay: netip.MustParseAddr("169.254.64.9")}, {Address: netip.MustParseAddr("10.30.0.4")}}
	got, _, err = ask00(r, s)
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprint(got.ASN, got.VNI, got.VNets, got.RouteServers, got.Remotes)
	if want := "65020 90 [10.9.0.0/16] [10.9.210.4 10.9.210.5] [10.10.0.4=169.254.64.9 10.30.0.4=invalid IP]"; text != want {
		t.Errorf("got %s, want %s", text, want)
	}
}

// TestChoosesRouteServer: the one in the VM's VNet, or the only one in a peered one, or the
// one that is named. Several are named in the error, with the flag that chooses.
func TestChoosesRouteServer(t *testing.T) {
	far := func(s *azure.Snapshot) { s.RouteServers = s.RouteServers[1:] }
	two := func(s *azure.Snapshot) {
		twin := s.RouteServers[1]
		twin.Name, twin.Addresses = "rs-hub20", addresses("10.20.210.4", "10.20.210.5")
		s.RouteServers = []azure.RouteServer{s.RouteServers[1], twin}
	}
	for name, tt := range map[string]struct {
		request Request
		change  func(*azure.Snapshot)
		want    string // Route Server's name, or words of the error
	}{
		"own VNet":     {discovery(Discovery{}), func(*azure.Snapshot) {}, "rs-hub00"},
		"peered VNet":  {discovery(Discovery{}), far, "rs-hub10"},
		"named":        {discovery(Discovery{RouteServer: "RS-hub10"}), func(*azure.Snapshot) {}, "rs-hub10"},
		"by ID":        {discovery(Discovery{RouteServer: strings.ToUpper(serverID)}), func(*azure.Snapshot) {}, "rs-hub00"},
		"by addresses": {Request{RouteServers: addresses("10.10.210.5", "10.10.210.4"), Azure: &Discovery{Register: true}}, func(*azure.Snapshot) {}, "rs-hub10"},
		"unknown name": {discovery(Discovery{RouteServer: "rs-x"}), func(*azure.Snapshot) {}, "no Route Server rs-x is in this VM's VNet"},
		"no such":      {Request{RouteServers: addresses("10.9.0.4", "10.9.0.5"), Azure: &Discovery{Register: true}}, func(*azure.Snapshot) {}, "with the addresses 10.9.0.4, 10.9.0.5"},
		"several":      {discovery(Discovery{}), two, "there are 2 Route Servers: rs-hub10 in resource group rg-nva (10.10.210.4, 10.10.210.5), rs-hub20 in resource group rg-nva (10.20.210.4, 10.20.210.5); choose with --route-server NAME"},
		"several, one": {discovery(Discovery{RouteServer: "rs-hub20"}), two, "rs-hub20"},
		"none":         {discovery(Discovery{}), func(s *azure.Snapshot) { s.RouteServers = nil }, "--route-server none"},
		"being created": {discovery(Discovery{}), func(s *azure.Snapshot) {
			s.RouteServers[0].Addresses, s.RouteServers[0].ProvisioningState = nil, "Updating"
		}, "has 0 of 2 addresses, and is Updating"},
	} {
		s := hub00()
		tt.change(&s)
		r, reg, err := ask00(tt.request, s)
		if got := fmt.Sprint(reg.server.Name, " ", err); !strings.Contains(got, tt.want) {
			t.Errorf("%s: got %s, want %s", name, got, tt.want)
		}
		if err == nil && !slices.Equal(r.RouteServers, reg.server.Addresses) {
			t.Errorf("%s: peers with %v of %v", name, r.RouteServers, reg.server.Addresses)
		}
	}
	s := hub00()
	far(&s)
	if r, _, err := ask00(discovery(Discovery{}), s); err != nil || fmt.Sprint(r.VNets) != "[10.0.0.0/16 10.10.0.0/16]" {
		t.Errorf("with a Route Server in a peered VNet: VNets %v, %v", r.VNets, err)
	}
	if r, _, err := ask00(discovery(Discovery{RouteServer: NoRouteServer, Tag: siteTag}), hub00()); err != nil || len(r.RouteServers) > 0 {
		t.Errorf("none: %v, %v", r.RouteServers, err)
	}
}

// TestWaits: each of these may pass by itself at the first boot, and the reason says what
// lacks. Nothing is written from half an answer.
func TestWaits(t *testing.T) {
	missing := func(what azure.What, permission string) func(*azure.Snapshot) {
		return func(s *azure.Snapshot) {
			s.Missing = append(s.Missing, azure.Missing{ID: serverID, What: what, Permission: permission, Reason: "AuthorizationFailed"})
		}
	}
	for name, tt := range map[string]struct {
		change func(*azure.Snapshot)
		want   string
	}{
		"no address":      {func(s *azure.Snapshot) { s.VM.Addresses = nil }, "no address of this VM"},
		"other address":   {func(s *azure.Snapshot) { s.VM.Addresses = addresses("10.0.0.9") }, "says that this VM's address is 10.0.0.9"},
		"no tag":          {func(s *azure.Snapshot) { s.VM.Tags = nil }, "vm-hub00, has no tag nvad=site1 itself"},
		"other value":     {func(s *azure.Snapshot) { s.VM.Tags = map[string]string{"nvad": "site2"} }, "has no tag nvad=site1 itself"},
		"no VNet":         {func(s *azure.Snapshot) { s.VNets = nil }, "which prefixes the VNet microsoft.network/virtualnetworks/vnet-hub00 has"},
		"NVAs not read":   {missing(azure.WhatNVAs, "Microsoft.Compute/virtualMachines/read"), "lacks the permission Microsoft.Compute/virtualMachines/read"},
		"peers not read":  {missing(azure.WhatConnections, "Microsoft.Network/virtualHubs/bgpConnections/read"), "lacks the permission Microsoft.Network/virtualHubs/bgpConnections/read"},
		"no NIC":          {func(s *azure.Snapshot) { s.NICs = nil }, "does not show this VM's NIC"},
		"NVA without NIC": {func(s *azure.Snapshot) { s.NVAs[0].Addresses = nil }, "VM vm-hub10 has the tag nvad=site1, but no IPv4 address yet"},
		"same address":    {func(s *azure.Snapshot) { s.NVAs[0].Addresses = addresses("10.0.0.4") }, "vm-hub00 and vm-hub10 both have the tag"},
		"other ASN":       {func(s *azure.Snapshot) { s.NVAs[0].Tags = map[string]string{"nvad-asn": "65002"} }, "tag nvad-asn of VM vm-hub10 is 65002, but this NVA has 65001"},
		"no ASN":          {func(s *azure.Snapshot) { s.VM.Tags[tagASN] = "4294967296" }, "tag nvad-asn of VM vm-hub00 is 4294967296, which is no number from 1 to 4294967295"},
		"no VNI":          {func(s *azure.Snapshot) { s.VM.Tags[tagVNI] = "0" }, "which is no number from 1 to 16777215"},
		"no overlay":      {func(s *azure.Snapshot) { s.VM.Tags[tagOverlay] = "10.0.0.1" }, "which is no address in 169.254.64.0/18"},
		"too few NVAs":    {func(s *azure.Snapshot) { s.NVAs = nil }, "1 of 2 NVAs have the tag nvad=site1"},
		"no Route Server": {func(s *azure.Snapshot) {
			s.RouteServers = nil
			missing(azure.WhatRouteServer, "Microsoft.Network/virtualHubs/read")(s)
		}, "lacks the permission Microsoft.Network/virtualHubs/read"},
		"it is hidden":     {func(s *azure.Snapshot) { s.RouteServers = s.RouteServers[1:]; missing(azure.WhatRouteServer, "")(s) }, "which Route Server? choose with --route-server NAME: route-server of"},
		"it can't be read": {func(s *azure.Snapshot) { s.RouteServers = nil; missing(azure.WhatRouteServer, "")(s) }, "can't be read: AuthorizationFailed"},
	} {
		s := hub00()
		tt.change(&s)
		_, _, err := ask00(discovery(Discovery{Tag: siteTag, Register: true, NVAs: 2}), s)
		u, ok := errors.AsType[unsettled](err)
		if !ok || !strings.Contains(err.Error(), tt.want) || u.usable != (name == "too few NVAs") {
			t.Errorf("%s: got %v, want %s", name, err, tt.want)
		}
	}
}

// TestUnpeered: bootstrap notes that an NVA has no way to another one, and writes it into the file:
// the peering may come later.
func TestUnpeered(t *testing.T) {
	s := hub00()
	r, reg, err := ask00(discovery(Discovery{Tag: siteTag}), s)
	if err != nil || r.Remotes[0].Unpeered {
		t.Errorf("%v, %+v", err, r.Remotes)
	}
	s.VNets[0].Peerings = nil
	if r, reg, err = ask00(discovery(Discovery{Tag: siteTag}), s); err != nil || !r.Remotes[0].Unpeered {
		t.Errorf("%v, %+v", err, r.Remotes)
	}
	var said strings.Builder
	nvactl{progress: &said}.note(r, reg)
	if !strings.Contains(said.String(), "note: the VNet of vm-hub10 (10.10.0.4) is not peered with this VM's") {
		t.Error(said.String())
	}
}

// TestRegistration: what is there already is left alone, and so is what others own.
func TestRegistration(t *testing.T) {
	at := func(peers ...azure.Connection) azure.Snapshot {
		s := hub00()
		s.NICs[0].IPForwarding = true
		s.RouteServers[0].Connections = peers
		return s
	}
	own, other := netip.MustParseAddr("10.0.0.4"), netip.MustParseAddr("10.0.0.9")
	for name, tt := range map[string]struct {
		snapshot azure.Snapshot
		want     string
	}{
		"done":                 {at(azure.Connection{Name: "any", Peer: own, ASN: 65001}), "nothing to register"},
		"beside another":       {at(azure.Connection{Name: "any", Peer: other, ASN: 65001}), "would register: 10.0.0.4, AS 65001, as peer vm-hub00 of Route Server rs-hub00"},
		"failed once":          {at(azure.Connection{Name: "any", Peer: own, ASN: 65001, ProvisioningState: "Failed"}), "would register: 10.0.0.4, AS 65001, as peer any of Route Server rs-hub00"},
		"other ASN":            {at(azure.Connection{Name: "any", Peer: own, ASN: 65009}), "10.0.0.4 is a peer of Route Server rs-hub00 already, as any with AS 65009, and this NVA has AS 65001"},
		"name taken":           {at(azure.Connection{Name: "vm-hub00", Peer: other, ASN: 65001}), "has a peer vm-hub00 already, with the address 10.0.0.9"},
		"name in capitals":     {at(azure.Connection{Name: "VM-HUB00", Peer: other, ASN: 65001}), "has a peer VM-HUB00 already, with the address 10.0.0.9"},
		"done, and a namesake": {at(azure.Connection{Name: "any", Peer: own, ASN: 65001}, azure.Connection{Name: "vm-hub00", Peer: other, ASN: 65001}), "nothing to register"},
		"a namesake, and done": {at(azure.Connection{Name: "vm-hub00", Peer: other, ASN: 65001}, azure.Connection{Name: "any", Peer: own, ASN: 65001}), "nothing to register"},
	} {
		_, reg, err := ask00(discovery(Discovery{Register: true}), tt.snapshot)
		var text strings.Builder
		if reg.report(&text); err != nil {
			text.WriteString(err.Error())
		}
		if !strings.Contains(text.String(), tt.want) || strings.Contains(text.String(), "IP forwarding") {
			t.Errorf("%s: got %s, want %s", name, text.String(), tt.want)
		}
	}
}

// TestTooMany: a snapshot with very many NVAs is refused.
func TestTooMany(t *testing.T) {
	s := hub00()
	for i := range maxNVAs {
		vm := s.NVAs[0]
		vm.ID, vm.Addresses = fmt.Sprint(otherVM, i), addresses(fmt.Sprintf("10.20.%d.4", i))
		s.NVAs = append(s.NVAs, vm)
	}
	if _, _, err := ask00(discovery(Discovery{Tag: siteTag}), s); err == nil || !strings.Contains(err.Error(), "254 VMs have the tag") {
		t.Error(err)
	}
}

// saved writes a snapshot to a file.
func saved(t *testing.T, s azure.Snapshot) string {
	t.Helper()
	data, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "snapshot.json")
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}
