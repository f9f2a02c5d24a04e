package policy

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/nvad/nvad/pkg/route"
)

// onPath is a route as on-premises sends it through ExpressRoute.
const onPath = "65515 12076 64580"

// bench runs p over routes with many prefixes and few attribute sets, as one
// session sends them.
func bench(b *testing.B, p *Program, path string, sets int) {
	b.Helper()
	ins := make([]Input, 4096)
	attrs := make([]*route.Attrs, sets)
	for i := range attrs {
		attrs[i] = &route.Attrs{ASPath: pathOf(b, path), MED: route.Some(uint32(i))}
	}
	for i := range ins {
		ip := netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0})
		ins[i] = Input{Prefix: netip.PrefixFrom(ip, 24), Attrs: attrs[i%sets]}
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		p.Run(&ins[i&4095])
	}
}

var hub00 = Session{LocalASN: 65001, PeerASN: 65515}

func BenchmarkBogons(b *testing.B) {
	bench(b, mustCompile(b, &Library{}, Chain{DenyASNs: Reserved | Private}, hub00), "3356 1299 8075", 64)
}

// BenchmarkBogonsUncached gives every route a set of its own.
func BenchmarkBogonsUncached(b *testing.B) {
	bench(b, mustCompile(b, &Library{}, Chain{DenyASNs: Reserved}, hub00), onPath, 4096)
}

func BenchmarkSeedImport(b *testing.B) {
	bench(b, mustCompile(b, seedLibrary(b), Chain{RouteMap: "rmap-bogon-asns"}, hub00), onPath, 64)
}

func BenchmarkSeedImportUncached(b *testing.B) {
	bench(b, mustCompile(b, seedLibrary(b), Chain{RouteMap: "rmap-bogon-asns"}, hub00), onPath, 4096)
}

// BenchmarkSeedExport replaces every ASN.
func BenchmarkSeedExport(b *testing.B) {
	chain := Chain{PrefixList: "rs-hub00", RouteMap: "rmap-azure-asns"}
	bench(b, mustCompile(b, seedLibrary(b), chain, hub00), onPath, 64)
}

func BenchmarkReplaceAnyUncached(b *testing.B) {
	bench(b, mustCompile(b, seedLibrary(b), Chain{RouteMap: "rmap-azure-asns"}, hub00), onPath, 4096)
}

func BenchmarkASPathRegexp(b *testing.B) {
	bench(b, mustCompile(b, seedLibrary(b), Chain{ASPathList: "azure-asns"}, hub00), onPath, 4096)
}

func BenchmarkPrefixList(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			lib := &Library{PrefixLists: map[string]PrefixList{"big": bigPrefixList(n)}}
			bench(b, mustCompile(b, lib, Chain{PrefixList: "big"}, hub00), onPath, 64)
		})
	}
}

func bigPrefixList(n int) PrefixList {
	var l PrefixList
	for i := range n - 1 {
		ip := netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0})
		l = append(l, PrefixRule{Permit: i%2 == 0, Prefix: netip.PrefixFrom(ip, 24), LE: 28})
	}
	return append(l, PrefixRule{Permit: true, Any: true})
}

// BenchmarkRouteMap has ten clauses of which the last matches.
func BenchmarkRouteMap(b *testing.B) {
	lib := seedLibrary(b)
	var m RouteMap
	for i := range 9 {
		med := uint32(1000 + i)
		m = append(m, Clause{Match: Match{ASPathList: "azure-asns", PrefixList: "rs-hub10", MED: &med}})
	}
	lib.RouteMaps["ten"] = append(m, Clause{Permit: true, Match: Match{ASPathList: "azure-asns"}})
	bench(b, mustCompile(b, lib, Chain{RouteMap: "ten"}, hub00), onPath, 64)
}

func BenchmarkCompile(b *testing.B) {
	lib := &Library{PrefixLists: map[string]PrefixList{"big": bigPrefixList(10_000)}}
	for b.Loop() {
		mustCompile(b, lib, Chain{PrefixList: "big"}, hub00)
	}
}
