package ctl

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"time"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"

	"github.com/nvad/nvad/pkg/mrt"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// writeMRT writes the events as MRT records to a file, or to stdout.
func (a *app) writeMRT(ctx context.Context, c *client, f *eventsFlags) error {
	f.req.Kinds = []nvadv1.WatchKind{nvadv1.WatchKind_WATCH_KIND_NEIGHBORS, nvadv1.WatchKind_WATCH_KIND_ROUTES}
	if f.mrt == "-" {
		_, err := writeRecords(ctx, c, &f.req, a.Out)
		return err
	}
	file, err := os.Create(f.mrt)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(file)
	m, err := writeRecords(ctx, c, &f.req, out)
	if err = errors.Join(err, out.Flush(), file.Close()); err != nil {
		return fmt.Errorf("%s is not complete: %w", f.mrt, err)
	}
	line(a.Out, fmt.Sprintf("%s: %s", f.mrt, count(m.records, "record")))
	if m.gaps > 0 {
		a.warn(fmt.Sprintf("the journal lacks events in %s, and so does the file", count(m.gaps, "place")))
	}
	if m.left > 0 {
		a.warn(fmt.Sprintf("%s left out, the first: %s", count(m.left, "change"), m.first))
	}
	return nil
}

// mrtExport turns events into records.
type mrtExport struct {
	out     *mrt.Writer
	peers   map[string]mrt.Peer
	own     mrt.Peer // of paths that this NVA originates
	records int
	gaps    int
	left    int   // changes that fit into no record
	first   error // why the first of them did not
	err     error // of writing
}

func writeRecords(ctx context.Context, c *client, req *nvadv1.ListEventsRequest, out io.Writer) (*mrtExport, error) {
	m := &mrtExport{out: mrt.NewWriter(out), peers: map[string]mrt.Peer{}}
	if err := m.know(ctx, c); err != nil {
		return m, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	_, err := eachEvent(ctx, c, req, func(ev *nvadv1.WatchEvent) {
		if m.add(ev); m.err != nil {
			cancel()
		}
	})
	if m.err != nil {
		return m, m.err
	}
	return m, err
}

// know asks for the neighbors, since an event of a route does not have the ASN, and none
// has this machine's address.
func (m *mrtExport) know(ctx context.Context, c *client) error {
	s, err := c.read.GetStatus(ctx, &nvadv1.GetStatusRequest{})
	if err != nil {
		return err
	}
	id, _ := netip.ParseAddr(s.GetRouterId()) // invalid: not known
	m.own = mrt.Peer{ASN: s.GetAsn(), LocalASN: s.GetAsn(), Address: id, LocalAddress: id}
	r, err := c.read.ListNeighbors(ctx, &nvadv1.ListNeighborsRequest{})
	for _, n := range r.GetNeighbors() {
		addr, _ := netip.ParseAddr(n.GetAddress())
		local, _ := netip.ParseAddr(n.GetLocalAddress())
		m.peers[n.GetAddress()] = mrt.Peer{ASN: n.GetRemoteAsn(), LocalASN: n.GetLocalAsn(), Address: addr, LocalAddress: local}
	}
	return err
}

// peer returns the session with a neighbor; empty: this NVA itself.
func (m *mrtExport) peer(address string) mrt.Peer {
	if address == "" {
		return m.own
	}
	if p, ok := m.peers[address]; ok {
		return p
	}
	addr, _ := netip.ParseAddr(address)
	return mrt.Peer{LocalASN: m.own.ASN, Address: addr}
}

func (m *mrtExport) add(ev *nvadv1.WatchEvent) {
	at := ev.GetTime().AsTime()
	switch {
	case ev.GetGap() != nil:
		m.gaps++
	case ev.GetNeighbor() != nil:
		m.session(at, ev.GetNeighbor())
	case ev.GetRoute() != nil:
		m.route(at, ev.GetRoute())
	}
}

func (m *mrtExport) session(at time.Time, c *nvadv1.NeighborChange) {
	p := m.peer(c.GetAddress())
	p.ASN = c.GetRemoteAsn()
	m.peers[c.GetAddress()] = p
	from, known := stateNamed(c.GetOldState())
	to, alsoKnown := stateNamed(c.GetNewState())
	if from != to && known && alsoKnown {
		m.wrote(m.out.StateChange(at, p, from, to))
	}
}

func stateNamed(name string) (speaker.State, bool) {
	for s := speaker.Idle; s <= speaker.EstablishedState; s++ {
		if s.String() == name {
			return s, true
		}
	}
	return speaker.Idle, false
}

// route writes the withdrawal of the old best path, unless the new one comes from the same
// neighbor, and the announcement of the new one.
func (m *mrtExport) route(at time.Time, c *nvadv1.RouteChange) {
	prefix, err := netip.ParsePrefix(c.GetPrefix())
	if err != nil {
		m.leaveOut(err)
		return
	}
	if old := c.GetOld(); old != nil && (c.GetNew() == nil || c.GetNew().GetNeighbor() != old.GetNeighbor()) {
		m.wrote(m.out.Withdraw(at, m.peer(old.GetNeighbor()), prefix))
	}
	if c.GetNew() == nil {
		return
	}
	attrs, err := attrsOf(c.GetNew())
	if err == nil {
		err = m.announced(at, m.peer(c.GetNew().GetNeighbor()), prefix, attrs)
	}
	if err != nil {
		m.leaveOut(err)
	}
}

// announced tells attributes that no UPDATE can carry from a failed write.
func (m *mrtExport) announced(at time.Time, p mrt.Peer, prefix netip.Prefix, a route.Attrs) error {
	err := m.out.Announce(at, p, prefix, a)
	if errors.Is(err, mrt.ErrAttributes) {
		return err
	}
	m.wrote(err)
	return nil
}

func (m *mrtExport) wrote(err error) {
	if err != nil && m.err == nil {
		m.err = err
	}
	m.records++
}

func (m *mrtExport) leaveOut(err error) {
	if m.left++; m.first == nil {
		m.first = err
	}
}

// attrsOf reads the attributes of a best path. The journal may have cut them.
func attrsOf(b *nvadv1.BestPath) (out route.Attrs, err error) {
	at := b.GetAttributes()
	if at == nil {
		at = &nvadv1.Attributes{AsPath: b.GetAsPath(), NextHop: b.GetNextHop(), Origin: route.OriginIncomplete.String()}
	}
	var errs []error
	keep := func(err error) { errs = append(errs, err) }
	out.ASPath, err = route.ParseASPath(at.GetAsPath())
	keep(err)
	out.Origin, err = route.ParseOrigin(at.GetOrigin())
	keep(err)
	out.NextHop, out.OriginatorID = addrOf(at.GetNextHop(), keep), addrOf(at.GetOriginatorId(), keep)
	out.MED, out.LocalPref, out.OTC = optionalOf(at.Med), optionalOf(at.LocalPref), optionalOf(at.OnlyToCustomer)
	out.Communities = parsedAll(at.GetCommunities(), route.ParseCommunity, keep)
	out.LargeCommunities = parsedAll(at.GetLargeCommunities(), route.ParseLargeCommunity, keep)
	out.ExtCommunities = parsedAll(at.GetExtCommunities(), route.ParseExtCommunity, keep)
	out.ClusterList = parsedAll(at.GetClusterList(), netip.ParseAddr, keep)
	out.AtomicAggregate = at.GetAtomicAggregate()
	if at.GetAggregator() != "" {
		var address string
		_, err = fmt.Sscanf(at.GetAggregator(), "%d %s", &out.Aggregator.ASN, &address)
		keep(err)
		out.Aggregator.Address = addrOf(address, keep)
	}
	for _, u := range at.GetUnknown() {
		out.Unknown = append(out.Unknown, route.Unknown{Type: uint8(u.GetType()), Flags: uint8(u.GetFlags()), Value: string(u.GetValue())})
	}
	return out, errors.Join(errs...)
}

func optionalOf(v *uint32) route.Optional {
	if v == nil {
		return route.Optional{}
	}
	return route.Some(*v)
}

// addrOf reads an address; invalid if there is none.
func addrOf(s string, keep func(error)) netip.Addr {
	if s == "" {
		return netip.Addr{}
	}
	addr, err := netip.ParseAddr(s)
	keep(err)
	return addr
}

func parsedAll[T any](list []string, parse func(string) (T, error), keep func(error)) (out []T) {
	for _, s := range list {
		v, err := parse(s)
		keep(err)
		out = append(out, v)
	}
	return out
}
