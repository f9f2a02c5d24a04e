package userdata

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestBicep reads the files as text, because Bicep's compiler is not available. The user-data
// is loaded, not copied, with a value for each of its names, and everything that an NVA needs
// is there.
func TestBicep(t *testing.T) {
	dir := configs(t, "azure/bicep")
	hub := read(t, filepath.Join(dir, "hub.bicep"))
	load := regexp.MustCompile(`loadTextContent\('([^']+)'\)`).FindStringSubmatch(hub)
	if load == nil {
		t.Fatal("no user-data is loaded")
	}
	text := read(t, filepath.Join(dir, load[1]))
	_, values, _ := strings.Cut(hub, "var values = {")
	values, _, _ = strings.Cut(values, "\n}")
	given := regexp.MustCompile(`(?m)^  (\w+):`).FindAllStringSubmatch(values, -1)
	var names []string
	for _, m := range given {
		names = append(names, m[1])
	}
	slices.Sort(names)
	if want := slices.Sorted(maps.Keys(placeholders(text))); !slices.Equal(names, want) {
		t.Errorf("values for %v, the user-data has %v", names, want)
	}
	for _, want := range []string{
		"(text, v) => replace(text, '\\${${v.key}}', v.value)", "customData: base64(userData)", "enableIPForwarding: true",
		"protocol: 'Udp'", "destinationPortRange: '4789'", "name: 'RouteServerSubnet'", "allowBranchToBranchTraffic: true",
		"type: 'SystemAssigned'", "tags: union(nvaTags, { '${tagName}': tagValue })", "dependsOn: [routeServerConfig]", "principalId: vm.identity.principalId",
		"nva_tag: '${tagName}=${tagValue}'", "natGateway: {\n            id: outbound.id",
	} {
		if !strings.Contains(hub, want) {
			t.Errorf("hub.bicep has no %q", want)
		}
	}
	if strings.Contains(hub, "bgpConnections") {
		t.Error("the NVA's peer is registered twice")
	}
	main := read(t, filepath.Join(dir, "main.bicep"))
	for _, want := range []string{"var role = loadJsonContent('../role-operator.json')", "actions: role.Actions", "assignableScopes: [resourceGroup().id]", "roleDefinitionId: operator.id"} {
		if !strings.Contains(main, want) {
			t.Errorf("main.bicep has no %q", want)
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^module \w+ '([^']+)'`).FindAllStringSubmatch(main, -1) {
		sameNames(t, m[1], modulePart(t, main, m[0]), read(t, filepath.Join(dir, m[1])))
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 3 {
		t.Errorf("%d files, %v", len(entries), err)
	}
}

// modulePart returns the params of a module's call.
func modulePart(t *testing.T, text, start string) string {
	t.Helper()
	_, call, _ := strings.Cut(text, start)
	_, call, ok := strings.Cut(call, "  params: {\n")
	call, _, end := strings.Cut(call, "\n  }")
	if !ok || !end {
		t.Fatalf("%s has no params", start)
	}
	return call
}

// sameNames compares the params of a call with those that a module declares.
func sameNames(t *testing.T, module, call, declared string) {
	t.Helper()
	names := func(expr, text string) []string {
		var out []string
		for _, m := range regexp.MustCompile(expr).FindAllStringSubmatch(text, -1) {
			out = append(out, m[1])
		}
		slices.Sort(out)
		return out
	}
	got, want := names(`(?m)^    (\w+):`, call), names(`(?m)^param (\w+) `, declared)
	if !slices.Equal(got, want) {
		t.Errorf("%s is given %v, declares %v", module, got, want)
	}
}
