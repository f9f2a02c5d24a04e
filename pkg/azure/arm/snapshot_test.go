package arm

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nvad/nvad/pkg/azure"
)

var update = flag.Bool("update", false, "rewrite the files in testdata")

// all asks for everything.
var all = Ask{Spokes: []string{"rg-spoke/nic-nowhere", nicSpoke}, Tag: "nvad=site1", Routes: true}

func TestSnapshot(t *testing.T) {
	w := newWorld(t)
	var steps []string
	s, err := w.client(Options{Progress: func(line string) { steps = append(steps, line) }}).Snapshot(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	if age := time.Since(s.Taken); age < 0 || age > time.Minute {
		t.Errorf("taken %v ago", age)
	}
	s.Taken = time.Time{}
	got, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "snapshot.json", string(got)+"\n")
	golden(t, "requests.txt", strings.Join(w.requests(), "\n")+"\n")
	golden(t, "progress.txt", strings.Join(steps, "\n")+"\n")
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-update rewrites it):\n%s", name, diff)
	}
}

// TestSnapshotReadsOnly: whatever is asked for, nothing is written.
func TestSnapshotReadsOnly(t *testing.T) {
	w := newWorld(t)
	if _, err := w.client(Options{}).Snapshot(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	for _, r := range w.requests() {
		if !strings.HasPrefix(r, "GET ") && !strings.HasPrefix(r, "POST ") {
			t.Error(r)
		}
	}
}

// TestWithoutRoutes: nothing is asked for that takes Azure seconds.
func TestWithoutRoutes(t *testing.T) {
	w := newWorld(t)
	s, err := w.client(Options{}).Snapshot(t.Context(), Ask{})
	if err != nil || len(s.NVAs) > 0 || len(s.NICs) != 2 || len(s.RouteServers) != 1 {
		t.Errorf("%+v, %v", s, err)
	}
	if slices.ContainsFunc(w.requests(), func(r string) bool { return strings.HasPrefix(r, "POST") }) {
		t.Errorf("%q", w.requests())
	}
}

// TestMissing denies each permission of the reader in turn: the Snapshot names it, and the
// part that it was for, and is otherwise as before.
func TestMissing(t *testing.T) {
	for action, want := range map[string]struct {
		what azure.What
		id   string
	}{
		"Microsoft.Network/networkInterfaces/read":                                  {azure.WhatNIC, nic1},
		"Microsoft.Network/networkInterfaces/effectiveRouteTable/action":            {azure.WhatEffectiveRoutes, nic1},
		"Microsoft.Network/networkInterfaces/effectiveNetworkSecurityGroups/action": {azure.WhatEffectiveRules, nic1},
		"Microsoft.Network/locations/operations/read":                               {azure.WhatEffectiveRoutes, nic1},
		"Microsoft.Network/locations/operationResults/read":                         {azure.WhatEffectiveRoutes, nic1},
		"Microsoft.Network/virtualNetworks/read":                                    {azure.WhatVNet, hub},
		"Microsoft.Network/routeTables/read":                                        {azure.WhatRouteTable, tableNVA},
		"Microsoft.Network/virtualHubs/read":                                        {azure.WhatRouteServer, rgNet},
		"Microsoft.Network/virtualHubs/ipConfigurations/read":                       {azure.WhatRouteServer, ars},
		"Microsoft.Network/virtualHubs/bgpConnections/read":                         {azure.WhatConnections, ars},
		"Microsoft.Network/virtualHubs/bgpConnections/learnedRoutes/action":         {azure.WhatLearned, peer1},
		"Microsoft.Network/virtualHubs/bgpConnections/advertisedRoutes/action":      {azure.WhatAdvertised, peer1},
		"Microsoft.Network/virtualNetworkGateways/read":                             {azure.WhatGateway, rgNet},
		"Microsoft.Network/virtualNetworkGateways/getLearnedRoutes/action":          {azure.WhatGateway, ergw},
		"Microsoft.Network/virtualNetworkGateways/getBgpPeerStatus/action":          {azure.WhatGateway, ergw},
		"Microsoft.Network/virtualNetworkGateways/getAdvertisedRoutes/action":       {azure.WhatGateway, ergw},
		"Microsoft.Resources/subscriptions/read":                                    {azure.WhatNVAs, "/subscriptions"},
		"Microsoft.Resources/subscriptions/resources/read":                          {azure.WhatNVAs, "/subscriptions/" + sub1},
	} {
		t.Run(strings.ReplaceAll(action, "/", "."), func(t *testing.T) {
			w := newWorld(t)
			w.denied[strings.ToLower(action)] = true
			s, err := w.client(Options{}).Snapshot(t.Context(), Ask{Tag: "nvad", Routes: true})
			if err != nil {
				t.Fatal(err)
			}
			id := strings.ToLower(want.id)
			i := slices.IndexFunc(s.Missing, func(m azure.Missing) bool { return m.What == want.what && m.ID == id })
			if i < 0 {
				t.Fatalf("%+v", s.Missing)
			}
			m := s.Missing[i]
			if !strings.EqualFold(m.Permission, action) || !strings.Contains(m.Reason, m.Permission) || !strings.Contains(m.Reason, "role-reader.json") || strings.Contains(m.Reason, "\n") {
				t.Errorf("%+v", m)
			}
			if s.VM.Name != "nva1" {
				t.Errorf("VM %+v", s.VM)
			}
		})
	}
}

// TestMissingVM: without the VM there is no Snapshot.
func TestMissingVM(t *testing.T) {
	w := newWorld(t)
	w.denied["microsoft.compute/virtualmachines/read"] = true
	_, err := w.client(Options{}).Snapshot(t.Context(), Ask{})
	if err == nil || !strings.Contains(err.Error(), "the VM itself can't be read: the managed identity of this VM lacks the permission Microsoft.Compute/virtualMachines/read for "+vm1) {
		t.Error(err)
	}
	for id, want := range map[string]string{
		rgNVA + compute + "nowhere": "404 ResourceNotFound",
		"nva1":                      `the VM itself can't be read: "nva1" is no resource ID`,
		"/subscriptions/" + sub1:    "no resource ID of a resource in a resource group",
		rgNVA + "/providers/Microsoft.Compute/virtualMachineScaleSets/set/virtualMachines/0": "flexible orchestration",
	} {
		if _, err := newWorld(t).client(Options{}).Snapshot(t.Context(), Ask{VM: id}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", id, err)
		}
	}
}

// TestRouteServersOfOneGroup: an identity with a role in one resource group only finds the Route
// Server there, and nothing is missing. If there is none, it may be elsewhere.
func TestRouteServersOfOneGroup(t *testing.T) {
	w := newWorld(t)
	w.meet = func(req *http.Request) *http.Response {
		if path := "/subscriptions/" + sub1 + network + "virtualHubs"; req.URL.Path == path {
			return failure(403, "AuthorizationFailed", "does not have authorization to perform action 'Microsoft.Network/virtualHubs/read' over scope '/subscriptions/"+sub1+"'")
		}
		return nil
	}
	s, err := w.client(Options{}).Snapshot(t.Context(), Ask{})
	if err != nil || len(s.RouteServers) != 1 || len(s.Missing) > 0 {
		t.Errorf("%+v, %+v, %v", s.RouteServers, s.Missing, err)
	}
	w.list(rgNet + network + "virtualHubs")
	s, err = w.client(Options{}).Snapshot(t.Context(), Ask{})
	if err != nil || len(s.RouteServers) > 0 || len(s.Missing) != 1 || s.Missing[0].ID != "/subscriptions/"+sub1 || s.Missing[0].Permission != "Microsoft.Network/virtualHubs/read" {
		t.Errorf("%+v, %+v, %v", s.RouteServers, s.Missing, err)
	}
}

// spokes peers the hub with as many VNets of another subscription, each with a route table.
func (w *world) spokes(count int) {
	var peerings, vnets, tables []string
	for i := range count {
		id, table := fmt.Sprintf("%s%svirtualNetworks/v%d", rgSpoke, network, i), fmt.Sprintf("%s%srouteTables/t%d", rgSpoke, network, i)
		peerings = append(peerings, fmt.Sprintf(`{"properties":{"remoteVirtualNetwork":{"id":"%s"}}}`, id))
		vnets = append(vnets, fmt.Sprintf(`{"id":"%s","name":"v%d","properties":{"subnets":[{"properties":{"routeTable":{"id":"%s"}}}]}}`, id, i, table))
		tables = append(tables, fmt.Sprintf(`{"id":"%s","properties":{"disableBgpRoutePropagation":true,"routes":[{"name":"r%d"}]}}`, table, i))
		w.set(id, vnets[i])
		w.set(table, tables[i])
	}
	w.set(hub, `{"id":"{hub}","properties":{"virtualNetworkPeerings":[`+strings.Join(peerings, ",")+`]}}`)
	w.list("/subscriptions/"+sub2+network+"virtualNetworks", vnets...)
	w.list("/subscriptions/"+sub2+network+"routeTables", tables...)
}

// TestManySpokes: the spokes of a large hub are listed; the result is the same as if each had been
// read, which is what happens if the identity may not list them.
func TestManySpokes(t *testing.T) {
	const count = 300
	var results []string
	for _, listed := range []bool{true, false} {
		w := newWorld(t)
		w.spokes(count)
		asked, lists := 0, 0
		w.meet = func(req *http.Request) *http.Response {
			switch strings.ToLower(req.URL.Path) {
			case strings.ToLower("/subscriptions/" + sub2 + network + "virtualNetworks"), strings.ToLower("/subscriptions/" + sub2 + network + "routeTables"):
				if lists++; !listed {
					return failure(403, "AuthorizationFailed", "")
				}
			default:
				asked++
			}
			return nil
		}
		s, err := w.client(Options{}).Snapshot(t.Context(), Ask{})
		if err != nil || len(s.VNets) != count+1 || len(s.Missing) > 0 {
			t.Fatalf("%d VNets, %+v, %v", len(s.VNets), s.Missing, err)
		}
		for i, v := range s.VNets[1:] {
			if rt := v.Subnets[0].RouteTable; rt == nil || rt.Propagation || rt.Routes[0].Name != fmt.Sprint("r", i) {
				t.Errorf("VNet %d: %+v", i, rt)
			}
		}
		if listed && asked > 2*few+10 || !listed && (asked < 2*count || lists != 2) {
			t.Errorf("%d requests, and %d for pages of lists", asked, lists)
		}
		s.Taken = time.Time{}
		text, _ := json.Marshal(s)
		results = append(results, string(text))
	}
	if diff := cmp.Diff(results[0], results[1]); diff != "" {
		t.Error(diff)
	}
}
