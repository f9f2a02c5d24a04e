package web

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/nvad/nvad/integration/lab"
)

// impatient returns an NVA with the configuration of a hub, whose sessions notice after seconds that
// nobody answers, not after three minutes.
func impatient(t *testing.T, hub string) lab.NVA {
	t.Helper()
	root, err := lab.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "configs", hub+".toml"))
	if err != nil {
		t.Fatal(err)
	}
	quick := regexp.MustCompile(`(?m)^(\[peer-group\.route-server\]|\[\[neighbor\]\])$`).ReplaceAll(text, []byte("$1\nhold-time = 6"))
	file := filepath.Join(t.TempDir(), hub+".toml")
	if err := os.WriteFile(file, quick, 0o644); err != nil {
		t.Fatal(err)
	}
	return lab.NVA{Kind: lab.Nvad, Binary: lab.Build(t, "./cmd/nvad"), Config: file}
}

// TestWatchALinkFail looks at the real two hubs while a hub's link is cut and comes back. Picture and
// health follow without a reload, and the timeline still knows the failure afterwards.
func TestWatchALinkFail(t *testing.T) {
	l := lab.UpOptions(t, lab.Options{Scenario: "two-hubs", NVAs: map[string]lab.NVA{"vm-hub00": impatient(t, "hub00"), "vm-hub10": impatient(t, "hub10")}})
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
	b.shoot("lab-cut")
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
	eval[any](b, "location.hash = '#/happened?q=hold'; null")
	const expired = "[...document.querySelectorAll('.body .row:not([hidden])')].find((r) => r.querySelector('.mark.bad') && r.textContent.includes('hold timer expired'))"
	b.await(expired)
	b.shoot("lab-happened")
	b.await("(() => { const row = " + expired + "; row?.click(); return row; })()") // a refresh may move it
	b.await("!document.querySelector('.notice.past').hidden")
	eval[any](b, "document.querySelector('nav [data-view=picture]').click(); null")
	b.await("document.querySelector('.canvas .item.down') && !document.querySelector('.notice.past').hidden")
	b.shoot("web-past")
	eval[any](b, "document.getElementById('live').click(); null")
	b.await(well)
}
