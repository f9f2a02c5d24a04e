package ctl

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/api/apitest"
)

// TestWeb opens the page at the address that nvactl prints.
func TestWeb(t *testing.T) {
	out, in := io.Pipe()
	var errs bytes.Buffer
	ctx, stop := context.WithCancel(context.Background())
	env := Env{Out: in, Err: &errs, Now: time.Now, Width: defaultWidth, Getenv: func(string) string { return "" }}
	ended := make(chan int, 1)
	go func() {
		ended <- Run(ctx, env, []string{"--socket", serve(t, apitest.Hub00()), "web", "--listen", "127.0.0.1:0"})
		_ = in.Close()
	}()
	read := bufio.NewReader(out)
	first, err := read.ReadString('\n')
	address, ok := strings.CutPrefix(strings.TrimSpace(first), "Open ")
	if err != nil || !ok {
		t.Fatalf("got %q, %v", first, err)
	}
	go func() { _, _ = io.Copy(io.Discard, read) }()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := http.Client{Jar: jar, Transport: &http.Transport{}}
	defer browser.CloseIdleConnections()
	r, err := browser.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	page, err := io.ReadAll(r.Body)
	_ = r.Body.Close()
	if err != nil || r.StatusCode != http.StatusOK || !bytes.Contains(page, []byte("<!doctype html>")) {
		t.Errorf("%s: %s, %v", address, r.Status, err)
	}
	stop()
	if code := <-ended; code != 0 || errs.Len() > 0 {
		t.Errorf("exit code %d: %s", code, errs.String())
	}
}

// TestWebListen: nobody serves the page to other machines by mistake.
func TestWebListen(t *testing.T) {
	for address, want := range map[string]string{
		"localhost": `--listen: want ADDRESS:PORT, got "localhost" (see nvactl web --help)`,
		"0.0.0.0:8179": "--listen 0.0.0.0:8179: other machines may reach this address, and HTTP is not encrypted: forward a port with ssh -L, " +
			"or add --allow-remote (see nvactl web --help)",
		"[::]:8179": "--listen [::]:8179: other machines may reach this address, and HTTP is not encrypted: forward a port with ssh -L, " +
			"or add --allow-remote (see nvactl web --help)",
	} {
		t.Run(address, func(t *testing.T) { wantError(t, nvactl(t, "", "web", "--listen", address), want) })
	}
}
