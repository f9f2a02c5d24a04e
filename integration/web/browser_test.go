package web

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/nvad/nvad/integration/lab"
)

// patience is the limit for everything that takes seconds at most on an idle machine.
const patience = 30 * time.Second

// screen is how a page is shown.
type screen struct {
	width, height int64
	dark          bool
}

var (
	phone  = screen{width: 360, height: 740}
	laptop = screen{width: 1280, height: 800}
	wall   = screen{width: 2560, height: 1440}
)

func (s screen) inTheDark() screen {
	s.dark = true
	return s
}

// tab is a tab of Chromium. A test fails if the page throws, logs an error, or does something
// that the Content-Security-Policy forbids.
type tab struct {
	*testing.T
	ctx context.Context

	mu     sync.Mutex
	faults []string
}

// open starts Chromium with a new profile.
func open(t *testing.T) *tab {
	t.Helper()
	lab.RequireCommands(t, "chromium")
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath("chromium"), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(t.TempDir()), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	ctx, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, end := chromedp.NewContext(ctx)
	b := &tab{T: t, ctx: ctx}
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Errorf("Chromium ends: %v", err)
		}
		end()
		stop()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("Chromium starts: %v", err)
	}
	go b.listen(chromedp.Console(ctx))
	t.Cleanup(func() {
		for _, fault := range b.takeFaults() {
			t.Errorf("the page: %s", fault)
		}
	})
	return b
}

func (b *tab) listen(messages func(yield func(chromedp.ConsoleMessage, error) bool)) {
	for m, err := range messages {
		if err != nil {
			return
		}
		if m.IsException() || m.Type == "error" || m.Type == "warning" {
			b.mu.Lock()
			b.faults = append(b.faults, m.String()+" "+m.URL)
			b.mu.Unlock()
		}
	}
}

// takeFaults returns what the page logged as an error since the last call.
func (b *tab) takeFaults() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	faults := b.faults
	b.faults = nil
	return faults
}

// do runs actions within patience.
func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.Fatal(err)
	}
}

// eval returns the value of a JavaScript expression, after its promise is kept.
func eval[T any](b *tab, expression string) T {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.Fatalf("%s: %v", expression, err)
	}
	return value
}

// await polls until a JavaScript expression is true.
func (b *tab) await(expression string) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	for {
		is, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("Boolean("+expression+")"))
		switch {
		case err == nil && is:
			return
		case ctx.Err() != nil:
			b.shoot("failed-" + filepath.Base(b.Name()))
			b.Fatalf("after %v not true: %s", patience, expression)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// show makes the tab as large as a screen, light or dark.
func (b *tab) show(s screen) {
	b.Helper()
	b.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
			Width: s.width, Height: s.height, DeviceScaleFactor: 1, Mobile: s.width < 500,
		})
		return err
	}))
	scheme := "light"
	if s.dark {
		scheme = "dark"
	}
	b.prefer("prefers-color-scheme", scheme)
}

// prefer sets what the reader asked of the system.
func (b *tab) prefer(feature, value string) {
	b.Helper()
	b.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: feature, Value: value}},
		})
		return err
	}))
}

// visit loads an address afresh.
func (b *tab) visit(url string) {
	b.Helper()
	b.do(chromedp.Navigate("about:blank"), chromedp.Navigate(url))
}

// images is where pictures go that the documentation shows: make screenshots.
var images = flag.String("images", "", "directory for the pictures that the documentation shows")

// shoot writes what the tab shows to a file in dist/web. If -images is given, those of a name that
// begins with "web-" go there too.
func (b *tab) shoot(name string) {
	b.Helper()
	root, err := lab.ModuleRoot()
	if err != nil {
		b.Fatal(err)
	}
	png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.Fatal(err)
	}
	dirs := []string{filepath.Join(root, "dist", "web")}
	if *images != "" && strings.HasPrefix(name, "web-") {
		dirs = append(dirs, *images)
	}
	for _, dir := range dirs {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
			b.Fatal(err)
		}
	}
}
