package imds

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"time"
)

// endpoint is the same in every VNet, and reachable from its VMs only.
const endpoint = "http://169.254.169.254/metadata"

const (
	// dialTimeout bounds the wait for a connection, which on the host takes
	// well under a second or, while there is no address yet, for ever.
	dialTimeout = 5 * time.Second
	// answerTimeout bounds the wait for an answer.
	answerTimeout = 30 * time.Second
	// maxAnswer is the largest answer that is read, in bytes.
	maxAnswer = 1 << 20
	// Between tries. Azure asks for a second at least, and answers five
	// requests of a VM in a second.
	firstPause, longestPause = time.Second, 8 * time.Second
)

// Client asks the metadata service. Make it with [New].
type Client struct {
	http *http.Client
	// OnRetry, if set, is told of every failure that is tried again, and
	// after which pause.
	OnRetry func(err error, pause time.Duration)
}

// New returns a client of the metadata service of this machine.
func New() *Client {
	return newClient((&net.Dialer{Timeout: dialTimeout}).DialContext)
}

func newClient(dial func(context.Context, string, string) (net.Conn, error)) *Client {
	return &Client{http: &http.Client{
		// No proxy: Azure forbids one, and refuses what came through one.
		Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}}
}

// answer is the body of an answer, and the address that it was sent to.
type answer struct {
	body []byte
	to   netip.Addr
}

// get asks for path, which begins with a slash, until there is an answer, an
// error that a repetition does not mend, or the end of ctx.
func (c *Client) get(ctx context.Context, path, version string) (answer, error) {
	pause := firstPause
	for try := 1; ; try++ {
		a, err := c.try(ctx, request{method: http.MethodGet, path: path, version: version})
		if err == nil {
			return a, nil
		}
		if !transient(err) {
			return answer{}, fmt.Errorf("metadata service: %w", err)
		}
		if deadline, ok := ctx.Deadline(); ctx.Err() != nil || ok && time.Until(deadline) < pause {
			return answer{}, gaveUp(err, try)
		}
		if c.OnRetry != nil {
			c.OnRetry(err, pause)
		}
		select {
		case <-ctx.Done():
			return answer{}, gaveUp(err, try)
		case <-time.After(pause):
		}
		pause = min(2*pause, longestPause)
	}
}

// try asks once, and not for longer than an answer takes.
func (c *Client) try(ctx context.Context, r request) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	return c.once(ctx, r)
}

// request is a request but for what all have in common.
type request struct {
	method, path, version string
	body                  []byte
}

// once asks one time.
func (c *Client) once(ctx context.Context, r request) (answer, error) {
	var a answer
	trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		if tcp, ok := info.Conn.LocalAddr().(*net.TCPAddr); ok {
			a.to = tcp.AddrPort().Addr().Unmap()
		}
	}}
	url := endpoint + r.path + "?api-version=" + r.version
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, trace), r.method, url, bytes.NewReader(r.body))
	if err != nil {
		return a, err
	}
	req.Header.Set("Metadata", "true")
	resp, err := c.http.Do(req)
	if err != nil {
		return a, &unreachable{err}
	}
	defer resp.Body.Close()
	a.body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return a, &unreachable{err}
	}
	if resp.StatusCode != http.StatusOK {
		return a, &StatusError{Code: resp.StatusCode, Path: r.path, Message: message(a.body)}
	}
	return a, nil
}

// message is what an answer says of the error, in Azure's words.
func message(body []byte) string {
	var v struct{ Error string }
	if json.Unmarshal(body, &v) != nil {
		return ""
	}
	return v.Error
}
