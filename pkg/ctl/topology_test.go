package ctl

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/nvad/nvad/pkg/api/apitest"
)

// TestTopology draws an NVA on a good day and one on a bad day in every form.
func TestTopology(t *testing.T) {
	hub := hub00()
	hub.TOML += "[[neighbor]]\naddress = \"10.0.210.4\"\nremote-asn = 65515\nvnet = [\"10.0.0.0/16\"]\n"
	for name, d := range map[string]*apitest.Daemon{"topology": hub, "bad-topology": badDay()} {
		socket := serve(t, d)
		for _, form := range []string{"text", "mermaid", "svg", "json"} {
			t.Run(name+" "+form, func(t *testing.T) {
				r := nvactl(t, socket, "topology", "-o", form)
				if r.code != 0 || r.err != "" {
					t.Fatalf("exit code %d: %s", r.code, r.err)
				}
				switch form {
				case "text":
					fits(t, r.out)
				case "svg":
					wellFormed(t, r.out)
					if !strings.Contains(r.out, "<text") || strings.Contains(r.out, "%!") {
						t.Error("nothing is drawn")
					}
				}
				golden(t, name+"."+form, r.out)
			})
		}
	}
}

func wellFormed(t *testing.T, text string) {
	t.Helper()
	dec := xml.NewDecoder(strings.NewReader(text))
	for {
		_, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestTopologyText: names from outside can't break a drawing.
func TestTopologyText(t *testing.T) {
	var mermaid strings.Builder
	n := &node{title: `"]; click <b>&`, detail: "a\x1b[31m#1\n", health: ill, below: []*node{{title: "x"}}}
	drawMermaid(&mermaid, n)
	if want := `n0["#quot;]; click #lt;b#gt;&<br/>a[31m#35;1 "]:::ill`; !strings.Contains(mermaid.String(), want) {
		t.Errorf("no %s in\n%s", want, mermaid.String())
	}
}
