package gobgp

import "github.com/nvad/nvad/pkg/route"

// attrCache finds attribute sets by their octets. It keeps two generations and
// drops the older when the younger is full, so that it is bounded and what is
// in use stays.
type attrCache struct {
	young, old map[string]*route.Attrs
}

const cacheGeneration = 4096

func (c *attrCache) get(key []byte) *route.Attrs {
	if a := c.young[string(key)]; a != nil {
		return a
	}
	a := c.old[string(key)]
	if a != nil {
		c.put(key, a)
	}
	return a
}

func (c *attrCache) put(key []byte, a *route.Attrs) {
	if c.young == nil || len(c.young) >= cacheGeneration {
		c.young, c.old = make(map[string]*route.Attrs), c.young
	}
	c.young[string(key)] = a
}
