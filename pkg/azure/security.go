package azure

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// flow is the first packet of a flow; network security groups let the answers pass.
type flow struct {
	inbound  bool
	protocol string
	src, dst netip.Addr
	port     uint16
}

// rule is a SecurityRule that is about the protocol and port of a kind of flow.
type rule struct {
	*SecurityRule
	src, dst     prefixSet
	anyone, whom bool // whether src and dst are known
}

// group is a network security group: its rules for one kind of flow, in the order in which
// Azure tries them.
type group struct {
	id    string
	rules []rule
}

// groupsFor returns the groups of a NIC, with the rules that flows of this kind can match.
func groupsFor(n *NIC, inbound bool, protocol string, port uint16) []group {
	index := map[string]int{}
	var out []group
	for i := range n.Rules {
		r := &n.Rules[i]
		if r.Inbound != inbound || !matchesProtocol(r.Protocol, protocol) || !inRanges(r.Ports, port) {
			continue
		}
		at, ok := index[r.Group]
		if !ok {
			at = len(out)
			index[r.Group] = at
			out = append(out, group{id: r.Group})
		}
		x := rule{SecurityRule: r, anyone: len(r.Sources) > 0, whom: len(r.Destinations) > 0}
		x.src.add(r.Sources...)
		x.dst.add(r.Destinations...)
		out[at].rules = append(out[at].rules, x)
	}
	for i := range out {
		slices.SortStableFunc(out[i].rules, func(a, b rule) int { return cmp.Compare(a.Priority, b.Priority) })
	}
	return out
}

func matchesProtocol(have, want string) bool {
	return have == "*" || have == "" || strings.EqualFold(have, "All") || strings.EqualFold(have, want)
}

// inRanges reports whether a port is in one of the ranges; no ranges are any port.
func inRanges(ranges []string, port uint16) bool {
	return len(ranges) == 0 || slices.ContainsFunc(ranges, func(text string) bool {
		if text == "*" {
			return true
		}
		low, high, ok := strings.Cut(text, "-")
		if !ok {
			high = low
		}
		first, err1 := strconv.ParseUint(strings.TrimSpace(low), 10, 16)
		last, err2 := strconv.ParseUint(strings.TrimSpace(high), 10, 16)
		return err1 == nil && err2 == nil && uint64(port) >= first && uint64(port) <= last
	})
}

// denies returns the rule by which g drops a flow; nil if it does not, or if a rule comes
// first of which nobody knows whether it matches.
func (g *group) denies(f flow) *SecurityRule {
	for i := range g.rules {
		r := &g.rules[i]
		src, dst := r.src.contains(f.src), r.dst.contains(f.dst)
		switch {
		case r.anyone && !src, r.whom && !dst:
			continue
		case !r.anyone || !r.whom || r.Allow:
			return nil
		}
		return r.SecurityRule
	}
	return nil
}

// purpose is a kind of flow that the NVA needs.
type purpose struct {
	code     Code
	what     string // in sentences
	name     string // of a rule that allows it
	protocol string
	port     uint16
	remotes  []netip.Addr
}

// groups finds what network security groups drop on the way between the NVA and its remotes.
func (d *differ) groups() {
	for _, t := range d.self.Tunnels {
		d.allowed(d.carrier(t.Local), purpose{NSGDropsVXLAN, "packets of tunnel " + t.Name, "nvad-" + t.Name, "Udp", t.Port, t.Remotes}, true, true)
	}
	byPort := map[uint16][]netip.Addr{}
	for _, b := range d.self.BFD {
		byPort[b.Port] = append(byPort[b.Port], b.Address)
	}
	for port, remotes := range byPort {
		slices.SortFunc(remotes, netip.Addr.Compare)
		d.allowed(d.carrier(netip.Addr{}), purpose{NSGDropsBFD, "BFD", "nvad-bfd", "Udp", port, remotes}, true, true)
	}
}

// groupsDropBGP is groups for the sessions: nvad connects to Route Server.
func (d *differ) groupsDropBGP(sv *server) {
	var addrs []netip.Addr
	for _, in := range sv.instances {
		if in.neighbor != nil {
			addrs = append(addrs, in.addr)
		}
	}
	for _, f := range d.allowed(d.carrier(netip.Addr{}), purpose{NSGDropsBGP, "BGP", "nvad-bgp", "Tcp", 179, addrs}, false, !sv.anyUp()) {
		for _, in := range sv.instances {
			f.instances[in.addr] = true
		}
		d.blameDown(sv, f)
	}
}

// carrier returns the NIC that has an address; without one, the primary NIC.
func (d *differ) carrier(local netip.Addr) *nicView {
	own := d.own()
	for _, v := range own {
		if slices.Contains(v.nic.Addresses, local) {
			return v
		}
	}
	if len(own) == 0 || local.IsValid() && !local.IsUnspecified() {
		return nil
	}
	return own[0]
}

// denial is a kind of flow that a group drops in one direction.
type denial struct {
	purpose
	group, direction string
	own              netip.Addr
	remotes          []netip.Addr
	by               *SecurityRule // the first of those that deny
}

// allowed finds the groups of a NIC that drop flows of a kind. lost says that this loses
// something at once.
func (d *differ) allowed(v *nicView, p purpose, both, lost bool) []*finding {
	if v == nil || p.port == 0 || len(v.nic.Addresses) == 0 || d.lacking(WhatEffectiveRules, v.nic.ID) {
		return nil
	}
	severity := Warning
	if lost {
		severity = Error
	}
	var out []*finding
	for _, direction := range []string{"Outbound", "Inbound"} {
		inbound := direction == "Inbound"
		if inbound && !both {
			break
		}
		for _, g := range groupsFor(v.nic, inbound, p.protocol, p.port) {
			x := denial{p, g.id, direction, v.nic.Addresses[0], nil, nil}
			x.judge(&g, inbound)
			if x.by == nil {
				continue
			}
			f := d.find(p.code, severity, g.id, shortName(g.id), func(f *finding) (string, []Step) { return d.dropped(v, f) })
			f.all = f.code == NSGDropsVXLAN
			d.denials[f.findingKey] = append(d.denials[f.findingKey], x)
			out = append(out, f)
		}
	}
	return out
}

// judge notes the remotes whose flows g drops.
func (x *denial) judge(g *group, inbound bool) {
	for _, r := range x.purpose.remotes {
		f := flow{inbound, x.protocol, x.own, r, x.port}
		if inbound {
			f.src, f.dst = r, x.own
		}
		by := g.denies(f)
		if by == nil || !r.Is4() {
			continue
		}
		x.remotes = append(x.remotes, r)
		if x.by == nil || by.Priority < x.by.Priority {
			x.by = by
		}
	}
}

// dropped says what a group drops, and lets it pass.
func (d *differ) dropped(v *nicView, f *finding) (string, []Step) {
	all := d.denials[f.findingKey]
	x := all[0]
	directions := strings.ToLower(x.direction)
	if slices.ContainsFunc(all, func(y denial) bool { return y.direction != x.direction }) {
		directions = "outbound and inbound"
	}
	reason := fmt.Sprintf("Network security group %s drops %s %s (%s %d) between %s and %s: rule %s denies it.",
		shortName(x.group), directions, x.what, strings.ToUpper(x.protocol), x.port, x.own, list(x.remotes), ruleName(x.by))
	return reason, permit(v.nic, all)
}

// ruleName returns a rule's name without the kind of rule that Azure puts before it.
func ruleName(r *SecurityRule) string { return r.Name[strings.LastIndexByte(r.Name, '/')+1:] }

// permit returns, for each denial of one group, the rule that lets the flows pass, and what
// makes room for it before the rule that denies them.
func permit(n *NIC, all []denial) []Step {
	type slot struct {
		inbound  bool
		priority int
	}
	taken, names := map[slot]bool{}, map[string]bool{}
	for i := range n.Rules {
		if r := &n.Rules[i]; r.Group == all[0].group {
			taken[slot{r.Inbound, r.Priority}] = true
			names[strings.ToLower(ruleName(r))] = true
		}
	}
	var out []Step
	for _, x := range all {
		inbound := x.direction == "Inbound"
		priority := min(x.by.Priority, 4097) - 1
		for priority >= 100 && taken[slot{inbound, priority}] {
			priority--
		}
		if priority < 100 {
			priority = x.by.Priority
			next := priority + 1
			for taken[slot{inbound, next}] {
				next++
			}
			taken[slot{inbound, next}] = true
			out = append(out, x.rule("update", ruleName(x.by), "--priority", strconv.Itoa(next)))
		}
		taken[slot{inbound, priority}] = true
		name := x.name + "-" + strings.ToLower(strings.TrimSuffix(x.direction, "bound"))
		for base, i := name, 2; names[name]; i++ {
			name = base + "-" + strconv.Itoa(i)
		}
		names[name] = true
		out = append(out, x.create(name, priority))
	}
	return out
}

func (x *denial) rule(verb, name string, args ...string) Step {
	id := parseID(x.group)
	return az(id.subscription, append([]string{"network", "nsg", "rule", verb, "--resource-group", id.group, "--nsg-name", id.name(), "--name", name}, args...)...)
}

func (x *denial) create(name string, priority int) Step {
	own, far := []string{x.own.String()}, make([]string, len(x.remotes))
	for i, r := range x.remotes {
		far[i] = r.String()
	}
	src, dst := own, far
	if x.direction == "Inbound" {
		src, dst = far, own
	}
	args := []string{"--priority", strconv.Itoa(priority), "--direction", x.direction, "--access", "Allow", "--protocol", x.protocol}
	args = append(append(args, "--source-address-prefixes"), src...)
	args = append(append(args, "--source-port-ranges", "*", "--destination-address-prefixes"), dst...)
	return x.rule("create", name, append(args, "--destination-port-ranges", strconv.Itoa(int(x.port)))...)
}
