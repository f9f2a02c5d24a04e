package hostile

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/rawbgp"
)

// The limits under each attack.
const (
	mostGrowth = 64 << 10 // KiB of memory beyond the need of the same routes without an attack
	mostKept   = 32 << 10 // KiB of that growth that may remain after giveBack
	giveBack   = 10 * time.Second
	mostDelay  = 100 * time.Millisecond // how long a good neighbor's route takes to cross, at the 99th percentile
)

// allowance widens the limits if nvad is built with the race detector, which needs memory and
// time itself.
var allowance = func() int {
	if strings.Contains(os.Getenv("GOFLAGS"), "-race") {
		return 10
	}
	return 1
}()

// standing is how many routes the feeder announces.
func standing() int {
	if long {
		return 100_000
	}
	return 10_000
}

// probed is the feeder's route that changes, so that the test can measure how long a change
// takes to cross.
var probed = netip.MustParsePrefix("203.0.113.0/24")

// witnesses are the well-behaved neighbors, and what they have seen.
type witnesses struct {
	*bed
	feeder, listener *rawbgp.Session

	mu     sync.Mutex
	probes uint32               // sent so far
	sent   map[uint32]time.Time // probes under way, by number
	delays []time.Duration
	peak   int // KiB
	unwell []string
}

// birdConfig configures a neighbor with BFD.
const birdConfig = `
router id 10.0.0.20;
protocol device {}
protocol bfd { interface "*" { interval 500 ms; multiplier 4; }; }
protocol bgp nvad {
	local 10.0.0.20 as 65020;
	neighbor 10.0.0.4 as 65001;
	hold time 9;
	bfd yes;
	ipv4 { import all; export none; };
}
`

// goodNeighbors returns the part of nvad's configuration for these neighbors.
func goodNeighbors() string {
	text := fmt.Sprintf("asn = %d\nrouter-id = %q\nhealth.listen = [\"%s:%s\"]\n", dutASN, dutAddress, dutAddress, healthPort)
	for _, n := range []struct {
		address string
		asn     int
		keys    string
	}{{feederAddress, feederASN, "maximum-prefix = 1000000"}, {listenerAddress, listenerASN, ""}, {birdAddress, birdASN, "bfd = { min-tx = 500, min-rx = 500, multiplier = 4 }\nhold-time = 9"}} {
		text += neighborKeys(n.address, n.asn, n.keys)
	}
	return text
}

func neighborKeys(address string, asn int, keys string) string {
	return fmt.Sprintf("\n[[neighbor]]\naddress = %q\nremote-asn = %d\npassive = true\nimport = \"accept\"\nexport = \"accept\"\n%s\n", address, asn, keys)
}

// welcome starts the good neighbors and waits until the standing routes have
// crossed.
func (b *bed) welcome() *witnesses {
	b.Helper()
	w := &witnesses{bed: b, sent: map[uint32]time.Time{}}
	b.bird(birdConfig, 0)
	w.feeder = w.good(feederAddress, feederASN, nil)
	if err := w.feeder.Announce(w.standingRoutes()); err != nil {
		b.Fatal(err)
	}
	w.listener = w.good(listenerAddress, listenerASN, w.hear)
	if err := w.listener.Announce(nil); err != nil {
		b.Fatal(err)
	}
	lab.Eventually(b.T, 30*time.Second, func() error {
		if n := len(w.listener.Table()); n != standing() {
			return fmt.Errorf("the listener has %d of %d routes", n, standing())
		}
		return w.birdHolds()
	})
	return w
}

// awaitSync makes the attackers announce that they have no routes, and waits until nvad has
// received everybody's End-of-RIB.
func (w *witnesses) awaitSync(attackers []*attacker) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), 20*time.Second)
	defer cancel()
	for _, a := range attackers {
		s, err := a.await(ctx, 0)
		if err != nil {
			w.Fatal(err)
		}
		s.send(rawbgp.Message(rawbgp.TypeUpdate, []byte{0, 0, 0, 0})) // End-of-RIB
		defer s.close()
	}
	lab.Eventually(w.T, 20*time.Second, func() error {
		if code, body, err := w.healthz(); err != nil || code != http.StatusOK {
			return fmt.Errorf("/healthz: %d %s %v", code, body, err)
		}
		return nil
	})
}

func (w *witnesses) good(address string, asn uint32, watch func(rawbgp.Update)) *rawbgp.Session {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), 10*time.Second)
	defer cancel()
	a := netip.MustParseAddr(address)
	s, err := rawbgp.Peer{
		Local: a, Remote: netip.MustParseAddr(dutAddress), ASN: asn, Dial: lab.DialFrom(w.NS(theirs)), Plain: true, Watch: watch,
	}.Connect(ctx)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(s.Close)
	return s
}

func (w *witnesses) standingRoutes() []rawbgp.Route {
	attrs := &rawbgp.Attrs{Path: []rawbgp.Segment{{Type: rawbgp.Sequence, ASNs: []uint32{feederASN}}}, NextHop: netip.MustParseAddr(feederAddress)}
	var routes []rawbgp.Route
	for i := range standing() {
		n := uint32(20<<16 + i)
		routes = append(routes, rawbgp.Route{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(n >> 16), byte(n >> 8), byte(n)}), 24), Attrs: attrs})
	}
	return routes
}

// hear records when a probe has crossed.
func (w *witnesses) hear(u rawbgp.Update) {
	if !slices.Contains(u.Announced, probed) {
		return
	}
	// nvad does not pass MED on, so the probe's number is a community.
	var high, low uint32
	_, err := fmt.Sscanf(u.Attrs["communities"], "%d:%d", &high, &low)
	n := high<<16 | low
	if err != nil {
		w.complain("a probe arrived with communities %q", u.Attrs["communities"])
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for probe, at := range w.sent {
		if probe <= n { // probes that a later one has overtaken have crossed with it
			w.delays = append(w.delays, time.Since(at))
			delete(w.sent, probe)
		}
	}
}

// watch observes nvad and what the neighbors see, until ctx ends.
func (w *witnesses) watch(ctx context.Context) {
	var all sync.WaitGroup
	for _, look := range []struct {
		every time.Duration
		do    func()
	}{{25 * time.Millisecond, w.probe}, {20 * time.Millisecond, w.weigh}, {250 * time.Millisecond, w.health}} {
		all.Go(func() {
			tick := time.NewTicker(look.every)
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
					look.do()
				}
			}
		})
	}
	all.Wait()
}

func (w *witnesses) probe() {
	w.mu.Lock()
	w.probes++
	n := w.probes
	w.sent[n] = time.Now()
	w.mu.Unlock()
	attrs := &rawbgp.Attrs{
		Path:        []rawbgp.Segment{{Type: rawbgp.Sequence, ASNs: []uint32{feederASN}}},
		NextHop:     netip.MustParseAddr(feederAddress),
		Communities: []uint32{n},
	}
	if err := w.feeder.Routes([]rawbgp.Route{{Prefix: probed, Attrs: attrs}}); err != nil {
		w.complain("the feeder's session: %v", err)
	}
}

func (w *witnesses) weigh() {
	now := w.resident()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.peak = max(w.peak, now)
}

// health probes nvad as a load balancer does. nvad routes for everybody else all the time, so
// once it is in sync, 200 is the true answer.
func (w *witnesses) health() {
	code, body, err := w.healthz()
	switch {
	case err != nil:
		w.complain("/healthz: %v", err)
	case code != http.StatusOK && !strings.Contains(body, "not in sync"):
		w.complain("/healthz answers %d: %s", code, body)
	}
}

func (w *witnesses) healthz() (code int, body string, err error) {
	client := http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			return lab.DialFrom(w.NS(theirs))(ctx, netip.AddrPortFrom(netip.MustParseAddr(listenerAddress), 0), netip.MustParseAddrPort(address))
		},
	}}
	answer, err := client.Get("http://" + net.JoinHostPort(dutAddress, healthPort) + "/healthz")
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 4096))
	return answer.StatusCode, strings.TrimSpace(string(text)), err
}

func (w *witnesses) complain(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.unwell) < 10 {
		w.unwell = append(w.unwell, fmt.Sprintf(format, args...))
	}
}

// judge fails the test if a limit was exceeded during an attack. before is the memory at its
// start, in KiB.
func (w *witnesses) judge(before int) {
	w.Helper()
	w.mu.Lock()
	delays, peak, unwell := slices.Sorted(slices.Values(w.delays)), w.peak, w.unwell
	w.mu.Unlock()
	for _, s := range unwell {
		w.Error(s)
	}
	if len(delays) < 40 {
		w.Fatalf("%d probes have crossed", len(delays))
	}
	p99 := delays[len(delays)*99/100]
	w.Logf("memory %d MB, at most %d MB; %d probes, median %v, p99 %v, slowest %v",
		before>>10, peak>>10, len(delays), delays[len(delays)/2], p99, delays[len(delays)-1])
	if p99 >= mostDelay*time.Duration(allowance) {
		w.Errorf("99 %% of the feeder's routes crossed within %v, want within %v", p99, mostDelay)
	}
	if peak-before > mostGrowth*allowance {
		w.Errorf("memory grew by %d KiB, more than %d", peak-before, mostGrowth)
	}
	for name, s := range map[string]*rawbgp.Session{"feeder": w.feeder, "listener": w.listener} {
		if err := s.Err(); err != nil {
			w.Errorf("the %s's session: %v", name, err)
		}
	}
	if err := w.birdHolds(); err != nil {
		w.Error(err)
	}
	if err := w.alive(); err != nil {
		w.Error(err)
	}
	if w.Failed() {
		table, err := w.nvactl("neighbors")
		w.Logf("%s%v", table, err)
	}
}

// givesBack waits until memory is back at its value before the attack, plus some slack.
func (w *witnesses) givesBack(before int) {
	w.Helper()
	lab.Eventually(w.T, giveBack, func() error {
		if now := w.resident(); now-before > mostKept*allowance {
			return fmt.Errorf("%d KiB more than before the attack", now-before)
		}
		return nil
	})
}

// birdHolds returns an error unless BIRD's session and BFD are up and were never lost.
func (w *witnesses) birdHolds() error {
	out, err := w.nvactl("neighbors", birdAddress, "-o", "json")
	if err != nil {
		return err
	}
	var bird struct {
		State string
		Flaps int
		BFD   *struct{ State string }
	}
	if err := json.Unmarshal([]byte(out), &bird); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	if bird.State != "Established" || bird.Flaps != 0 || bird.BFD == nil || !strings.EqualFold(bird.BFD.State, "up") {
		return fmt.Errorf("BIRD: %s, lost %d times, BFD %+v", bird.State, bird.Flaps, bird.BFD)
	}
	return nil
}
