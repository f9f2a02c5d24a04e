package rib

// Fork returns a RIB with the settings, neighbors and sessions of r, but without
// its destinations. It is changed like r would be, and then a [Preview] tells what
// that comes to. It is told the facts of the kernel anew, and what is originated.
func (r *RIB) Fork() *RIB {
	f := New(r.opt)
	f.drain, f.peers = r.drain, make([]*peer, len(r.peers))
	for i, p := range r.peers {
		if p == nil {
			continue
		}
		q := &peer{
			Peer: p.Peer, Session: p.Session, id: p.id, asn: p.asn, internal: p.internal, up: p.up,
			epoch: p.epoch, soo: p.soo, tallies: p.tallies, removed: p.removed,
		}
		q.era = 1 // in which all paths are; see Preview.copyPaths
		f.peers[i] = q
		if r.byAddr[p.Address] == p {
			f.byAddr[p.Address] = q
		}
	}
	f.under.dead = r.under.dead
	return f
}
