package hostile

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/rawbgp"
)

// groupLimit is the memory of the control group, in octets.
const groupLimit = 96 << 20

// confine creates a control group with groupLimit octets of memory for nvad.
func (b *bed) confine() (group string) {
	b.Helper()
	lab.RequireRoot(b.T)
	for _, h := range []struct{ parent, limit string }{
		{"/sys/fs/cgroup", "memory.max"}, {"/sys/fs/cgroup/memory", "memory.limit_in_bytes"},
	} {
		group := filepath.Join(h.parent, b.NS("memory"))
		if h.limit == "memory.max" {
			controllers, err := os.ReadFile(filepath.Join(h.parent, "cgroup.controllers"))
			if err != nil || !slices.Contains(strings.Fields(string(controllers)), "memory") {
				continue
			}
			_ = os.WriteFile(filepath.Join(h.parent, "cgroup.subtree_control"), []byte("+memory"), 0o644)
		}
		if os.Mkdir(group, 0o755) != nil {
			continue
		}
		b.Cleanup(func() { _ = os.Remove(group) })
		if err := os.WriteFile(filepath.Join(group, h.limit), []byte(strconv.Itoa(groupLimit)), 0o644); err != nil {
			b.Fatal(err)
		}
		b.group = group
		return group
	}
	b.Skip("no control groups that limit memory")
	return ""
}

// peak returns the most memory that was charged to a control group, in MiB.
func peak(group string) int {
	for _, file := range []string{"memory.peak", "memory.max_usage_in_bytes"} {
		if text, err := os.ReadFile(filepath.Join(group, file)); err == nil {
			n, _ := strconv.Atoi(strings.TrimSpace(string(text)))
			return n >> 20
		}
	}
	return 0
}

// received returns how many routes nvad has from a neighbor, and why its session is down.
func (b *bed) received(address string) (routes int, reason string, err error) {
	if err := b.alive(); err != nil {
		return 0, "", err
	}
	out, err := b.nvactl("neighbors", address, "-o", "json")
	if err != nil {
		return 0, "", err
	}
	var n struct {
		Received int    `json:"received"`
		State    string `json:"state"`
		Reason   string `json:"reason"`
	}
	if err := json.Unmarshal([]byte(out), &n); err != nil {
		return 0, "", err
	}
	if n.State == "Established" {
		n.Reason = ""
	}
	return n.Received, n.Reason, nil
}

const twoNeighbors = `asn = 65001
router-id = "10.0.0.4"

[[neighbor]]
address = "10.0.0.12"
remote-asn = 65002
maximum-prefix = 0
passive = true
import = "accept"

[[neighbor]]
address = "10.0.0.13"
remote-asn = 65003
maximum-prefix = 0
passive = true
import = "accept"
`

// TestRoutesWithinGroup: 100,000 routes fit into a control group of 96 MB, and nvad says at
// start that not many more would.
func TestRoutesWithinGroup(t *testing.T) {
	b := newBed(t, feederAddress, listenerAddress)
	group := b.confine()
	b.start(twoNeighbors)
	b.nvad.Logs("the control group (96 MiB) allows 80 MiB, enough for about 89000 routes")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	feeder := &attacker{bed: b, address: netip.MustParseAddr(feederAddress), asn: feederASN}
	s, err := feeder.await(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	const routes, perUpdate = 100_000, 100
	for i := 0; i < routes; i += perUpdate {
		var prefixes []uint32
		for j := range perUpdate {
			prefixes = append(prefixes, uint32(20<<16+i+j))
		}
		if !s.send(update(feeder.basics(), prefixes...)) {
			t.Fatalf("nvad stopped reading after %d routes: %v", i, b.alive())
		}
	}
	lab.Eventually(t, time.Minute, func() error {
		n, reason, err := b.received(feederAddress)
		if err == nil && n != routes {
			err = fmt.Errorf("%d of %d routes: %s", n, routes, reason)
		}
		return err
	})
	t.Logf("%d MiB of %d at most", peak(group), groupLimit>>20)
}

// TestMemoryBudget: in the same control group, a neighbor without maximum-prefix sends routes
// until nvad closes its session with Cease/Out of Resources. nvad survives, and so do the
// other neighbor's session and routes.
func TestMemoryBudget(t *testing.T) {
	b := newBed(t, feederAddress, listenerAddress)
	group := b.confine()
	b.start(twoNeighbors)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	good := &attacker{bed: b, address: netip.MustParseAddr(listenerAddress), asn: listenerASN}
	quiet, err := good.await(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer quiet.close()
	for i := range 1000 {
		quiet.send(update(good.basics(), uint32(200<<16+i)))
	}
	bad := &attacker{bed: b, address: netip.MustParseAddr(feederAddress), asn: feederASN}
	s, err := bad.await(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	sent := 0
	for filler := make([]byte, 3000); sent < 1_000_000 && ctx.Err() == nil; sent++ {
		binary.BigEndian.PutUint32(filler, uint32(sent))
		if !s.send(update(append(bad.basics(), rawbgp.Attr(rawbgp.OptionalTransitive, rawbgp.AttrUnknown, filler)...), uint32(20<<16+sent))) {
			break
		}
	}
	lab.Eventually(t, 20*time.Second, func() error {
		_, reason, err := b.received(feederAddress)
		if err == nil && !strings.Contains(reason, "memory budget exceeded") {
			err = errors.New("not closed: " + reason)
		}
		return err
	})
	lab.Eventually(t, 20*time.Second, func() error {
		n, reason, err := b.received(listenerAddress)
		if err == nil && (n != 1000 || reason != "") {
			err = fmt.Errorf("the good neighbor has %d routes, %s", n, reason)
		}
		return err
	})
	t.Logf("closed after %d routes; %d MiB of %d at most, %d MiB resident", sent, peak(group), groupLimit>>20, b.resident()>>10)
	if log := b.Read(b.nvad.Log); !strings.Contains(log, "the neighbor that holds most is closed") {
		t.Errorf("the log does not mention it:\n%s", log)
	}
}
