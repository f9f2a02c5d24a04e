package userdata

import (
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// nsgRule is a rule of a network security group, with its prefixes as they are written.
type nsgRule struct {
	priority                    int
	direction, access, protocol string
	source, destination, ports  string
}

// terraformRules returns the rules of the NVA's group by name.
func terraformRules(t *testing.T) map[string]nsgRule {
	t.Helper()
	dir := configs(t, "azure/terraform/hub")
	text := read(t, filepath.Join(dir, "network.tf"))
	rules := map[string]nsgRule{}
	for _, b := range blocks(t, dir, "resource") {
		if b.Labels[0] != "azurerm_network_security_group" {
			continue
		}
		for _, r := range b.Body.Blocks {
			if r.Type == "dynamic" {
				r = r.Body.Blocks[0]
			}
			is := func(names ...string) string {
				for _, name := range names {
					if a := r.Body.Attributes[name]; a != nil {
						return written(text, a)
					}
				}
				return ""
			}
			priority, _ := strconv.Atoi(is("priority"))
			rules[is("name")] = nsgRule{
				priority, is("direction"), is("access"), is("protocol"), is("source_address_prefix", "source_address_prefixes"),
				is("destination_address_prefix", "destination_address_prefixes"), is("destination_port_range"),
			}
		}
	}
	return rules
}

// written returns an attribute's value as it stands in the file, without quotes.
func written(text string, a *hclsyntax.Attribute) string {
	r := a.Expr.Range()
	return strings.Trim(text[r.Start.Byte:r.End.Byte], `"`)
}

// bicepRules returns the rules of the Bicep file in the same form.
func bicepRules(t *testing.T) map[string]nsgRule {
	t.Helper()
	text := read(t, configs(t, "azure/bicep/hub.bicep"))
	rules := map[string]nsgRule{}
	for _, m := range regexp.MustCompile(`(?s)name: '([\w-]+)'\n +properties: \{\n +priority: (.*?)\n +\}`).FindAllStringSubmatch(text, -1) {
		is := func(key string) string {
			v := regexp.MustCompile(key + `: (.*)`).FindStringSubmatch("priority: " + m[2])
			return strings.Trim(v[1], "'")
		}
		priority, _ := strconv.Atoi(is("priority"))
		rules[m[1]] = nsgRule{priority, is("direction"), is("access"), is("protocol"), is("sourceAddressPrefix(?:es)?"), is("destinationAddressPrefix(?:es)?"), is("destinationPortRange")}
	}
	return rules
}

// wantRules are the rules of both, in Terraform's words.
var wantRules = map[string]nsgRule{
	"vxlan":         {100, "Inbound", "Allow", "Udp", "var.remote_nvas", "var.nva", "4789"},
	"wireguard":     {105, "Inbound", "Allow", "Udp", "var.remote_nvas", "var.nva", "51820-59883"},
	"route-server":  {110, "Inbound", "Allow", "Tcp", "cidrsubnet(var.prefix, 8, 210)", "var.nva", "179"},
	"management":    {120, "Inbound", "Allow", "Tcp", "var.management_prefixes", "var.nva", "22"},
	"deny-nva":      {190, "Inbound", "Deny", "*", "*", "var.nva", "*"},
	"forwarded-in":  {200, "Inbound", "Allow", "*", "var.forwarded_prefixes", "var.forwarded_prefixes", "*"},
	"deny-in":       {4096, "Inbound", "Deny", "*", "*", "*", "*"},
	"own-out":       {190, "Outbound", "Allow", "*", "var.nva", "*", "*"},
	"forwarded-out": {200, "Outbound", "Allow", "*", "var.forwarded_prefixes", "var.forwarded_prefixes", "*"},
	"deny-out":      {4096, "Outbound", "Deny", "*", "*", "*", "*"},
}

// TestSecurityGroups: only the other NVAs may send VXLAN, or WireGuard if it was asked for, and only the Route Server may speak
// BGP. No rule for a forwarded prefix opens the NVA itself. Everything else is denied, because
// Azure's own rules would admit it from the whole VNet.
func TestSecurityGroups(t *testing.T) {
	bicep := strings.NewReplacer("remoteNvas", "var.remote_nvas", "forwardedPrefixes", "var.forwarded_prefixes",
		"managementPrefixes", "var.management_prefixes", "routeServerSubnet", "cidrsubnet(var.prefix, 8, 210)")
	translated := map[string]nsgRule{}
	for name, r := range bicepRules(t) {
		r.source, r.destination = bicep.Replace(r.source), bicep.Replace(r.destination)
		if r.source == "nva" {
			r.source = "var.nva"
		}
		if r.destination == "nva" {
			r.destination = "var.nva"
		}
		translated[name] = r
	}
	for tool, got := range map[string]map[string]nsgRule{"Terraform": terraformRules(t), "Bicep": translated} {
		for _, name := range slices.Sorted(maps.Keys(wantRules)) {
			if got[name] != wantRules[name] {
				t.Errorf("%s: rule %s is %+v, want %+v", tool, name, got[name], wantRules[name])
			}
		}
		if len(got) != len(wantRules) {
			t.Errorf("%s: rules %v", tool, slices.Sorted(maps.Keys(got)))
		}
	}
}

// TestForwardedPrefixes: the prefixes that may pass are derived from the hubs and the given
// prefixes, and not from a default that covers every private address.
func TestForwardedPrefixes(t *testing.T) {
	for file, want := range map[string]string{
		"bicep/main.bicep":       "forwardedPrefixes: concat(map(hubs, p => p.prefix), forwardedPrefixes)",
		"terraform/main.tf":      "forwarded_prefixes  = concat(values(var.hubs), var.forwarded_prefixes)",
		"terraform/variables.tf": "sensitive   = true",
	} {
		text := read(t, configs(t, filepath.Join("azure", file)))
		if !strings.Contains(text, want) || strings.Contains(text, "10.0.0.0/8") {
			t.Errorf("%s: no %q, or all of 10.0.0.0/8", file, want)
		}
	}
	for _, file := range []string{"main.bicep", "hub.bicep"} {
		if text := read(t, configs(t, "azure/bicep/"+file)); !regexp.MustCompile(`@secure\(\)\n(@\w+\(\d+\)\n)*param nvaKey string\n`).MatchString(text) {
			t.Errorf("%s: nvaKey is no secure parameter", file)
		}
	}
}
