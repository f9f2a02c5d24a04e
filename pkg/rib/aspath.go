package rib

import (
	"slices"

	"github.com/nvad/nvad/pkg/route"
)

// withoutConfed prepares a path for an eBGP neighbor, before the own ASN is
// prepended: confederation segments stay inside (RFC 5065 4.1).
func withoutConfed(path route.ASPath) route.ASPath {
	if !path.HasConfed() {
		return path
	}
	return slices.DeleteFunc(slices.Clone(path), func(s route.Segment) bool {
		return s.Type == route.ASConfedSequence || s.Type == route.ASConfedSet
	})
}

// shownPath is the path that an eBGP neighbor may see by its settings. As in
// FRR that is settled before its export policy, which has the last word.
func shownPath(path route.ASPath, p *peer) route.ASPath {
	if p.RemovePrivateAS {
		path = withoutPrivate(path, p)
	}
	if p.ASOverride && path.Contains(p.RemoteASN) > 0 {
		path = mapASNs(path, func(asn uint32) (uint32, bool) {
			if asn == p.RemoteASN {
				return p.LocalASN, true
			}
			return asn, true
		})
	}
	return path
}

// withoutPrivate removes private ASNs (RFC 6996), or writes the own ASN over
// them so that the length stays; but not the neighbor's own: it must be able to
// see a loop.
func withoutPrivate(path route.ASPath, p *peer) route.ASPath {
	return mapASNs(path, func(asn uint32) (uint32, bool) {
		private := asn >= 64512 && asn <= 65534 || asn >= 4200000000 && asn <= 4294967294
		switch {
		case !private || asn == p.RemoteASN:
			return asn, true
		case p.ReplacePrivateAS:
			return p.LocalASN, true
		}
		return asn, false
	})
}

// mapASNs returns a path of what f makes of each ASN, without those for which
// it returns false, and without segments that became empty.
func mapASNs(path route.ASPath, f func(uint32) (uint32, bool)) route.ASPath {
	var out route.ASPath
	for _, s := range path {
		if s.Type == route.ASConfedSequence || s.Type == route.ASConfedSet {
			out = append(out, s)
			continue
		}
		seg := route.Segment{Type: s.Type}
		for _, asn := range s.ASNs {
			if v, keep := f(asn); keep {
				seg.ASNs = append(seg.ASNs, v)
			}
		}
		if n := len(out); n > 0 && seg.Type == route.ASSequence && out[n-1].Type == seg.Type && len(out[n-1].ASNs)+len(seg.ASNs) <= 255 {
			out[n-1].ASNs = append(out[n-1].ASNs, seg.ASNs...)
		} else if len(seg.ASNs) > 0 {
			out = append(out, seg)
		}
	}
	return out
}
