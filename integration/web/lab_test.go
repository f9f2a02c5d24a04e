package web

import (
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/nvad/nvad/integration/lab"
)

// TestWatchALinkFail looks at the real two hubs while a hub's link is cut and comes back. Picture and
// health follow without a reload, and the timeline still knows the failure afterwards.
func TestWatchALinkFail(t *testing.T) {
	l := lab.UpScenario(t, "two-hubs")
	url, _ := page(t, nva{"vm-hub00", l.NVASocket("vm-hub00")}, nva{"vm-hub10", l.NVASocket("vm-hub10")})
	b := open(t)
	b.show(laptop)
	b.visit(url)
	const well = "document.querySelector('.canvas [data-kind=tunnel].up') && !document.querySelector('.canvas .item.down')"
	b.await(well)
	b.shoot("web-picture")
	eval[any](b, "window.sameDocument = true; null")

	if err := l.LinkDown("vm-hub10"); err != nil {
		t.Fatal(err)
	}
	b.await("document.querySelector('.canvas .item.down')")
	b.await("document.querySelector('h1').textContent.includes('problem')")
	b.shoot("web-cut")
	eval[any](b, "document.querySelector('nav [data-view=health]').click(); null")
	b.await("document.querySelector('.problem.bad') && document.querySelector('.problem .command')")
	b.shoot("web-health")

	if err := l.LinkUp("vm-hub10"); err != nil {
		t.Fatal(err)
	}
	eval[any](b, "document.querySelector('nav [data-view=picture]').click(); null")
	b.await(well)
	if !eval[bool](b, "window.sameDocument === true") {
		t.Error("the page was loaded again meanwhile")
	}

	// The story of the far VNet's prefix goes through both NVAs.
	eval[any](b, "document.querySelector('nav [data-view=routes]').click(); null")
	b.await(rows)
	b.do(chromedp.SendKeys("#route-search", "10.110.0.0/16\r"))
	b.await("document.querySelectorAll('.card').length === 2 && document.querySelectorAll('.step').length > 4")
	b.shoot("web-routes")

	// The failure is in the past now: the list leads to its moment.
	eval[any](b, "document.querySelector('nav [data-view=happened]').click(); null")
	b.await("[...document.querySelectorAll('.body .row:not([hidden])')].some((r) => r.querySelector('.mark.bad'))")
	eval[any](b, "[...document.querySelectorAll('.body .row:not([hidden])')].find((r) => r.querySelector('.mark.bad')).click(); null")
	b.await("!document.querySelector('.notice.past').hidden")
	eval[any](b, "document.querySelector('nav [data-view=picture]').click(); null")
	b.await("document.querySelector('.canvas .item.down') && !document.querySelector('.notice.past').hidden")
	b.shoot("web-past")
	eval[any](b, "document.getElementById('live').click(); null")
	b.await(well)
}
