package web

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

var images = flag.String("images", "", "directory for the pictures that the documentation shows")

// TestScreenshots takes the pictures that the documentation shows, if -images says where to:
// make screenshots.
func TestScreenshots(t *testing.T) {
	dir := *images
	if dir == "" {
		dir = t.TempDir()
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	b := open(t)
	b.show(laptop)
	url := badDay(t)
	for _, s := range []sight{
		{"web-picture", "#/picture?sel=neighbor/vm-hub00/10.0.210.5", "document.querySelector('.panel h2') && document.querySelector('.canvas .selected')"},
		{"web-routes", "#/routes?open=10.110.0.0/16", rows + " && document.querySelector('.step')"},
		{"web-happened", "#/happened", rows},
		{"web-health", "#/health", "document.querySelector('.problem')"},
	} {
		b.visit(url + s.place)
		b.await(s.ready + " && document.querySelector('.bars').getAttribute('d')")
		png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, s.name+".png"), png, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
