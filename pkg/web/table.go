package web

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/nvad/nvad/pkg/survey"
	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// routeRow is a path as the page shows it.
type routeRow struct {
	NVA          string     `json:"nva"`
	Prefix       string     `json:"prefix"`
	Neighbor     string     `json:"neighbor"`
	Source       string     `json:"source"`
	ASPath       string     `json:"as_path"`
	Origin       string     `json:"origin"`
	NextHop      string     `json:"next_hop"`
	NextHops     []string   `json:"next_hops"`
	LocalPref    *uint32    `json:"local_pref"`
	MED          *uint32    `json:"med"`
	Communities  []string   `json:"communities"`
	Weight       uint32     `json:"weight"`
	Valid        bool       `json:"valid"`
	Best         bool       `json:"best"`
	Multipath    bool       `json:"multipath"`
	Internal     bool       `json:"internal"`
	Stale        bool       `json:"stale"`
	FIB          bool       `json:"fib"`
	Reason       string     `json:"reason"`
	ReceivedAt   *time.Time `json:"received_at"`
	AdvertisedTo []string   `json:"advertised_to"`

	prefix netip.Prefix
}

// rowOctets is about what a row takes besides its texts.
const rowOctets = 480

func (r *routeRow) octets() int {
	n := rowOctets + len(r.Prefix) + len(r.Neighbor) + len(r.ASPath) + len(r.NextHop) + len(r.Reason) + len(r.Source) + len(r.Origin)
	for _, list := range [][]string{r.NextHops, r.Communities, r.AdvertisedTo} {
		for _, s := range list {
			n += len(s) + 16
		}
	}
	return n
}

func rowOf(nva string, p *nvadv1.Path) routeRow {
	at := p.GetAttributes()
	r := routeRow{
		NVA: nva, Prefix: p.GetPrefix(), Neighbor: p.GetNeighbor(), Source: p.GetSource(), ASPath: at.GetAsPath(), Origin: at.GetOrigin(), NextHop: at.GetNextHop(),
		NextHops: filled(p.GetNextHops()), Weight: p.GetWeight(), Valid: p.GetValid(), Best: p.GetBest(), Multipath: p.GetMultipath(), Internal: p.GetInternal(),
		Stale: p.GetStale(), FIB: p.GetFib(), Reason: p.GetReason(), ReceivedAt: survey.Moment(p.GetReceivedAt()), AdvertisedTo: filled(p.GetAdvertisedTo()),
		Communities: append(append(filled(at.GetCommunities()), at.GetLargeCommunities()...), at.GetExtCommunities()...),
	}
	r.prefix, _ = netip.ParsePrefix(r.Prefix)
	if at != nil {
		r.LocalPref, r.MED = at.LocalPref, at.Med
	}
	return r
}

// filled returns list, and an empty list in place of nil, which would be null in JSON.
func filled(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// table is the Loc-RIB of an NVA, or a part of it.
type table struct {
	rows    []routeRow
	leftOut int // number of paths that are not among them, as far as it is known
}

// readTable reads a table until its rows take so many octets.
func (n *nva) readTable(ctx context.Context, req *nvadv1.ListRoutesRequest) (*table, error) {
	ctx, cancel := context.WithCancel(ctx) // ends a stream that is not read to its end
	defer cancel()
	stream, err := n.Client.ListRoutes(ctx, req)
	if err != nil {
		return nil, err
	}
	t := &table{}
	for octets := 0; ; {
		r, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return t, nil
		}
		if err != nil {
			return nil, err
		}
		for _, p := range r.GetPaths() {
			row := rowOf(n.Name, p)
			if octets += row.octets(); octets > n.share() {
				t.leftOut = max(n.paths(ctx)-len(t.rows), 1)
				return t, nil
			}
			t.rows = append(t.rows, row)
		}
	}
}

// paths returns how many paths the NVA has.
func (n *nva) paths(ctx context.Context) int {
	state, _, _ := n.state.get(ctx, freshState)
	if state == nil {
		return 0
	}
	return int(state.Paths)
}

// pastTable returns the best paths at an earlier time.
func (n *nva) pastTable(ctx context.Context, at time.Time) (*table, error) {
	t := &table{}
	octets := 0
	req := &nvadv1.ListEventsRequest{Until: timestamppb.New(at), State: true, Kinds: []nvadv1.WatchKind{nvadv1.WatchKind_WATCH_KIND_ROUTES}}
	err := n.readEvents(ctx, req, func(e *nvadv1.WatchEvent) bool {
		c := e.GetRoute()
		if c.GetNew() == nil {
			return true
		}
		b := c.GetNew()
		row := rowOf(n.Name, &nvadv1.Path{Prefix: c.GetPrefix(), Neighbor: b.GetNeighbor(), Source: b.GetSource(), Attributes: b.GetAttributes(),
			Best: true, Valid: true, ReceivedAt: e.GetTime(), Reason: c.GetReason()})
		row.ASPath, row.NextHop = b.GetAsPath(), b.GetNextHop()
		octets += row.octets()
		if octets > n.share() {
			t.leftOut++
		} else {
			t.rows = append(t.rows, row)
		}
		return true
	})
	return t, err
}

// readEvents calls yield with each event of the journal until it returns false.
func (n *nva) readEvents(ctx context.Context, req *nvadv1.ListEventsRequest, yield func(*nvadv1.WatchEvent) bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := n.Client.ListEvents(ctx, req)
	if err != nil {
		return err
	}
	for {
		r, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, e := range r.GetEvents() {
			if !yield(e) {
				return nil
			}
		}
	}
}

// Bounds of what is kept of routes, and likewise of events, in octets.
const (
	mostOctets = 256 << 20 // of all NVAs
	mostOfOne  = 64 << 20
)

// share is how many octets of rows are kept of an NVA.
func (n *nva) share() int { return min(mostOfOne, mostOctets/max(len(n.server.nvas), 1)) }

// contains reports whether text contains part, which is in lower case.
func contains(text, part string) bool { return strings.Contains(strings.ToLower(text), part) }
