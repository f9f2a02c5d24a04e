package site

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/gaissmai/bart"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// Answer holds the answers of one NVA about itself.
type Answer struct {
	Name string
	// Failure is why it did not answer. If it is set, the other fields are empty.
	Failure   string
	Status    *nvadv1.Status
	Neighbors []*nvadv1.Neighbor
	Ranges    []*nvadv1.ListenRange
	Tunnels   []*nvadv1.Tunnel
	// Config is the running configuration, expanded and normalised.
	Config string
	// Prefixes are those of the Loc-RIB, each with the time when its youngest path was
	// received.
	Prefixes map[netip.Prefix]time.Time
	// Routes are those that nvad wants in the kernel.
	Routes []Route
	// Local are prefixes that the machine reaches without nvad: connected ones, and those
	// that it originates, except aggregates.
	Local []netip.Prefix
	// Ahead is how far its clock is ahead of the asker's, and Doubt how far that may be
	// off. Both are zero if the NVA does not say what time it is.
	Ahead, Doubt time.Duration
}

// Route is a route in an NVA's kernel.
type Route struct {
	Prefix netip.Prefix
	Via    []netip.Addr // gateways; empty: none, such as of a blackhole
}

// established is the state of a session that is up.
const established = "Established"

// nva is an answer with what the comparison often looks up.
type nva struct {
	*Answer
	ends     []*end
	underlay map[netip.Addr]bool // its own addresses outside of tunnels
	keys     map[string]bool     // public keys of its ends of WireGuard
	groups   map[string]bool     // multicast groups of its tunnels, with their VNI
	domains  []string            // loop domains of its neighbors
	inside   bart.Lite           // subnets of its tunnels
	reach    map[netip.Addr]way  // addresses of other NVAs inside tunnels
}

// way is how an NVA reaches an address inside a tunnel.
type way struct {
	from *end
	link *link
}

// end is one end of a tunnel.
type end struct {
	nva     *nva
	t       *nvadv1.Tunnel
	local   netip.Addr
	remotes []netip.Addr
	inner   []netip.Prefix // addresses, each with the length of its subnet
	links   []*link
}

func newNVA(a *Answer) *nva {
	n := &nva{Answer: a, underlay: map[netip.Addr]bool{}, keys: map[string]bool{}, groups: map[string]bool{}, reach: map[netip.Addr]way{}}
	for _, t := range a.Tunnels {
		e := &end{nva: n, t: t, local: address(t.GetLocal())}
		for _, r := range t.GetRemotes() {
			e.remotes = append(e.remotes, address(r))
		}
		if at, err := netip.ParseAddrPort(t.GetWireguard().GetEndpoint()); err == nil {
			e.remotes = append(e.remotes, at.Addr())
		}
		for _, p := range t.GetAddresses() {
			if prefix, err := netip.ParsePrefix(p); err == nil {
				e.inner = append(e.inner, prefix)
				n.inside.Insert(prefix)
			}
		}
		n.ends = append(n.ends, e)
		n.keys[t.GetWireguard().GetPublicKey()], n.groups[e.group()] = true, true
		if e.local.IsValid() {
			n.underlay[e.local] = true
		}
	}
	for _, v := range a.Neighbors {
		if own := address(v.GetLocalAddress()); own.IsValid() && !n.inside.Contains(own) {
			n.underlay[own] = true
		}
		if d := v.GetDomain(); d != "" && !slices.Contains(n.domains, d) {
			n.domains = append(n.domains, d)
		}
	}
	return n
}

// group returns the multicast group and its VNI; empty if there is none.
func (e *end) group() string {
	if e.t.GetGroup() == "" {
		return ""
	}
	return fmt.Sprintf("%s %d", e.t.GetGroup(), e.t.GetVni())
}

// address parses an address; invalid if the text is none.
func address(text string) netip.Addr {
	a, _ := netip.ParseAddr(text)
	return a
}
