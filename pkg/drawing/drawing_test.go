package drawing

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// hostile tries to end an attribute, an element and the document, and to change what is read.
const hostile = `"'><script>alert(1)</script><g onload="x"]]>` + "\x00\x1b[31m\u202e\u2066\U000e0041" + `&#x3c;&lt;`

func hostileSite(n int) *Site {
	p := Part{Kind: hostile, NVA: hostile, Name: hostile, Title: hostile, Detail: hostile, Word: hostile, State: Down}
	s := &Site{Title: hostile, Caption: hostile}
	for i := range n {
		many := make([]Part, n)
		for k := range many {
			many[k] = p
		}
		v := NVA{Part: p, Lines: []string{hostile, strings.Repeat("w", 10000)}, Rows: many}
		v.Name = fmt.Sprint(i)
		s.Hubs = append(s.Hubs, Hub{Title: hostile, Behind: many[:min(n, 4)], Groups: []Group{{hostile, hostile, many}}, NVAs: []NVA{v}})
		remote := p
		s.Tunnels = append(s.Tunnels, Tunnel{Part: p, From: v.Name, Remote: &remote, Rows: many}, Tunnel{Part: p, From: v.Name, To: "0"}, Tunnel{From: "none", To: hostile})
	}
	return s
}

// TestHostile: whatever the texts are, the document has only the elements and attributes of a
// drawing.
func TestHostile(t *testing.T) {
	allowed := regexp.MustCompile(`^(svg|title|style|rect|path|circle|g|text|tspan)$`)
	for _, page := range []bool{true, false} {
		out := Draw(hostileSite(3), Options{Width: 900, Page: page})
		dec := xml.NewDecoder(strings.NewReader(string(out)))
		for {
			token, err := dec.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			e, ok := token.(xml.StartElement)
			if !ok {
				continue
			}
			if !allowed.MatchString(e.Name.Local) || page && e.Name.Local == "style" {
				t.Errorf("element %s", e.Name.Local)
			}
			for _, a := range e.Attr {
				if strings.HasPrefix(a.Name.Local, "on") || a.Name.Local == "style" || a.Name.Local == "href" {
					t.Errorf("attribute %s=%q of %s", a.Name.Local, a.Value, e.Name.Local)
				}
			}
		}
		if strings.ContainsAny(string(out), "\u202e\u2066\x1b\x00") {
			t.Error("invisible characters are drawn")
		}
	}
}

// TestFits: nothing is outside of the drawing, at any width.
func TestFits(t *testing.T) {
	for _, width := range []int{0, 320, 360, 700, 1100, 1920, 3840} {
		for _, n := range []int{0, 1, 2, 7} {
			out := string(Draw(hostileSite(n), Options{Width: width, Page: true}))
			if w := attribute(t, out, `<svg[^>]* width="(\d+)"`); w != max(width, Narrowest) {
				t.Errorf("width %d for %d", w, width)
			}
			height := attribute(t, out, `<svg[^>]* height="(\d+)"`)
			for _, r := range regexp.MustCompile(`<rect class="\w+" x="(-?\d+)" y="(-?\d+)" width="(-?\d+)" height="(-?\d+)"`).FindAllStringSubmatch(out, -1) {
				x, y, w, h := atoi(r[1]), atoi(r[2]), atoi(r[3]), atoi(r[4])
				if x < 0 || y < 0 || w <= 0 || h <= 0 || x+w > max(width, Narrowest) || y+h > height {
					t.Fatalf("%d hubs at %d: %s is outside of %d x %d", n, width, r[0], width, height)
				}
			}
		}
	}
}

func attribute(t *testing.T, text, pattern string) int {
	t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("no %s in %.300s", pattern, text)
	}
	return atoi(m[1])
}

func atoi(s string) int { n, _ := strconv.Atoi(s); return n }

// TestBounded: a site of an impostor does not become a document that no browser can show.
func TestBounded(t *testing.T) {
	if n := len(Draw(hostileSite(64), Options{Width: 1100, Page: true})); n > 8<<20 {
		t.Errorf("%d bytes", n)
	}
}

// TestCut measures by characters, not by bytes.
func TestCut(t *testing.T) {
	for s, want := range map[string]string{"abcdef": "abcd…", "äöüäö": "äöüäö", "äöüäöü": "äöüä…", "": ""} {
		if got := cut(s, 50, 10); got != want {
			t.Errorf("%q: got %q, want %q", s, got, want)
		}
	}
}

// TestNames: the name of a button begins with what is drawn, and says also what was cut.
func TestNames(t *testing.T) {
	s := &Site{Hubs: []Hub{{NVAs: []NVA{{Part: Part{Kind: "nva", Name: "a", Title: "vm-hub00", Word: "in sync", Detail: strings.Repeat("10.0.0.0/16 ", 20), State: Up},
		Rows: []Part{{Kind: "neighbor", Title: "10.0.0.9", Detail: "2 in, 1 out", Word: "up", State: Up}}}}}}}
	out := string(Draw(s, Options{Width: 320, Page: true}))
	labels := regexp.MustCompile(`aria-label="([^"]*)"`).FindAllStringSubmatch(out, -1)
	if len(labels) != 3 || !strings.HasPrefix(labels[1][1], "vm-hub00 in sync 10.0.0.0/16") || !strings.HasSuffix(labels[1][1], s.Hubs[0].NVAs[0].Detail) ||
		labels[2][1] != "10.0.0.9 2 in, 1 out · up" {
		t.Errorf("got %q", labels)
	}
}
