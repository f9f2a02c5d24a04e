package azure

import (
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestDocumented: docs/azure.md names every code, and every field of the JSON.
func TestDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/azure.md")
	if err != nil {
		t.Fatal(err)
	}
	want := func(word string) {
		if !strings.Contains(string(text), "`"+word+"`") {
			t.Errorf("docs/azure.md lacks `%s`", word)
		}
	}
	for _, c := range Codes {
		want(string(c))
	}
	for _, v := range []any{Report{}, Column{}, Row{}, Cell{}, Finding{}, Step{}, Missing{}, NotJudged{}, Claim{}} {
		for _, f := range reflect.VisibleFields(reflect.TypeOf(v)) {
			if tag, _, _ := strings.Cut(f.Tag.Get("json"), ","); tag != "" {
				want(tag)
			}
		}
	}
	for _, word := range []State{Yes, No, NotSeen, Other} {
		want(string(word))
	}
	for _, word := range []Severity{Error, Warning, Info} {
		want(string(word))
	}
	for _, word := range []Result{Holds, DoesNotHold, NotObserved} {
		want(string(word))
	}
	for _, word := range []Where{InShell, InFile, InWords} {
		want(string(word))
	}
}

// TestOrder: the worst first, and within a severity what concerns most prefixes. A session
// that is down concerns all.
func TestOrder(t *testing.T) {
	w := sound()
	w.send("10.0.128.0/17")
	w.sendRoute(SelfRoute{Prefix: pfx("10.72.0.0/16"), NextHop: nva1, ASPath: []uint32{65001}, NoAdvertise: true})
	w.s.NICs[0].IPForwarding = false
	n := 9000
	w.s.Gateways[0].Learned = &n
	s, self := w.derive()
	r := Diff(s, self, Options{Listed: 2})
	var got []Code
	for _, f := range r.Findings {
		got = append(got, f.Code)
	}
	if !slices.Equal(got, []Code{IPForwardingOff, PrefixInVNetSpace, RoutesTotalLimit, NoAdvertise}) || r.Worst() != Error {
		t.Errorf("got %v, worst %s", got, r.Worst())
	}
	if f := r.Findings[0]; len(f.Prefixes) != 2 || f.PrefixCount != 5 || f.Prefixes[0] != pfx("10.0.128.0/17") {
		t.Errorf("got %+v", f)
	}
	w = sound()
	w.rs().Connections = w.rs().Connections[1:]
	w.s.NICs[0].IPForwarding = false
	s, self = w.derive()
	self.Neighbors = append(self.Neighbors, SelfNeighbor{Address: ip("192.168.1.1"), Established: true, Sent: []SelfRoute{{Prefix: pfx("10.50.0.0/16"), NextHop: nva1}}})
	if r = Diff(s, self, Options{}); r.Findings[0].Code != NoConnection {
		t.Errorf("got %v", r.Findings)
	}
	if (&Report{}).Worst() != "" {
		t.Error("nothing found is not bad")
	}
}

// A drained NVA that still has its share of an ECMP route is one that loses traffic.
func TestDrainedHop(t *testing.T) {
	w := sound()
	w.self.Drained = true
	tab := w.vnet(1).Subnets[0].RouteTable
	tab.Routes = append(tab.Routes, UserRoute{Name: "ecmp", Prefix: pfx("10.90.0.0/16"), NextHopType: "VirtualApplianceEcmp", NextHops: []netip.Addr{nva1, nva2}})
	s, self := w.derive()
	r := Diff(s, self, Options{})
	if got := codesOf(r); !slices.Equal(got, []Code{ECMPHopDead}) || r.Worst() != Error {
		t.Fatalf("got %v", got)
	}
	if got := r.Findings[0].Mend[0].Text; !strings.Contains(got, "--next-hop-type VirtualAppliance --next-hop-ip-address 10.0.0.5") {
		t.Errorf("got %s", got)
	}
}
