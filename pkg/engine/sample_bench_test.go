package engine

import (
	"fmt"
	"log/slog"
	"net/netip"
	"testing"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
)

// BenchmarkSample measures a scrape of an engine with many routes.
func BenchmarkSample(b *testing.B) {
	for _, n := range []int{0, 1_000_000} {
		b.Run(fmt.Sprintf("%d routes", n), func(b *testing.B) {
			p := &ports{
				events: make(chan speaker.Event), routes: map[netip.Prefix]*fib.Route{},
				sent: map[netip.Addr]map[netip.Prefix]*route.Attrs{},
			}
			e := New(Options{Interner: route.NewInterner(), Speaker: p, Forwarding: p, Log: slog.New(slog.DiscardHandler)}, hub00())
			go func() { _ = e.Run(b.Context()) }()
			cfg := hub00()
			cfg.Neighbors[0].MaximumPrefix = 0
			if err := e.Apply(b.Context(), cfg); err != nil {
				b.Fatal(err)
			}
			p.establish(routeServer, false, false)
			u := speaker.Update{From: speaker.From{Peer: routeServer}, Attrs: &route.Attrs{ASPath: route.NewASPath(65515), NextHop: routeServer}}
			for i := range n {
				u.Announced = append(u.Announced, netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(i>>16) + 11, byte(i >> 8), byte(i), 0}), 24))
			}
			p.events <- u
			if err := e.Settle(b.Context()); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				s, err := e.Sample(b.Context())
				if err != nil || s.Paths != n {
					b.Fatalf("%d paths, %v", s.Paths, err)
				}
			}
		})
	}
}
