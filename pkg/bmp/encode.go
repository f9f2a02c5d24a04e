package bmp

import (
	"encoding/binary"
	"io"
	"net/netip"
	"time"

	"github.com/nvad/nvad/pkg/rib"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/speaker/wire"
)

// Policy says which Adj-RIB-In a station is sent.
type Policy uint8

// Policies.
const (
	Pre  Policy = 1 << iota // as received
	Post                    // as import policy accepted it
	Both = Pre | Post
)

// String returns the word of the configuration.
func (p Policy) String() string { return [...]string{Pre: "pre", Post: "post", Both: "both"}[p] }

// encoder encodes the items of a Feed. It knows which sessions are up at the station.
type encoder struct {
	policy Policy
	peers  map[netip.Addr]peer
	out    io.Writer // keeps its first error
	err    error
	count  uint64 // messages

	message, update []byte // reused
	prefixes        []netip.Prefix
	attrs           *route.Attrs // of set
	family          route.Family // of set
	set             wire.Set
}

func newEncoder(policy Policy, out io.Writer) *encoder {
	return &encoder{policy: policy, peers: map[netip.Addr]peer{}, out: out}
}

// updates encodes UPDATEs with ASNs of four octets, and with as many octets as they need:
// the station must take what the neighbor sent.
var updates = wire.Encoder{IPv6NextHops: true, Extended: true}

// send writes the message that f appends.
func (e *encoder) send(f func(b []byte) []byte) {
	if e.err != nil {
		return
	}
	e.message = f(e.message[:0])
	_, e.err = e.out.Write(e.message)
	e.count++
}

// item writes what the station is to be sent of it.
func (e *encoder) item(it *item) {
	switch {
	case it.up != nil:
		e.peerUp(it.up, it.at)
	case it.down != nil:
		e.peerDown(it.down, it.at)
	case it.family != 0:
		e.endOfRIB(it.peer, it.family)
	default:
		e.routes(sorted(it.routes))
	}
}

func (e *encoder) peerUp(up *speaker.Established, at time.Time) {
	p := peer{up.Peer, up.RemoteASN, up.RemoteID}
	e.peers[up.Peer] = p
	local := netip.AddrPortFrom(up.LocalAddress, up.LocalPort)
	e.send(func(b []byte) []byte {
		return appendPeerUp(b, p, at, local, up.RemotePort, up.OpenSent, up.OpenReceived)
	})
}

func (e *encoder) peerDown(down *speaker.Down, at time.Time) {
	p, up := e.peers[down.Peer]
	if !up {
		return
	}
	delete(e.peers, down.Peer)
	reason, data := downReason(down)
	e.send(func(b []byte) []byte { return appendPeerDown(b, p, at, reason, data) })
}

// downReason returns why a session ended, with its data.
func downReason(d *speaker.Down) (reason byte, data []byte) {
	switch n := d.Notification; {
	case n != nil:
		if data = d.Message; data == nil {
			data = wire.NewNotification(*n, nil)
		}
		if n.Sent {
			return localNotification, data
		}
		return remoteNotification, data
	case d.Local:
		return localEvent, binary.BigEndian.AppendUint16(nil, d.FSMEvent)
	}
	return remoteClosed, nil
}

// views are the two Adj-RIBs-In of a neighbor: their flag, and what a change says of each.
var views = []struct {
	policy Policy
	flag   byte
	of     func(*rib.Heard) (a *route.Attrs, news bool)
}{
	{Pre, 0, func(h *rib.Heard) (*route.Attrs, bool) { return h.Received, h.Pre }},
	{Post, flagPostPolicy, func(h *rib.Heard) (*route.Attrs, bool) { return h.Accepted, h.Post }},
}

// routes writes changes that are in order by neighbor. Changes in a row that share their
// attributes share an UPDATE.
func (e *encoder) routes(list []rib.Heard) {
	for _, v := range views {
		if e.policy&v.policy == 0 {
			continue
		}
		g := group{flag: v.flag}
		for i := range list {
			a, news := v.of(&list[i])
			if !news {
				continue
			}
			next := group{list[i].Neighbor, a, list[i].At, route.FamilyOf(list[i].Prefix), v.flag}
			if next != g {
				e.group(g)
				g = next
			}
			e.prefixes = append(e.prefixes, list[i].Prefix)
		}
		e.group(g)
	}
}

// group collects prefixes that can share an UPDATE.
type group struct {
	neighbor netip.Addr
	attrs    *route.Attrs // nil: they are withdrawn
	at       uint32
	family   route.Family
	flag     byte
}

// group writes the prefixes collected.
func (e *encoder) group(g group) {
	prefixes := e.prefixes
	e.prefixes = e.prefixes[:0]
	p, up := e.peers[g.neighbor]
	if !up || len(prefixes) == 0 {
		return
	}
	at := time.Now()
	if g.at != 0 {
		at = time.Unix(int64(g.at), 0)
	}
	for len(prefixes) > 0 && e.err == nil {
		e.update, prefixes = e.nextUpdate(g, prefixes)
		e.send(func(b []byte) []byte { return appendRoutes(b, p, g.flag, at, e.update) })
	}
}

// nextUpdate encodes as many prefixes as fit, and returns the others. What no UPDATE can
// carry, such as a set of attributes that import policy made too large, is withdrawn: then
// the station has too little, but nothing that is not so.
func (e *encoder) nextUpdate(g group, prefixes []netip.Prefix) ([]byte, []netip.Prefix) {
	b := e.update[:0]
	if g.attrs != nil && e.encodeSet(g) {
		if update, rest, err := updates.Announce(b, e.set, prefixes); err == nil {
			return update, rest
		}
	}
	return updates.Withdraw(b, g.family, prefixes)
}

// encodeSet encodes the attributes of g, unless the last group had the same.
func (e *encoder) encodeSet(g group) bool {
	if e.attrs == g.attrs && e.family == g.family {
		return true
	}
	set, err := updates.Encode(g.attrs, g.family)
	if err != nil {
		e.attrs = nil
		return false
	}
	e.attrs, e.family, e.set = g.attrs, g.family, set
	return true
}

func (e *encoder) endOfRIB(addr netip.Addr, family route.Family) {
	p, up := e.peers[addr]
	if !up {
		return
	}
	e.update = updates.EndOfRIB(e.update[:0], family)
	for _, v := range views {
		if e.policy&v.policy != 0 {
			e.send(func(b []byte) []byte { return appendRoutes(b, p, v.flag, time.Now(), e.update) })
		}
	}
}

func (e *encoder) statistics(list []Statistics) {
	for i := range list {
		if p, up := e.peers[list[i].Neighbor]; up {
			e.send(func(b []byte) []byte { return appendStatistics(b, p, time.Now(), list[i].stats()) })
		}
	}
}
