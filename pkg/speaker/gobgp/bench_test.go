package gobgp

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
	"github.com/osrg/gobgp/v4/pkg/server"

	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/speaker/wire"
)

const benchRoutes = 100_000

// benchShapes are how many prefixes share a set of attributes.
var benchShapes = []struct {
	name   string
	perSet int
}{{"20k sets", 5}, {"100 sets", 1000}}

// benchChanges are the routes of a benchmark. Each round has other attributes,
// so that nothing is a repetition.
func benchChanges(perSet, round int) []speaker.Change {
	out := make([]speaker.Change, 0, benchRoutes)
	var attrs *route.Attrs
	for i := range benchRoutes {
		if i%perSet == 0 {
			attrs = &route.Attrs{
				ASPath: route.NewASPath(65002, 12076, 64580, 65000+uint32(i/perSet)), NextHop: addr("192.0.2.1"),
				MED: route.Some(uint32(round)), Communities: []route.Community{65515<<16 | 200, 12076<<16 | 20001},
			}
		}
		ip := netip.AddrFrom4([4]byte{byte(20 + i>>16), byte(i >> 8), byte(i), 0})
		out = append(out, speaker.Change{Prefix: netip.PrefixFrom(ip, 24), Attrs: attrs})
	}
	return out
}

// benchUpdates is benchChanges on the wire.
func benchUpdates(b *testing.B, perSet, round int) []byte {
	b.Helper()
	s := &session{
		tap: &tap{tapOptions: tapOptions{counters: new(counters)}}, out: newQueue(), log: testLog(b),
		cfg: speaker.Neighbor{Families: route.IPv4}, peer: wire.Open{FourOctetASN: true, Families: route.IPv4},
	}
	w := newWriter(s)
	groups, _ := w.group(&load{}, benchChanges(perSet, round))
	var out []byte
	for _, g := range groups {
		set, err := w.enc.Encode(g.attrs, g.family)
		for rest := g.prefixes; len(rest) > 0 && err == nil; {
			out, rest, err = w.enc.Announce(out, set, rest)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	return out
}

// BenchmarkReceive takes 100,000 routes from a neighbor on loopback, and keeps
// what a RIB would have to keep.
func BenchmarkReceive(b *testing.B) {
	for _, shape := range benchShapes {
		b.Run(shape.name+"/tap", func(b *testing.B) { receiveByTap(b, shape.perSet) })
		b.Run(shape.name+"/gobgp", func(b *testing.B) { receiveByGoBGP(b, shape.perSet) })
	}
}

func receiveByTap(b *testing.B, perSet int) {
	s := newTestSpeaker(b, "127.0.8.1", "10.0.0.1", 65001)
	p, _ := rawSession(b, s, "127.0.8.2", rawOpen{asn: 65002, id: "10.0.0.2", hold: 0})
	var table map[netip.Prefix]*route.Attrs
	receive(b, p, perSet, func() {
		if table == nil {
			table = make(map[netip.Prefix]*route.Attrs)
		}
		for got := 0; got < benchRoutes; {
			u, ok := (<-s.Events()).(speaker.Update)
			if !ok {
				continue
			}
			for _, x := range u.Announced {
				table[x] = u.Attrs
			}
			got += len(u.Announced)
		}
	})
	runtime.KeepAlive(table)
}

// receiveByGoBGP is the same with GoBGP as it would be embedded otherwise: its
// Adj-RIB-In holds the routes, an import policy keeps them out of its RIB.
func receiveByGoBGP(b *testing.B, perSet int) {
	ctx := context.Background()
	g := plainGoBGP(b, "127.0.8.1", 65001, &api.Peer{
		Conf:      &api.PeerConf{NeighborAddress: "127.0.8.2", PeerAsn: 65002, AllowOwnAsn: 255},
		Transport: &api.Transport{PassiveMode: true},
	})
	rejectImports(b, g)
	updates := make(chan []*apiutil.Path, 1024)
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer close(done)
	err := g.WatchEvent(ctx, server.WatchEventMessageCallbacks{OnPathUpdate: func(paths []*apiutil.Path, _ time.Time) {
		select {
		case updates <- paths:
		case <-done:
		}
	}}, server.WatchUpdate(false, "", ""))
	if err != nil {
		b.Fatal(err)
	}
	p := dialGoBGP(b)
	var table map[netip.Prefix]*apiutil.Path
	receive(b, p, perSet, func() {
		if table == nil {
			table = make(map[netip.Prefix]*apiutil.Path)
		}
		for got := 0; got < benchRoutes; {
			paths := <-updates
			for _, x := range paths {
				table[x.Nlri.(*bgp.IPAddrPrefix).Prefix] = x
			}
			got += len(paths)
		}
	})
	runtime.KeepAlive(table)
}

func dialGoBGP(b *testing.B) *rawPeer {
	b.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: addr("127.0.8.2").AsSlice()}}
	var p *rawPeer
	eventually(b, 10*time.Second, func() bool {
		conn, err := d.Dial("tcp4", fmt.Sprintf("127.0.8.1:%d", testPort))
		if err != nil {
			return false
		}
		p = &rawPeer{b, conn}
		p.send(rawOpen{asn: 65002, id: "10.0.0.2", hold: 0}.message())
		return p.read() != nil
	})
	b.Cleanup(func() { p.conn.Close() })
	p.expect(4)
	p.send(wire.Keepalive)
	return p
}

// receive times how long take needs for the routes that p sends.
func receive(b *testing.B, p *rawPeer, perSet int, take func()) {
	before := heap()
	b.ResetTimer()
	for round := range b.N {
		b.StopTimer()
		wire := benchUpdates(b, perSet, round)
		b.StartTimer()
		go func() { _, _ = p.conn.Write(wire) }()
		take()
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)*benchRoutes/b.Elapsed().Seconds(), "routes/s")
	b.ReportMetric(float64(heap()-before)/benchRoutes, "heap-B/route")
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkSend hands over 100,000 routes and waits until the neighbor on
// loopback has read them all.
func BenchmarkSend(b *testing.B) {
	for _, shape := range benchShapes {
		b.Run(shape.name+"/tap", func(b *testing.B) { sendByTap(b, shape.perSet) })
		b.Run(shape.name+"/gobgp", func(b *testing.B) { sendByGoBGP(b, shape.perSet) })
	}
}

func sendByTap(b *testing.B, perSet int) {
	s := newTestSpeaker(b, "127.0.8.1", "10.0.0.1", 65001)
	p, up := rawSession(b, s, "127.0.8.2", rawOpen{asn: 65002, id: "10.0.0.2", hold: 0})
	in := route.NewInterner()
	transmit(b, p, func(round int) func() {
		changes := benchChanges(perSet, round)
		for i := range changes {
			changes[i].Attrs = in.Intern(*changes[i].Attrs)
		}
		return func() { s.Send(p.address(), up.Session, changes) }
	})
}

func sendByGoBGP(b *testing.B, perSet int) {
	g := plainGoBGP(b, "127.0.8.1", 65001, &api.Peer{
		Conf:      &api.PeerConf{NeighborAddress: "127.0.8.2", PeerAsn: 65002, AllowAspathLoopLocal: true},
		Transport: &api.Transport{PassiveMode: true},
	})
	p := dialGoBGP(b)
	transmit(b, p, func(round int) func() {
		batches := goBGPBatches(b, benchChanges(perSet, round))
		return func() {
			for _, batch := range batches {
				if _, err := g.AddPath(apiutil.AddPathRequest{Paths: batch}); err != nil {
					b.Error(err)
				}
			}
		}
	})
}

func goBGPBatches(b *testing.B, changes []speaker.Change) [][]*apiutil.Path {
	b.Helper()
	var out [][]*apiutil.Path
	var attrs []bgp.PathAttributeInterface
	var last *route.Attrs
	for i, c := range changes {
		if c.Attrs != last {
			last = c.Attrs
			hop, err := bgp.NewPathAttributeNextHop(c.Attrs.NextHop)
			if err != nil {
				b.Fatal(err)
			}
			attrs = []bgp.PathAttributeInterface{
				bgp.NewPathAttributeOrigin(0),
				bgp.NewPathAttributeAsPath([]bgp.AsPathParamInterface{bgp.NewAs4PathParam(2, c.Attrs.ASPath[0].ASNs[1:])}),
				hop, bgp.NewPathAttributeMultiExitDisc(c.Attrs.MED.Value),
				bgp.NewPathAttributeCommunities([]uint32{uint32(c.Attrs.Communities[0]), uint32(c.Attrs.Communities[1])}),
			}
		}
		if i%1000 == 0 {
			out = append(out, nil)
		}
		nlri, err := bgp.NewIPAddrPrefix(c.Prefix)
		if err != nil {
			b.Fatal(err)
		}
		out[len(out)-1] = append(out[len(out)-1], &apiutil.Path{Family: bgp.RF_IPv4_UC, Nlri: nlri, Attrs: attrs})
	}
	return out
}

// transmit times how long it takes until p has read what send sends.
func transmit(b *testing.B, p *rawPeer, prepare func(round int) (send func())) {
	before := heap()
	updates := 0
	_ = p.conn.SetReadDeadline(time.Time{})
	b.ResetTimer()
	for round := range b.N {
		b.StopTimer()
		send := prepare(round)
		b.StartTimer()
		go send()
		updates += countRoutes(b, p.conn)
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)*benchRoutes/b.Elapsed().Seconds(), "routes/s")
	b.ReportMetric(float64(updates)/float64(b.N), "updates")
	b.ReportMetric(float64(heap()-before)/benchRoutes, "heap-B/route")
}

// countRoutes reads UPDATEs until they had all routes, and returns their number.
func countRoutes(b *testing.B, r io.Reader) (updates int) {
	b.Helper()
	buf := make([]byte, wire.MaxLen)
	for got := 0; got < benchRoutes; {
		m, err := wire.ReadMessage(r, buf, false)
		if err != nil {
			b.Fatal(err)
		}
		if m.Type() != 2 {
			continue
		}
		body := m.Body() // without withdrawn routes
		nlri := body[4+int(binary.BigEndian.Uint16(body[2:])):]
		got += len(nlri) / 4 // each a /24
		updates++
	}
	return updates
}

func rejectImports(b *testing.B, g *server.BgpServer) {
	b.Helper()
	err := g.SetPolicyAssignment(context.Background(), &api.SetPolicyAssignmentRequest{Assignment: &api.PolicyAssignment{
		Name: "global", Direction: api.PolicyDirection_POLICY_DIRECTION_IMPORT, DefaultAction: api.RouteAction_ROUTE_ACTION_REJECT,
	}})
	if err != nil {
		b.Fatal(err)
	}
}
