package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/watch"
)

// published returns the next hops and the states of the daemon that e published.
func published(e *Engine) (out []string) {
	for _, ev := range e.opt.Watch.Recent(watch.Filter{Kinds: watch.NextHops | watch.Daemon}) {
		switch c := ev.Change.(type) {
		case watch.NextHop:
			out = append(out, fmt.Sprintf("%s alive=%t by %s: %s", c.Address, c.Alive, c.By, c.Reason))
		case watch.Life:
			out = append(out, fmt.Sprintf("%s AS %d %s", c.State, c.ASN, c.RouterID))
		}
	}
	return out
}

// TestPublishesNextHops: a next hop is dead from the loss of its session until the session
// is back, and not only until the best paths have followed. One whose routes are kept does
// not die, and one whose neighbor is removed is not dead for ever.
func TestPublishesNextHops(t *testing.T) {
	run(t, false, func(t *testing.T, e *Engine, p *ports) {
		down := func(graceful bool) {
			p.events <- speaker.Down{From: speaker.From{Peer: farNVA}, Reason: "Cease", Graceful: graceful}
			time.Sleep(time.Second)
			synctest.Wait()
		}
		p.establish(farNVA, true, false)
		down(true)
		p.establish(farNVA, true, false)
		synctest.Wait()
		if got := published(e); slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, farNVA.String()) }) {
			t.Errorf("after a graceful restart: %q", got)
		}
		down(false)
		p.establish(farNVA, true, false)
		down(false)
		apply(t, e, without(farNVA))
		at := farNVA.String()
		want := []string{
			at + " alive=false by session: Cease", at + " alive=true by session: ",
			at + " alive=false by session: Cease", at + " alive=true by session: not a neighbor any more",
		}
		if got := published(e); !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

// TestPublishesInSync: the moment when the engine is in sync is published, with who it is.
func TestPublishesInSync(t *testing.T) {
	run(t, false, func(t *testing.T, e *Engine, p *ports) {
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		cfg := hub00()
		want := fmt.Sprintf("in sync AS %d %s", cfg.ASN, cfg.RouterID)
		if got := published(e); !slices.Equal(got, []string{want}) {
			t.Errorf("%q, want %q", got, want)
		}
	})
}
