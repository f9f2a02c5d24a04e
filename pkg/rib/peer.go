package rib

import (
	"hash/fnv"
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

// Session describes an established session.
type Session struct {
	LocalAddress netip.Addr
	RemoteID     netip.Addr // the neighbor's BGP Identifier
	Families     route.Family
}

// peerID indexes peers.byID. The index of a removed neighbor is used again once nothing
// in the table refers to it.
type peerID uint16

// peer is a neighbor, or this router, with what each stage keeps of it.
type peer struct {
	Peer
	Session
	id       peerID
	asn      uint32 // this router's own; the neighbor is shown LocalASN
	internal bool
	up       bool
	soo      route.ExtCommunity // marks routes of its Domain; 0: none
	removed  uint64             // walk of the table after which nothing refers to it; 0: it is configured

	inbound
	outbound

	walk   walk
	synced func()    // called once it was sent the table in this session
	resent [2]func() // by family: called once it was sent its routes again
}

// peers are the neighbors and, with index 0, this router.
type peers struct {
	byID   []*peer // nil: unused
	byAddr map[netip.Addr]*peer
}

func (ps *peers) local() *peer { return ps.byID[0] }

// of returns whose path pt is.
func (ps *peers) of(pt *path) *peer { return ps.byID[pt.peer] }

// add adds a neighbor. If one with that address was removed and the table still refers
// to it, the new one takes over its index, so that reloads do not use up indexes.
func (ps *peers) add(addr netip.Addr, asn uint32) *peer {
	i := slices.IndexFunc(ps.byID, func(p *peer) bool { return p != nil && p.removed > 0 && p.Address == addr })
	p := &peer{asn: asn}
	if i >= 0 {
		was := ps.byID[i]
		p.id, p.epoch, p.history, p.holds = was.id, was.epoch, was.history, was.holds
	} else {
		p.id = ps.freeID()
	}
	ps.byID[p.id], ps.byAddr[addr] = p, p
	return p
}

func (ps *peers) freeID() peerID {
	if i := slices.Index(ps.byID, nil); i >= 0 {
		return peerID(i)
	}
	ps.byID = append(ps.byID, nil)
	return peerID(len(ps.byID) - 1)
}

// forgetRemoved frees the indexes of removed neighbors to which the table does not refer
// any more after so many walks.
func (ps *peers) forgetRemoved(laps uint64) {
	for i, p := range ps.byID {
		if p != nil && p.removed > 0 && p.removed <= laps {
			ps.byID[i] = nil
		}
	}
}

// needDefault reports whether a neighbor may be sent a default route of its own for
// prefix, so that its destination must stay although no path has it.
func (ps *peers) needDefault(prefix netip.Prefix) bool {
	if prefix.Bits() != 0 {
		return false
	}
	for _, p := range ps.byAddr {
		if p.Default != nil {
			return true
		}
	}
	return false
}

// set takes settings over.
func (p *peer) set(c Peer) {
	p.Peer = c
	p.internal = c.LocalASN == c.RemoteASN
	p.soo = siteOfOrigin(c.LocalASN, c.Domain)
	p.forgetWire()
}

// siteOfOrigin derives the community that marks a loop domain. Both NVAs of a hub derive
// the same one from the same name.
func siteOfOrigin(asn uint32, domain string) route.ExtCommunity {
	if domain == "" {
		return 0
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(domain))
	return route.SiteOfOrigin(uint16(asn), h.Sum32())
}

// SetPeer adds a neighbor, or changes one. What the change affects is evaluated again by
// the following Flushes. The session's state is kept.
func (r *RIB) SetPeer(c Peer) {
	defer r.followDomains()
	if c.Default != nil { // it is advertised from a destination, whether or not a path has it
		r.table.get(defaultIPv4)
		r.table.get(defaultIPv6)
	}
	p := r.peers.byAddr[c.Address]
	if p == nil {
		p = r.peers.add(c.Address, r.opt.ASN)
		p.set(c)
		r.out.setLimit(p, 0)
		if p.soo != 0 {
			r.out.forgetWire()
		}
		return
	}
	old := p.Peer
	p.set(c)
	if old.MaxAdvertised != c.MaxAdvertised {
		r.out.setLimit(p, old.MaxAdvertised)
	}
	if old.Default != nil && c.Default == nil {
		r.touchDefaults()
	}
	imports, source, exports := affected(&old, &c)
	if imports {
		r.reimport(p)
	}
	if source {
		r.out.forgetWire()
		p.dateSource()
		r.requestAll(renews)
	}
	if exports && p.up {
		// Under a limit that is new, nothing more is announced before the walk knows how
		// much the neighbor has already.
		p.collects = p.collects || old.MaxAdvertised == 0 && c.MaxAdvertised > 0
		r.walks.request(p, offers)
	}
}

// touchDefaults queues the default routes, which may not be needed any longer.
func (r *RIB) touchDefaults() {
	for _, prefix := range []netip.Prefix{defaultIPv4, defaultIPv6} {
		if d := r.table.find(prefix); d != nil {
			r.touch(d, 0)
		}
	}
}

// SetDomains says that there is a loop domain, also while no neighbor has one: that of a
// listen-range. Otherwise the first dynamic neighbor, and the end of the last one, would
// have everything advertised again to everybody.
func (r *RIB) SetDomains(on bool) {
	r.out.domains = on
	r.followDomains()
}

// followDomains advertises everything again once the first loop domain was configured or
// the last one removed: Sites of Origin mean something else then.
func (r *RIB) followDomains() {
	if r.out.updateMarks() {
		r.requestAll(offers)
	}
}

// RemovePeer removes a neighbor and everything that it announced. The neighbor keeps its
// index until the table's walk has visited all of it.
func (r *RIB) RemovePeer(addr netip.Addr) {
	p := r.peers.byAddr[addr]
	if p == nil {
		return
	}
	defer r.followDomains()
	r.PeerDown(addr, false)
	r.out.forgetWire()
	delete(r.peers.byAddr, addr)
	p.removed = r.walks.laps + 1
}

// PeerUp starts a session. The following Flushes send the neighbor the Loc-RIB, and then
// call done.
func (r *RIB) PeerUp(addr netip.Addr, s Session, done func()) {
	p := r.peers.byAddr[addr]
	p.Session, p.up = s, true
	r.out.forgetWire() // others are sent its router ID (RFC 4456 8), which may be another
	r.takeMore(p)      // paths that went while it was down have made room
	r.out.collect(p)
	p.synced = done
	r.walks.request(p, offers)
}

// PeerDown ends a session. The neighbor's routes are gone or, if keep is set, stay as
// stale (RFC 4724 4.2). The following Flushes decide what follows for each destination,
// also if the session is back before they have reached it.
func (r *RIB) PeerDown(addr netip.Addr, keep bool) {
	p := r.peers.byAddr[addr]
	p.up = false
	r.walks.cancel(p)
	r.out.closeSession(p)
	if keep {
		p.keepPaths()
	} else {
		p.forgetPaths()
	}
	p.dropped = dropped{}
	r.requestAll(renews)
}

// SweepStale removes the routes of the given families that the neighbor has not
// announced again since it restarted (RFC 4724 4.2).
func (r *RIB) SweepStale(addr netip.Addr, f route.Family) {
	p := r.peers.byAddr[addr]
	if p == nil {
		return
	}
	for i, family := range families {
		if f.Has(family) && p.tallies[i].sumStale() > 0 {
			p.sweep(i)
			r.requestAll(renews)
		}
	}
	r.takeMore(p)
}

// Readvertise sends the Adj-RIB-Out of the given families again, as ROUTE-REFRESH asks
// for (RFC 2918 4), and then calls done for each family, but not if the session ends
// first. A family that is requested again while it waits is sent once.
func (r *RIB) Readvertise(addr netip.Addr, f route.Family, done func(route.Family)) {
	p := r.peers.byAddr[addr]
	if !p.up {
		return
	}
	r.walks.request(p, resends(f))
	for i, family := range families {
		if done != nil && f.Has(family) {
			p.resent[i] = func() { done(family) }
		}
	}
}

// Reimport runs import policy again over everything that a neighbor announced.
func (r *RIB) Reimport(addr netip.Addr) { r.reimport(r.peers.byAddr[addr]) }

func (r *RIB) reimport(p *peer) {
	p.datePolicy()
	r.requestAll(renews)
}

// Policies returns a neighbor's Programs. They run on the caller's goroutine.
func (r *RIB) Policies(neighbor netip.Addr) (in, out *policy.Program) {
	p := r.peers.byAddr[neighbor]
	if p == nil {
		return nil, nil
	}
	return p.Import, p.Export
}

// Tidy forgets attribute sets that are remembered only because they may come again, so
// that those of a neighbor that is gone can be freed.
func (r *RIB) Tidy() {
	r.out.forgetWire()
	r.in.input, r.out.input, r.loc.work = policy.Input{}, policy.Input{}, scratch{}
	for _, p := range r.peers.byAddr {
		p.Import.Forget()
		p.Export.Forget()
		if p.Default != nil {
			p.Default.Forget()
		}
		p.holds.settleAll()
	}
}
