package web

import (
	"fmt"
	"strings"
	"testing"
)

// sight is something that the page shows, with a condition that is true once it does.
type sight struct {
	name, place, ready string
}

const rows = "document.querySelector('[role=grid] .body [role=row]:not([hidden])')"

// sights are all views, of a site on a bad day.
var sights = []sight{
	{"picture", "#/picture", "document.querySelector('.canvas [data-kind]')"},
	{"picture-nva", "#/picture?sel=nva/vm-hub00", "document.querySelector('.panel h2') && document.querySelector('.canvas .selected')"},
	{"picture-neighbor", "#/picture?sel=neighbor/vm-hub00/10.0.210.5", "document.querySelector('.panel h2')"},
	{"routes", "#/routes", rows},
	{"routes-explained", "#/routes?q=10.0.0.0/8&open=10.110.0.0/16", rows + " && document.querySelector('.step')"},
	{"routes-none", "#/routes?q=nothing-like-this", "document.querySelector('.list-box .empty:not([hidden])')"},
	{"happened", "#/happened", rows},
	{"health", "#/health", "document.querySelector('.problem')"},
}

// TestEveryViewIsAccessible holds every view against axe-core, light and dark, on the narrowest
// screen and on a laptop's. Nothing may need sideways scrolling but tables and the picture. The
// screenshots are left for people to look at.
func TestEveryViewIsAccessible(t *testing.T) {
	source := axe(t)
	url := badDay(t)
	b := open(t)
	for name, s := range map[string]screen{"phone": phone, "phone-dark": phone.inTheDark(), "laptop": laptop, "laptop-dark": laptop.inTheDark(),
		"wall": wall, "wall-dark": wall.inTheDark()} {
		for _, v := range append(sights, past(b, url)...) {
			b.show(s)
			b.visit(url + v.place)
			b.await(v.ready)
			b.await("document.getElementById('connection').textContent !== 'Connecting'")
			b.shoot(v.name + "-" + name)
			if s.width != wall.width { // as on a laptop, but for the sizes
				if found := b.violations(source); found != "" {
					t.Errorf("%s, %s:\n%s", v.name, name, found)
				}
			}
			if wide := eval[string](b, wideParts); wide != "" {
				t.Errorf("%s, %s: wider than the screen: %s", v.name, name, wide)
			}
		}
	}
}

// wideParts are the elements that reach beyond the right edge of the screen, but for those within
// something that scrolls by itself.
const wideParts = `[...document.querySelectorAll('body *')].filter((e) => e.getBoundingClientRect().right > innerWidth + 1 &&
	!e.closest('.scroll-x, .canvas, .list, pre, .hidden')).map((e) => e.tagName + '.' + e.className).slice(0, 5).join(' ')`

// past are sights of a moment shortly before the present.
func past(b *tab, url string) []sight {
	b.Helper()
	b.visit(url)
	b.await("document.querySelector('.bars').getAttribute('d')")
	at := eval[string](b, "new Date(Date.now() - 60000).toISOString()")
	return []sight{
		{"happened-past", "#/happened?at=" + at, rows + " && document.querySelector('.notice.past:not([hidden])')"},
		{"picture-past", "#/picture?at=" + at, "document.querySelector('.canvas [data-kind]') && document.querySelector('.notice.past:not([hidden])')"},
	}
}

// TestThemeSwitch checks that the switch overrides what the system prefers, and that a reload
// keeps it.
func TestThemeSwitch(t *testing.T) {
	url := badDay(t)
	b := open(t)
	background := func() string { return eval[string](b, "getComputedStyle(document.body).backgroundColor") }
	b.show(laptop)
	b.visit(url)
	light := background()
	press := func(label string) {
		b.await("document.getElementById('theme').textContent === 'Theme: " + label + "'")
		eval[any](b, "document.getElementById('theme').click(); null")
	}
	press("automatic")
	if got := background(); got != light {
		t.Errorf("light has the background %s, the system's light theme has %s", got, light)
	}
	press("light")
	dark := background()
	if dark == light {
		t.Error("dark has the background of light")
	}
	b.visit(url)
	if got := background(); got != dark {
		t.Errorf("after a reload the background is %s, not %s", got, dark)
	}
	b.show(laptop.inTheDark())
	press("dark")
	if got := background(); got != dark {
		t.Errorf("automatic has the background %s though the system prefers dark, %s", got, dark)
	}
}

// TestStillWithoutMotion checks that nothing moves if the reader asked for that.
func TestStillWithoutMotion(t *testing.T) {
	url := badDay(t)
	b := open(t)
	b.prefer("prefers-reduced-motion", "reduce")
	b.visit(url)
	b.await("document.querySelector('.canvas [data-kind]')")
	moving := eval[[]string](b, `[...document.querySelectorAll('*')].filter((e) => {
		const s = getComputedStyle(e);
		return [...s.transitionDuration.split(','), ...s.animationDuration.split(',')].some((d) => parseFloat(d) > 0);
	}).map((e) => e.tagName + '.' + e.className)`)
	if len(moving) > 0 {
		t.Errorf("these move: %s", fmt.Sprint(strings.Join(moving, ", ")))
	}
}
