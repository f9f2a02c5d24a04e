package arm

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// Bounds in octets. A page of a list has about a megabyte, and what Azure's limits allow of
// effective routes has a few.
const (
	maxAnswer   = 64 << 20  // of one answer
	maxSnapshot = 256 << 20 // of all answers that a Snapshot is made of
)

// newTransport returns a client that uses proxy, except for the metadata service: it rejects
// requests that come through one.
func newTransport(proxy func(*http.Request) (*url.URL, error)) *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Proxy = func(req *http.Request) (*url.URL, error) {
		if req.URL.Hostname() == "169.254.169.254" {
			return nil, nil
		}
		return proxy(req)
	}
	return &http.Client{Transport: t}
}

// bounded lets no answer grow beyond maxAnswer, and all together not beyond maxSnapshot.
type bounded struct {
	policy.Transporter
	spent *int
}

// Do sends the request.
func (b bounded) Do(req *http.Request) (*http.Response, error) {
	resp, err := b.Transporter.Do(req)
	if resp != nil && resp.Body != nil {
		resp.Body = &limited{ReadCloser: resp.Body, left: maxAnswer, spent: b.spent}
	}
	return resp, err
}

type limited struct {
	io.ReadCloser
	left  int
	spent *int
}

func (l *limited) Read(p []byte) (int, error) {
	n, err := l.ReadCloser.Read(p)
	l.left -= n
	*l.spent += n
	switch {
	case l.left < 0:
		return 0, tooLarge{"the answer has", maxAnswer}
	case *l.spent > maxSnapshot:
		return 0, tooLarge{"the answers have together", maxSnapshot}
	}
	return n, err
}

// home lets the token go to Resource Manager alone. The links to pages and to operations that
// come with answers lead wherever they like, and the SDK would follow them with the token.
type home struct {
	policy.Transporter
	host string
}

func newHome(transport policy.Transporter, endpoint string) home {
	if c, ok := transport.(*http.Client); ok {
		// Resource Manager redirects nobody.
		own := *c
		own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		transport = &own
	}
	u, _ := url.Parse(endpoint)
	return home{transport, u.Host}
}

// Do sends the request, unless it would take the token elsewhere.
func (h home) Do(req *http.Request) (*http.Response, error) {
	if req.Header.Get("Authorization") != "" && (req.URL.Scheme != "https" || !strings.EqualFold(req.URL.Host, h.host)) {
		return nil, refuse("an answer leads to %s://%s, which is not Resource Manager: the token is not sent there", req.URL.Scheme, req.URL.Host)
	}
	return h.Transporter.Do(req)
}

// tooLarge is not asked for again: the next answer would be as large.
type tooLarge struct {
	what string
	most int
}

func (t tooLarge) Error() string { return fmt.Sprintf("%s more than %d MiB", t.what, t.most>>20) }

// NonRetriable tells the SDK not to ask again.
func (tooLarge) NonRetriable() {}

// patience asks again whenever Azure throttles, after the time that Azure names. The SDK
// would give up after three tries, and the operator has set a time instead.
type patience struct{ c *Client }

// defaultPause is for throttling that names no time.
const defaultPause = 5 * time.Second

// Do sends the request until it is not throttled or its context ends.
func (p *patience) Do(req *policy.Request) (*http.Response, error) {
	ctx := policy.WithRetryOptions(req.Raw().Context(), policy.RetryOptions{StatusCodes: retried})
	for {
		if err := req.RewindBody(); err != nil {
			return nil, err
		}
		resp, err := req.Clone(ctx).Next()
		p.c.answered = p.c.answered || err == nil
		if err != nil || resp.StatusCode != http.StatusTooManyRequests {
			return resp, err
		}
		pause := retryAfter(resp.Header, defaultPause)
		p.c.progress(fmt.Sprintf("Azure throttles these requests: asking again in %v for %s", pause.Round(time.Second), p.c.step))
		if err := sleep(ctx, pause); err != nil {
			return nil, throttled{err}
		}
	}
}

// The statuses after which the SDK asks again, thrice.
var retried = []int{
	http.StatusRequestTimeout, http.StatusInternalServerError, http.StatusBadGateway,
	http.StatusServiceUnavailable, http.StatusGatewayTimeout,
}

// throttled is the end of a wait that throttling made too long.
type throttled struct{ error }

func (t throttled) Unwrap() error { return t.error }

// The shortest and the longest pause that an answer can ask for.
const (
	leastPause = 200 * time.Millisecond
	mostPause  = time.Hour
)

// retryAfter returns how long an answer asks to wait.
func retryAfter(h http.Header, otherwise time.Duration) time.Duration {
	text, pause := h.Get("Retry-After"), otherwise
	if s, err := strconv.Atoi(text); err == nil {
		pause = time.Duration(min(s, int(mostPause/time.Second))) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		pause = time.Until(at)
	}
	return min(max(pause, leastPause), mostPause)
}

// sleep waits, and fails at once if ctx ends before.
func sleep(ctx context.Context, d time.Duration) error {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d {
		return context.DeadlineExceeded
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
