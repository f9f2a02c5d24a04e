package watch

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nvad/nvad/pkg/route"
)

var (
	ars0 = netip.MustParseAddr("10.0.210.4")
	ars1 = netip.MustParseAddr("10.0.210.5")
)

func routeEvent(prefix string, from, to netip.Addr) Event {
	return Event{Change: Route{
		Prefix: netip.MustParsePrefix(prefix), Old: Best{Neighbor: from, Attrs: &route.Attrs{}}, New: Best{Neighbor: to, Attrs: &route.Attrs{}},
	}}
}

// A filter selects its changes and no others.
func TestFilter(t *testing.T) {
	down := Event{Change: Neighbor{Address: ars0}}
	change := routeEvent("10.100.0.0/16", ars0, ars1)
	kernel := Event{Change: Forwarding{Prefix: netip.MustParsePrefix("10.100.1.0/24")}}
	group := Event{Change: Forwarding{Group: 186000001}}
	tunnel := Event{Change: Tunnel{Name: "vxlan0"}}
	all := []Event{down, change, kernel, group, tunnel}
	prefix := netip.MustParsePrefix
	for name, c := range map[string]struct {
		filter Filter
		want   []Event
	}{
		"everything":       {Filter{Kinds: Everything}, all},
		"routes":           {Filter{Kinds: Routes}, []Event{change}},
		"fib and tunnels":  {Filter{Kinds: FIB | Tunnels}, []Event{kernel, group, tunnel}},
		"old neighbor":     {Filter{Kinds: Everything, Neighbor: ars0}, []Event{down, change}},
		"new neighbor":     {Filter{Kinds: Everything, Neighbor: ars1}, []Event{change}},
		"prefix":           {Filter{Kinds: Everything, Prefix: prefix("10.100.0.0/16")}, []Event{change, kernel}},
		"shorter prefix":   {Filter{Kinds: Everything, Prefix: prefix("10.0.0.0/8")}, []Event{change, kernel}},
		"longer prefix":    {Filter{Kinds: Everything, Prefix: prefix("10.100.1.0/24")}, []Event{kernel}},
		"another prefix":   {Filter{Kinds: Everything, Prefix: prefix("10.101.0.0/16")}, nil},
		"other IP version": {Filter{Kinds: Everything, Prefix: prefix("::/0")}, nil},
		"nothing":          {Filter{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			h := &Hub{}
			s := h.Subscribe(c.filter)
			h.Publish(all...)
			h.Close()
			got, _, err := s.Next(t.Context())
			if fmt.Sprint(got) != fmt.Sprint(c.want) || (err != nil) != (c.want == nil) {
				t.Errorf("got %v (%v), want %v", got, err, c.want)
			}
		})
	}
}

// A reader that is too slow loses the oldest events and learns how many; the publisher
// does not wait.
func TestSlowReader(t *testing.T) {
	h := &Hub{}
	slow := h.Subscribe(Filter{Kinds: Routes})
	const n = 3*mostWaiting + 100
	for range n {
		h.Publish(routeEvent("10.100.0.0/16", ars0, ars1))
	}
	events, lost, err := slow.Next(t.Context())
	if err != nil || lost != 3*mostWaiting || len(events) != 100 {
		t.Errorf("%d events, %d lost, %v", len(events), lost, err)
	}
	h.Publish(routeEvent("10.100.0.0/16", ars0, ars1))
	if events, lost, _ = slow.Next(t.Context()); lost != 0 || len(events) != 1 {
		t.Errorf("then %d events, %d lost", len(events), lost)
	}
}

// Large attribute sets that nobody has read take no more memory than many small ones.
func TestSlowReaderOctets(t *testing.T) {
	h := &Hub{}
	slow := h.Subscribe(Filter{Kinds: Routes})
	interner := route.NewInterner()
	set := interner.Intern(route.Attrs{Communities: make([]route.Community, 1<<14)})
	for range mostWaiting {
		h.Publish(Event{Change: Route{Prefix: netip.MustParsePrefix("10.0.0.0/8"), New: Best{Neighbor: ars0, Attrs: set}}})
	}
	events, lost, err := slow.Next(t.Context())
	if held := len(events) * set.Octets(); err != nil || held > mostOctets || lost+uint64(len(events)) != mostWaiting {
		t.Errorf("%d events that hold %d octets, %d lost, %v", len(events), held, lost, err)
	}
}

// While nobody watches, routes are not published; sessions are remembered.
func TestWants(t *testing.T) {
	h := &Hub{}
	if h.Wants(Routes) || h.Wants(FIB) || !h.Wants(Neighbors) || !h.Wants(Tunnels) {
		t.Error("with nobody watching")
	}
	s := h.Subscribe(Filter{Kinds: FIB})
	if h.Wants(Routes) || !h.Wants(FIB) {
		t.Error("with one watching the FIB")
	}
	s.Close()
	if h.Wants(FIB) {
		t.Error("after it has gone")
	}
	var none *Hub
	none.Publish(Event{Change: Tunnel{}})
	if none.Wants(Everything) {
		t.Error("nobody wants something")
	}
	for i := range 10 * mostRecent {
		h.Publish(Event{At: time.Unix(int64(i), 0), Change: Neighbor{Address: ars0}}, routeEvent("10.0.0.0/8", ars0, ars1))
	}
	recent := h.Recent(Filter{Kinds: Everything})
	if n := len(recent); n > mostRecent || n < mostRecent/2 || recent[n-1].At.Unix() != 10*mostRecent-1 {
		t.Errorf("%d events of the past, the last of %v", n, recent[n-1].At.Unix())
	}
}

// Next ends with the context of the reader, and with the hub.
func TestNextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &Hub{}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		s := h.Subscribe(Filter{Kinds: Everything})
		if _, _, err := s.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		time.AfterFunc(time.Second, h.Close)
		if _, _, err := s.Next(t.Context()); !errors.Is(err, ErrEnded) {
			t.Errorf("error %v", err)
		}
		if _, _, err := h.Subscribe(Filter{Kinds: Everything}).Next(t.Context()); !errors.Is(err, ErrEnded) {
			t.Errorf("error %v of a late subscriber", err)
		}
	})
}

// BenchmarkWants measures the cost of a change while nobody watches.
func BenchmarkWants(b *testing.B) {
	h := &Hub{}
	for b.Loop() {
		if h.Wants(Routes) {
			b.Fatal("somebody watches")
		}
	}
}

// BenchmarkPublish measures the cost of a change while one reader watches and does not
// read.
func BenchmarkPublish(b *testing.B) {
	h := &Hub{}
	h.Subscribe(Filter{Kinds: Everything})
	ev := routeEvent("10.100.0.0/16", ars0, ars1)
	for b.Loop() {
		h.Publish(ev)
	}
}
