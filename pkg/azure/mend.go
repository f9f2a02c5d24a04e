package azure

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// resource is a resource ID in parts.
type resource struct {
	subscription, group string
	// names are those of the resource and its parents, the outermost first.
	names []string
}

// parseID splits a resource ID. What it lacks stays empty.
func parseID(id string) resource {
	var r resource
	parts := strings.Split(strings.Trim(id, "/"), "/")
	for i := 0; i+1 < len(parts); i += 2 {
		switch key, value := strings.ToLower(parts[i]), parts[i+1]; key {
		case "subscriptions":
			r.subscription = value
		case "resourcegroups":
			r.group = value
		case "providers": // and a namespace, which names nothing
		default:
			r.names = append(r.names, value)
		}
	}
	return r
}

// name returns the name of the resource itself.
func (r resource) name() string { return r.parent(0) }

// parent returns the name n levels above.
func (r resource) parent(n int) string {
	if n >= len(r.names) {
		return ""
	}
	return r.names[len(r.names)-1-n]
}

// shortName returns the name of a resource for people.
func shortName(id string) string {
	if n := parseID(id).name(); n != "" {
		return n
	}
	return id
}

// az returns a command of the Azure CLI.
func az(subscription string, words ...string) Step {
	if subscription != "" {
		words = append(words, "--subscription", subscription)
	}
	var b strings.Builder
	b.WriteString("az")
	for _, w := range words {
		b.WriteString(" " + quote(w))
	}
	return Step{InShell, b.String()}
}

// quote returns a word as the shell reads it back. Names in Azure have no characters that
// need it; a value that pretends to be one must not become a command.
func quote(word string) string {
	plain := func(c rune) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-_./=:@%+,*", c)
	}
	if word != "" && strings.IndexFunc(word, func(c rune) bool { return !plain(c) }) < 0 && word != "*" {
		return word
	}
	return "'" + strings.ReplaceAll(oneLine(word), "'", `'\''`) + "'"
}

// oneLine removes what would end a line or steer a terminal.
func oneLine(s string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsControl(c) || c == '\u2028' || c == '\u2029' {
			return -1
		}
		return c
	}, s)
}

func words(format string, a ...any) Step { return Step{InWords, fmt.Sprintf(format, a...)} }

func file(format string, a ...any) Step { return Step{InFile, fmt.Sprintf(format, a...)} }

// array returns values as an array of TOML.
func array[T fmt.Stringer](values []T) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = `"` + v.String() + `"`
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// peeringStep runs a command about a connection of a Route Server.
func (sv *server) peeringStep(verb, name string, args ...string) Step {
	return az(sv.rs.Subscription, append([]string{
		"network", "routeserver", "peering", verb, "--resource-group", sv.rs.ResourceGroup, "--routeserver", sv.rs.Name, "--name", name,
	}, args...)...)
}

// serverStep runs a command about a Route Server.
func (sv *server) serverStep(verb string, args ...string) Step {
	return az(sv.rs.Subscription, append([]string{
		"network", "routeserver", verb, "--resource-group", sv.rs.ResourceGroup, "--name", sv.rs.Name,
	}, args...)...)
}

// register makes the NVA a peer, by a name that no other peer has.
func (d *differ) register(sv *server, asn uint32) Step {
	name := d.s.VM.Name
	for i := 2; slices.ContainsFunc(sv.rs.Connections, func(c Connection) bool { return strings.EqualFold(c.Name, name) }); i++ {
		name = d.s.VM.Name + "-" + strconv.Itoa(i)
	}
	return sv.peeringStep("create", name, "--peer-ip", d.ownAddress().String(), "--peer-asn", strconv.FormatUint(uint64(asn), 10))
}

// vnetPeeringStep runs a command about one side of a VNet peering.
func vnetPeeringStep(v *VNet, verb, name string, args ...string) Step {
	return az(v.Subscription, append([]string{
		"network", "vnet", "peering", verb, "--resource-group", v.ResourceGroup, "--vnet-name", v.Name, "--name", name,
	}, args...)...)
}

// tableStep runs a command about a route table.
func tableStep(t *RouteTable, verb string, args ...string) Step {
	return az(parseID(t.ID).subscription, append([]string{
		"network", "route-table", verb, "--resource-group", t.ResourceGroup, "--name", t.Name,
	}, args...)...)
}

// routeStep runs a command about a route of a route table.
func routeStep(t *RouteTable, verb, route string, args ...string) Step {
	return az(parseID(t.ID).subscription, append([]string{
		"network", "route-table", "route", verb, "--resource-group", t.ResourceGroup, "--route-table-name", t.Name, "--name", route,
	}, args...)...)
}

// groupStep names the lines' place in nvad.toml: the peer-group of a Route Server.
func groupStep(sv *server, lines string) Step {
	return file("# In the peer-group of Route Server %s:\n%s", oneLine(sv.name()), lines)
}

// name returns the Route Server's name for people.
func (sv *server) name() string {
	if sv.rs != nil {
		return sv.rs.Name
	}
	return "unknown"
}

// id returns the Route Server's ID, or the address of an instance.
func (sv *server) id() string {
	if sv.rs != nil {
		return sv.rs.ID
	}
	return list(sv.addresses()[:min(1, len(sv.instances))])
}

// addresses returns those of the instances.
func (sv *server) addresses() []netip.Addr {
	out := make([]netip.Addr, len(sv.instances))
	for i, in := range sv.instances {
		out[i] = in.addr
	}
	return out
}
