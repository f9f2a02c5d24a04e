package rib

import (
	"hash/fnv"
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// Session is what the RIB must know of an established session.
type Session struct {
	LocalAddress netip.Addr
	RemoteID     netip.Addr
	Families     route.Family
}

// Counts are the sizes of a neighbor's tables.
type Counts struct {
	Received, Accepted, Stale, Advertised int

	Held    int // prefixes that MaxAdvertised keeps back
	Fullest int // prefixes advertised of the family that has more, if MaxAdvertised is set
}

// peerID indexes RIB.peers. It is reused after a neighbor was removed, when
// nothing in the tables refers to it any more.
type peerID uint16

type peer struct {
	Peer
	Session
	id       peerID
	asn      uint32 // of this router; LocalASN is the one the neighbor is shown
	internal bool
	up       bool
	epoch    uint32             // sessions lost so far
	soo      route.ExtCommunity // of Domain; 0: none
	ignored  []netip.Prefix     // held back; see Ignored
	tallies  tallies
	taken    int // of received paths: those that MaxReceived counts
	dropped  dropped
	holds    holdings
	history
	removed uint64 // the walk of the table after which nothing refers to it; 0: it is configured

	walk   walk
	synced func()    // called once it was told the table in this session
	resent [2]func() // by family: called once it was told its routes again

	rations   rations // of MaxAdvertised
	collects  bool    // a walk puts together what there is, before anything is told
	refilling bool    // waits in RIB.refills
	refilled  func()  // called once it does not any more

	changes []speaker.Change // since the last Take
	wire    wireMemo
	offers  wireMemo // what export policy meets, by accepted set
}

// wireMemo remembers the attributes sent for the latest accepted set: the routes
// of an UPDATE come one after the other, also in walks of the whole table.
type wireMemo struct {
	key wireKey
	out *route.Attrs // nil: nothing is remembered
}

// wireKey is all that what is sent depends on, besides the neighbor's settings.
type wireKey struct {
	accepted *route.Attrs
	out      *route.Attrs // what export policy made of it; nil: the policy is yet to run
	from     peerID
	origin   route.ExtCommunity // loop domain that an iBGP neighbor is told; 0: none
	family   route.Family
	nextHop  policy.NextHop
}

// siteOfOrigin derives the community that marks a loop domain. Both NVAs of a
// hub derive the same from the same name.
func siteOfOrigin(asn uint32, domain string) route.ExtCommunity {
	if domain == "" {
		return 0
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(domain))
	return route.SiteOfOrigin(uint16(asn), h.Sum32())
}

// SetPeer adds a neighbor, or changes one. Routes that its new policy may treat
// differently are evaluated again by Flush; the session's state is kept.
func (r *RIB) SetPeer(c Peer) {
	defer r.followDomains(r.usesDomains())
	r.needDefault(&c)
	p := r.byAddr[c.Address]
	if p == nil {
		p = r.newPeer(c.Address)
		p.set(c)
		r.setLimit(p, 0)
		if p.soo != 0 {
			r.forgetWire()
		}
		return
	}
	old := p.Peer
	p.set(c)
	if old.MaxAdvertised != c.MaxAdvertised {
		r.setLimit(p, old.MaxAdvertised)
	}
	if old.Default != nil && c.Default == nil {
		r.touchDefault()
	}
	imports, source, exports := affected(&old, &c)
	if imports {
		r.reevaluate(p)
	}
	if source {
		r.forgetWire()
		p.era++
		p.source = p.era
		r.request(r.peers[0], renews)
	}
	if exports && p.up {
		// Under a limit that is new, nothing more is announced before the walk knows
		// how much the neighbor has already.
		p.collects = p.collects || old.MaxAdvertised == 0 && c.MaxAdvertised > 0
		r.request(p, offers)
	}
}

func (p *peer) set(c Peer) {
	p.Peer = c
	p.internal = c.LocalASN == c.RemoteASN
	p.soo = siteOfOrigin(c.LocalASN, c.Domain)
	p.wire, p.offers = wireMemo{}, wireMemo{}
}

// forgetWire empties what is remembered of attributes sent: they may depend on
// settings of the neighbor that a path came from.
func (r *RIB) forgetWire() {
	for _, p := range r.byAddr {
		p.wire, p.offers = wireMemo{}, wireMemo{}
	}
}

// needDefault makes sure that there is a destination for the default route of
// each family, where an originated one can be advertised from.
func (r *RIB) needDefault(c *Peer) {
	if c.Default != nil {
		r.dest(defaultIPv4)
		r.dest(defaultIPv6)
	}
}

// touchDefault has the default routes decided about, which may be there no
// longer.
func (r *RIB) touchDefault() {
	for _, prefix := range []netip.Prefix{defaultIPv4, defaultIPv6} {
		if d := r.find(prefix); d != nil {
			r.touch(d, 0)
		}
	}
}

// RemovePeer forgets a neighbor and everything it announced. Until the table's
// walk has met all of it, the neighbor keeps its index.
func (r *RIB) RemovePeer(addr netip.Addr) {
	p := r.byAddr[addr]
	if p == nil {
		return
	}
	defer r.followDomains(r.usesDomains())
	r.PeerDown(addr, false)
	r.forgetWire()
	delete(r.byAddr, addr)
	p.removed = r.lap + 1
}

// forgetRemoved gives the indexes of removed neighbors away to which the table does
// not refer any more.
func (r *RIB) forgetRemoved() {
	for i, p := range r.peers {
		if p != nil && p.removed > 0 && p.removed <= r.lap {
			r.peers[i] = nil
		}
	}
}

// newPeer adds a neighbor. One that was removed and comes back before the table has
// forgotten it takes its old place, so that reloads do not use up indexes.
func (r *RIB) newPeer(addr netip.Addr) *peer {
	i := slices.IndexFunc(r.peers, func(p *peer) bool { return p != nil && p.removed > 0 && p.Address == addr })
	p := &peer{asn: r.opt.ASN}
	if i >= 0 {
		was := r.peers[i]
		p.id, p.epoch, p.history, p.holds = was.id, was.epoch, was.history, was.holds
	} else {
		p.id = r.freeID()
	}
	r.peers[p.id], r.byAddr[addr] = p, p
	return p
}

// PeerUp tells that a session is established. The neighbor is sent the
// Loc-RIB by the following Flushes, and then done is called.
func (r *RIB) PeerUp(addr netip.Addr, s Session, done func()) {
	p := r.byAddr[addr]
	p.Session, p.up = s, true
	r.forgetWire() // the router ID may be another, which others are told (RFC 4456 8)
	r.takeMore(p)  // what went meanwhile has made room
	r.collect(p)
	p.synced = done
	r.request(p, offers)
}

// PeerDown tells that a session is lost. Its routes are gone, or stay as stale if
// keep is set (RFC 4724 4.2). What follows for each destination is decided by the
// following Flushes, also if the session is back before; no call waits for it.
func (r *RIB) PeerDown(addr netip.Addr, keep bool) {
	p := r.byAddr[addr]
	p.up, p.changes, p.dropped = false, nil, dropped{}
	p.epoch++
	r.cancel(p)
	if keep {
		p.keepPaths()
	} else {
		p.forgetPaths()
	}
	p.tallies[0].advertised, p.tallies[1].advertised = 0, 0
	r.setLimit(p, 0)
	p.collects = false
	r.request(r.peers[0], renews)
}

// Readvertise sends the whole Adj-RIB-Out of the given families once more, as
// ROUTE-REFRESH asks for (RFC 2918 4), and then calls done for each family, but not
// if the session ends before. What is asked for again while it waits is done once.
func (r *RIB) Readvertise(addr netip.Addr, f route.Family, done func(route.Family)) {
	p := r.byAddr[addr]
	if !p.up {
		return
	}
	r.request(p, resends(f))
	for i, family := range [...]route.Family{route.IPv4, route.IPv6} {
		if done != nil && f.Has(family) {
			p.resent[i] = func() { done(family) }
		}
	}
}

// Reimport evaluates the import policy again, for all that addr announced.
func (r *RIB) Reimport(addr netip.Addr) { r.reevaluate(r.byAddr[addr]) }

func (r *RIB) reevaluate(p *peer) {
	p.era++
	p.policy = p.era
	r.request(r.peers[0], renews)
}

// Counts returns the sizes of a neighbor's tables.
func (r *RIB) Counts(addr netip.Addr) Counts {
	p := r.byAddr[addr]
	var c Counts
	for i := range p.tallies {
		t := &p.tallies[i]
		c.Received += t.received()
		c.Accepted += t.outcomes[accepted]
		c.Stale += t.sumStale()
		c.Advertised += t.advertised
	}
	p.countRations(&c)
	return c
}

// freeID returns an unused index; index 0 is the RIB itself (local routes).
func (r *RIB) freeID() peerID {
	for i, p := range r.peers {
		if p == nil {
			return peerID(i)
		}
	}
	r.peers = append(r.peers, nil)
	return peerID(len(r.peers) - 1)
}
