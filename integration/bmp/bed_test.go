package bmp

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	netbed "github.com/nvad/nvad/integration/bed"
	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/rawbgp"
)

func TestMain(m *testing.M) { os.Exit(lab.Main(m)) }

const (
	branch    = "10.0.0.1" // a neighbor of AS 65101
	other     = "10.0.0.2" // one of AS 65102
	six       = "fd00::1"  // one of AS 65106, over IPv6
	collector = "10.0.0.9"
)

// patience exceeds the longest wait between two attempts to reach the collector.
const patience = time.Minute

var ourAddress = netip.MustParseAddr("10.0.0.4")

// bed is nvad, and on the other side of a link its neighbors and the collector.
type bed struct {
	*netbed.Bed
	daemon    *netbed.Process
	collector *netbed.Process
}

func newBed(t *testing.T, config string) *bed {
	t.Helper()
	lab.RequireCommands(t, "pmbmpd", "bird")
	lab.Build(t, "./cmd/nvactl") // now, not while nvad waits longer each time for the collector
	b := &bed{Bed: netbed.New(t, "nvad", "peers")}
	b.Join("nvad", "eth0", []string{ourAddress.String() + "/24", "fd00::4/64"},
		"peers", "eth0", []string{branch + "/24", other + "/24", collector + "/24", six + "/64"})
	b.Write("nvad.toml", config)
	b.daemon = b.Nvad("nvad", "nvad")
	return b
}

// configuration has the neighbors, and one station.
func configuration(station, branchImport string) string {
	return fmt.Sprintf(`asn = 65001
router-id = "10.0.0.4"
kernel.ip-forward = false

[[bmp]]
address = "%s:1790"
%s

[[neighbor]]
address = "%s"
remote-asn = 65101
graceful-restart = true
import = %s
export = "accept"

[[neighbor]]
address = "%s"
remote-asn = 65102
import = "accept"
export = "accept"

[[neighbor]]
address = "%s"
remote-asn = 65106
families = ["ipv6"]
import = { prefix-list = "some" }
export = "accept"

[prefix-list]
some = ["deny 10.2.0.0/16", "deny fd00:2::/48", "permit any"]
none = ["deny 0.0.0.0/0 le 32"]

[[route-map.mark]]
action = "permit"
set = { communities = ["65001:7"], as-path-prepend = [65001] }
`, collector, station, branch, branchImport, other, six)
}

// startCollector starts pmbmpd, which writes each message to a file as it comes.
func (b *bed) startCollector() {
	b.Helper()
	_ = os.Remove(b.Path("messages"))
	conf := b.Write("pmbmpd.conf", fmt.Sprintf("bmp_daemon_ip: %s\nbmp_daemon_port: 1790\nbmp_daemon_msglog_file: %s\n", collector, b.Path("messages")))
	b.collector = b.Spawn("peers", "pmbmpd", "pmbmpd", "-f", conf)
}

// session connects a neighbor.
func (b *bed) session(asn uint32, address string, restart time.Duration) *rawbgp.Session {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), netbed.Patience)
	defer cancel()
	p := rawbgp.Peer{
		Local: netip.MustParseAddr(address), Remote: ourAddress, ASN: asn, Dial: lab.DialFrom(b.NS("peers")),
		Plain: restart == 0, Restart: restart,
	}
	s, err := p.Connect(ctx)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.Close)
	return s
}

// routes are prefixes of a neighbor.
func routes(from string, path []uint32, prefixes ...string) (out []rawbgp.Route) {
	attrs := &rawbgp.Attrs{Path: []rawbgp.Segment{{Type: rawbgp.Sequence, ASNs: path}}, NextHop: netip.MustParseAddr(from)}
	for _, p := range prefixes {
		out = append(out, rawbgp.Route{Prefix: netip.MustParsePrefix(p), Attrs: attrs})
	}
	return out
}

// startBIRD announces fd00:1::/48 and fd00:2::/48 over IPv6.
func (b *bed) startBIRD() *netbed.Process {
	b.Helper()
	conf := b.Write("bird.conf", `router id 10.9.9.9;
protocol device {}
protocol static { ipv6; route fd00:1::/48 blackhole; route fd00:2::/48 blackhole; }
protocol bgp { local fd00::1 as 65106; neighbor fd00::4 as 65001; connect delay time 1; ipv6 { import all; export all; }; }
`)
	return b.Spawn("peers", "bird", "bird", "-f", "-c", conf, "-s", b.Path("bird.ctl"))
}

// message holds what pmbmpd writes about a message.
type message struct {
	EventType string `json:"event_type"`
	Type      string `json:"bmp_msg_type"`
	LogType   string `json:"log_type"`
	Peer      string `json:"peer_ip"`
	ASN       uint32 `json:"peer_asn"`
	ID        string `json:"bgp_id"`
	Post      int    `json:"is_post"`
	Prefix    string `json:"ip_prefix"`
	NextHop   string `json:"bgp_nexthop"`
	Path      string `json:"as_path"`
	Comms     string `json:"comms"`
	Local     string `json:"local_ip"`
	Reason    int    `json:"reason_type"`
	Counter   int    `json:"counter_type"`
	Value     uint64 `json:"counter_value"`
	Name      string `json:"bmp_init_info_sysname"`
	Descr     string `json:"bmp_init_info_sysdescr"`
	Port      int    `json:"bmp_router_port"`
}

// view holds the routes that the collector has of one neighbor before or after policy, by prefix.
type view map[string]string

// station holds what the collector made of the latest connection.
type station struct {
	init  message
	up    map[string]message
	downs []message // in order
	pre   map[string]view
	post  map[string]view
	stats map[string]map[int]uint64 // by neighbor and counter
	ports map[int]bool              // one for each connection so far
}

// heard reads what the collector wrote.
func (b *bed) heard() (s station) {
	b.Helper()
	s.ports = map[int]bool{}
	f, err := os.Open(b.Path("messages"))
	if err != nil {
		return s
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var m message
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			break // the last line, half written
		}
		if m.EventType == "log_init" {
			s = station{
				up: map[string]message{}, pre: map[string]view{}, post: map[string]view{},
				stats: map[string]map[int]uint64{}, ports: s.ports,
			}
			s.ports[m.Port] = true
		}
		s.take(&m)
	}
	return s
}

func (s *station) take(m *message) {
	switch m.Type {
	case "init":
		s.init = *m
	case "peer_up":
		s.up[m.Peer], s.pre[m.Peer], s.post[m.Peer] = *m, view{}, view{}
	case "peer_down":
		delete(s.up, m.Peer)
		delete(s.pre, m.Peer)
		delete(s.post, m.Peer)
		s.downs = append(s.downs, *m)
	case "stats":
		if s.stats[m.Peer] == nil {
			s.stats[m.Peer] = map[int]uint64{}
		}
		s.stats[m.Peer][m.Counter] = m.Value
	case "route_monitor":
		v := s.pre[m.Peer]
		if m.Post == 1 {
			v = s.post[m.Peer]
		}
		switch {
		case v == nil: // pmbmpd withdraws by itself what a neighbor had that is down
		case m.LogType == "withdraw":
			delete(v, m.Prefix)
		case m.Prefix != "":
			v[m.Prefix] = strings.TrimSpace(m.Path + " " + m.Comms)
		}
	}
}

// await polls until the collector has heard what check wants.
func (b *bed) await(what string, check func(*station) error) {
	b.Helper()
	b.Eventually(patience, func() error {
		s := b.heard()
		if err := check(&s); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		return nil
	})
}

// awaitViews waits until the collector has exactly these routes of a neighbor. Each is a prefix
// and its path with the communities.
func (b *bed) awaitViews(what, neighbor string, pre, post view) {
	b.Helper()
	b.await(what, func(s *station) error {
		if !maps.Equal(s.pre[neighbor], pre) || !maps.Equal(s.post[neighbor], post) || s.pre[neighbor] == nil {
			return fmt.Errorf("of %s: before policy %v, after it %v, want %v and %v", neighbor, s.pre[neighbor], s.post[neighbor], pre, post)
		}
		return nil
	})
}

// awaitDown waits for the end of a neighbor's session, with its reason.
func (b *bed) awaitDown(what, neighbor string, reason int) {
	b.Helper()
	b.await(what, func(s *station) error {
		if i := len(s.downs) - 1; s.up[neighbor].Peer != "" || i < 0 || s.downs[i].Peer != neighbor || s.downs[i].Reason != reason {
			return fmt.Errorf("%s up %t, downs %+v, want reason %d", neighbor, s.up[neighbor].Peer != "", s.downs, reason)
		}
		return nil
	})
}

// nvactl runs nvactl and decodes its JSON.
func (b *bed) nvactl(into any, args ...string) {
	b.Helper()
	out, err := b.Nvactl("nvad", append(args, "-o", "json")...)
	if err == nil {
		err = json.Unmarshal([]byte(out), into)
	}
	if err != nil {
		b.Fatal(err)
	}
}

// stationStatus is an entry of `nvactl status -o json`.
type stationStatus struct {
	Address      string
	Connected    bool
	Reason       string
	Connections  uint64
	Overflows    uint64
	BytesWaiting uint64 `json:"bytes_waiting"`
	MessagesSent uint64 `json:"messages_sent"`
	BytesSent    uint64 `json:"bytes_sent"`
}

func (b *bed) station() stationStatus {
	b.Helper()
	var s struct{ Stations []stationStatus }
	b.nvactl(&s, "status")
	if len(s.Stations) != 1 {
		b.Fatalf("%+v", s)
	}
	return s.Stations[0]
}

// eventuallyStation polls nvad's own account of the station.
func (b *bed) eventuallyStation(what string, ok func(stationStatus) bool) {
	b.Helper()
	b.Eventually(patience, func() error {
		if s := b.station(); !ok(s) {
			return fmt.Errorf("%s: %+v", what, s)
		}
		return nil
	})
}

// reload makes a configuration the running one.
func (b *bed) reload(config string) {
	b.Helper()
	b.Write("nvad.toml", config)
	if _, err := b.Nvactl("nvad", "reload"); err != nil {
		b.Fatal(err)
	}
}
