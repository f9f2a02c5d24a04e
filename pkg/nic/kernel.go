package nic

import (
	"fmt"
	"net/netip"
)

// Platform is the source of Azure's IPv4 health probes, and the server of DHCP, DNS and the VM
// agent. IPv6 probes come from a link-local address, which belongs to a link anyway.
var Platform = netip.AddrFrom4([4]byte{168, 63, 129, 16})

// Marks of nvad's rules and routes.
const (
	Protocol = 201 // of rules and routes (FRA_PROTOCOL, rtm_protocol); iproute2 knows no program with this number
	Priority = 168 // of rules: before those of other programs, which are rarely as narrow
)

// Kernel reads and writes IPv4 rules and routes. Deleting something that does not exist succeeds,
// and so does adding a rule that exists.
type Kernel interface {
	// Read returns nvad's rules, and its routes in the given tables; if none are given, in
	// all tables except main and local.
	Read(tables []uint32) (Found, error)
	// Do carries out one operation.
	Do(Op) error
}

// Found has nvad's rules and routes in the kernel.
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

// OpKind says what an [Op] does.
type OpKind uint8

// Kinds of operation.
const (
	AddRoute     OpKind = iota // fails with fs.ErrExist if another program has one
	ReplaceRoute               // replaces nvad's
	DeleteRoute
	AddRule
	DeleteRule
)

// Op is one operation, on Rule or on Route.
type Op struct {
	Kind  OpKind
	Rule  Rule
	Route Route
}

var opNames = [...]string{"add", "change", "delete", "add", "delete"}

// String returns the operation in words, for errors.
func (o Op) String() string {
	if o.Kind == AddRule || o.Kind == DeleteRule {
		return opNames[o.Kind] + " " + o.Rule.String()
	}
	return opNames[o.Kind] + " " + o.Route.String()
}

// String returns the rule in words.
func (r Rule) String() string { return fmt.Sprintf("rule from %s lookup %d", r.From, r.Table) }

// String returns the route in words.
func (r Route) String() string { return fmt.Sprintf("route via %s in table %d", r.Via, r.Table) }
