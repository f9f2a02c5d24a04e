package sdn

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"time"
)

// Azure probes every five seconds at most often. The lab does not make its users
// wait as long.
const (
	probeInterval = 500 * time.Millisecond
	probeTimeout  = 500 * time.Millisecond
)

// platform is the address that Azure's probes come from.
var platform = netip.MustParseAddr("168.63.129.16")

// watch keeps the healthy backends of a load balancer until ctx is done.
func (a *agent) watch(ctx context.Context, b LoadBalancer) {
	tick := time.NewTicker(probeInterval)
	defer tick.Stop()
	for {
		a.setHealthy(b.Frontend, probe(ctx, b))
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// prober is an HTTP client as Azure's: each probe is a connection of its own from
// the platform's address, and only a 200 is a success.
var prober = http.Client{
	Timeout: probeTimeout,
	Transport: &http.Transport{
		DialContext:       (&net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(platform, 0))}).DialContext,
		DisableKeepAlives: true,
	},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// probe asks all backends at once and returns those that are healthy.
func probe(ctx context.Context, b LoadBalancer) []netip.Addr {
	answers := make([]chan bool, len(b.Backends))
	for i, backend := range b.Backends {
		answers[i] = make(chan bool, 1)
		go func() { answers[i] <- isHealthy(ctx, netip.AddrPortFrom(backend, b.Probe)) }()
	}
	healthy := []netip.Addr{}
	for i, answer := range answers {
		if <-answer {
			healthy = append(healthy, b.Backends[i])
		}
	}
	return healthy
}

func isHealthy(ctx context.Context, at netip.AddrPort) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+at.String()+"/healthz", nil)
	if err != nil {
		return false
	}
	resp, err := prober.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

func (a *agent) setHealthy(frontend netip.Addr, backends []netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if have, known := a.healthy[frontend]; known && slices.Equal(have, backends) {
		return
	}
	a.healthy[frontend] = backends
	a.updateLocked()
}

// balanced returns routes with the healthy backends in place of frontends, which
// is what packets take.
func (a *agent) balanced(routes []EffectiveRoute) []EffectiveRoute {
	out := slices.Clone(routes)
	for i, r := range out {
		var hops []netip.Addr
		for _, hop := range r.NextHops {
			if backends, isFrontend := a.healthy[hop]; isFrontend {
				hops = append(hops, backends...)
			} else {
				hops = append(hops, hop)
			}
		}
		slices.SortFunc(hops, netip.Addr.Compare)
		out[i].NextHops = slices.Compact(hops)
	}
	return out
}
