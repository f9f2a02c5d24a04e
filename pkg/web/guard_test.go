package web

import (
	"net/http"
	"strings"
	"testing"

	"github.com/nvad/nvad/pkg/api/apitest"
)

// TestGuard: whoever lacks one of the secrets, or comes by another name, gets nothing.
func TestGuard(t *testing.T) {
	b := open(t, NVA{Name: "vm-hub00", Client: daemon(t, apitest.Hub00())})
	origin, base, _ := strings.Cut(strings.TrimPrefix(b.root, "http://"), "/")
	cookie := ""
	for _, c := range b.client.Jar.Cookies(parsed(t, b.root)) {
		cookie = c.Name + "=" + c.Value
	}
	for name, c := range map[string]struct {
		method, path, host, cookie string
		want                       int
	}{
		"page":                {path: "/" + base, cookie: cookie, want: http.StatusOK},
		"HEAD":                {method: "HEAD", path: "/" + base, cookie: cookie, want: http.StatusOK},
		"localhost":           {path: "/" + base, host: "localhost:1234", cookie: cookie, want: http.StatusOK},
		"IPv6":                {path: "/" + base, host: "[::1]:1234", cookie: cookie, want: http.StatusOK},
		"no cookie":           {path: "/" + base, want: http.StatusForbidden},
		"no cookie, API":      {path: "/" + base + "api/site", want: http.StatusForbidden},
		"no cookie, file":     {path: "/" + base + "static/drawing.css", want: http.StatusForbidden},
		"wrong cookie":        {path: "/" + base, cookie: cookie + "x", want: http.StatusForbidden},
		"empty cookie":        {path: "/" + base, cookie: cookieName + "=", want: http.StatusForbidden},
		"no path":             {path: "/", cookie: cookie, want: http.StatusForbidden},
		"wrong path":          {path: "/X" + base, cookie: cookie, want: http.StatusForbidden},
		"wrong token":         {path: "/?token=x", want: http.StatusForbidden},
		"cookie as token":     {path: "/?token=" + strings.TrimPrefix(cookie, cookieName+"="), want: http.StatusForbidden},
		"empty token":         {path: "/?token=", want: http.StatusForbidden},
		"rebinding":           {path: "/" + base, host: "evil.example", cookie: cookie, want: http.StatusForbidden},
		"rebinding with port": {path: "/" + base, host: "evil.example:8179", cookie: cookie, want: http.StatusForbidden},
		"like an address":     {path: "/" + base, host: "127.0.0.1.evil.example", cookie: cookie, want: http.StatusForbidden},
		"POST":                {method: "POST", path: "/" + base + "api/site", cookie: cookie, want: http.StatusMethodNotAllowed},
		"DELETE":              {method: "DELETE", path: "/" + base, want: http.StatusMethodNotAllowed},
		"OPTIONS":             {method: "OPTIONS", path: "/" + base, want: http.StatusMethodNotAllowed},
		"out of the files":    {path: "/" + base + "static/..%2f..%2fweb.go", cookie: cookie, want: http.StatusNotFound},
		"no such file":        {path: "/" + base + "static/none.js", cookie: cookie, want: http.StatusNotFound},
		"no such question":    {path: "/" + base + "api/none", cookie: cookie, want: http.StatusNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := http.NewRequest(c.method, "http://"+origin+c.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Host = c.host
			if c.cookie != "" {
				r.Header.Set("Cookie", c.cookie)
			}
			answer, err := b.client.Transport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = answer.Body.Close()
			if answer.StatusCode != c.want {
				t.Errorf("got %s, want %d", answer.Status, c.want)
			}
			if got := answer.Header.Get("Content-Security-Policy"); got != contentPolicy || strings.Contains(got, "unsafe") {
				t.Errorf("Content-Security-Policy: %s", got)
			}
			if got := answer.Header.Get("X-Content-Type-Options"); got != "nosniff" {
				t.Errorf("X-Content-Type-Options: %s", got)
			}
		})
	}
}

// TestCookie: scripts do not see the cookie, and other servers of this machine do not get it.
func TestCookie(t *testing.T) {
	g := newGuard()
	r := serveOnce(g.protect(http.NotFoundHandler()), "/?token="+g.token)
	want := cookieName + "=" + g.cookie + "; Path=" + g.base + "/; HttpOnly; SameSite=Strict"
	if got := r.Header().Get("Set-Cookie"); r.Code != http.StatusSeeOther || got != want {
		t.Errorf("%d, cookie %s, want %s", r.Code, got, want)
	}
	if got := r.Header().Get("Location"); got != g.base+"/" {
		t.Errorf("redirected to %s, where the token must not be", got)
	}
	if len(g.token) < 26 || g.token == g.cookie || "/"+g.token == g.base {
		t.Error("the secrets can be guessed")
	}
}
