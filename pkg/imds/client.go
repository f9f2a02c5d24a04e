// Package imds asks Azure's instance metadata service for what a machine can't know by itself:
// the addresses and subnets of its NICs, its name in Azure, and scheduled maintenance.
//
// It talks only to 169.254.169.254, never through a proxy. While a machine boots, the service may
// not answer or ask to try again: then it repeats the request until the caller's context
// ends. It keeps no state, sets up no route, and changes nothing in Azure except for
// [Client.Approve]. What Azure does not tell a machine, such as the VNet's address space,
// user-defined routes and Route Server's addresses, it can't find out either.
package imds

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"time"
)

// endpoint is the same in every VNet, and only VMs can reach it.
const endpoint = "http://169.254.169.254/metadata"

const (
	// dialTimeout bounds the wait for a connection. It takes well under a second, or
	// forever while the machine has no address yet.
	dialTimeout = 5 * time.Second
	// answerTimeout bounds the wait for an answer.
	answerTimeout = 30 * time.Second
	// maxAnswer bounds the size of an answer in bytes.
	maxAnswer = 1 << 20
	// Pauses between attempts. Azure asks for at least a second, and answers at most five
	// requests of a VM per second.
	firstPause, longestPause = time.Second, 8 * time.Second
)

// Client asks the metadata service. Use [New] to make one.
type Client struct {
	http *http.Client
	// OnRetry, if set, is called before each pause that follows a failure.
	OnRetry func(err error, pause time.Duration)
}

// New returns a client of the metadata service of this machine.
func New() *Client {
	return newClient((&net.Dialer{Timeout: dialTimeout}).DialContext)
}

func newClient(dial func(context.Context, string, string) (net.Conn, error)) *Client {
	return &Client{http: &http.Client{
		// No proxy: Azure rejects requests that came through one.
		Transport:     &http.Transport{DialContext: dial, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// answer is the body of an answer, and the address to which it was sent.
type answer struct {
	body []byte
	to   netip.Addr
}

// get requests path, which begins with a slash, until there is an answer or an error that does not
// pass, or ctx ends.
func (c *Client) get(ctx context.Context, path, version string) (answer, error) {
	pause := firstPause
	for try := 1; ; try++ {
		a, err := c.once(ctx, answerTimeout, request{method: http.MethodGet, path: path, version: version})
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

// request is the part of a request that differs between requests.
type request struct {
	method, path, version string
	body                  []byte
}

// once sends one request, and waits at most so long for the answer.
func (c *Client) once(ctx context.Context, wait time.Duration, r request) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
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

// message returns Azure's description of an error; "" if there is none.
func message(body []byte) string {
	var v struct{ Error string }
	if json.Unmarshal(body, &v) != nil {
		return ""
	}
	return v.Error
}

// StatusError is an answer with a status other than 200 OK.
type StatusError struct {
	// Code is the HTTP status.
	Code int
	// Path is the requested path, without the endpoint.
	Path string
	// Message is the service's explanation; may be empty.
	Message string
}

// Error gives the status with the service's explanation or that of Azure's documentation.
func (e *StatusError) Error() string {
	text := fmt.Sprintf("%s: %d %s", e.Path, e.Code, http.StatusText(e.Code))
	switch {
	case e.Message != "":
		text += ": " + e.Message
	case meaning[e.Code] != "":
		text += ": " + meaning[e.Code]
	}
	return text
}

// meaning explains statuses by the documentation of the service.
var meaning = map[int]string{
	http.StatusNotFound:            "it does not know this machine, or not yet",
	http.StatusGone:                "it is being updated, which takes up to 70 seconds",
	http.StatusTooManyRequests:     "this machine sends more than five requests per second",
	http.StatusInternalServerError: "an error of the service, usually temporary",
}

// unreachable is a request that got no answer.
type unreachable struct{ err error }

func (e *unreachable) Error() string {
	err := e.err
	if ue, ok := errors.AsType[*url.Error](err); ok {
		err = ue.Err
	}
	return fmt.Sprintf("no answer from 169.254.169.254: %v", err)
}

func (e *unreachable) Unwrap() error { return e.err }

// transient reports whether asking again may help: if the service did not answer, or answered as
// it does while it starts or is updated.
func transient(err error) bool {
	if status, ok := errors.AsType[*StatusError](err); ok {
		return status.Code == http.StatusNotFound || status.Code == http.StatusGone ||
			status.Code == http.StatusTooManyRequests || status.Code >= http.StatusInternalServerError
	}
	_, none := errors.AsType[*unreachable](err)
	return none
}

// gaveUp returns the last error after the given number of tries. If the service did not answer, it
// says what an answer needs.
func gaveUp(err error, tries int) error {
	hint := ""
	if _, none := errors.AsType[*unreachable](err); none {
		hint = "; the service exists only in Azure, and answers only the primary address of the primary NIC, which needs DHCP and a route to 169.254.169.254"
	}
	return fmt.Errorf("metadata service: gave up after try %d: %w%s", tries, err, hint)
}
