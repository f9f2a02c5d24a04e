package web

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// press types keys into whatever has the focus.
func (b *tab) press(keys string) {
	b.Helper()
	b.do(chromedp.KeyEvent(keys))
}

// focused describes what has the focus.
const focused = "((e) => e === document.body ? '' : (e.getAttribute('aria-label') || e.labels?.[0]?.textContent || e.textContent).trim())(document.activeElement)"

// tabTo presses Tab until something has the focus whose text contains words. Each stop on the way
// must show that it has the focus.
func (b *tab) tabTo(words string) {
	b.Helper()
	var stops []string
	for range 80 {
		b.press(kb.Tab)
		stop := eval[string](b, focused)
		stops = append(stops, stop)
		if !eval[bool](b, "document.activeElement === document.body || document.activeElement.matches(':focus-visible') && getComputedStyle(document.activeElement).outlineStyle !== 'none'") {
			b.Errorf("nothing shows that %q has the focus", stop)
		}
		if strings.Contains(stop, words) {
			return
		}
	}
	b.Fatalf("Tab does not lead to %q, but to %q", words, stops)
}

// TestKeyboardAlone uses each part of the page without a mouse.
func TestKeyboardAlone(t *testing.T) {
	url := badDay(t)
	b := open(t)
	b.show(laptop)
	b.visit(url)
	b.await("document.querySelector('.canvas [data-kind]')")

	b.tabTo("Skip to the content")
	b.press(kb.Enter)
	b.await("document.activeElement.id === 'main'")
	b.tabTo("10.0.210.5")
	b.press(kb.Enter)
	b.await("location.hash.includes('sel=') && document.activeElement.closest('.panel')")
	b.press(kb.Escape)
	b.await("!location.hash.includes('sel=') && document.activeElement.dataset.kind")

	b.visit(eval[string](b, "document.baseURI.split('#')[0]"))
	b.tabTo("Routes")
	b.press(kb.Enter)
	b.await(rows)
	b.tabTo("Prefix or address")
	b.press("10.110.0.4" + kb.Enter)
	b.await("document.querySelector('.step') && document.activeElement.closest('.story')")
	b.visit(eval[string](b, "document.baseURI.split('#')[0]") + "#/routes")
	b.await(rows)
	b.tabTo("Routes, ")
	b.press(kb.ArrowDown + kb.ArrowDown + kb.ArrowUp + kb.Enter)
	b.await("location.hash.includes('open=') && document.querySelector('.row.active.opened')")

	b.tabTo("Moment that is shown")
	b.press(kb.ArrowLeft)
	b.await("location.hash.includes('at=') && !document.querySelector('.notice.past').hidden")
	if text := eval[string](b, "document.activeElement.getAttribute('aria-valuetext')"); text == "Live" || text == "" {
		t.Errorf("the slider is called %q at a moment of the past", text)
	}
	b.press(kb.PageDown)
	b.press(kb.End)
	b.await("!location.hash.includes('at=') && document.querySelector('.notice.past').hidden")
	if text := eval[string](b, "document.activeElement.getAttribute('aria-valuetext')"); text != "Live" {
		t.Errorf("the slider is called %q at its end", text)
	}
}
