package hostile

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/rawbgp"
)

// flapsEach is how many routes flap in a second: each is withdrawn and comes back.
const flapsEach = 1000

// TestJournalCost measures how much of a processor nvad takes while 1,000 routes flap in each
// second, without and with a journal, in turns. Each flap changes a best path and the kernel's
// route twice.
func TestJournalCost(t *testing.T) {
	b := newBed(t, feederAddress)
	config := func(size int) string {
		return fmt.Sprintf("asn = %d\nrouter-id = %q\n[journal]\nsize = %d\n[[neighbor]]\naddress = %q\nremote-asn = %d\npassive = true\nimport = \"accept\"\n",
			dutASN, dutAddress, size, feederAddress, feederASN)
	}
	b.start(config(0))
	feeder, err := rawbgp.Peer{
		Local: netip.MustParseAddr(feederAddress), Remote: netip.MustParseAddr(dutAddress), ASN: feederASN, Dial: lab.DialFrom(b.NS(theirs)),
	}.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer feeder.Close()
	rounds, seconds := 3, 4
	if long {
		rounds, seconds = 5, 20
	}
	var costs []float64
	for range rounds {
		var share [2]float64
		for i, size := range []int{0, 64} {
			b.Write("nvad.toml", config(size))
			if out, err := b.nvactl("reload"); err != nil {
				t.Fatal(out, err)
			}
			b.flaps(feeder, 1) // until the journal has begun
			before, began := b.processor(), time.Now()
			b.flaps(feeder, seconds)
			share[i] = 100 * (b.processor() - before).Seconds() / time.Since(began).Seconds()
		}
		t.Logf("%.1f %% of a processor without a journal, %.1f %% with one", share[0], share[1])
		costs = append(costs, share[1]-share[0])
	}
	slices.Sort(costs)
	t.Logf("the journal takes %.1f %% of a processor (median of %.1f)", costs[len(costs)/2], costs)
}

// flaps flaps flapsEach routes a second, for some seconds.
func (b *bed) flaps(feeder *rawbgp.Session, seconds int) {
	b.Helper()
	const group = 20 // that flap together
	tick := time.NewTicker(time.Second * group / flapsEach)
	defer tick.Stop()
	for i := range seconds * flapsEach / group {
		var routes []rawbgp.Route
		var prefixes []netip.Prefix
		for k := range group {
			n := (i*group + k) % 5000
			p := netip.PrefixFrom(netip.AddrFrom4([4]byte{11, byte(n >> 8), byte(n), 0}), 24)
			attrs := &rawbgp.Attrs{
				Path: []rawbgp.Segment{{Type: 2, ASNs: []uint32{feederASN, 12076, uint32(64512 + n%50), 65010}}}, NextHop: netip.MustParseAddr(feederAddress),
				Communities: []uint32{1, uint32(n % 40)},
			}
			routes, prefixes = append(routes, rawbgp.Route{Prefix: p, Attrs: attrs}), append(prefixes, p)
		}
		if err := feeder.Announce(routes); err != nil {
			b.Fatal(err)
		}
		<-tick.C
		if err := feeder.Withdraw(prefixes...); err != nil {
			b.Fatal(err)
		}
	}
}

// processor returns how much processor time nvad has taken.
func (b *bed) processor() time.Duration {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", b.nvad.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(data), ") ")
	fields := strings.Fields(rest)
	ticks := 0
	for _, f := range fields[11:13] { // utime and stime of proc(5)
		n, _ := strconv.Atoi(f)
		ticks += n
	}
	return time.Duration(ticks) * time.Second / 100
}
