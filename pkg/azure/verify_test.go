package azure

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func resultsOf(s Snapshot, self Self) map[string]Claim {
	out := map[string]Claim{}
	for _, c := range Verify(s, self) {
		out[c.ID] = c
	}
	return out
}

// rich is a world in which every claim can be seen.
func rich() *world {
	w := sound()
	w.send("10.0.128.0/17", "10.0.1.0/26", "10.0.0.0/8", "0.0.0.0/0")
	w.sendRoute(SelfRoute{Prefix: pfx("10.71.0.0/16"), NextHop: nva1, ASPath: []uint32{65001, 65515, 64580}})
	w.sendRoute(SelfRoute{Prefix: pfx("10.72.0.0/16"), NextHop: nva1, ASPath: []uint32{65001}, NoAdvertise: true})
	w.send("10.60.0.0/16")
	for i := range w.conn(1).Instances {
		w.conn(1).Instances[i].Advertised = []PeerRoute{{Prefix: pfx("10.50.0.0/16")}}
	}
	// A second NIC of the NVA, in the subnet whose default route nobody overrides.
	hub := w.vnet(0)
	hub.Subnets = append(hub.Subnets, Subnet{ID: hub.ID + "/subnets/inside", Name: "inside", Prefixes: pfxs("10.0.3.0/24")},
		Subnet{ID: hub.ID + "/subnets/quiet", Name: "quiet", Prefixes: pfxs("10.0.4.0/24"), RouteTable: table("rt-quiet")})
	hub.Subnets[4].RouteTable.Propagation = false
	hub.Subnets[4].RouteTable.Routes = nil
	t := w.vnet(1).Subnets[0].RouteTable
	t.Routes = append(t.Routes, UserRoute{Name: "u", Prefix: pfx("10.52.0.0/16"), NextHopType: "None"})
	w.s.NICs = append(w.s.NICs,
		NIC{ID: testSub + "networkinterfaces/nva1-in", Name: "nva1-in", VM: w.s.VM.ID, Addresses: []netip.Addr{ip("10.0.3.4")}, VNet: hub.ID, Subnet: hub.Subnets[3].ID, IPForwarding: true},
		NIC{ID: testSub + "networkinterfaces/quiet", Name: "quiet", Addresses: []netip.Addr{ip("10.0.4.4")}, VNet: hub.ID, Subnet: hub.Subnets[4].ID})
	return w
}

func TestClaims(t *testing.T) {
	s, self := rich().derive()
	seen := map[string]bool{}
	for _, c := range Verify(s, self) {
		if c.Result != Holds {
			t.Errorf("%s: %s: %s", c.ID, c.Result, c.Evidence)
		}
		if c.Evidence == "" || strings.Contains(c.Evidence, "\n") || !strings.HasSuffix(c.Sentence, ".") || seen[c.ID] {
			t.Errorf("%+v", c)
		}
		seen[c.ID] = true
	}
	if again := Verify(s, self); !reflect.DeepEqual(again, Verify(s, self)) {
		t.Error("not the same twice")
	}
}

// TestClaimsTooEarly: what nvad has just sent proves nothing, and the evidence says so.
func TestClaimsTooEarly(t *testing.T) {
	s, self := rich().derive()
	for i := range self.Neighbors {
		self.Neighbors[i].Since = s.Taken.Add(-10 * time.Second)
	}
	seen := resultsOf(s, self)
	if c := seen["both-instances-learn"]; c.Result != NotObserved || !strings.HasSuffix(c.Evidence, "so try again in a minute") {
		t.Errorf("%+v", c)
	}
	if c := seen["asn-65515"]; c.Result != Holds {
		t.Errorf("%+v", c)
	}
}

// disproofs change one observation each, by the claim that it is about.
var disproofs = map[string]func(s *Snapshot, self *Self){
	"two-instances":              func(s *Snapshot, self *Self) { s.VNets[0].Subnets[1].Prefixes = pfxs("10.0.5.0/26") },
	"instances-share-27":         func(s *Snapshot, self *Self) { s.RouteServers[0].Addresses[1] = ip("10.0.1.40") },
	"asn-65515":                  func(s *Snapshot, self *Self) { s.RouteServers[0].ASN = 65520 },
	"one-peering-both-instances": func(s *Snapshot, self *Self) { self.Neighbors[1].Established = false },
	"up-is-not-unconnected":      func(s *Snapshot, self *Self) { s.RouteServers[0].Connections[0].State = "NotConnected" },
	"both-instances-learn":       func(s *Snapshot, self *Self) { second(s).Learned = second(s).Learned[1:] },
	"next-hop-kept":              func(s *Snapshot, self *Self) { second(s).Learned[0].NextHop = rs0 },
	"path-kept":                  func(s *Snapshot, self *Self) { second(s).Learned[0].ASPath = "65001-65001" },
	"own-asn-dropped":            func(s *Snapshot, self *Self) { learn(s, "10.71.0.0/16") },
	"route-server-subnet-ignored": func(s *Snapshot, self *Self) {
		for i := range s.RouteServers[0].Connections[0].Instances {
			in := &s.RouteServers[0].Connections[0].Instances[i]
			in.Learned = append(in.Learned, PeerRoute{Prefix: pfx("10.0.1.0/26"), NextHop: nva1, ASPath: "65001"})
		}
	},
	"next-hop-is-instance":  func(s *Snapshot, self *Self) { self.Neighbors[0].Received[0].NextHop = nva2 },
	"path-begins-65515":     func(s *Snapshot, self *Self) { self.Neighbors[0].Received[0].ASPath = []uint32{12076} },
	"vnet-space-advertised": func(s *Snapshot, self *Self) { s.VNets[0].Space = append(s.VNets[0].Space, pfx("10.2.0.0/16")) },
	"spoke-space-advertised": func(s *Snapshot, self *Self) {
		s.VNets[1].Space = append(s.VNets[1].Space, pfx("10.2.0.0/16"))
	},
	"own-routes-not-back": func(s *Snapshot, self *Self) {
		self.Neighbors[0].Received = append(self.Neighbors[0].Received, SelfRoute{Prefix: pfx("10.50.0.0/16"), NextHop: rs0, ASPath: []uint32{65515}})
	},
	"no-advertise-honoured": func(s *Snapshot, self *Self) {
		s.RouteServers[0].Connections[1].Instances[0].Advertised = []PeerRoute{{Prefix: pfx("10.72.0.0/16")}}
	},
	"own-routes-on-own-nic": func(s *Snapshot, self *Self) { dropRoute(s, 0, "10.50.0.0/16") },
	"routes-on-spoke-nic":   func(s *Snapshot, self *Self) { dropRoute(s, 1, "10.50.0.0/16") },
	"vnet-prefix-not-injected": func(s *Snapshot, self *Self) {
		s.NICs[0].Routes = append(s.NICs[0].Routes, EffectiveRoute{Source: "VirtualNetworkGateway", Active: true, Prefixes: pfxs("10.0.128.0/17"), NextHops: []netip.Addr{nva1}})
	},
	"supernet-injected":  func(s *Snapshot, self *Self) { dropRoute(s, 0, "10.0.0.0/8") },
	"default-on-own-nic": func(s *Snapshot, self *Self) { dropRoute(s, 2, "0.0.0.0/0") },
	"ecmp":               func(s *Snapshot, self *Self) { routeOf(s, 0, "10.60.0.0/16").NextHops = []netip.Addr{nva2} },
	"udr-wins": func(s *Snapshot, self *Self) {
		for i := range s.NICs[1].Routes {
			r := &s.NICs[1].Routes[i]
			if slices.Contains(r.Prefixes, pfx("10.52.0.0/16")) {
				r.Active = r.Source != "User"
			}
		}
	},
	"propagation-off": func(s *Snapshot, self *Self) {
		s.NICs[3].Routes = append(s.NICs[3].Routes, EffectiveRoute{Source: "VirtualNetworkGateway", Active: true, Prefixes: pfxs("10.200.0.0/16"), NextHops: []netip.Addr{rs0}})
	},
	"service-tags-expanded": func(s *Snapshot, self *Self) { s.NICs[0].Rules[0].Sources = nil },
	"two-roles":             func(s *Snapshot, self *Self) { c := &s.RouteServers[0].Connections[0]; c.Instances = c.Instances[:1] },
}

// routeOf returns a route of a NIC that is not user-defined.
func routeOf(s *Snapshot, i int, p string) *EffectiveRoute {
	for j := range s.NICs[i].Routes {
		r := &s.NICs[i].Routes[j]
		if slices.Contains(r.Prefixes, pfx(p)) && r.Source != "User" {
			return r
		}
	}
	return nil
}

func dropRoute(s *Snapshot, i int, p string) { *routeOf(s, i, p) = EffectiveRoute{} }

func learn(s *Snapshot, p string) {
	for i := range s.RouteServers[0].Connections[0].Instances {
		in := &s.RouteServers[0].Connections[0].Instances[i]
		in.Learned = append(in.Learned, PeerRoute{Prefix: pfx(p), NextHop: nva1, ASPath: "65001"})
	}
}

func second(s *Snapshot) *Instance { return &s.RouteServers[0].Connections[0].Instances[1] }

// TestClaimsDisproved changes one observation; just the claim about it does not hold.
func TestClaimsDisproved(t *testing.T) {
	done := map[string]bool{}
	for id, do := range disproofs {
		s, self := rich().derive()
		do(&s, &self)
		done[id] = true
		for got, c := range resultsOf(s, self) {
			if (got == id) != (c.Result == DoesNotHold) && !strings.Contains(alsoDisproved[id], got) {
				t.Errorf("%s: %s is %s: %s", id, got, c.Result, c.Evidence)
			}
		}
	}
	for _, c := range claims {
		if !done[c.id] {
			t.Errorf("no case for %s", c.id)
		}
	}
}

// alsoDisproved are claims that the same observation disproves.
var alsoDisproved = map[string]string{
	"instances-share-27": "two-roles one-peering-both-instances", // the answers and the session are for the other address
	"own-asn-dropped":    "path-kept own-routes-on-own-nic routes-on-spoke-nic",
	"supernet-injected":  "own-routes-on-own-nic",
	"default-on-own-nic": "own-routes-on-own-nic",
}

// Nothing read, nothing claimed.
func TestClaimsUnseen(t *testing.T) {
	for _, c := range Verify(Snapshot{}, Self{}) {
		if c.Result != NotObserved {
			t.Errorf("%+v", c)
		}
	}
}

// TestNoSecrets puts secrets into every field, and looks for them in what Verify says.
func TestNoSecrets(t *testing.T) {
	for name, keep := range map[string]func(string) bool{
		"all words":       func(string) bool { return false },
		"all but Azure's": func(s string) bool { return slices.Contains(azureWords, s) },
	} {
		t.Run(name, func(t *testing.T) {
			s, self := rich().derive()
			s.Missing = []Missing{{ID: "x", What: "y", Permission: "z", Reason: "w"}}
			s.VM.Tags = map[string]string{"k": "v"}
			h := hider{keep: keep, words: map[string]string{}}
			h.hide(reflect.ValueOf(&s).Elem())
			h.hide(reflect.ValueOf(&self).Elem())
			if len(h.words) < 30 || h.addresses < 100 {
				t.Fatalf("only %d words and %d addresses", len(h.words), h.addresses)
			}
			shown := 0
			for _, c := range Verify(s, self) {
				if strings.Contains(strings.ToLower(c.Evidence), "secret") || strings.Contains(c.Evidence, "52.") {
					t.Errorf("%s: %s", c.ID, c.Evidence)
				}
				if c.Result != NotObserved {
					shown++
				}
			}
			if name != "all words" && shown < 15 {
				t.Errorf("only %d claims say something", shown)
			}
		})
	}
}

var azureWords = []string{
	"RouteServerSubnet", "Default", "User", "VirtualNetworkGateway", "VnetLocal", "VNetPeering", "Internet", "None", "Connected", "Udp", "Tcp", "All", "65001", "65002",
	"4789-4789", "0-65535", "Succeeded", "Provisioned",
}

// hider replaces words by secrets, the same word by the same one, and addresses of 10/8 by
// public ones.
type hider struct {
	keep      func(string) bool
	words     map[string]string
	addresses int
}

func (h *hider) hide(v reflect.Value) {
	switch x := v.Interface().(type) {
	case time.Time:
		return
	case netip.Addr:
		v.Set(reflect.ValueOf(h.addr(x)))
		return
	case netip.Prefix:
		if x.IsValid() {
			v.Set(reflect.ValueOf(netip.PrefixFrom(h.addr(x.Addr()), x.Bits())))
		}
		return
	}
	switch v.Kind() {
	case reflect.String:
		if s := v.String(); s != "" && !h.keep(s) {
			if h.words[s] == "" {
				h.words[s] = fmt.Sprintf("/subscriptions/Secret%d/x/secret-%d", len(h.words), len(h.words))
			}
			v.SetString(h.words[s])
		}
	case reflect.Pointer:
		if !v.IsNil() {
			h.hide(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			h.hide(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			h.hide(v.Field(i))
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			v.SetMapIndex(k, reflect.ValueOf("Secret"))
		}
	}
}

func (h *hider) addr(a netip.Addr) netip.Addr {
	if !a.Is4() || a.IsUnspecified() {
		return a
	}
	h.addresses++
	raw := a.As4()
	raw[0] = 52
	return netip.AddrFrom4(raw)
}

func TestAnonymiser(t *testing.T) {
	n := &anonymiser{}
	for _, c := range [][2]string{
		{n.addr(ip("10.0.0.4")), "10.0.0.4"}, {n.addr(ip("52.1.2.3")), "public-1"}, {n.addr(ip("20.1.2.3")), "public-2"}, {n.addr(ip("52.1.2.3")), "public-1"},
		{n.addr(ip("::ffff:52.1.2.3")), "public-1"}, {n.addr(ip("2603:1000::1")), "public-3"}, {n.addr(ip("fe80::1%secret")), "public-4"}, {n.addr(netip.Addr{}), "none"},
		{n.prefix(pfx("52.1.2.3/32")), "public-1/32"}, {n.prefix(netip.Prefix{}), "none"}, {n.prefixes(pfxs("10.0.0.0/8", "52.1.0.0/16")), "10.0.0.0/8 and 1 more"},
		{n.name("NIC", "a"), "NIC 1"}, {n.name("NIC", "b"), "NIC 2"}, {n.name("VNet", "a"), "VNet 1"}, {n.name("NIC", "a"), "NIC 1"},
	} {
		if c[0] != c[1] {
			t.Errorf("got %s, want %s", c[0], c[1])
		}
	}
}
