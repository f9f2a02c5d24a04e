package api_test

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/api/apitest"
	"github.com/nvad/nvad/pkg/journal"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"

	"github.com/nvad/nvad/pkg/watch"
)

var (
	rs0  = netip.MustParseAddr("10.0.210.4")
	rs1  = netip.MustParseAddr("10.0.210.5")
	net1 = netip.MustParsePrefix("10.100.0.0/16")
	net2 = netip.MustParsePrefix("10.100.1.0/24")
)

func minute(n int) time.Time { return apitest.Now.Add(time.Duration(n) * time.Minute) }

func best(from netip.Addr) watch.Best {
	return watch.Best{Neighbor: from, Attrs: &route.Attrs{ASPath: route.NewASPath(65515), NextHop: from}}
}

// happened is a little of everything, a minute apart.
func happened() *apitest.Daemon {
	d := apitest.Hub00()
	var events []watch.Event
	for i, c := range []watch.Change{
		watch.Life{State: "started", Version: "v1"},
		watch.Neighbor{Address: rs0, To: speaker.EstablishedState},
		watch.Neighbor{Address: rs1, To: speaker.EstablishedState},
		watch.Route{Prefix: net2, New: best(rs1), Reason: "new"},
		watch.Route{Prefix: net1, New: best(rs0), Reason: "new"},
		watch.Forwarding{Prefix: net1, Class: "bgp", New: "via 10.0.0.1 dev eth0", State: "installed"},
		watch.Route{Prefix: net1, Old: best(rs0), New: best(rs1), Reason: "10.0.210.4 withdrew it"},
		watch.Route{Prefix: net2, Old: best(rs1), Reason: "10.0.210.5 withdrew it"},
		watch.NextHop{Address: rs0, By: "bfd"},
		watch.NextHop{Address: rs0, By: "bfd", Alive: true},
		watch.Tunnel{Name: "vxlan0", VNI: 77, New: "up"},
		watch.Tunnel{Name: "vxlan0", VNI: 77, New: "repaired", Reason: "MTU"},
		watch.Operation{What: "drain", By: "user alice (uid 1000)"},
		watch.Operation{What: "shutdown", Target: "10.0.210.5"},
		watch.Operation{What: "reload", Error: "line 3"},
		watch.Problem{Began: true, Kind: "tunnel", Key: "tunnel vxlan0"},
		watch.Problem{Kind: "tunnel", Key: "tunnel vxlan0"},
		watch.Operation{What: "undrain"},
	} {
		events = append(events, watch.Event{At: minute(i), Change: c})
	}
	d.Happened = apitest.Happened(events...)
	d.Happened = append(d.Happened, api.GapRecord(minute(len(events)), 7, "the disk is full", false))
	return d
}

// list returns the events that req selects, in few words.
func list(t *testing.T, client nvadv1.NvadClient, req *nvadv1.ListEventsRequest) (out []string, err error) {
	t.Helper()
	stream, err := client.ListEvents(t.Context(), req)
	if err != nil {
		return nil, err
	}
	for first := true; ; first = false {
		r, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		if first != (r.GetOldest() != nil) {
			t.Errorf("oldest %v", r.GetOldest())
		}
		for _, ev := range r.GetEvents() {
			out = append(out, fmt.Sprintf("%d %s", int(ev.GetTime().AsTime().Sub(apitest.Now).Minutes()), brief(ev)))
		}
	}
}

func brief(ev *nvadv1.WatchEvent) string {
	switch {
	case ev.GetNeighbor() != nil:
		return ev.GetNeighbor().GetAddress()
	case ev.GetRoute() != nil:
		return ev.GetRoute().GetPrefix() + " from " + ev.GetRoute().GetNew().GetNeighbor()
	case ev.GetFib() != nil:
		return ev.GetFib().GetPrefix() + " " + ev.GetFib().GetState()
	case ev.GetNextHop() != nil:
		return fmt.Sprint(ev.GetNextHop().GetAddress(), " alive ", ev.GetNextHop().GetAlive())
	case ev.GetTunnel() != nil:
		return ev.GetTunnel().GetNewState()
	case ev.GetOperation() != nil:
		return ev.GetOperation().GetWhat()
	case ev.GetProblem() != nil:
		return fmt.Sprint("problem ", ev.GetProblem().GetBegan())
	case ev.GetDaemon() != nil:
		return ev.GetDaemon().GetState()
	}
	return fmt.Sprint(ev.GetGap().GetLost(), " lost")
}

func TestListEvents(t *testing.T) {
	client := nvadv1.NewNvadClient(start(t, happened()))
	kinds := func(k ...nvadv1.WatchKind) []nvadv1.WatchKind { return k }
	at := func(n int) *timestamppb.Timestamp { return timestamppb.New(minute(n)) }
	const gap = "18 7 lost"
	for name, c := range map[string]struct {
		req  *nvadv1.ListEventsRequest
		want []string
	}{
		"a time":                           {&nvadv1.ListEventsRequest{Since: at(1), Until: at(3)}, []string{"1 10.0.210.4", "2 10.0.210.5"}},
		"a kind":                           {&nvadv1.ListEventsRequest{Kinds: kinds(nvadv1.WatchKind_WATCH_KIND_TUNNELS)}, []string{"10 up", "11 repaired", gap}},
		"a prefix":                         {&nvadv1.ListEventsRequest{Prefix: net1.String(), Until: at(8)}, []string{"3 10.100.1.0/24 from 10.0.210.5", "4 10.100.0.0/16 from 10.0.210.4", "5 10.100.0.0/16 installed", "6 10.100.0.0/16 from 10.0.210.5", "7 10.100.1.0/24 from "}},
		"exactly":                          {&nvadv1.ListEventsRequest{Prefix: net1.String(), Exact: true, Until: at(6)}, []string{"4 10.100.0.0/16 from 10.0.210.4", "5 10.100.0.0/16 installed"}},
		"a neighbor":                       {&nvadv1.ListEventsRequest{Neighbor: "10.0.210.4"}, []string{"1 10.0.210.4", "4 10.100.0.0/16 from 10.0.210.4", "6 10.100.0.0/16 from 10.0.210.5", "8 10.0.210.4 alive false", "9 10.0.210.4 alive true", gap}},
		"the last":                         {&nvadv1.ListEventsRequest{Last: 2}, []string{"17 undrain", gap}},
		"the last of fewer":                {&nvadv1.ListEventsRequest{Last: 20, Until: at(1)}, []string{"0 started"}},
		"the state":                        {&nvadv1.ListEventsRequest{State: true, Until: at(14)}, []string{"1 10.0.210.4", "2 10.0.210.5", "6 10.100.0.0/16 from 10.0.210.5", "5 10.100.0.0/16 installed", "10 up", "12 drain", "13 shutdown", "0 started"}},
		"the state before":                 {&nvadv1.ListEventsRequest{State: true, Until: at(7), Prefix: "10.0.0.0/8"}, []string{"6 10.100.0.0/16 from 10.0.210.5", "3 10.100.1.0/24 from 10.0.210.5", "5 10.100.0.0/16 installed"}},
		"the state of a neighbor's routes": {&nvadv1.ListEventsRequest{State: true, Until: at(8), Neighbor: "10.0.210.4", Kinds: kinds(nvadv1.WatchKind_WATCH_KIND_ROUTES)}, nil},
		"the state after a gap":            {&nvadv1.ListEventsRequest{State: true, Kinds: kinds(nvadv1.WatchKind_WATCH_KIND_OPERATIONS)}, []string{gap, "13 shutdown"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := list(t, client, c.req)
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("got %q, %v\nwant %q", got, err, c.want)
			}
		})
	}
}

func TestCodesOfEvents(t *testing.T) {
	client := nvadv1.NewNvadClient(start(t, happened()))
	none := nvadv1.NewNvadClient(start(t, apitest.Hub00()))
	ask := func(c nvadv1.NvadClient, req *nvadv1.ListEventsRequest) func() error {
		return func() error { _, err := list(t, c, req); return err }
	}
	now := timestamppb.New(minute(0))
	for _, r := range []refusal{
		{"no journal", ask(none, &nvadv1.ListEventsRequest{}), codes.FailedPrecondition, "keeps no journal"},
		{"too early", ask(client, &nvadv1.ListEventsRequest{State: true, Until: timestamppb.New(minute(-1))}), codes.OutOfRange, "not known"},
		{"exactly nothing", ask(client, &nvadv1.ListEventsRequest{Exact: true}), codes.InvalidArgument, "none is given"},
		{"not a prefix", ask(client, &nvadv1.ListEventsRequest{Prefix: "10.0.0.4"}), codes.InvalidArgument, "not a prefix"},
		{"not a neighbor", ask(client, &nvadv1.ListEventsRequest{Neighbor: "hub"}), codes.InvalidArgument, "not an address"},
		{"not a kind", ask(client, &nvadv1.ListEventsRequest{Kinds: []nvadv1.WatchKind{77}}), codes.InvalidArgument, "unknown kind"},
		{"not a time", ask(client, &nvadv1.ListEventsRequest{Until: &timestamppb.Timestamp{Nanos: -1}}), codes.InvalidArgument, "time"},
		{"a state since", ask(client, &nvadv1.ListEventsRequest{State: true, Since: now}), codes.InvalidArgument, "no beginning"},
		{"the last of a state", ask(client, &nvadv1.ListEventsRequest{State: true, Last: 1}), codes.InvalidArgument, "no beginning"},
		{"backwards", ask(client, &nvadv1.ListEventsRequest{Since: now, Until: timestamppb.New(minute(-1))}), codes.InvalidArgument, "before they begin"},
	} {
		r.check(t)
	}
}

// Where the journal is damaged, there is a gap; where it took the state, nothing happened,
// but the history of a prefix has it.
func TestListEventsDamaged(t *testing.T) {
	d := apitest.Hub00()
	taken := api.EventRecord(watch.Event{At: minute(1), Change: watch.Route{Prefix: net1, New: best(rs0)}}, true)
	garbled := journal.Record{Time: minute(0), Kind: uint16(watch.Tunnels), Data: []byte{0xff}}
	d.Happened = []journal.Record{{Time: minute(0), Damaged: true}, garbled, taken, api.GapRecord(minute(2), 0, "", true)}
	client := nvadv1.NewNvadClient(start(t, d))
	if got, err := list(t, client, &nvadv1.ListEventsRequest{}); err != nil || !slices.Equal(got, []string{"0 0 lost", "0 0 lost"}) {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := list(t, client, &nvadv1.ListEventsRequest{Prefix: net1.String(), Exact: true}); err != nil || !slices.Equal(got, []string{"0 0 lost", "0 0 lost", "1 10.100.0.0/16 from 10.0.210.4"}) {
		t.Errorf("%q, %v", got, err)
	}
}

// Whatever a neighbor sends, a record is bounded, valid, and says that it was cut.
func TestRecordOfTheLargestAttributes(t *testing.T) {
	asns := make([]uint32, 16000)
	attrs := &route.Attrs{
		NextHop: rs0, ASPath: route.NewASPath(asns...), Communities: make([]route.Community, 16000),
		LargeCommunities: make([]route.LargeCommunity, 5000), ExtCommunities: make([]route.ExtCommunity, 8000),
		Unknown: []route.Unknown{{Type: 99, Value: strings.Repeat("\xff", 60000)}}, ClusterList: slices.Repeat([]netip.Addr{rs0}, 16000),
	}
	change := watch.Route{Prefix: net1, Old: watch.Best{Neighbor: rs0, Attrs: attrs}, New: watch.Best{Neighbor: rs0, Attrs: attrs}, Reason: strings.Repeat("\xff…", 90000)}
	d := apitest.Hub00()
	d.Happened = apitest.Happened(watch.Event{At: minute(0), Change: change}, watch.Event{At: minute(1), Change: watch.Route{Prefix: net1, New: best(rs1)}})
	if n := len(d.Happened[0].Data); n > 8<<10 {
		t.Errorf("a record has %d octets", n)
	}
	stream, err := nvadv1.NewNvadClient(start(t, d)).ListEvents(t.Context(), &nvadv1.ListEventsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var got []*nvadv1.WatchEvent
	for {
		r, err := stream.Recv()
		if err != nil {
			break
		}
		got = append(got, r.GetEvents()...)
	}
	if len(got) != 2 {
		t.Fatalf("%d events", len(got))
	}
	long, short := got[0].GetRoute().GetNew(), got[1].GetRoute().GetNew()
	if !long.GetAttributesCut() || !strings.HasSuffix(long.GetAsPath(), "…") || short.GetAttributesCut() || short.GetAttributes().GetAsPath() != "65515" {
		t.Errorf("got %v and %v", long, short)
	}
}
