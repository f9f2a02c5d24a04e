// Package apitest is a daemon without routing: an [api.Reader] and
// [api.Controller] that answer from a picture and write down their commands.
package apitest

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/engine"
	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/history"
	"github.com/nvad/nvad/pkg/nat"
	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/rib"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/watch"
)

// Daemon answers from its fields. They must not be changed while it serves.
type Daemon struct {
	At         api.Status
	TOML       string
	Peers      []api.Neighbor
	Tables     map[engine.Table][]engine.Path
	Kernel     []api.FIBRoute
	Devices    []api.Tunnel
	Stories    map[netip.Prefix]api.Explanation
	Ways       map[netip.Addr]api.Lookup
	Changes    []config.Change // what Reload, Rollback and Preview answer
	Cautions   api.Cautions    // what Reload and Preview answer
	Effect     *api.Effect     // likewise
	Refused    string          // what Preview answers
	Versions   []history.Entry // the last one runs
	File       string          // path of the configuration file
	Hold       time.Duration   // what Drain answers
	Rules      []nat.Status
	Interfaces []fib.Link
	Hub        watch.Hub // of what is told to those who watch
	OnQuit     func()    // called by Shutdown, if not nil
	Err        error     // what every question and command answers, if not nil
	AfterRows  int       // with Err: tables yield so many rows before it

	mu       sync.Mutex
	commands []string
}

var (
	_ api.Reader     = (*Daemon)(nil)
	_ api.Controller = (*Daemon)(nil)
)

// Commands returns what the daemon was told to do, in words.
func (d *Daemon) Commands() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.commands)
}

func (d *Daemon) did(format string, args ...any) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.Err == nil {
		d.commands = append(d.commands, fmt.Sprintf(format, args...))
	}
	return d.Err
}

func (d *Daemon) known(addr netip.Addr) error {
	if slices.ContainsFunc(d.Peers, func(v api.Neighbor) bool { return v.Address == addr }) {
		return nil
	}
	return api.NotFound("neighbor %s is not configured", addr)
}

// Status implements api.Reader.
func (d *Daemon) Status(context.Context) (api.Status, error) { return d.At, d.Err }

// Neighbors implements api.Reader.
func (d *Daemon) Neighbors(context.Context) ([]api.Neighbor, error) { return d.Peers, d.Err }

// Summaries implements api.Reader: what is held back could be said shorter.
func (d *Daemon) Summaries(_ context.Context, neighbor netip.Addr) ([]route.Summary, error) {
	for _, v := range d.Peers {
		if v.Address == neighbor && v.Counts.Held > 0 {
			return []route.Summary{
				{Prefix: netip.MustParsePrefix("10.64.0.0/16"), Replaces: 256},
				{Prefix: netip.MustParsePrefix("10.80.4.0/22"), Replaces: 4},
			}, nil
		}
	}
	return nil, d.Err
}

// PolicyHits implements api.Reader.
func (d *Daemon) PolicyHits(_ context.Context, neighbor netip.Addr) ([]engine.PolicyHits, error) {
	if err := d.known(neighbor); err != nil {
		return nil, err
	}
	return []engine.PolicyHits{
		{Rules: []policy.RuleHits{{Rule: "accept", Hits: 3}}},
		{Export: true, Rules: []policy.RuleHits{
			{Rule: "prefix-list vm-hub10 seq 5 deny 10.0.0.0/16", Hits: 12},
			{Rule: "prefix-list vm-hub10 seq 10 permit any", Hits: 1234567},
			{Rule: "prefix-list vm-hub10: no rule matched (implicit deny)"},
		}},
	}, d.Err
}

// Tunnels implements api.Reader.
func (d *Daemon) Tunnels(context.Context) ([]api.Tunnel, error) { return d.Devices, d.Err }

// Explain implements api.Reader. It looks at the query's addresses only to see
// whether they are known.
func (d *Daemon) Explain(_ context.Context, q rib.ExplainQuery) (api.Explanation, error) {
	for _, addr := range []netip.Addr{q.Neighbor, q.ExportTo} {
		if err := d.known(addr); addr.IsValid() && err != nil {
			return api.Explanation{}, err
		}
	}
	return d.Stories[q.Prefix], d.Err
}

// Lookup implements api.Reader.
func (d *Daemon) Lookup(_ context.Context, addr netip.Addr) (api.Lookup, error) {
	return d.Ways[addr], d.Err
}

// Links implements api.Reader.
func (d *Daemon) Links(context.Context) ([]fib.Link, error) { return d.Interfaces, d.Err }

// NAT implements api.Reader.
func (d *Daemon) NAT(context.Context) ([]nat.Status, error) { return d.Rules, d.Err }

// Events implements api.Reader.
func (d *Daemon) Events() *watch.Hub { return &d.Hub }

// Routes implements api.Reader.
func (d *Daemon) Routes(_ context.Context, q engine.Query, yield func(engine.Path) error) error {
	if q.Table != engine.LocRIB {
		if err := d.known(q.Neighbor); err != nil {
			return err
		}
	}
	if q.Address.IsValid() {
		q.Prefix = d.covering(q.Address)
	}
	var rows []engine.Path
	for _, v := range d.Tables[q.Table] {
		if (q.Table == engine.LocRIB || v.Neighbor == q.Neighbor) && inside(v.Prefix, q) && q.Filter.Selects(&v) {
			rows = append(rows, v)
		}
	}
	return each(d, rows, yield)
}

// covering is the longest prefix of the Loc-RIB around addr.
func (d *Daemon) covering(addr netip.Addr) netip.Prefix {
	longest := netip.PrefixFrom(addr, addr.BitLen())
	for _, v := range d.Tables[engine.LocRIB] {
		if v.Prefix.Contains(addr) && (!longest.Contains(v.Prefix.Addr()) || longest.IsSingleIP()) {
			longest = v.Prefix
		}
	}
	return longest
}

// inside reports whether the query asks for p.
func inside(p netip.Prefix, q engine.Query) bool {
	return !q.Prefix.IsValid() || p == q.Prefix || q.Longer && p.Bits() > q.Prefix.Bits() && q.Prefix.Contains(p.Addr())
}

// FIB implements api.Reader.
func (d *Daemon) FIB(_ context.Context, yield func(api.FIBRoute) error) error {
	return each(d, d.Kernel, yield)
}

func each[T any](d *Daemon, rows []T, yield func(T) error) error {
	if d.Err != nil {
		rows = rows[:min(d.AfterRows, len(rows))]
	}
	for _, v := range rows {
		if err := yield(v); err != nil {
			return err
		}
	}
	return d.Err
}

// Reset implements api.Controller.
func (d *Daemon) Reset(_ context.Context, neighbor netip.Addr, kind api.ResetKind) error {
	if err := d.known(neighbor); err != nil {
		return err
	}
	return d.did("reset %s %s", neighbor, [...]string{"hard", "soft in", "soft out"}[kind])
}

// SetNeighborShutdown implements api.Controller.
func (d *Daemon) SetNeighborShutdown(_ context.Context, neighbor netip.Addr, down bool, message string) error {
	if err := d.known(neighbor); err != nil {
		return err
	}
	return d.did("neighbor %s shutdown=%t %q", neighbor, down, message)
}

// Shutdown implements api.Controller.
func (d *Daemon) Shutdown(_ context.Context, o api.ShutdownOptions) error {
	if d.OnQuit != nil {
		d.OnQuit()
	}
	return d.did("shutdown flush=%t %q", o.Flush, o.Message)
}

// Drain implements api.Controller.
func (d *Daemon) Drain(_ context.Context, reason string) (time.Duration, error) {
	return d.Hold, d.did("drain %q", reason)
}

// Undrain implements api.Controller.
func (d *Daemon) Undrain(context.Context) error { return d.did("undrain") }

// SetLogLevel implements api.Controller.
func (d *Daemon) SetLogLevel(_ context.Context, level string) error {
	return d.did("log-level %s", level)
}
