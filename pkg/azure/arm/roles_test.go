package arm

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// role is a role definition as az role definition create reads it.
type role struct {
	Name             string
	IsCustom         bool
	Description      string
	Actions          []string
	NotActions       []string
	DataActions      []string
	NotDataActions   []string
	AssignableScopes []string
}

func readRole(t *testing.T, file string) role {
	t.Helper()
	text, err := os.ReadFile("../../../configs/azure/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var r role
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if !r.IsCustom || r.Name == "" || r.Description == "" || len(r.NotActions)+len(r.DataActions)+len(r.NotDataActions) > 0 || len(r.AssignableScopes) != 1 {
		t.Errorf("%s: %+v", file, r)
	}
	return r
}

// TestRoles: the roles have exactly the actions of the requests that the client sends. Azure
// compares them without regard to case.
func TestRoles(t *testing.T) {
	w := newWorld(t)
	w.route(`{"nextHopType":"VirtualApplianceEcmp","nextHop":{"nextHopIpAddresses":["10.0.0.4","10.0.0.6"]}}`)
	c := w.client(Options{})
	if _, err := c.Snapshot(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	compareRole(t, "role-reader.json", w)
	for _, change := range changes(t) {
		if err := change(c); err != nil {
			t.Fatal(err)
		}
	}
	compareRole(t, "role-operator.json", w)
}

func compareRole(t *testing.T, file string, w *world) {
	t.Helper()
	needed := map[string]bool{}
	for _, s := range w.sent {
		needed[strings.ToLower(actionOf(s.method, s.path))] = true
		for _, a := range linked(s) {
			needed[strings.ToLower(a)] = true
		}
	}
	var has []string
	for _, a := range readRole(t, file).Actions {
		has = append(has, strings.ToLower(a))
	}
	slices.Sort(has)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(needed)), has); diff != "" {
		t.Errorf("%s: - needed, + in the file:\n%s", file, diff)
	}
}

// joins are the actions that Azure wants for what a NIC refers to.
var joins = map[string]string{
	"virtualNetworks/subnets":           "join/action",
	"networkSecurityGroups":             "join/action",
	"publicIPAddresses":                 "join/action",
	"applicationSecurityGroups":         "joinIpConfiguration/action",
	"loadBalancers/backendAddressPools": "join/action",
	"loadBalancers/inboundNatRules":     "join/action",
}

var reference = regexp.MustCompile(`"id":"(/subscriptions/[^"]+)"`)

// linked returns the actions that a request needs for what it refers to. Of what is only read in
// a NIC, its VM, and of its own parts, Azure wants none.
func linked(s *sent) []string {
	var out []string
	for _, m := range reference.FindAllStringSubmatch(string(s.body), -1) {
		kind := strings.TrimSuffix(strings.TrimPrefix(actionOf("GET", m[1]), "Microsoft.Network/"), "/read")
		if join := joins[kind]; join != "" {
			out = append(out, "Microsoft.Network/"+kind+"/"+join)
		}
	}
	return out
}

// TestRoleOf: what an error says of the role that has a permission is true.
func TestRoleOf(t *testing.T) {
	reader, operator := readRole(t, "role-reader.json"), readRole(t, "role-operator.json")
	for _, a := range operator.Actions {
		want := "role-operator.json"
		if slices.Contains(reader.Actions, a) {
			want = "role-reader.json"
		}
		if got := roleOf(a); got != want {
			t.Errorf("%s: %s, want %s", a, got, want)
		}
	}
}

func TestActionOf(t *testing.T) {
	for path, want := range map[string]string{
		"GET /subscriptions":                                           "Microsoft.Resources/subscriptions/read",
		"GET /subscriptions/a/resources":                               "Microsoft.Resources/subscriptions/resources/read",
		"GET /subscriptions/a/providers/Microsoft.Network/virtualHubs": "Microsoft.Network/virtualHubs/read",
		"GET " + vm1:   "Microsoft.Compute/virtualMachines/read",
		"PUT " + peer1: "Microsoft.Network/virtualHubs/bgpConnections/write",
		"PATCH " + vm1 + "/providers/Microsoft.Resources/tags/default": "Microsoft.Resources/tags/write",
		"POST " + nic1 + "/effectiveRouteTable":                        "Microsoft.Network/networkInterfaces/effectiveRouteTable/action",
	} {
		method, path, _ := strings.Cut(path, " ")
		if got := actionOf(method, path); got != want {
			t.Errorf("%s %s: %s", method, path, got)
		}
	}
}
