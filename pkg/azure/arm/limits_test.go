package arm

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nvad/nvad/pkg/azure"
)

func contextFor(t *testing.T, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), d)
}

// TestThrottled: Azure is asked again after the time that it names, however often, and the
// operator is told.
func TestThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		left := 7
		w.meet = func(*http.Request) *http.Response {
			if left == 0 {
				return nil
			}
			left--
			resp := failure(429, "TooManyRequests", "The request is being throttled.")
			resp.Header.Set("Retry-After", "17")
			return resp
		}
		var told []string
		c := w.client(Options{Progress: func(line string) { told = append(told, line) }})
		started := time.Now()
		if _, err := c.Snapshot(t.Context(), Ask{}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(started); took != 7*17*time.Second {
			t.Errorf("it took %v", took)
		}
		if line := "Azure throttles these requests: asking again in 17s for VM nva1"; strings.Count(strings.Join(told, "\n"), line) != 7 {
			t.Errorf("%q", told)
		}
	})
}

// TestThrottledToTheEnd: nothing is waited for that comes too late.
func TestThrottledToTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.meet = func(req *http.Request) *http.Response {
			if !strings.HasSuffix(req.URL.Path, "vnet-hub") {
				return nil
			}
			resp := failure(429, "TooManyRequests", "The request is being throttled.")
			resp.Header.Set("Retry-After", "40")
			return resp
		}
		ctx, cancel := contextFor(t, time.Minute)
		defer cancel()
		started := time.Now()
		s, err := w.client(Options{}).Snapshot(ctx, Ask{})
		timeout, ok := errors.AsType[*TimeoutError](err)
		if !ok || !timeout.Throttled || timeout.Step != "VNet vnet-hub" || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "while Azure throttled the requests, waiting for VNet vnet-hub") {
			t.Error(err)
		}
		if took := time.Since(started); took != 40*time.Second {
			t.Errorf("it took %v: the second wait would have ended too late", took)
		}
		if len(s.NICs) != 2 {
			t.Errorf("what was read before is lost: %+v", s)
		}
	})
}

// TestSlowOperation: the waits are those that Azure asks for, the operator is told, and the
// error says what was waited for.
func TestSlowOperation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		polls := 0
		w.meet = func(req *http.Request) *http.Response {
			if !strings.Contains(req.URL.Path, "/operations/") {
				return nil
			}
			polls++
			return answer(200, `{"status":"InProgress"}`, "Retry-After", "10")
		}
		var told []string
		ctx, cancel := contextFor(t, 65*time.Second)
		defer cancel()
		s, err := w.client(Options{Progress: func(line string) { told = append(told, line) }}).Snapshot(ctx, Ask{Routes: true})
		timeout, ok := errors.AsType[*TimeoutError](err)
		if !ok || timeout.Throttled || timeout.Step != "the effective routes of NIC nic-nva1" || err.Error() != "time ran out while waiting for the effective routes of NIC nic-nva1: allow more time" {
			t.Error(err)
		}
		if polls != 7 || told[len(told)-1] != "waiting for the effective routes of NIC nic-nva1 (1m0s)" {
			t.Errorf("%d polls, %q", polls, told)
		}
		if len(s.RouteServers) != 1 || len(s.VNets) == 0 {
			t.Errorf("what was read before is lost: %+v", s)
		}
	})
}

// TestInterrupted: the end of the context ends every wait at once.
func TestInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		ctx, cancel := context.WithCancel(t.Context())
		w.meet = func(req *http.Request) *http.Response {
			if strings.HasSuffix(req.URL.Path, "nic-nva1") {
				time.AfterFunc(3*time.Second, cancel)
				return failure(429, "TooManyRequests", "")
			}
			return nil
		}
		started := time.Now()
		if _, err := w.client(Options{}).Snapshot(ctx, Ask{}); err == nil || !strings.Contains(err.Error(), "interrupted while waiting for NIC nic-nva1") || time.Since(started) != 3*time.Second {
			t.Errorf("%v after %v", err, time.Since(started))
		}
	})
}

// TestFailedOperation: an operation that Azure could not do is missing, with Azure's reason.
func TestFailedOperation(t *testing.T) {
	w := newWorld(t)
	w.meet = func(req *http.Request) *http.Response {
		if strings.Contains(req.URL.Path, "/operations/") {
			return answer(200, `{"status":"Failed","error":{"code":"VmNotRunning","message":"Effective routes need a VM that runs."}}`)
		}
		return nil
	}
	s, err := w.client(Options{}).Snapshot(t.Context(), Ask{Routes: true})
	if err != nil || len(s.Missing) == 0 {
		t.Fatal(s.Missing, err)
	}
	if m := s.Missing[0]; m.What != azure.WhatEffectiveRoutes || m.Permission != "" || !strings.Contains(m.Reason, "VmNotRunning: Effective routes need a VM that runs") {
		t.Errorf("%+v", m)
	}
}

// TestTooLarge: an answer beyond the bound is refused while it arrives, and not asked for again.
func TestTooLarge(t *testing.T) {
	w := newWorld(t)
	asked := 0
	w.meet = func(req *http.Request) *http.Response {
		if !strings.HasSuffix(req.URL.Path, "vnet-hub") {
			return nil
		}
		asked++
		resp := answer(200, "")
		resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"id":"`), endless{}))
		return resp
	}
	s, err := w.client(Options{}).Snapshot(t.Context(), Ask{})
	if err != nil || len(s.Missing) != 1 || !strings.Contains(s.Missing[0].Reason, "the answer has more than 64 MiB") || asked != 1 {
		t.Errorf("%+v, %v, asked %d times", s.Missing, err, asked)
	}
}

// TestTooMuch: many answers within the bound are refused as well, and the next Snapshot starts
// anew.
func TestTooMuch(t *testing.T) {
	w := newWorld(t)
	c := w.client(Options{})
	w.meet = func(req *http.Request) *http.Response {
		if req.URL.Path == "/subscriptions" {
			c.spent += maxSnapshot - 10_000 // as if so much had been read before
			return answer(200, `{"value":[],"x":"`+strings.Repeat("a", 10_000)+`"}`)
		}
		return nil
	}
	s, err := c.Snapshot(t.Context(), Ask{Tag: "nvad"})
	if err != nil || len(s.Missing) == 0 || !strings.Contains(s.Missing[0].Reason, "the answers have together more than 256 MiB") {
		t.Errorf("%+v, %v", s.Missing, err)
	}
	w.meet = nil
	if s, err = c.Snapshot(t.Context(), Ask{Tag: "nvad"}); err != nil || len(s.Missing) > 0 {
		t.Errorf("%+v, %v", s.Missing, err)
	}
}

// endless has no end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	return len(p), nil
}

// TestEndlessList: neither a list whose pages never end nor one with too many items is read on.
func TestEndlessList(t *testing.T) {
	for what, page := range map[string]string{
		"pages": `{"value":[],"nextLink":"` + host + `/subscriptions?api-version=1"}`,
		"items": `{"value":[` + strings.TrimSuffix(strings.Repeat(`{"subscriptionId":"a"},`, maxItems+1), ",") + `]}`,
	} {
		w := newWorld(t)
		asked := 0
		w.meet = func(req *http.Request) *http.Response {
			if req.URL.Path != "/subscriptions" {
				return nil
			}
			asked++
			return answer(200, page)
		}
		s, err := w.client(Options{}).Snapshot(t.Context(), Ask{Tag: "nvad"})
		if err != nil || len(s.Missing) != 1 || s.Missing[0].What != azure.WhatNVAs || !strings.Contains(s.Missing[0].Reason, "the list has more than") || asked > maxPages+1 {
			t.Errorf("%s: %+v, %v, asked %d times", what, s.Missing, err, asked)
		}
	}
}

// TestOtherHost: the token is not sent to where a link points.
func TestOtherHost(t *testing.T) {
	w := newWorld(t)
	w.meet = func(req *http.Request) *http.Response {
		if req.URL.Path == "/subscriptions" {
			return answer(200, `{"value":[],"nextLink":"https://example.com/subscriptions"}`)
		}
		return nil
	}
	s, err := w.client(Options{}).Snapshot(t.Context(), Ask{Tag: "nvad"})
	if err != nil || len(s.Missing) != 1 || !strings.Contains(s.Missing[0].Reason, `the next page is at another host, "example.com"`) {
		t.Errorf("%+v, %v", s.Missing, err)
	}
}

// TestManyThings: what a Snapshot has of each kind is bounded, and what is left out is missing.
func TestManyThings(t *testing.T) {
	w := newWorld(t)
	var peerings, tables, nics []string
	for i := range maxVNets + 1 {
		id := fmt.Sprintf("%s%svirtualNetworks/v%d", rgSpoke, network, i)
		w.set(id, `{"id":"`+id+`","properties":{}}`)
		peerings = append(peerings, fmt.Sprintf(`{"properties":{"remoteVirtualNetwork":{"id":"%s"}}}`, id))
	}
	for i := range maxTables + 1 {
		id := fmt.Sprintf("%s%srouteTables/t%d", rgSpoke, network, i)
		w.set(id, `{"properties":{}}`)
		tables = append(tables, fmt.Sprintf(`{"properties":{"routeTable":{"id":"%s"}}}`, id))
	}
	w.list("/subscriptions/" + sub2 + network + "virtualHubs")
	w.set(hub, `{"properties":{"subnets":[`+strings.Join(tables, ",")+`],"virtualNetworkPeerings":[`+strings.Join(peerings, ",")+`]}}`)
	s, err := w.client(Options{}).Snapshot(t.Context(), Ask{})
	if err != nil || len(s.VNets) != maxVNets || len(s.Missing) != 2 {
		t.Errorf("%d VNets, %+v, %v", len(s.VNets), s.Missing, err)
	}
	for range maxNICs + 1 {
		nics = append(nics, `{"id":"{nic1}"}`)
	}
	w.set(vm1, `{"properties":{"networkProfile":{"networkInterfaces":[`+strings.Join(nics, ",")+`]}}}`)
	if _, err := w.client(Options{}).Snapshot(t.Context(), Ask{}); err == nil || !strings.Contains(err.Error(), "more than 64 are not read") {
		t.Error(err)
	}
}

// TestManyNVAs: as many machines with the tag as a tenant may have are not read one by one.
func TestManyNVAs(t *testing.T) {
	w := newWorld(t)
	var items []string
	for i := range maxNVAs + 1 {
		items = append(items, fmt.Sprintf(`{"id":"%s%sx%d","type":"microsoft.compute/VirtualMachines"}`, rgSpoke, compute, i))
	}
	w.list("/subscriptions/"+sub2+"/resources", items...)
	s, err := w.client(Options{}).Snapshot(t.Context(), Ask{Tag: "nvad"})
	if err != nil || len(s.NVAs) > 0 || len(s.Missing) != 1 || !strings.Contains(s.Missing[0].Reason, "257 machines have the tag nvad: more than 256 are not read") {
		t.Errorf("%+v, %v", s.Missing, err)
	}
}

// TestProxy: the proxy is for everything but the metadata service, which rejects what comes
// through one.
func TestProxy(t *testing.T) {
	via := &url.URL{Scheme: "http", Host: "proxy.example.com:3128"}
	proxy := newTransport(http.ProxyURL(via)).Transport.(*http.Transport).Proxy
	for host, want := range map[string]*url.URL{"169.254.169.254": nil, "169.254.169.254:80": nil, "management.azure.com": via, "login.microsoftonline.com": via} {
		if u, err := proxy(&http.Request{URL: &url.URL{Scheme: "https", Host: host}}); u != want || err != nil {
			t.Errorf("%s: %v, %v", host, u, err)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for text, want := range map[string]time.Duration{
			"": 7 * time.Second, "soon": 7 * time.Second, "0": leastPause, "-3": leastPause, "17": 17 * time.Second, "99999999999": mostPause,
			time.Now().Add(90 * time.Second).UTC().Format(http.TimeFormat): 90 * time.Second,
			time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat):       leastPause,
		} {
			if got := retryAfter(http.Header{"Retry-After": {text}}, 7*time.Second); got != want {
				t.Errorf("%q: %v", text, got)
			}
		}
	})
}

// TestNoPause: an answer that asks for no pause does not make nvactl ask as fast as it can.
func TestNoPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		polls := 0
		w.meet = func(req *http.Request) *http.Response {
			if !strings.Contains(req.URL.Path, "/operations/") {
				return nil
			}
			polls++
			return answer(200, `{"status":"InProgress"}`, "Retry-After", "0")
		}
		ctx, cancel := contextFor(t, 10*time.Second)
		defer cancel()
		if _, err := w.client(Options{}).Snapshot(ctx, Ask{Routes: true}); err == nil || polls > 51 {
			t.Errorf("%v, %d polls", err, polls)
		}
	})
}

// TestNoWayOut: an NVA whose subnet has no way out reads what it needs, whether its packets are
// dropped or rejected or answered by somebody else, and is not kept waiting for every part.
func TestNoWayOut(t *testing.T) {
	const need = "this machine needs a way out to it, such as a NAT gateway, a public address or HTTPS_PROXY"
	for want, lost := range map[string]func(*http.Request) error{
		"management.azure.com can't be reached: dial tcp: i/o timeout; " + need: func(req *http.Request) error {
			time.Sleep(30 * time.Second)
			return &url.Error{Op: "Get", URL: req.URL.String(), Err: &net.OpError{Op: "dial", Net: "tcp", Err: os.ErrDeadlineExceeded}}
		},
		"management.azure.com can't be reached: lookup management.azure.com: no such host; " + need: func(req *http.Request) error {
			return &url.Error{Op: "Get", URL: req.URL.String(), Err: &net.DNSError{Err: "no such host", Name: "management.azure.com"}}
		},
		"management.azure.com can't be asked: tls: failed to verify certificate: x509: certificate signed by unknown authority; if a proxy answers in its place, this machine has to trust the proxy's authority": func(req *http.Request) error {
			return &url.Error{Op: "Get", URL: req.URL.String(), Err: &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}}
		},
		"waiting for VM nva1, and management.azure.com gave no answer at all: " + need: func(req *http.Request) error {
			<-req.Context().Done()
			return &url.Error{Op: "Get", URL: req.URL.String(), Err: req.Context().Err()}
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			c := w.client(Options{Transport: transportFunc(func(req *http.Request) (*http.Response, error) {
				if req.URL.Host == "169.254.169.254" {
					return w.Do(req)
				}
				return nil, lost(req)
			})})
			ctx, cancel := contextFor(t, 5*time.Minute)
			defer cancel()
			if _, err := c.Snapshot(ctx, Ask{}); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("want %q, got %v", want, err)
			}
		})
	}
}

// TestLostOnTheWay: if Azure can't be reached any more, not every part is tried.
func TestLostOnTheWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		asked := 0
		w.meet = func(req *http.Request) *http.Response {
			asked++
			return nil
		}
		c := w.client(Options{Transport: transportFunc(func(req *http.Request) (*http.Response, error) {
			if asked > 5 {
				asked++
				return nil, &url.Error{Op: "Get", URL: req.URL.String(), Err: errors.New("connection reset by peer")}
			}
			return w.Do(req)
		})})
		s, err := c.Snapshot(t.Context(), Ask{Routes: true})
		if _, ok := errors.AsType[*UnreachableError](err); !ok || len(s.NICs) != 2 || asked > 10 {
			t.Errorf("%v, asked %d times, %+v", err, asked, s)
		}
	})
}
