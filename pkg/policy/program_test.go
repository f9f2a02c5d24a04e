package policy

import (
	"net/netip"
	"reflect"
	"runtime"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/nvad/nvad/pkg/route"
)

func TestEqual(t *testing.T) {
	base := Chain{DenyASNs: Reserved, PrefixList: "rs-hub00", RouteMap: "rmap-azure-asns"}
	session := Session{LocalASN: 65001, PeerASN: 65515, Neighbor: addr("10.0.210.4"), Export: true}
	p := mustCompile(t, seedLibrary(t), base, session)
	for name, c := range map[string]struct {
		edit func(*Library, *Chain, *Session)
		same bool
	}{
		"nothing":            {func(*Library, *Chain, *Session) {}, true},
		"another list":       {func(l *Library, _ *Chain, _ *Session) { l.PrefixLists["vm-hub10"] = nil }, true},
		"numbers left out":   {func(l *Library, _ *Chain, _ *Session) { l.PrefixLists["rs-hub00"][0].Seq = 0 }, true},
		"another neighbor":   {func(_ *Library, _ *Chain, s *Session) { s.Neighbor = addr("10.0.210.5") }, true},
		"local ASN, used":    {func(_ *Library, _ *Chain, s *Session) { s.LocalASN = 65002 }, false},
		"a rule":             {func(l *Library, _ *Chain, _ *Session) { l.PrefixLists["rs-hub00"][0].Permit = true }, false},
		"a list of a clause": {func(l *Library, _ *Chain, _ *Session) { l.ASPathLists["azure-asns"] = nil }, false},
		"a clause":           {func(l *Library, _ *Chain, _ *Session) { l.RouteMaps["rmap-azure-asns"][0].Set = Set{} }, false},
		"the chain":          {func(_ *Library, c *Chain, _ *Session) { c.DenyASNs = 0 }, false},
		"the direction":      {func(_ *Library, _ *Chain, s *Session) { s.Export = false }, false},
	} {
		lib, chain, s := seedLibrary(t), base, session
		c.edit(lib, &chain, &s)
		if q := mustCompile(t, lib, chain, s); p.Equal(q) != c.same || q.Equal(p) != c.same {
			t.Errorf("%s: Equal is %v", name, !c.same)
		}
	}
	if !p.Equal(p) || p.Equal(nil) {
		t.Error("with itself and nil")
	}
}

func TestChainString(t *testing.T) {
	for want, c := range map[string]Chain{
		"none":   {},
		"accept": {Accept: true},
		"deny-asns all, prefix-list p, as-path-list a, route-map r": {DenyASNs: Reserved | Private, PrefixList: "p", ASPathList: "a", RouteMap: "r"},
	} {
		if got := c.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestRuleText: every number that a Program gave out has a text, and others
// have none.
func TestRuleText(t *testing.T) {
	p := mustCompile(t, seedLibrary(t), Chain{DenyASNs: Reserved, PrefixList: "vm-hub10", ASPathList: "edge-asns", RouteMap: "rmap-edge-out"}, Session{})
	want := []string{
		"", "accept", "no policy (RFC 8212)",
		"deny-asns reserved: AS 7", "deny-asns private: AS 7",
		"prefix-list vm-hub10 seq 5 deny 10.0.0.0/16 ge 16", "prefix-list vm-hub10 seq 10 permit any", "prefix-list vm-hub10: no rule matched (implicit deny)",
		"as-path-list edge-asns seq 5 permit _65515_", "as-path-list edge-asns seq 10 permit _12076_", "as-path-list edge-asns: no rule matched (implicit deny)",
		"route-map rmap-edge-out deny 5", "route-map rmap-edge-out permit 10", "route-map rmap-edge-out: no clause matched (implicit deny)",
	}
	for i, w := range want {
		if got := p.RuleText(Rule(i) | 7<<32); got != w {
			t.Errorf("%d: got %q, want %q", i, got, w)
		}
	}
}

func TestBogons(t *testing.T) {
	for asn, want := range map[uint32]Bogons{
		0: Reserved, 1: 0, 23455: 0, 23456: Reserved, 23457: 0,
		64495: 0, 64496: Reserved, 64511: Reserved, 64512: Private, 65515: Private, 65534: Private,
		65535: Reserved, 65536: Reserved, 65551: Reserved, 65552: Reserved, 131071: Reserved, 131072: 0,
		4199999999: 0, 4200000000: Private, 4294967294: Private, 4294967295: Reserved,
		12076: 0, 8075: 0,
	} {
		if got := (Reserved | Private).Of(asn); got != want {
			t.Errorf("%d: %q, want %q", asn, got, want)
		}
	}
	for path, c := range map[string]struct {
		sets Bogons
		want string
	}{
		"65515 12076 64580": {Reserved, "accept"},
		"65515 12076":       {Private, "deny-asns private: AS 65515"},
		"12076 65551":       {Reserved | Private, "deny-asns reserved: AS 65551"},
		"12076 8075":        {Reserved | Private, "accept"},
		"":                  {Reserved | Private, "accept"},
	} {
		p := mustCompile(t, &Library{}, Chain{DenyASNs: c.sets}, Session{})
		if got := p.RuleText(p.Run(input(t, "10.0.0.0/8", path)).Rule); got != c.want {
			t.Errorf("%q: %q, want %q", path, got, c.want)
		}
	}
}

// TestBogonInSet: segments of every type are checked.
func TestBogonInSet(t *testing.T) {
	p := mustCompile(t, &Library{}, Chain{DenyASNs: Reserved}, Session{})
	in := input(t, "10.0.0.0/8", "1")
	in.Attrs.ASPath = append(in.Attrs.ASPath, route.Segment{Type: route.ASSet, ASNs: []uint32{2, 23456}})
	if out := p.Run(in); out.Accept {
		t.Error("accepted")
	}
}

func TestRunDoesNotAllocate(t *testing.T) {
	for name, c := range map[string]Chain{
		"accept":      {Accept: true},
		"none":        {},
		"bogons":      {DenyASNs: Reserved},
		"prefix-list": {PrefixList: "rs-hub00"},
		"route-map":   {DenyASNs: Reserved, PrefixList: "rs-hub00", ASPathList: "azure-asns", RouteMap: "rmap-bogon-asns"},
		"changed":     {RouteMap: "rmap-azure-asns"},
	} {
		p := mustCompile(t, seedLibrary(t), c, Session{LocalASN: 65001})
		in := input(t, "10.110.0.0/16", onPath)
		if n := testing.AllocsPerRun(100, func() { p.Run(in) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// TestMemoIsBounded: a Program keeps no more than maxSlots attribute sets alive.
func TestMemoIsBounded(t *testing.T) {
	p := mustCompile(t, seedLibrary(t), Chain{RouteMap: "rmap-azure-asns"}, Session{LocalASN: 65001})
	const sets = 20 * maxSlots
	freed := make(chan struct{}, 2*sets)
	for i := range sets {
		in := input(t, "10.0.0.0/8", "65515")
		in.Attrs.MED = route.Some(uint32(i))
		out := p.Run(in)
		for _, a := range []*route.Attrs{in.Attrs, out.Attrs} {
			runtime.AddCleanup(a, func(c chan struct{}) { c <- struct{}{} }, freed)
		}
	}
	if n := len(p.memo.slots); n != maxSlots {
		t.Errorf("%d slots", n)
	}
	runtime.GC()
	for range 2 * (sets - maxSlots - 1) {
		<-freed
	}
	runtime.KeepAlive(p)
}

// TestMemoOctets: the memory that a Program keeps alive is bounded even if sets are large,
// and Forget releases all of it.
func TestMemoOctets(t *testing.T) {
	in := route.NewInterner()
	p := mustCompile(t, seedLibrary(t), Chain{RouteMap: "rmap-azure-asns"}, Session{LocalASN: 65001})
	before := heapInUse()
	for i := range uint32(2 * maxSlots) {
		set := in.Intern(route.Attrs{ASPath: route.NewASPath(slices.Repeat([]uint32{65515, i}, 8000)...)})
		p.Run(&Input{Prefix: netip.MustParsePrefix("10.0.0.0/8"), Attrs: set})
	}
	if held := heapInUse() - before; held > 2*maxOctets {
		t.Errorf("a Program keeps %d octets alive", held)
	}
	p.Forget()
	if held := heapInUse() - before; held > maxOctets/4 {
		t.Errorf("a Program that forgot keeps %d octets alive", held)
	}
	runtime.KeepAlive(p)
	runtime.KeepAlive(in)
}

func heapInUse() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// drawChain draws a chain over a library of its own.
func drawChain(t *rapid.T) (*Library, Chain) {
	lib := &Library{PrefixLists: map[string]PrefixList{}, ASPathLists: map[string]ASPathList{}, RouteMaps: map[string]RouteMap{}}
	names := []string{"", "x", "y"}
	for _, n := range names[1:] {
		lib.PrefixLists[n] = rapid.SliceOfN(rapid.Map(rapid.Custom(drawPrefixRule), unnumbered), 0, 4).Draw(t, "prefix-list")
		lib.ASPathLists[n] = ASPathList{{Regexp: "_65515_", Permit: rapid.Bool().Draw(t, "permit")}, {Regexp: "_1|2_", Permit: true}}
	}
	name := rapid.SampledFrom(names)
	for _, n := range names[1:] {
		lib.RouteMaps[n] = nil
		for range rapid.IntRange(0, 4).Draw(t, "clauses") {
			c := Clause{
				Permit: rapid.IntRange(0, 4).Draw(t, "permit") > 0,
				Match:  Match{PrefixList: name.Draw(t, "prefix-list"), ASPathList: name.Draw(t, "as-path-list")},
				Set:    drawSet(t),
			}
			if c.Permit {
				c.Next = Next(rapid.IntRange(0, 1).Draw(t, "next"))
			}
			if n == "x" && rapid.Bool().Draw(t, "call") {
				c.Call = "y"
			}
			lib.RouteMaps[n] = append(lib.RouteMaps[n], c)
		}
	}
	return lib, Chain{Accept: true, DenyASNs: Bogons(rapid.IntRange(0, 1).Draw(t, "deny")), PrefixList: name.Draw(t, "list"), RouteMap: rapid.SampledFrom([]string{"x", "y"}).Draw(t, "map")}
}

func unnumbered(r PrefixRule) PrefixRule {
	r.Seq = 0
	return r
}

func drawSet(t *rapid.T) Set {
	return rapid.SampledFrom([]Set{
		{}, {ASPathReplace: "any"}, {ASPathReplace: "65515,1"}, {ASPathPrepend: []uint32{65001}}, {ASPathExclude: []uint32{65515}},
		{MED: &Number{'+', 10}}, {LocalPref: &Number{0, 300}}, {NextHop: "10.0.0.1"}, {NextHop: "self"}, {CommunitiesAdd: []string{"65001:1"}}, {Weight: u32(1)},
	}).Draw(t, "set")
}

func drawInput(t *rapid.T) *Input {
	return &Input{Prefix: drawPrefix(t), Attrs: &route.Attrs{ASPath: drawPath(t), MED: route.Optional{Set: rapid.Bool().Draw(t, "med")}}}
}

// TestMemoryDoesNotMatter: a Program with a filled memo decides as a new one, its trace ends
// the same, and it changes no input.
func TestMemoryDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lib, chain := drawChain(t)
		s := Session{LocalASN: 65001, Export: true}
		c := NewCompiler(lib)
		compile := func() *Program {
			p, err := c.Compile(chain, s)
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		old := compile()
		ins := rapid.SliceOfN(rapid.Custom(drawInput), 1, 8).Draw(t, "routes")
		for range 30 {
			in := *rapid.SampledFrom(ins).Draw(t, "route")
			before := *in.Attrs
			got, want := old.Run(&in), compile().Run(&in)
			traced, steps := compile().Trace(&in)
			if !sameOutput(got, want) || !sameOutput(got, traced) || len(steps) == 0 {
				t.Fatalf("%v %q: %+v, new %+v, traced %+v", in.Prefix, in.Attrs.ASPath, got, want, traced)
			}
			if !in.Attrs.Equal(&before) || !got.Accept && got.Attrs != in.Attrs {
				t.Fatalf("%v %q: input changed", in.Prefix, in.Attrs.ASPath)
			}
		}
	})
}

func sameOutput(a, b Output) bool {
	if !a.Attrs.Equal(b.Attrs) {
		return false
	}
	a.Attrs = b.Attrs
	return reflect.DeepEqual(a, b)
}

// TestCompilerShares: Programs of one Compiler share lists, and are independent
// otherwise.
func TestCompilerShares(t *testing.T) {
	c := NewCompiler(seedLibrary(t))
	p, err1 := c.Compile(Chain{PrefixList: "rs-hub00"}, Session{})
	q, err2 := c.Compile(Chain{PrefixList: "rs-hub00", RouteMap: "rmap-azure-asns"}, Session{})
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if p.stages[0].(*listUse).question != q.stages[0].(*listUse).question {
		t.Error("the list was compiled twice")
	}
}

// TestHits: each decision of a rule is counted, in lists and in route-maps, whether or not
// the memo knew it; a trace is not counted.
func TestHits(t *testing.T) {
	lib := &Library{
		PrefixLists: map[string]PrefixList{"p": {
			{Seq: 5, Prefix: netip.MustParsePrefix("10.0.0.0/16")}, {Seq: 10, Permit: true, Any: true},
		}},
		ASPathLists: map[string]ASPathList{"a": {{Seq: 5, Permit: true, Regexp: "_65515_"}}},
		RouteMaps: map[string]RouteMap{"m": {
			{Seq: 10, Permit: true, Match: Match{ASPathList: "a"}}, {Seq: 20, Permit: false},
		}},
	}
	p, err := Compile(lib, Chain{DenyASNs: Reserved, PrefixList: "p", RouteMap: "m"}, Session{})
	if err != nil {
		t.Fatal(err)
	}
	azure, other, bogon := &route.Attrs{ASPath: route.NewASPath(65515)}, &route.Attrs{ASPath: route.NewASPath(64580)}, &route.Attrs{ASPath: route.NewASPath(23456)}
	run := func(prefix string, a *route.Attrs) { p.Run(&Input{Prefix: netip.MustParsePrefix(prefix), Attrs: a}) }
	run("10.0.0.0/16", azure)
	for range 3 {
		run("10.1.0.0/16", azure)
	}
	run("10.1.0.0/16", other)
	run("10.1.0.0/16", bogon)
	p.Trace(&Input{Prefix: netip.MustParsePrefix("10.1.0.0/16"), Attrs: azure})
	want := []RuleHits{
		{"deny-asns reserved", 1},
		{"prefix-list p seq 5 deny 10.0.0.0/16", 1},
		{"prefix-list p seq 10 permit any", 4},
		{"prefix-list p: no rule matched (implicit deny)", 0},
		{"as-path-list a seq 5 permit _65515_", 3},
		{"as-path-list a: no rule matched (implicit deny)", 1},
		{"route-map m permit 10", 3},
		{"route-map m deny 20", 1},
		{"route-map m: no clause matched (implicit deny)", 0},
	}
	got := p.Hits(p.Counts())
	for _, h := range want {
		if !slices.Contains(got, h) {
			t.Errorf("%v is missing", h)
		}
	}
	if t.Failed() || len(got) != len(want) {
		t.Errorf("got %v", got)
	}
}
