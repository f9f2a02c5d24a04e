package reload

import (
	"fmt"
	"net/netip"
	"sync"

	"github.com/nvad/nvad/integration/rawbgp"
)

// listener judges every UPDATE that it hears.
type listener struct {
	asn      uint32
	address  netip.Addr
	internal bool
	session  *rawbgp.Session

	mu     sync.Mutex
	table  map[netip.Prefix]int // the policy under which it was announced
	steady [3]int               // steady prefixes by policy
	heard  map[netip.Prefix]int // announcements and withdrawals
	total  int
	faults []string
}

func newListener(asn uint32, address netip.Addr) *listener {
	return &listener{asn: asn, address: address, internal: asn == ourASN, table: map[netip.Prefix]int{}, heard: map[netip.Prefix]int{}}
}

// fault records the first faults.
func (l *listener) fault(p netip.Prefix, format string, args ...any) {
	if len(l.faults) < 20 {
		l.faults = append(l.faults, fmt.Sprintf("%s: %s: ", l.address, p)+fmt.Sprintf(format, args...))
	}
}

// hear checks every UPDATE.
func (l *listener) hear(u rawbgp.Update) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range u.Withdrawn {
		l.withdrawn(p)
	}
	for _, p := range u.Announced {
		l.announced(p, u.Attrs)
	}
}

func (l *listener) withdrawn(p netip.Prefix) {
	l.total++
	l.heard[p]++
	if _, there := l.table[p]; !there {
		l.fault(p, "withdrawn, but was not announced")
	}
	if c := classOf(p); c == steady || c == changing {
		l.fault(p, "withdrawn, though both policies announce it")
		l.steady[l.table[p]]--
	}
	delete(l.table, p)
}

func (l *listener) announced(p netip.Prefix, h rawbgp.Heard) {
	l.total++
	l.heard[p]++
	policy, reason := policyOf(h, l.internal)
	c := classOf(p)
	switch {
	case c >= byLists:
		l.fault(p, "announced, though both policies deny it: %v", h)
	case policy == 0:
		l.fault(p, "%s", reason)
	case c == onlyOne && policy != 1, c == onlyTwo && policy != 2:
		l.fault(p, "announced by policy %d: %v", policy, h)
	}
	if c == steady {
		if l.table[p] == policy {
			l.fault(p, "announced twice by policy %d", policy)
		}
		l.steady[l.table[p]]--
		l.steady[policy]++
	}
	l.table[p] = policy
}

// follows returns nil once every prefix that the feeders leave alone is announced under the
// given policy, and under no other.
func (l *listener) follows(policy int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.faults) > 0 {
		return nil // there is nothing to wait for
	}
	if n := l.steady[policy]; n != perClass {
		return fmt.Errorf("%s: %d of %d steady routes come from policy %d", l.address, n, perClass, policy)
	}
	if err := l.session.Err(); err != nil {
		return fmt.Errorf("%s: %w", l.address, err)
	}
	return nil
}

// most returns the highest number of changes that were heard for a prefix of a class.
func (l *listener) most(c class) (most int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range perClass {
		most = max(most, l.heard[c.prefix(i)])
	}
	return most
}
