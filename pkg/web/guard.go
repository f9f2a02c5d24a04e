package web

import (
	"crypto/rand"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// guard decides who gets an answer.
//
// The token of the URL that nvactl prints is exchanged for a cookie, so that it does not stay in
// the address bar. Browsers send a cookie to every port of a host, and so to servers of other
// users of this machine. Therefore the page is below a random path, to which the cookie is
// bound: somebody who lures the browser to another port does not know the path.
type guard struct {
	token  string
	cookie string
	base   string        // "/RANDOM", below which everything is served
	places chan struct{} // one for each request that is answered
}

// mostRequests bounds the requests that are answered at the same time. A browser has six a tab.
const mostRequests = 32

// patience is how long a request waits for a place.
const patience = 5 * time.Second

const cookieName = "nvactl-web"

func newGuard() *guard {
	return &guard{token: rand.Text(), cookie: rand.Text(), base: "/" + rand.Text(), places: make(chan struct{}, mostRequests)}
}

// contentPolicy lets the page load its own files and nothing else; a text that some neighbor
// made look like a script is not run.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"manifest-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

// protect answers those who have the cookie by next, which sees paths without the random part.
func (g *guard) protect(next http.Handler) http.Handler {
	inner := http.StripPrefix(g.base, next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		switch {
		case !trueHost(r.Host):
			http.Error(w, "Forbidden: open the page by the address that nvactl web printed.", http.StatusForbidden)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "Method not allowed: this page changes nothing.", http.StatusMethodNotAllowed)
		case r.URL.Path == "/" && g.knows(r.URL.Query().Get("token"), g.token):
			http.SetCookie(w, &http.Cookie{Name: cookieName, Value: g.cookie, Path: g.base + "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
			http.Redirect(w, r, g.base+"/", http.StatusSeeOther)
		case !strings.HasPrefix(r.URL.Path, g.base+"/") || !g.admits(r):
			http.Error(w, "Forbidden: open the address that nvactl web printed; it contains a token.", http.StatusForbidden)
		default:
			inner.ServeHTTP(w, r)
		}
	})
}

// knows compares in a time that does not depend on where the texts differ.
func (g *guard) knows(text, secret string) bool {
	return subtle.ConstantTimeCompare([]byte(text), []byte(secret)) == 1
}

func (g *guard) admits(r *http.Request) bool {
	c, err := r.Cookie(cookieName)
	return err == nil && g.knows(c.Value, g.cookie)
}

// trueHost reports whether the browser was told an address, or "localhost". A page of another
// site can make its own name resolve to this machine (DNS rebinding), and then reads the answers as its
// own; but its name is then in the request.
func trueHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.Trim(host, "[]")
	_, err := netip.ParseAddr(host)
	return err == nil || host == "localhost"
}

// few answers a bounded number of requests at the same time.
func (g *guard) few(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		wait := time.NewTimer(patience)
		defer wait.Stop()
		select {
		case g.places <- struct{}{}:
			defer func() { <-g.places }()
			next.ServeHTTP(w, r)
		case <-r.Context().Done():
		case <-wait.C:
			w.Header().Set("Retry-After", "2")
			fail(w, http.StatusServiceUnavailable, "too many requests at the same time")
		}
	})
}
