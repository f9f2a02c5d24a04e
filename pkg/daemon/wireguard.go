package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/config/tomlfile"
	"github.com/nvad/nvad/pkg/dataplane"
	"github.com/nvad/nvad/pkg/engine"
	"github.com/nvad/nvad/pkg/retry"
	"github.com/nvad/nvad/pkg/tunnel"
)

// wireguards has what WireGuard tunnels need besides the configuration: keys that nvad made, the
// addresses of peers that have DNS names, and where peers call from. When any of it changes, it
// hands what is wanted to the forwarding plane again.
type wireguards struct {
	log    *slog.Logger
	state  string                                                       // directory with the keys that nvad made
	apply  func(dataplane.Wanted)                                       // to the forwarding plane
	seen   func() []tunnel.Status                                       // by the forwarding plane
	lookup func(ctx context.Context, host string) ([]netip.Addr, error) // by DNS

	mu    sync.Mutex
	cfg   *config.Config
	keys  map[string]tunnel.Secret // that nvad made, by the names of tunnels
	names map[string]*dnsName      // by host
	calls map[string]contact       // of tunnels, at present
	last  places                   // where peers were in the run before
	saved places                   // what the file for the next run says
	save  time.Time                // when it may be written again
	retry time.Time                // when to try again to make a key; zero: all keys are there
}

// dnsName is the DNS name of a peer.
type dnsName struct {
	addr    netip.Addr // invalid: not found yet
	failure *retry.State
	next    time.Time // no look-up before
}

// again is the time between two look-ups of a name whose peer is silent, or of a key that could
// not be made.
const again = 30 * time.Second

// lookupTime bounds one look-up.
const lookupTime = 5 * time.Second

func newWireguards(log *slog.Logger, state string, apply func(dataplane.Wanted), seen func() []tunnel.Status) *wireguards {
	last := readPlaces(state)
	return &wireguards{
		log: log, state: state, apply: apply, seen: seen, names: map[string]*dnsName{}, calls: map[string]contact{},
		last: last, saved: last,
		lookup: func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		},
	}
}

// set hands what cfg wants to the forwarding plane.
func (w *wireguards) set(cfg *config.Config) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cfg, w.keys = cfg, map[string]tunnel.Secret{}
	used := map[string]bool{}
	for _, t := range cfg.Tunnels {
		used[t.WireGuard.Endpoint.Host] = true
	}
	maps.DeleteFunc(w.names, func(host string, _ *dnsName) bool { return !used[host] })
	w.apply(wanted(cfg, w.tunnels(), w.calls))
}

// tunnels returns the WireGuard tunnels of the configuration by their names.
func (w *wireguards) tunnels() map[string]*tunnel.WireGuard {
	out := map[string]*tunnel.WireGuard{}
	for i := range w.cfg.Tunnels {
		if t := &w.cfg.Tunnels[i]; t.Type == config.TunnelWireGuard {
			out[t.Name] = w.tunnel(t)
		}
	}
	return out
}

func (w *wireguards) tunnel(t *config.Tunnel) *tunnel.WireGuard {
	c := &t.WireGuard
	out := &tunnel.WireGuard{
		Private: c.PrivateKey, Port: c.ListenPort, Pinned: !c.Roaming,
		Peer: tunnel.Peer{Public: c.PublicKey, Preshared: c.PresharedKey, Endpoint: c.Endpoint.Address(), Keepalive: c.Keepalive},
	}
	if n := w.names[c.Endpoint.Host]; n != nil && n.addr.IsValid() {
		out.Peer.Endpoint = netip.AddrPortFrom(n.addr, c.Endpoint.Port)
	}
	if c.Endpoint.Host == "" {
		out.Last = w.last[t.Name]
	}
	if c.PrivateKeyFile == "" {
		var err error
		if out.Private, err = w.key(t.Name); err != nil {
			out.Broken = fmt.Sprintf("no private key: %v", err)
			w.retry = time.Now().Add(again)
		}
	}
	if out.Broken == "" && out.Private.Public() == c.PublicKey {
		out.Broken = `public-key is this end's own key; want the peer's, as "nvad public-key" prints it there`
	}
	return out
}

// key returns the key that nvad made for a tunnel. It reads the file once with each configuration. If
// it did so whenever a peer calls from another address, a file that was lost meanwhile would change the
// key then, and break a tunnel that works.
func (w *wireguards) key(name string) (tunnel.Secret, error) {
	if key, known := w.keys[name]; known {
		return key, nil
	}
	key, err := madeKey(w.state, name)
	if err == nil {
		w.keys[name] = key
	}
	return key, err
}

// run looks names up until ctx ends, and follows where peers are. Neither waits for the other: the
// DNS may take long, and where a peer calls from must be protected at once.
func (w *wireguards) run(ctx context.Context) error {
	var looking sync.WaitGroup
	defer looking.Wait()
	looking.Go(func() { everySecond(ctx, func(now time.Time) { w.look(ctx, now) }) })
	everySecond(ctx, w.notice)
	return ctx.Err()
}

// everySecond calls f until ctx ends, and leaves out the calls for which f takes too long.
func everySecond(ctx context.Context, f func(time.Time)) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			f(now)
		}
	}
}

// notice hands over where peers are, and tries again to make a key.
func (w *wireguards) notice(now time.Time) {
	list, save := w.noticed(w.status(), now)
	if save { // without the lock: the disk may take long, and health asks for silent peers meanwhile
		list.write(w.state)
	}
}

func (w *wireguards) noticed(status map[string]tunnel.Status, now time.Time) (places, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	changed := w.follow(status)
	if !w.retry.IsZero() && now.After(w.retry) {
		w.retry, changed = time.Time{}, true
	}
	if changed {
		w.apply(wanted(w.cfg, w.tunnels(), w.calls))
	}
	return w.toSave(status, now)
}

// status returns the tunnels as the forwarding plane sees them, by name.
func (w *wireguards) status() map[string]tunnel.Status {
	out := map[string]tunnel.Status{}
	for _, s := range w.seen() {
		out[s.Name] = s
	}
	return out
}

// lookups bounds the look-ups at the same time. One whose server does not answer keeps the
// others waiting for no longer than necessary.
const lookups = 8

// look looks up the names that are due, and hands over each that changed.
func (w *wireguards) look(ctx context.Context, now time.Time) {
	status := w.status()
	w.mu.Lock()
	due := w.due(status, now)
	w.mu.Unlock()
	var all sync.WaitGroup
	defer all.Wait()
	running := make(chan struct{}, lookups)
	for host, silent := range due {
		running <- struct{}{}
		all.Go(func() {
			defer func() { <-running }()
			w.resolve(ctx, host, silent, now)
		})
	}
}

// contact is where a tunnel and its peer are.
type contact struct {
	peer netip.Addr // invalid: not known
	port uint16     // where this end listens, also if the file says any port
}

// follow notes where tunnels and their peers are. The peers' addresses are protected: a peer could
// announce the prefix that it calls from, and its tunnel would then lead into itself.
func (w *wireguards) follow(status map[string]tunnel.Status) bool {
	calls := map[string]contact{}
	for name, s := range status {
		if s.WireGuard != nil {
			calls[name] = contact{s.Peer.Endpoint.Addr(), s.Port}
		}
	}
	if maps.Equal(calls, w.calls) {
		return false
	}
	w.calls = calls
	return true
}

// due returns the names to look up now, and whether their peers are silent.
func (w *wireguards) due(status map[string]tunnel.Status, now time.Time) map[string]bool {
	out := map[string]bool{}
	if w.cfg == nil {
		return out
	}
	for i := range w.cfg.Tunnels {
		t := &w.cfg.Tunnels[i]
		host := t.WireGuard.Endpoint.Host
		if host == "" || t.WireGuard.Endpoint.Address().IsValid() {
			continue
		}
		if w.names[host] == nil {
			w.names[host] = &dnsName{}
		}
		n, silent := w.names[host], status[t.Name].Silent != ""
		if (silent || !n.addr.IsValid()) && !now.Before(n.next) {
			out[host] = out[host] || silent && n.addr.IsValid()
		}
	}
	return out
}

// resolve looks one name up, and hands over its address if that changed. If the peer is silent
// and the name has several addresses, it takes the next one.
func (w *wireguards) resolve(ctx context.Context, host string, silent bool, now time.Time) {
	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	found, err := w.lookup(ctx, host)
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.names[host]
	if n == nil {
		return // a reload took the name out
	}
	if err == nil {
		found, err = w.peerAddresses(found)
	}
	n.failure = n.failure.After(err, now)
	if err != nil {
		n.next = n.failure.Earlier(now.Add(again))
		return
	}
	n.next = now.Add(again)
	addr := nextAddress(found, n.addr, silent)
	if addr == n.addr {
		return
	}
	n.addr = addr
	w.log.Info("tunnel peer found by name", "name", host, "remote", addr)
	w.apply(wanted(w.cfg, w.tunnels(), w.calls))
}

// peerAddresses returns the addresses of an answer of the DNS that a peer can have. One in a
// tunnel's subnet would lead the tunnel into itself, or into another one, which only the file may.
func (w *wireguards) peerAddresses(found []netip.Addr) (list []netip.Addr, err error) {
	err = errors.New("the name has no address")
	for _, a := range found {
		a = a.Unmap()
		inside := func(t config.Tunnel) bool {
			return slices.ContainsFunc(t.Addresses, func(p netip.Prefix) bool { return p.Contains(a) })
		}
		switch {
		case a.Zone() != "" || tomlfile.Unicast(a) != nil:
			err = fmt.Errorf("%s can't be the address of a peer", a)
		case slices.ContainsFunc(w.cfg.Tunnels, inside):
			err = fmt.Errorf("%s is within a tunnel", a)
		default:
			list = append(list, a)
		}
	}
	if len(list) > 0 {
		err = nil
	}
	return list, err
}

// nextAddress returns the present address if it is among those found, but for a silent peer the one
// after it.
func nextAddress(found []netip.Addr, now netip.Addr, silent bool) netip.Addr {
	slices.SortFunc(found, netip.Addr.Compare)
	i := slices.Index(found, now)
	switch {
	case i < 0:
		return found[0]
	case silent:
		return found[(i+1)%len(found)]
	}
	return now
}

// reason returns why a tunnel is not up: also because its peer is not found by its name.
func (w *wireguards) reason(s tunnel.Status) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.configured(s.Name)
	if t == nil {
		return s.Reason
	}
	host := t.WireGuard.Endpoint.Host
	if n := w.names[host]; n != nil && n.failure != nil {
		return strings.TrimPrefix(fmt.Sprintf("%s; the name %s does not resolve: %v", s.Reason, host, n.failure.Err), "; ")
	}
	return s.Reason
}

// silence marks tunnels as not up whose peer counts as dead. The engine knows only that their
// devices are up.
func (w *wireguards) silence(v engine.Vitals) {
	for _, s := range w.seen() {
		if t, is := v.Tunnels[s.Name]; is && s.Silent != "" {
			t.Up = false
			v.Tunnels[s.Name] = t
		}
	}
}

// inProcess returns the neighbors and far ends in tunnels that this process encrypts: when it ends,
// nothing reaches them any more.
func (w *wireguards) inProcess() []netip.Addr {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []netip.Addr
	for _, s := range w.seen() {
		if t := w.configured(s.Name); t != nil && s.Userspace {
			out = append(out, w.cfg.Inside(t)...)
		}
	}
	return out
}

// silentGateways returns the addresses behind peers of WireGuard that count as dead, with the
// reasons.
func (w *wireguards) silentGateways() map[netip.Addr]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := map[netip.Addr]string{}
	for _, s := range w.seen() {
		t := w.configured(s.Name)
		if t == nil || s.Silent == "" {
			continue
		}
		for _, a := range w.cfg.Inside(t) {
			out[a] = s.Silent
		}
	}
	return out
}

// configured returns the tunnel of that name; nil if the configuration has none. It needs the lock.
func (w *wireguards) configured(name string) *config.Tunnel {
	if w.cfg == nil {
		return nil
	}
	i := slices.IndexFunc(w.cfg.Tunnels, func(t config.Tunnel) bool { return t.Name == name })
	if i < 0 {
		return nil
	}
	return &w.cfg.Tunnels[i]
}
