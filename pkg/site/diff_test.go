package site

import (
	"fmt"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// mutations break one thing each, and have at least one for each code.
var mutations = []struct {
	name string
	code Code
	nvas string
	do   func(w *world)
}{
	{"vni", TunnelVNIDiffers, "hub00-a hub10-a", func(w *world) { w.only(0, 2); w.tunnel(2).Vni = 78; w.dead(0, 2) }},
	{"vxlan port", TunnelPortDiffers, "hub00-a hub10-a", func(w *world) { w.only(0, 2); w.tunnel(2).Port = 8472; w.dead(0, 2) }},
	{"mtu", TunnelMTUDiffers, "hub00-a hub10-a", func(w *world) { w.only(0, 2); w.tunnel(2).Mtu = 1400 }},
	{"subnets", TunnelAddressesDiffer, "hub00-a hub10-a", func(w *world) {
		w.only(0, 2)
		w.tunnel(2).Addresses = []string{"169.254.9.2/24"}
	}},
	{"same address", DuplicateTunnelAddress, "hub10-a hub10-b", func(w *world) {
		w.tunnel(3).Addresses = slices.Clone(w.tunnel(2).Addresses)
		w.nvas[3].Routes = nil
	}},
	{"not among the remotes", TunnelOneSided, "hub00-a hub10-a", func(w *world) {
		w.tunnel(2).Remotes = w.tunnel(2).Remotes[1:]
		w.dead(0, 2)
		for _, n := range []*nvadv1.Neighbor{w.neighbor(0, 2), w.neighbor(2, 0)} {
			n.State = "Active"
		}
	}},
	{"no tunnel", TunnelOneSided, "hub00-a hub10-a", func(w *world) {
		w.only(0, 2)
		w.nvas[2].Tunnels = nil
		w.dead(0, 2)
	}},
	{"up at one end", TunnelUpOneEnd, "hub00-a hub10-a", func(w *world) { w.tunnel(2).Peers[0].Up = false }},
	{"device down", TunnelUpOneEnd, "hub00-a hub10-a", func(w *world) {
		w.only(0, 2)
		w.tunnel(2).State, w.tunnel(2).Reason = "down", "the device is down"
	}},
	{"wireguard key", TunnelKeyDiffers, "hub10-a hub00-a", func(w *world) {
		w.wireguard()
		w.tunnel(0).Wireguard.PublicKey = "new-key-of-hub00-a"
	}},
	{"key of the peer", TunnelKeyDiffers, "hub00-a hub10-a", func(w *world) {
		w.wireguard()
		w.tunnel(0).Wireguard.PeerPublicKey = "other"
		w.tunnel(2).State = "down"
	}},
	{"preshared key", TunnelKeyDiffers, "hub00-a hub10-a", func(w *world) { w.wireguard(); w.tunnel(0).Wireguard.PresharedKey = true }},
	{"wireguard port", TunnelPortDiffers, "hub00-a hub10-a", func(w *world) { w.wireguard(); w.tunnel(2).Port = 51821 }},

	{"one neighbor", SessionOneSided, "hub00-a hub10-a", func(w *world) {
		w.neighbor(0, 2).State = "Active"
		w.nvas[2].Neighbors = slices.DeleteFunc(w.nvas[2].Neighbors, func(n *nvadv1.Neighbor) bool { return n.GetAddress() == inside[0] })
	}},
	{"up at one side", SessionUpOneSide, "hub00-a hub10-a", func(w *world) {
		n := w.neighbor(2, 0)
		n.State, n.Reason, n.LocalAddress = "Active", "hold timer expired", ""
	}},
	{"asn", SessionASNDiffers, "hub00-a hub10-a", func(w *world) {
		w.neighbor(0, 2).RemoteAsn, w.neighbor(0, 2).State = 65009, "Active"
	}},
	{"router ID", DuplicateRouterID, "hub00-a hub10-b", func(w *world) { w.nvas[3].Status.RouterId = addresses[0] }},

	{"prefix", PairPrefixMissing, "hub00-b hub00-a", func(w *world) { delete(w.nvas[1].Prefixes, pfx("10.110.0.0/16")) }},
	{"policy", PairConfigDiffers, "hub00-a hub00-b", func(w *world) { w.edit(1, `"deny 10.0.0.0/16 ge 16", `, "") }},
	{"timers", PairConfigDiffers, "hub00-a hub00-b", func(w *world) {
		w.edit(1, "[peer-group.route-server]\n", "[peer-group.route-server]\nhold-time = 30\n")
	}},
	{"preset", PairConfigDiffers, "hub10-a hub10-b", func(w *world) {
		w.edit(3, `preset    = "azure-route-server"`, "remote-asn = 65515\nebgp-multihop = 255")
	}},
	{"one instance", PairConfigDiffers, "hub00-a hub00-b", func(w *world) { w.edit(1, `, "10.0.210.5"]`, "]\ndomain = \"ars-10.0.210.0\"") }},
	{"drained", DrainedWithoutPair, "hub00-a", func(w *world) {
		w.nvas[0].Status.DrainingSince, w.nvas[0].Status.DrainingReason = timestamppb.New(now), "operator"
		w.nvas[1].Status.Established = 0
	}},
	{"drained alone", DrainedWithoutPair, "hub00-a", func(w *world) {
		w.nvas[0].Status.DrainingSince = timestamppb.New(now)
		w.nvas[1] = Answer{Name: "hub00-b", Failure: "no answer within 10s"}
	}},
	{"summaries", SummaryLoop, "hub00-a hub10-a", func(w *world) {
		w.nvas[0].Routes = append(w.nvas[0].Routes, via("10.0.0.0/8", inside[2]))
		w.nvas[2].Routes = append(w.nvas[2].Routes, via("10.0.0.0/12", inside[0]))
	}},
	{"static routes", SummaryLoop, "hub00-a hub10-a", func(w *world) {
		w.nvas[0].Routes = append(w.nvas[0].Routes, via("172.16.0.0/12", inside[2]))
		w.nvas[2].Routes = append(w.nvas[2].Routes, via("172.16.0.0/12", inside[0]))
	}},
	{"version", VersionsDiffer, "hub00-a hub00-b hub10-a hub10-b", func(w *world) { w.nvas[1].Status.Version = "v1.2.2" }},
	{"clock", ClocksDiffer, "hub00-a hub10-b", func(w *world) { w.nvas[3].Ahead = 5 * time.Second }},
}

// only leaves two NVAs and the tunnel between them.
func (w *world) only(a, b int) {
	for i := range w.nvas {
		if i != a && i != b {
			w.nvas[i].Failure = "no answer within 10s"
		}
	}
}

// dead makes the peers behind a tunnel dead in both directions.
func (w *world) dead(a, b int) {
	for _, ends := range [][2]int{{a, b}, {b, a}} {
		for _, t := range w.nvas[ends[0]].Tunnels {
			for _, p := range t.GetPeers() {
				p.Up = p.Up && p.GetNeighbor() != inside[ends[1]]
			}
		}
		w.neighbor(ends[0], ends[1]).State = "Active"
	}
}

func TestSound(t *testing.T) {
	for _, f := range Diff(sound(t).nvas).Findings {
		t.Errorf("found %s: %s", f.Code, f.Reason)
	}
	w := sound(t)
	w.wireguard()
	for _, f := range Diff(w.nvas).Findings {
		t.Errorf("wireguard: found %s: %s", f.Code, f.Reason)
	}
}

func TestMutations(t *testing.T) {
	seen := map[Code]bool{}
	for _, m := range mutations {
		t.Run(m.name, func(t *testing.T) {
			w := sound(t)
			m.do(w)
			r := Diff(w.nvas)
			if len(r.Findings) != 1 || r.Findings[0].Code != m.code || strings.Join(r.Findings[0].NVAs, " ") != m.nvas {
				t.Errorf("want %s of %s", m.code, m.nvas)
			}
			for _, f := range r.Findings {
				t.Logf("%s %s %s %v %s: %s %s", f.Severity, f.Code, f.NVAs, f.Prefixes, f.Object, f.Reason, f.Mend)
				if !strings.HasSuffix(f.Reason, ".") || strings.Contains(f.Reason, "  ") || len(f.Mend) == 0 {
					t.Errorf("incomplete: %+v", f)
				}
			}
		})
		seen[m.code] = true
	}
	for _, c := range Codes {
		if !seen[c] {
			t.Errorf("no mutation for %s", c)
		}
	}
}

// harmless are differences that are as they should be, or that nobody can judge.
var harmless = map[string]func(w *world){
	"one does not answer": func(w *world) { w.nvas[2] = Answer{Name: "hub10-a", Failure: "no answer within 10s"} },
	"in both down":        func(w *world) { w.dead(0, 2) },
	"new prefix": func(w *world) {
		w.nvas[0].Prefixes[pfx("10.120.0.0/16")] = now.Add(-time.Second)
	},
	"not in sync": func(w *world) {
		w.nvas[1].Status.InSync = false
		clear(w.nvas[1].Prefixes)
	},
	"drained beside its pair": func(w *world) { w.nvas[0].Status.DrainingSince = timestamppb.New(now) },
	"far NVA of another site": func(w *world) {
		w.tunnel(0).Remotes = append(w.tunnel(0).Remotes, "10.20.0.4")
		w.nvas[0].Neighbors = append(w.nvas[0].Neighbors, &nvadv1.Neighbor{Address: "169.254.0.9", RemoteAsn: 65001, LocalAsn: 65001, State: "Active"})
	},
	"same tunnel addresses elsewhere": func(w *world) {
		for i := range 2 {
			w.nvas[i].Tunnels = append(w.nvas[i].Tunnels, &nvadv1.Tunnel{Name: "vxlan1", Vni: 80 + uint32(i), State: "up", Local: addresses[i], Port: 4789,
				Remotes: []string{fmt.Sprintf("10.2%d.0.4", i)}, Addresses: []string{"169.254.1.1/30"}})
		}
	},
	"same router ID in another AS": func(w *world) {
		w.nvas[3].Status.RouterId, w.nvas[3].Status.Asn = addresses[0], 65002
	},
	"dynamic neighbor": func(w *world) {
		w.neighbor(0, 2).State = "Active"
		w.nvas[2].Neighbors = slices.DeleteFunc(w.nvas[2].Neighbors, func(n *nvadv1.Neighbor) bool { return n.GetAddress() == inside[0] })
		w.nvas[2].Ranges = []*nvadv1.ListenRange{{Prefix: "169.254.0.0/24"}}
	},
	"external neighbor": func(w *world) { w.neighbor(0, 2).RemoteAsn = 0 },
	"clocks within bounds": func(w *world) {
		w.nvas[3].Ahead, w.nvas[3].Doubt = 5*time.Second, 3*time.Second
	},
	"clock unknown": func(w *world) { w.nvas[3].Ahead, w.nvas[3].Doubt = 0, 0; w.nvas[3].Status.Time = nil },
	"own keys": func(w *world) {
		w.edit(1, "asn = 65001", "asn = 65001\nrouter-id = \"10.0.0.6\"\nlimits.memory = \"1G\"\ndaemon.log-level = \"debug\"")
		w.edit(1, "[prefix-list]", "[prefix-list]\nspare = [\"permit any\"]")
	},
	"covered summaries": func(w *world) {
		w.nvas[0].Routes = append(w.nvas[0].Routes, via("172.16.0.0/12", inside[2]), via("172.16.0.0/13"))
		w.nvas[2].Routes = append(w.nvas[2].Routes, via("172.16.0.0/12", inside[0]), via("172.24.0.0/13", "10.10.0.1"))
	},
	"summary with a discard": func(w *world) {
		w.nvas[0].Routes = append(w.nvas[0].Routes, via("0.0.0.0/0", inside[2]), via("10.0.0.0/12"))
		w.nvas[2].Routes = append(w.nvas[2].Routes, via("10.0.0.0/12", inside[0]))
	},
	"connected": func(w *world) {
		w.nvas[0].Routes = append(w.nvas[0].Routes, via("0.0.0.0/0", inside[2]))
		w.nvas[2].Routes = append(w.nvas[2].Routes, via("10.0.0.0/24", inside[0]))
	},
	"roaming peer": func(w *world) {
		w.wireguard()
		w.tunnel(0).Wireguard.Endpoint = "203.0.113.9:61234"
		w.tunnel(0).Remotes = nil
	},
	"multicast group": func(w *world) {
		for i := range w.nvas {
			w.tunnel(i).Remotes, w.tunnel(i).Group = nil, "239.1.1.1"
		}
	},
}

func TestHarmless(t *testing.T) {
	for name, do := range harmless {
		t.Run(name, func(t *testing.T) {
			w := sound(t)
			do(w)
			for _, f := range Diff(w.nvas).Findings {
				t.Errorf("%s: %s", f.Code, f.Reason)
			}
		})
	}
}

// TestHostile: nonsense from one NVA hides nothing about the others, and is bounded.
func TestHostile(t *testing.T) {
	w := sound(t)
	bad := &w.nvas[1]
	*bad = Answer{Name: bad.Name, Config: strings.Repeat("[", 5000), Status: &nvadv1.Status{RouterId: "x\x1b[2J", Asn: 1, InSync: true}}
	for i := range 20000 {
		bad.Tunnels = append(bad.Tunnels, &nvadv1.Tunnel{Name: fmt.Sprint(i), Vni: 77, Remotes: []string{addresses[0]}, Addresses: []string{"?", "::/0"}})
		bad.Neighbors = append(bad.Neighbors, &nvadv1.Neighbor{Address: "nonsense", LocalAddress: "169.254.0.3", Domain: "ars-10.0.210.0"})
	}
	w.nvas[3].Status.Version = "v1.2.2"
	w.nvas[2].Neighbors[0] = &nvadv1.Neighbor{}
	start := time.Now()
	r := Diff(w.nvas)
	if n := len(r.Findings); n > 100 || r.Findings[n-1].Code != VersionsDiffer {
		t.Errorf("%d findings, %s", n, time.Since(start))
	}
	t.Log(time.Since(start), len(r.Findings), r.NotJudged)
	if !slices.ContainsFunc(r.NotJudged, func(s string) bool { return strings.Contains(s, "hub00-b can't be read") }) {
		t.Errorf("got %q", r.NotJudged)
	}
	(&Report{}).Worst()
}

// TestCovered: only prefixes that have every address cover.
func TestCovered(t *testing.T) {
	for text, want := range map[string]bool{
		"":                                       false,
		"10.0.0.0/9 10.128.0.0/9":                true,
		"10.0.0.0/9 10.128.0.0/10 10.192.0.0/10": true,
		"10.0.0.0/9 10.0.0.0/9 10.1.0.0/16":      false,
		"10.0.0.0/9 10.128.0.0/10 10.192.0.0/11": false,
	} {
		var list []netip.Prefix
		for _, p := range strings.Fields(text) {
			list = append(list, pfx(p))
		}
		if got := covered(pfx("10.0.0.0/8"), list); got != want {
			t.Errorf("%q: %t", text, got)
		}
	}
}

// TestDocumented: docs/site.md names every code, every field of the JSON, and every key of
// the file.
func TestDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/site.md")
	if err != nil {
		t.Fatal(err)
	}
	want := func(word string) {
		if !strings.Contains(string(text), "`"+word+"`") {
			t.Errorf("docs/site.md lacks `%s`", word)
		}
	}
	for _, c := range Codes {
		want(string(c))
	}
	for _, v := range []any{Report{}, Asked{}, Finding{}} {
		for _, f := range reflect.VisibleFields(reflect.TypeOf(v)) {
			want(f.Tag.Get("json"))
		}
	}
	for _, s := range []Severity{Error, Warning, Info} {
		want(string(s))
	}
	for _, f := range nvaFields(&NVA{}) {
		want(f.Key)
	}
}
