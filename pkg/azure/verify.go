package azure

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
)

// Claim is something that nvad relies on about Azure, and whether it was seen to hold.
type Claim struct {
	// ID is stable.
	ID string `json:"id"`
	// Sentence is the claim.
	Sentence string `json:"sentence"`
	Result   Result `json:"result"`
	// Evidence is one line without subscriptions, names or public addresses.
	Evidence string `json:"evidence"`
}

// Result says whether a Claim holds.
type Result string

// The results.
const (
	Holds       Result = "holds"
	DoesNotHold Result = "does-not-hold"
	// NotObserved: the Snapshot has nothing that could prove or disprove the claim.
	NotObserved Result = "not-seen"
)

// Verify checks every claim about Azure on which nvad relies. The answer may be sent to
// others: it names no subscription, resource, tenant or public address.
func Verify(s Snapshot, self Self) []Claim {
	v := &verifier{differ: newDiffer(&s, &self, Options{}), anon: &anonymiser{}}
	out := make([]Claim, len(claims))
	for i, c := range claims {
		t := &tally{}
		v.early = false
		c.check(v, t)
		out[i] = Claim{ID: c.id, Sentence: c.sentence, Result: t.result(), Evidence: cmp.Or(t.bad, t.good, v.unseen(c.needs))}
	}
	return out
}

// verifier has what claims are checked with.
type verifier struct {
	*differ
	anon *anonymiser
	// early says that the check left out a route that may still be on its way.
	early bool
}

// young also notes that it is too early for a route.
func (v *verifier) young(in *instance, r *SelfRoute) bool {
	young := v.differ.young(in, r)
	v.early = v.early || young
	return young
}

// unseen says why a claim could not be checked.
func (v *verifier) unseen(needs string) string {
	text := "nothing here shows it; that takes " + needs
	if v.early {
		text += "; what nvad has sent for less than a minute does not count, so try again in a minute"
	}
	return text
}

// claim is a Claim that has not been checked. The needs say what would show it.
type claim struct {
	id, sentence, needs string
	check               func(v *verifier, t *tally)
}

// tally collects what speaks for a claim and what against it. One case against it is
// enough.
type tally struct{ good, bad string }

func (t *tally) result() Result {
	switch {
	case t.bad != "":
		return DoesNotHold
	case t.good != "":
		return Holds
	}
	return NotObserved
}

// add notes a case. The first of each kind is the evidence.
func (t *tally) add(holds bool, format string, a ...any) {
	line := &t.bad
	if holds {
		line = &t.good
	}
	if *line == "" {
		*line = fmt.Sprintf(format, a...)
	}
}

// claims are in the order of docs/azure.md: sessions, what is learned, what is advertised,
// what is programmed, what Resource Manager answers.
var claims = slices.Concat(sessionClaims, learnedClaims, advertisedClaims, effectiveClaims, answerClaims)

var sessionClaims = []claim{
	{"two-instances", "A Route Server has two instances, and both addresses are in RouteServerSubnet.", "a Route Server and its VNet", (*verifier).twoInstances},
	{"instances-share-27", "Both instances are in one /27, from which nvad derives the name of their loop domain.", "a Route Server", (*verifier).share27},
	{"asn-65515", "The ASN of a Route Server is 65515.", "a Route Server", func(v *verifier, t *tally) {
		for _, rs := range v.s.RouteServers {
			if rs.ASN != 0 {
				t.add(rs.ASN == RouteServerASN, "AS %d", rs.ASN)
			}
		}
	}},
	{"one-peering-both-instances", "One BGP peer is enough for sessions with both instances.", "a BGP peer with this NVA's address, and an established session", func(v *verifier, t *tally) {
		v.peered(func(sv *server) {
			if sv.anyUp() {
				t.add(sv.allUp(), "%d of %d sessions are established", count(sv.instances, (*instance).up), len(sv.instances))
			}
		})
	}},
	{"up-is-not-unconnected", "Azure does not call a BGP peer NotConnected while its sessions are up, though it often leaves its state out.", "an established session", func(v *verifier, t *tally) {
		v.peered(func(sv *server) {
			if sv.allUp() {
				t.add(sv.conn.State != "NotConnected", "the sessions are up, and the state of the peer is %s", stateWord(sv.conn.State))
			}
		})
	}},
}

// stateWord returns a state of a connection if it is one that Azure knows.
func stateWord(s string) string {
	switch s {
	case "":
		return "left out"
	case "Connected", "Connecting", "NotConnected", "Unknown":
		return s
	}
	return "another word"
}

func count[T any](list []T, yes func(T) bool) int {
	n := 0
	for _, x := range list {
		if yes(x) {
			n++
		}
	}
	return n
}

// peered calls f for each Route Server that has a peering with this NVA.
func (v *verifier) peered(f func(sv *server)) {
	for _, sv := range v.servers {
		if sv.rs != nil && sv.conn != nil && len(sv.instances) > 0 {
			f(sv)
		}
	}
}

func (v *verifier) twoInstances(t *tally) {
	for i := range v.s.RouteServers {
		rs := &v.s.RouteServers[i]
		sv := &server{rs: rs, vnet: v.vnets[rs.VNet]}
		v.indexVNet(sv)
		if len(sv.subnet.in) == 0 || len(rs.Addresses) == 0 {
			continue
		}
		inside := count(rs.Addresses, sv.subnet.contains)
		t.add(len(rs.Addresses) == RouteServerInstances && inside == len(rs.Addresses), "%d addresses, %d of them in RouteServerSubnet", len(rs.Addresses), inside)
	}
}

func (v *verifier) share27(t *tally) {
	for _, rs := range v.s.RouteServers {
		if len(rs.Addresses) < 2 || !rs.Addresses[0].Is4() {
			continue
		}
		p, _ := rs.Addresses[0].Prefix(27)
		t.add(p.Contains(rs.Addresses[1]), "%s and %s", v.anon.addr(rs.Addresses[0]), v.anon.addr(rs.Addresses[1]))
	}
}

var learnedClaims = []claim{
	{"both-instances-learn", "Both instances learn what nvad sends to both.", "what both instances learned", (*verifier).bothLearn},
	{"next-hop-kept", "Route Server keeps the next hop that the NVA sends: its own address, or that of a load balancer.", "what an instance learned", func(v *verifier, t *tally) {
		v.learnedRoutes(func(sv *server, in *instance, r *SelfRoute, l *PeerRoute) {
			if l != nil && r.NextHop.IsValid() && l.NextHop.IsValid() {
				t.add(l.NextHop == r.NextHop, "%s was sent with next hop %s and learned with %s", v.anon.prefix(r.Prefix), v.anon.addr(r.NextHop), v.anon.addr(l.NextHop))
			}
		})
	}},
	{"path-kept", "Route Server keeps the AS path that the NVA sends.", "what an instance learned", func(v *verifier, t *tally) {
		v.learnedRoutes(func(sv *server, in *instance, r *SelfRoute, l *PeerRoute) {
			if l != nil && len(r.ASPath) > 0 {
				n := pathLength(l.ASPath)
				t.add(n == len(r.ASPath), "%s was sent with %d ASNs and learned with %d", v.anon.prefix(r.Prefix), len(r.ASPath), n)
			}
		})
	}},
	{"own-asn-dropped", "Route Server drops routes with its own ASN in the path.", "a route that was sent with AS 65515 in its path", func(v *verifier, t *tally) {
		v.learnedRoutes(func(sv *server, in *instance, r *SelfRoute, l *PeerRoute) {
			if slices.Contains(r.ASPath, RouteServerASN) {
				t.add(l == nil, "%s was sent with AS 65515 in its path; learned: %s", v.anon.prefix(r.Prefix), yesNo(l != nil))
			}
		})
	}},
	{"route-server-subnet-ignored", "Route Server ignores a route for its own RouteServerSubnet.", "a route for RouteServerSubnet that was sent", func(v *verifier, t *tally) {
		v.learnedRoutes(func(sv *server, in *instance, r *SelfRoute, l *PeerRoute) {
			if c, ok := sv.subnet.covering(r.Prefix); ok && c == r.Prefix {
				t.add(l == nil, "%s was sent; learned: %s", v.anon.prefix(r.Prefix), yesNo(l != nil))
			}
		})
	}},
}

// learnedRoutes calls f for each route that nvad sent to an instance whose learned routes
// are known, in ascending order, with the route that it learned, or nil.
func (v *verifier) learnedRoutes(f func(sv *server, in *instance, r *SelfRoute, l *PeerRoute)) {
	v.peered(func(sv *server) {
		for _, in := range sv.instances {
			if !in.learnedSeen || !in.up() {
				continue
			}
			for _, p := range sv.prefixes {
				if r := in.sent[p]; r != nil && !v.young(in, r) {
					f(sv, in, r, in.learned[p])
				}
			}
		}
	})
}

func (v *verifier) bothLearn(t *tally) {
	v.peered(func(sv *server) {
		if len(sv.instances) < 2 || !sv.allUp() {
			return
		}
		a, b := sv.instances[0], sv.instances[1]
		if !a.learnedSeen || !b.learnedSeen {
			return
		}
		var same int
		var differ []netip.Prefix
		for _, p := range sv.prefixes {
			if a.sent[p] == nil || b.sent[p] == nil || v.young(a, a.sent[p]) || v.young(b, b.sent[p]) {
				continue
			}
			if (a.learned[p] == nil) != (b.learned[p] == nil) {
				differ = append(differ, p)
			} else if a.learned[p] != nil {
				same++
			}
		}
		if len(differ) > 0 {
			t.add(false, "only one instance learned %s", v.anon.prefixes(differ))
		} else if same > 0 {
			t.add(true, "both instances learned %s", plural(same, "prefix", "prefixes"))
		}
	})
}
