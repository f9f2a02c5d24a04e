package web

import (
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/api/apitest"
	"github.com/nvad/nvad/pkg/engine"
	"github.com/nvad/nvad/pkg/rib"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/watch"
)

// markup has what a neighbor may send where the protocol has room for text, and what people may
// paste into a description.
const markup = `<img src=x onerror="window.hacked=1"><script>window.hacked=1</script><svg onload=window.hacked=1>'"&amp;]]>`

// TestHostileTextStaysText puts markup wherever an NVA, a neighbor or a file can put text. The page
// shows it as it is, and nothing of it becomes an element.
func TestHostileTextStaysText(t *testing.T) {
	d := hub("vm-hub00")
	d.At.Host = markup
	down(d, rs1, markup)
	for i := range d.Peers {
		p := &d.Peers[i]
		p.Description, p.PeerGroup, p.Domain = markup, markup, markup
	}
	for i := range d.Devices {
		d.Devices[i].State, d.Devices[i].Reason = "failed", markup
	}
	d.Tables[engine.LocRIB] = []engine.Path{{
		Path:  rib.Path{Prefix: behind, Neighbor: rs0, Valid: true, Best: true, At: time.Now()},
		Attrs: &route.Attrs{ASPath: route.NewASPath(4294967295), NextHop: rs0}, NextHops: []string{markup}, Reason: markup,
	}}
	x := story()
	x.Paths[0].PeerGroup, x.Paths[0].Unresolved, x.Paths[0].Via = markup, markup, []string{markup}
	x.Paths[0].Checks[0].Value, x.Paths[0].Steps[0].Object, x.Exports[1].Held = markup, markup, markup
	d.Stories[behind] = x
	d.Happened = apitest.Happened(
		watch.Event{At: time.Now().Add(-time.Minute), Change: watch.Neighbor{Address: rs1, From: speaker.EstablishedState, To: speaker.Idle, Reason: markup}},
		watch.Event{At: time.Now().Add(-time.Minute), Change: watch.Operation{What: "reload", By: markup, Detail: markup, Error: markup}},
		watch.Event{At: time.Now().Add(-time.Minute), Change: watch.Problem{Began: true, Kind: "warning", Key: markup, Text: markup}},
		watch.Event{At: time.Now().Add(-time.Minute), Change: watch.Tunnel{Name: "vxlan0", Old: "up", New: "down", Reason: markup}},
	)
	url, _ := page(t, serve(t, "vm-hub00", d))
	b := open(t)
	b.show(laptop)
	for _, s := range []sight{
		{"picture", "#/picture", "document.querySelector('.canvas [data-kind]')"},
		{"neighbor", "", "document.querySelector('.panel').textContent.includes('onerror=')"},
		{"routes", "#/routes", rows},
		{"explanation", "#/routes?open=10.110.0.0/16", "document.querySelector('.story').textContent.includes('onerror=')"},
		{"events", "#/happened?q=" + "onerror", rows + "?.textContent.includes('onerror=')"},
		{"health", "#/health", "document.querySelector('.problem').textContent.includes('onerror=')"},
	} {
		if s.place == "" {
			eval[any](b, "document.querySelector('[data-kind=neighbor][data-name=\"10.0.210.5\"]').dispatchEvent(new MouseEvent('click', {bubbles: true})); null")
		} else {
			b.visit(url + s.place)
		}
		b.await(s.ready)
		if n := eval[int](b, "document.querySelectorAll('img, main script, [onerror], [onload], .canvas svg svg').length"); n > 0 {
			t.Errorf("%s: text became %d elements", s.name, n)
		}
		if eval[bool](b, "window.hacked === 1") {
			t.Errorf("%s: text was run", s.name)
		}
	}
}
