package web

import (
	"testing"

	"github.com/chromedp/chromedp"
)

// TestPlaceIsInTheAddress checks that view, selection and moment survive a reload, and that the
// back button goes through them.
func TestPlaceIsInTheAddress(t *testing.T) {
	url := badDay(t)
	b := open(t)
	b.show(laptop)
	b.visit(url + "#/picture?sel=neighbor/vm-hub00/10.0.210.5")
	shown := func(words string) {
		t.Helper()
		b.await("document.querySelector('.panel h2')?.textContent === '" + words + "'")
	}
	shown("10.0.210.5")
	b.do(chromedp.Reload())
	shown("10.0.210.5")

	b.await("document.querySelector('.canvas .selected')")
	eval[any](b, "document.querySelector('[data-kind=neighbor][data-name=\"10.0.210.4\"]').dispatchEvent(new MouseEvent('click', {bubbles: true})); null")
	shown("10.0.210.4")
	eval[any](b, "document.querySelector('nav [data-view=health]').click(); null")
	b.await("document.querySelector('.problem')")
	b.do(chromedp.NavigateBack())
	shown("10.0.210.4")
	b.do(chromedp.NavigateBack())
	shown("10.0.210.5")

	at := eval[string](b, "new Date(Date.now() - 30000).toISOString()")
	b.visit(url + "#/routes?at=" + at + "&q=10.110.0.0/16&open=10.110.0.0/16")
	past := "document.querySelector('.story h2')?.textContent.includes('10.110.0.0/16') && document.getElementById('route-search').value === '10.110.0.0/16' && !document.querySelector('.notice.past').hidden"
	b.await(past)
	b.do(chromedp.Reload())
	b.await(past)
	eval[any](b, "document.querySelector('nav [data-view=happened]').click(); null")
	b.await("location.hash.startsWith('#/happened?at=')")
	eval[any](b, "document.getElementById('live').click(); null")
	b.await("location.hash === '#/happened' && document.querySelector('.notice.past').hidden")
	b.do(chromedp.NavigateBack())
	b.await("location.hash.startsWith('#/happened?at=') && !document.querySelector('.notice.past').hidden")
}

// TestNonsenseInTheAddress opens addresses that somebody mistyped.
func TestNonsenseInTheAddress(t *testing.T) {
	url := badDay(t)
	b := open(t)
	b.show(laptop)
	for _, place := range []string{"#", "#/", "#/nowhere", "#/picture?at=yesterday", "#/picture?sel=%00", "#/picture?sel=nva/nobody", "#/routes?nva=nobody&q=%25%ff", "#/happened?kind=nothing"} {
		b.visit(url + place)
		b.await("document.querySelector('main h1')")
		b.takeFaults() // the server's answer that a parameter is none is logged by Chromium
	}
}
