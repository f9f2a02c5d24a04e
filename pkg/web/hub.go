package web

import (
	"maps"
	"slices"
	"sync"
)

// hub passes changes on to the clients of the stream. What a client has not taken yet is one set
// of kinds for each NVA, however much happens.
type hub struct {
	mu      sync.Mutex // guards the rest
	clients map[*client]struct{}
}

// client is a reader of the stream.
type client struct {
	wake    chan struct{}              // holds one element if something waits
	changes map[string]map[string]bool // kinds by NVA
	sites   map[string]string          // NVAs that were lost, with the reason, or are back
}

// mostClients bounds the readers of the stream, each of which is a tab of a browser.
const mostClients = 16

// join returns a new reader, nil if there are too many.
func (h *hub) join() *client {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.clients) >= mostClients {
		return nil
	}
	if h.clients == nil {
		h.clients = map[*client]struct{}{}
	}
	c := &client{wake: make(chan struct{}, 1), changes: map[string]map[string]bool{}, sites: map[string]string{}}
	h.clients[c] = struct{}{}
	return c
}

func (h *hub) leave(c *client) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.clients, c)
}

// publish notes that something of this kind has changed on an NVA.
func (h *hub) publish(nva, kind string) {
	h.each(func(c *client) {
		if c.changes[nva] == nil {
			c.changes[nva] = map[string]bool{}
		}
		c.changes[nva][kind] = true
	})
}

// announce notes that an NVA is lost, or back if problem is empty.
func (h *hub) announce(nva, problem string) {
	h.each(func(c *client) { c.sites[nva] = problem })
}

func (h *hub) each(note func(*client)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.clients {
		note(c)
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
}

// change lists what has changed on an NVA since the last message.
type change struct {
	NVA   string   `json:"nva"`
	Kinds []string `json:"kinds"`
}

// siteChange says that an NVA is lost or back.
type siteChange struct {
	NVA   string `json:"nva"`
	OK    bool   `json:"ok"`
	Error string `json:"error"`
}

// take returns what waits for c.
func (h *hub) take(c *client) (changes []change, sites []siteChange) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, nva := range slices.Sorted(maps.Keys(c.changes)) {
		changes = append(changes, change{nva, slices.Sorted(maps.Keys(c.changes[nva]))})
	}
	for _, nva := range slices.Sorted(maps.Keys(c.sites)) {
		sites = append(sites, siteChange{nva, c.sites[nva] == "", c.sites[nva]})
	}
	clear(c.changes)
	clear(c.sites)
	return changes, sites
}
