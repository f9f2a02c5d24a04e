package gobgp

import (
	"sync/atomic"

	"github.com/nvad/nvad/pkg/route"
)

// attrCache finds attribute sets by their octets. It keeps two generations and
// drops the older when the younger is full, so that it is bounded and what is
// in use stays. Its bound is in octets: how large a set is, the neighbor chooses.
type attrCache struct {
	young, old generation
	held       atomic.Int64 // octets of both, for whoever asks
}

type generation struct {
	sets   map[string]*route.Attrs
	octets int
}

const (
	// generationOctets is room for some 2,000 sets of usual size.
	generationOctets = 1 << 20
	// largestCached is worth a place: what is larger takes the place of many,
	// and parsing it costs its sender as much.
	largestCached = generationOctets / 16
	// entryOctets is what an entry takes beside its key and its set.
	entryOctets = 48
)

func (c *attrCache) get(key []byte) *route.Attrs {
	if a := c.young.sets[string(key)]; a != nil {
		return a
	}
	a := c.old.sets[string(key)]
	if a != nil {
		c.put(key, a)
	}
	return a
}

func (c *attrCache) put(key []byte, a *route.Attrs) {
	size := entryOctets + len(key) + a.Octets()
	if size > largestCached {
		return
	}
	if c.young.sets == nil || c.young.octets+size > generationOctets {
		c.young, c.old = generation{sets: make(map[string]*route.Attrs)}, c.young
	}
	c.young.sets[string(key)] = a
	c.young.octets += size
	c.held.Store(int64(c.young.octets + c.old.octets))
}

// queuedOctets is what a change takes that is not yet on the wire, with its place
// in the index.
const queuedOctets = 128

// octets estimates the memory that the session holds, with queued changes that are
// not yet on the wire.
func (s *session) octets(queued int) int {
	n := queued * queuedOctets
	if d := s.decoder.Load(); d != nil {
		n += int(d.cache.held.Load())
	}
	return n
}
