package hostile

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
)

// Attackers in a listen-range. There are more of them than places.
const (
	rangeAttackers = 40
	rangeLimit     = 8
	rangeASN       = 65200
)

// rangeConfig lets neighbors connect from the addresses of the attackers.
func rangeConfig() string {
	return goodNeighbors() + fmt.Sprintf("\n[peer-group.range]\nremote-asn = %d\nimport = \"accept\"\nexport = \"accept\"\n"+
		"listen-range = [\"10.0.0.128/25\"]\nlisten-limit = %d\nmaximum-prefix = 1000\n", rangeASN, rangeLimit)
}

// rangeAttacks lists what hosts in a listen-range can do together; each of them does it.
var rangeAttacks = []attack{
	{name: "sessions with routes", do: func(ctx context.Context, _ testing.TB, a *attacker) {
		for ctx.Err() == nil {
			s, err := a.establish(ctx, 0)
			if err != nil {
				pause(ctx)
				continue
			}
			for i := range 10 { // ten times maximum-prefix, of its own
				prefixes := make([]uint32, 1000)
				for k := range prefixes {
					prefixes[k] = uint32(30<<16+i*1000+k) + uint32(a.address.As4()[3])<<14
				}
				s.send(update(a.basics(), prefixes[:500]...))
				s.send(update(a.basics(), prefixes[500:]...))
				pause(ctx)
			}
			<-ctx.Done()
			s.close()
		}
	}},
	{name: "flaps", do: func(ctx context.Context, _ testing.TB, a *attacker) {
		for ctx.Err() == nil {
			if s, err := a.establish(ctx, 0); err == nil {
				s.send(update(a.basics(), 30<<16))
				s.close()
			}
			pause(ctx)
		}
	}},
	{name: "flaps with graceful restart", do: func(ctx context.Context, _ testing.TB, a *attacker) {
		for ctx.Err() == nil {
			if s, err := a.establish(ctx, time.Hour); err == nil {
				s.send(update(a.basics(), 30<<16))
				s.close()
			}
			pause(ctx)
		}
	}},
	{name: "handshakes that fail", do: func(ctx context.Context, _ testing.TB, a *attacker) {
		wrong := *a
		wrong.asn++
		for ctx.Err() == nil {
			if s, err := wrong.establish(ctx, 0); err == nil {
				s.close()
			}
			pause(ctx)
		}
	}},
	{name: "connections that say nothing", do: func(ctx context.Context, _ testing.TB, a *attacker) {
		for ctx.Err() == nil {
			if conn, err := a.peer(0).Open(ctx); err == nil {
				context.AfterFunc(ctx, func() { conn.Close() })
			}
			pause(ctx)
		}
	}},
}

// pause lets other attackers go first: forty that never wait would measure how fast the
// machine is.
func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(50 * time.Millisecond):
	}
}

// rangeView is the state of the range, as nvactl shows it.
type rangeView struct {
	dynamic, up int // neighbors of the range, and those with a session
}

func (b *bed) rangeView() (v rangeView) {
	b.Helper()
	for _, n := range neighborsOf(b) {
		if n.ListenRange != "" {
			v.dynamic++
			if n.State == "Established" {
				v.up++
			}
		}
	}
	return v
}

// TestRange attacks from a listen-range. The number of dynamic neighbors stays within the
// limit, the others are served as if nothing happened, and what the attackers leave goes.
func TestRange(t *testing.T) {
	for _, attack := range rangeAttacks {
		t.Run(attack.name, func(t *testing.T) {
			addresses := []string{feederAddress, listenerAddress, birdAddress}
			var attackers []*attacker
			for i := range rangeAttackers {
				address := fmt.Sprintf("10.0.0.%d", 130+i)
				addresses = append(addresses, address)
				attackers = append(attackers, &attacker{address: netip.MustParseAddr(address), asn: rangeASN})
			}
			b := newBed(t, addresses...)
			for _, a := range attackers {
				a.bed = b
			}
			b.start(rangeConfig())
			w := b.welcome()
			w.awaitSync(nil)
			before := b.resident()

			ctx, cancel := context.WithTimeout(t.Context(), attackTime())
			defer cancel()
			var all sync.WaitGroup
			all.Go(func() { w.watch(ctx) })
			most := rangeView{}
			all.Go(func() {
				for ctx.Err() == nil {
					v := b.rangeView()
					most.dynamic, most.up = max(most.dynamic, v.dynamic), max(most.up, v.up)
					pause(ctx)
				}
			})
			for _, a := range attackers {
				all.Go(func() { attack.do(ctx, t, a) })
			}
			all.Wait()
			t.Logf("at most %d dynamic neighbors, %d established", most.dynamic, most.up)
			if most.dynamic > rangeLimit {
				t.Errorf("%d dynamic neighbors, the limit is %d", most.dynamic, rangeLimit)
			}
			if attack.name == "sessions with routes" && most.up != rangeLimit {
				t.Errorf("%d sessions, want as many as the limit allows, %d", most.up, rangeLimit)
			}
			w.judge(before)
			w.givesBack(before)
			if attack.name == "flaps with graceful restart" {
				return // they ask for an hour, and get stalepath-time
			}
			lab.Eventually(t, giveBack, func() error {
				if v := b.rangeView(); v.dynamic > 0 {
					return fmt.Errorf("%d dynamic neighbors are left", v.dynamic)
				}
				return nil
			})
		})
	}
}

// neighborView is an entry of `nvactl neighbors -o json`.
type neighborView struct {
	State       string
	ListenRange string `json:"listen_range"`
}

func neighborsOf(b *bed) (list []neighborView) {
	b.Helper()
	out, err := b.nvactl("neighbors", "-o", "json")
	if err == nil {
		err = json.Unmarshal([]byte(out), &list)
	}
	if err != nil {
		b.Errorf("nvactl neighbors: %v: %s", err, out)
	}
	return list
}
