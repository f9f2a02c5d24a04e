package nic

import (
	"fmt"
	"net/netip"
)

// Platform is where Azure's health probes come from, DHCP, DNS and the VM agent's
// server too. IPv6 probes come from a link-local address, which knows its link.
var Platform = netip.AddrFrom4([4]byte{168, 63, 129, 16})

// Marks of what is nvad's.
const (
	Protocol = 201 // of rules and routes (FRA_PROTOCOL, rtm_protocol); iproute2 names no program that has it
	Priority = 168 // of rules: before those of other programs, which are seldom that narrow
)

// Kernel is what the package needs of the kernel, IPv4 alone. Deleting what is not
// there is success, as is adding a rule that is there.
type Kernel interface {
	// Read returns nvad's rules and its routes in tables, in all but main and
	// local if there are none given.
	Read(tables []uint32) (Found, error)
	// Do carries out one operation.
	Do(Op) error
}

// Found is what of nvad's the kernel has.
type Found struct {
	Rules  []Rule
	Routes []Route
}

// Rule sends packets from an address to [Platform] through a table.
type Rule struct {
	From  netip.Addr
	Table uint32
}

// Route leads to [Platform].
type Route struct {
	Table uint32
	Via   netip.Addr
	Link  int // index
}

// OpKind is what an [Op] does.
type OpKind uint8

// Kinds of operation.
const (
	AddRoute     OpKind = iota // fails with fs.ErrExist where another program has one
	ReplaceRoute               // in place of nvad's
	DeleteRoute
	AddRule
	DeleteRule
)

// Op is one operation on Rule or Route, as its kind says.
type Op struct {
	Kind  OpKind
	Rule  Rule
	Route Route
}

var opNames = [...]string{"add", "change", "delete", "add", "delete"}

// String is the operation in words, as in errors.
func (o Op) String() string {
	if o.Kind == AddRule || o.Kind == DeleteRule {
		return opNames[o.Kind] + " " + o.Rule.String()
	}
	return opNames[o.Kind] + " " + o.Route.String()
}

// String is the rule in words.
func (r Rule) String() string { return fmt.Sprintf("rule from %s lookup %d", r.From, r.Table) }

// String is the route in words.
func (r Route) String() string { return fmt.Sprintf("route via %s in table %d", r.Via, r.Table) }
