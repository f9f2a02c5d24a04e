package hostile

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/rawbgp"
)

// attack is the misbehaviour of one neighbor. It ends by itself or with ctx.
type attack struct {
	name string
	keys string // keys in the attacker's table of nvad.toml
	// early attacks begin before nvad is in sync.
	early bool
	do    func(ctx context.Context, t testing.TB, a *attacker)
}

// attackTime is how long each attack may last.
func attackTime() time.Duration {
	if long {
		return 25 * time.Second
	}
	return 4 * time.Second
}

// flood is how many messages an attack sends at most.
func flood(short int) int {
	if long {
		return 10 * short
	}
	return short
}

// attacks lists what a configured neighbor can do with a session.
var attacks = []attack{
	{name: "refresh", do: func(ctx context.Context, t testing.TB, a *attacker) {
		// Without a limit, each request makes nvad copy the table and send all of it.
		a.during(ctx, t, func(s *session) {
			pace(ctx, flood(4000), 1000, func(int) bool { return s.send(rawbgp.RefreshMessage) })
		})
	}},
	{name: "refresh before in sync", early: true, do: func(ctx context.Context, t testing.TB, a *attacker) {
		a.during(ctx, t, func(s *session) {
			pace(ctx, flood(4000), 1000, func(int) bool { return s.send(rawbgp.RefreshMessage) })
		})
	}},
	{name: "flaps", do: func(ctx context.Context, _ testing.TB, a *attacker) {
		for ctx.Err() == nil {
			if s, err := a.establish(ctx, 0); err == nil {
				s.send(update(a.basics(), 30<<16))
				s.close()
			}
		}
	}},
	{name: "flaps with graceful restart", do: func(ctx context.Context, _ testing.TB, a *attacker) {
		for ctx.Err() == nil {
			if s, err := a.establish(ctx, time.Hour); err == nil {
				s.send(update(a.basics(), 30<<16))
				s.close()
			}
		}
	}},
	{name: "aggregators", do: func(ctx context.Context, t testing.TB, a *attacker) {
		// Attribute sets that differ only in AGGREGATOR must not share one hash.
		a.sets(ctx, t, flood(100_000), func(i int) []byte {
			return rawbgp.Attr(rawbgp.OptionalTransitive, rawbgp.AttrAggregator, binary.BigEndian.AppendUint32(word(64512), uint32(0x0a000000+i)))
		})
	}},
	{name: "communities", do: func(ctx context.Context, t testing.TB, a *attacker) {
		a.sets(ctx, t, flood(100_000), func(i int) []byte {
			return rawbgp.Attr(rawbgp.OptionalTransitive, rawbgp.AttrCommunities, word(uint32(i)))
		})
	}},
	{name: "long attribute sets", keys: "maximum-prefix = 10", do: func(ctx context.Context, t testing.TB, a *attacker) {
		// 65 kB of an unknown attribute, with different content each time.
		filler := bytes.Repeat([]byte{0x5a}, 64_000)
		a.sets(ctx, t, flood(5000), func(i int) []byte {
			return rawbgp.Attr(rawbgp.OptionalTransitive, rawbgp.AttrUnknown, append(word(uint32(i)), filler...))
		})
	}},
	{name: "paths of one-ASN segments", keys: "maximum-prefix = 10", do: func(ctx context.Context, t testing.TB, a *attacker) {
		a.during(ctx, t, func(s *session) {
			path := append([]byte{2, 1}, word(a.asn)...)
			for i := range 10_000 {
				path = append(append(path, 2, 1), word(uint32(100_000+i))...)
			}
			pace(ctx, flood(5000), 2000, func(i int) bool {
				copy(path[8:], word(uint32(200_000+i)))
				return s.send(update(a.basicsWith(path, a.address), 30<<16))
			})
		})
	}},
	{name: "next hops", do: func(ctx context.Context, t testing.TB, a *attacker) {
		a.during(ctx, t, func(s *session) {
			path := append([]byte{2, 1}, word(a.asn)...)
			pace(ctx, flood(100_000), 30_000, func(i int) bool {
				hop := netip.AddrFrom4([4]byte{11, byte(i >> 16), byte(i >> 8), byte(i)})
				return s.send(update(a.basicsWith(path, hop), 30<<16))
			})
		})
	}},
	{name: "prefixes", do: func(ctx context.Context, t testing.TB, a *attacker) {
		a.prefixes(ctx, t, flood(300_000), func(prefixes []uint32) []byte { return update(a.basics(), prefixes...) })
	}},
	{name: "prefixes beyond maximum-prefix", keys: "maximum-prefix = 10\nmaximum-prefix-action = \"discard\"", do: func(ctx context.Context, t testing.TB, a *attacker) {
		a.prefixes(ctx, t, flood(300_000), func(prefixes []uint32) []byte { return update(a.basics(), prefixes...) })
	}},
	{name: "malformed prefixes", do: func(ctx context.Context, t testing.TB, a *attacker) {
		// Communities of three octets: treat-as-withdraw (RFC 7606 7.8).
		bad := append(a.basics(), rawbgp.Attr(rawbgp.OptionalTransitive, rawbgp.AttrCommunities, []byte{1, 2, 3})...)
		a.prefixes(ctx, t, flood(300_000), func(prefixes []uint32) []byte { return update(bad, prefixes...) })
	}},
	{name: "withdrawals of nothing", do: func(ctx context.Context, t testing.TB, a *attacker) {
		a.prefixes(ctx, t, flood(300_000), func(prefixes []uint32) []byte { return withdrawal(prefixes...) })
	}},
	{name: "announced and withdrawn", do: func(ctx context.Context, t testing.TB, a *attacker) {
		a.during(ctx, t, func(s *session) {
			pace(ctx, flood(50_000), 10_000, func(i int) bool {
				if i%2 == 1 {
					return s.send(withdrawal(30 << 16))
				}
				return s.send(update(a.basics(), 30<<16))
			})
		})
	}},
	{name: "never reads", do: func(ctx context.Context, t testing.TB, a *attacker) {
		conn, err := a.peer(0).Open(ctx)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		if _, err := a.peer(0).Handshake(conn); err != nil {
			t.Error(err)
			return
		}
		<-ctx.Done()
	}},
	{name: "connections that say nothing", do: func(ctx context.Context, t testing.TB, a *attacker) {
		pace(ctx, flood(2000), 500, func(int) bool {
			if conn, err := a.peer(0).Open(ctx); err == nil {
				context.AfterFunc(ctx, func() { conn.Close() })
			}
			return true
		})
		<-ctx.Done()
	}},
}

// sets announces one prefix over and over, with a different attribute each time.
func (a *attacker) sets(ctx context.Context, t testing.TB, count int, other func(i int) []byte) {
	a.during(ctx, t, func(s *session) {
		pace(ctx, count, 50_000, func(i int) bool { return s.send(update(append(a.basics(), other(i)...), 30<<16)) })
	})
}

// prefixes sends UPDATEs about count prefixes and keeps the session open.
func (a *attacker) prefixes(ctx context.Context, t testing.TB, count int, about func([]uint32) []byte) {
	const each = 500
	a.during(ctx, t, func(s *session) {
		pace(ctx, count/each, 400, func(i int) bool {
			prefixes := make([]uint32, each)
			for k := range prefixes {
				prefixes[k] = uint32(30<<16 + i*each + k)
			}
			return s.send(about(prefixes))
		})
	})
}

// during attacks over a session, which stays open until ctx ends.
func (a *attacker) during(ctx context.Context, t testing.TB, attack func(*session)) {
	s, err := a.await(ctx, 0)
	if err != nil {
		t.Errorf("the attacker's session: %v", err)
		return
	}
	defer s.close()
	attack(s)
	<-ctx.Done()
}

func word(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }

// TestNeighbor runs one attack at a time.
func TestNeighbor(t *testing.T) {
	for _, attack := range attacks {
		t.Run(attack.name, func(t *testing.T) { under(t, attack) })
	}
}

// TestFiveNeighbors runs the heaviest attacks together.
func TestFiveNeighbors(t *testing.T) {
	var five []attack
	for _, a := range attacks {
		switch a.name {
		case "refresh", "flaps", "aggregators", "paths of one-ASN segments", "malformed prefixes":
			five = append(five, a)
		}
	}
	under(t, five...)
}

// under checks nvad's promises while attackers attack, each from its own address.
func under(t *testing.T, attacks ...attack) {
	var attackers []*attacker
	addresses := []string{feederAddress, listenerAddress, birdAddress}
	config := goodNeighbors()
	for i, attack := range attacks {
		address := fmt.Sprintf("10.0.0.%d", 66+i)
		attackers = append(attackers, &attacker{address: netip.MustParseAddr(address), asn: uint32(65100 + i)})
		addresses = append(addresses, address)
		config += neighborKeys(address, 65100+i, attack.keys)
	}
	b := newBed(t, addresses...)
	for _, a := range attackers {
		a.bed = b
	}
	b.start(config)
	w := b.welcome()
	if !attacks[0].early {
		w.awaitSync(attackers)
	}
	before := b.resident()

	ctx, cancel := context.WithTimeout(t.Context(), attackTime())
	defer cancel()
	var all sync.WaitGroup
	all.Go(func() { w.watch(ctx) })
	for i, attack := range attacks {
		all.Go(func() { attack.do(ctx, t, attackers[i]) })
	}
	all.Wait()
	w.judge(before)
	w.givesBack(before)
}
