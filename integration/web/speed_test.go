package web

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/nvad/nvad/pkg/api/apitest"
	"github.com/nvad/nvad/pkg/engine"
	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/watch"
)

// scrolling is how a list fared while it was scrolled, in milliseconds.
type scrolling struct {
	Frames  int     // that were drawn
	Median  float64 // time between two frames
	P99     float64
	Worst   float64
	Long    int     // tasks of more than 50 ms
	Longest float64 // of them; 0: none
	Rows    int     // elements, at most
	Blank   int     // frames with a row in sight that had no text yet
}

// scroll scrolls a list from its begin to its end in 240 frames, as a hand on the bar does, and back
// in 60, and measures.
const scroll = `new Promise((done) => {
	const grid = document.querySelector('[role=grid]'), frames = [], tasks = [];
	new PerformanceObserver((list) => tasks.push(...list.getEntries().map((e) => e.duration))).observe({entryTypes: ['longtask']});
	let n = 0, last = performance.now(), rows = 0, blank = 0;
	function step(now) {
		frames.push(now - last);
		last = now;
		const shown = [...grid.querySelectorAll('.body [role=row]:not([hidden])')];
		rows = Math.max(rows, grid.querySelectorAll('[role=row]').length);
		if (shown.some((row) => row.textContent === '...')) blank++;
		if (n++ < 300) {
			const part = n <= 240 ? n / 240 : (300 - n) / 60;
			grid.scrollTop = part * (grid.scrollHeight - grid.clientHeight);
			requestAnimationFrame(step);
			return;
		}
		frames.sort((a, b) => a - b);
		setTimeout(() => done({Frames: frames.length, Median: frames[frames.length >> 1], P99: frames[Math.floor(frames.length * 0.99)],
			Worst: frames[frames.length - 1], Long: tasks.length, Longest: Math.max(0, ...tasks), Rows: rows, Blank: blank}), 100);
	}
	requestAnimationFrame(step);
})`

// generous is a bound for what takes some 20 ms on an idle machine, and this one may be busy. What
// does not depend on the machine is tested exactly: how many elements there are.
const generous = 1000.0

// TestTenThousandRoutesAndFiftyThousandEvents scrolls through all of them. The figures are printed:
// go test ./integration/web -run Thousand -v.
func TestTenThousandRoutesAndFiftyThousandEvents(t *testing.T) {
	const routes, events = 10_000, 50_000
	d := hub("vm-hub00")
	d.Tables[engine.LocRIB] = many(routes)
	d.Happened = apitest.Happened(happened(time.Now().Add(-events*1500*time.Millisecond), time.Now(), 1500*time.Millisecond)[:events]...)
	url, _ := page(t, serve(t, "vm-hub00", d))
	b := open(t)
	b.show(laptop)
	paint := math.Inf(1)
	for range 5 {
		b.visit(url)
		b.await("document.querySelector('.canvas [data-kind]')")
		paint = min(paint, eval[float64](b, "performance.getEntriesByName('first-contentful-paint')[0].startTime"))
	}
	t.Logf("first paint after %.0f ms, the best of five", paint)
	if paint > generous {
		t.Errorf("the first paint took %.0f ms", paint)
	}
	for _, list := range []struct {
		place string
		rows  int
	}{{"#/routes", routes}, {"#/happened", events}} {
		b.visit(url + list.place)
		b.await(fmt.Sprintf("%s && document.querySelector('[role=grid]').getAttribute('aria-rowcount') === '%d'", rows, list.rows+1))
		s := eval[scrolling](b, scroll)
		t.Logf("%d rows: %d frames, one each %.1f ms (99 %%: %.1f ms, worst: %.1f ms); %d tasks of more than 50 ms (longest: %.0f ms); %d elements for rows; %d frames waited for rows",
			list.rows, s.Frames, s.Median, s.P99, s.Worst, s.Long, s.Longest, s.Rows, s.Blank)
		if s.Rows > 60 {
			t.Errorf("%d rows have %d elements: only those in sight should", list.rows, s.Rows)
		}
		if s.Median > 100 || s.Worst > generous || s.Longest > generous {
			t.Errorf("scrolling %d rows stutters", list.rows)
		}
		eval[any](b, "document.querySelector('[role=grid]').scrollTop = 1e9; null")
		b.await(fmt.Sprintf("[...document.querySelectorAll('[role=grid] .body [role=row]:not([hidden])')].some((r) => r.getAttribute('aria-rowindex') === '%d' && r.textContent !== '...')", list.rows+1))
	}
}

// TestDragTheTimeline drags to the past with the mouse. Picture, tables and events show the moment,
// the page says so, and leads back.
func TestDragTheTimeline(t *testing.T) {
	d := hub("vm-hub00")
	down(d, rs1, "hold timer expired")
	list := []watch.Event{{At: time.Now().Add(-50 * time.Minute), Change: watch.Neighbor{Address: rs1, ASN: 65515, To: speaker.EstablishedState}}}
	for _, ev := range happened(time.Now().Add(-49*time.Minute), time.Now().Add(-2*time.Minute), 10*time.Second) {
		if _, ok := ev.Change.(watch.Route); ok {
			list = append(list, ev)
		}
	}
	d.Happened = apitest.Happened(append(list, watch.Event{At: time.Now().Add(-95 * time.Second),
		Change: watch.Neighbor{Address: rs1, ASN: 65515, From: speaker.EstablishedState, To: speaker.Idle, Reason: "hold timer expired"}})...)
	url, _ := page(t, serve(t, "vm-hub00", d))
	b := open(t)
	b.show(laptop)
	b.visit(url)
	const lost = "[...document.querySelectorAll('.tables tr')].find((r) => r.textContent.includes('10.0.210.5'))?.textContent.includes"
	b.await(lost + "('Idle')")
	b.await("document.querySelector('.canvas [data-kind]') && document.querySelector('.bars').getAttribute('d')")
	box := eval[[]float64](b, "(() => { const r = document.querySelector('.track').getBoundingClientRect(); return [r.left, r.top + r.height / 2, r.width]; })()")
	entries := eval[int](b, "history.length")
	b.do(chromedp.DragAndDropXY(box[0]+box[2], box[1], box[0]+box[2]*0.6, box[1], 20))
	b.await("!document.querySelector('.notice.past').hidden && document.querySelector('.notice.past').textContent.startsWith('You look at ')")
	ago := eval[float64](b, "(Date.now() - new Date(new URLSearchParams(location.hash.split('?')[1]).get('at'))) / 60000")
	if ago < 18 || ago > 22 {
		t.Errorf("two fifths of the 50 minutes that the journal has are 20, and the page shows the moment %.1f minutes ago", ago)
	}
	if made := eval[int](b, "history.length") - entries; made > 1 {
		t.Errorf("a drag made %d entries in the history of the browser, not one", made)
	}
	// At that moment the session that is lost now was established.
	b.await(lost + "('Established')")
	eval[any](b, "document.querySelector('nav [data-view=happened]').click(); null")
	b.await(rows + " && document.querySelector('[role=grid]').scrollTop > 0 && document.querySelector('.row.dim') && document.querySelector('.body .row:not(.dim):not([hidden])')")
	eval[any](b, "document.getElementById('live').click(); null")
	b.await("document.querySelector('.notice.past').hidden && document.querySelector('.time .now').textContent === 'Live'")
}
