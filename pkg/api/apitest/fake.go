// Package apitest is a daemon without routing, for tests of clients: an [api.Reader]
// and [api.Controller] that answer from a fixed picture and record their commands.
package apitest

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/user"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/azure"
	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/engine"
	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/history"
	"github.com/nvad/nvad/pkg/journal"
	"github.com/nvad/nvad/pkg/nat"
	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/rib"
	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/tunnel"
	"github.com/nvad/nvad/pkg/watch"
)

// Daemon answers from its fields, which must not change while it serves.
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
	Listen     []engine.Range
	Rules      []nat.Status
	Interfaces []fib.Link
	NotDue     string           // what BeginAzurePoll answers
	Hub        watch.Hub        // where changes are published
	Happened   []journal.Record // what the journal has, see [Happened]; nil: none is kept
	OnQuit     func()           // called by Shutdown, if not nil
	Err        error            // what every question and command answers, if not nil
	AfterRows  int              // with Err: how many rows tables yield before it

	mu       sync.Mutex
	commands []string
	polled   azure.Poll
}

var (
	_ api.Reader     = (*Daemon)(nil)
	_ api.Controller = (*Daemon)(nil)
)

// Commands returns the commands that the daemon received, in words.
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

// Ranges implements api.Reader.
func (d *Daemon) Ranges(context.Context) ([]engine.Range, error) { return d.Listen, d.Err }

// Summaries implements api.Reader. It suggests something if routes are held back.
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

// Explain implements api.Reader. It uses the addresses of the query only to check that
// they are known.
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
	var rows []engine.Path
	for _, v := range d.Tables[q.Table] {
		if (q.Table == engine.LocRIB || v.Neighbor == q.Neighbor) && inside(v.Prefix, q) && q.Filter.Selects(&v) {
			rows = append(rows, v)
		}
	}
	return each(d, rows, yield)
}

// inside reports whether the query asks for p. No two prefixes of a picture overlap, so
// that the one around an address is the longest.
func inside(p netip.Prefix, q engine.Query) bool {
	switch {
	case q.Address.IsValid():
		return p.Contains(q.Address)
	case q.Longer:
		return p.Bits() >= q.Prefix.Bits() && q.Prefix.Contains(p.Addr())
	}
	return !q.Prefix.IsValid() || p == q.Prefix
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
func (d *Daemon) Shutdown(_ context.Context, flush bool, message string) error {
	if d.OnQuit != nil {
		d.OnQuit()
	}
	return d.did("shutdown flush=%t %q", flush, message)
}

// MakeTunnelKey implements api.Controller.
func (d *Daemon) MakeTunnelKey(_ context.Context, name string) (string, tunnel.Key, error) {
	return name + "k2", tunnel.NewPrivate([32]byte{24}).Public(), d.did("make key of tunnel %s", name)
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

// BeginAzurePoll implements api.Controller.
func (d *Daemon) BeginAzurePoll(context.Context) (string, error) {
	return d.NotDue, d.did("begin azure poll")
}

// EndAzurePoll implements api.Controller.
func (d *Daemon) EndAzurePoll(_ context.Context, seen azure.Poll, failure string) error {
	d.mu.Lock()
	d.polled = seen
	d.mu.Unlock()
	return d.did("end azure poll, %d prefixes, %d findings, %q", len(seen.Fates), seen.Findings, failure)
}

// Polled returns what the last poll of Azure reported.
func (d *Daemon) Polled() azure.Poll {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.polled
}

// Config implements api.Reader. All kept versions have the same text.
func (d *Daemon) Config(_ context.Context, version int, expanded bool) (string, error) {
	if err := d.kept(version); err != nil {
		return "", err
	}
	if expanded {
		return d.TOML + "# expanded\n", d.Err
	}
	return d.TOML, d.Err
}

func (d *Daemon) kept(version int) error {
	if version == 0 || slices.ContainsFunc(d.Versions, func(v history.Entry) bool { return v.Version == version }) {
		return nil
	}
	return api.NotFound("version %d is not kept", version)
}

// Configs implements api.Reader.
func (d *Daemon) Configs(context.Context) (history.Record, error) {
	return history.Record{Entries: d.Versions, Running: d.Versions[len(d.Versions)-1].Version}, d.Err
}

// Preview implements api.Reader.
func (d *Daemon) Preview(_ context.Context, effect bool) (api.Preview, error) {
	p := api.Preview{Changes: d.Changes, Cautions: d.Cautions, Refused: d.Refused}
	if effect {
		p.Effect = d.Effect
	}
	return p, d.Err
}

// Reload implements api.Controller.
func (d *Daemon) Reload(_ context.Context, confirm time.Duration) (api.Reloaded, error) {
	out := api.Reloaded{Changes: d.Changes, Cautions: d.Cautions, Effect: d.Effect, Version: 5}
	if confirm == 0 {
		return out, d.did("reload")
	}
	out.Pending = &history.Pending{Deadline: Now.Add(confirm), Fallback: 4}
	return out, d.did("reload confirm=%s", confirm.Round(time.Second))
}

// Confirm implements api.Controller.
func (d *Daemon) Confirm(context.Context) (int, error) { return 5, d.did("confirm") }

// Rollback implements api.Controller.
func (d *Daemon) Rollback(_ context.Context, version int) (api.RolledBack, error) {
	if err := d.kept(version); err != nil {
		return api.RolledBack{}, err
	}
	return api.RolledBack{Changes: d.Changes, To: 3, Version: 6}, d.did("rollback %d", version)
}

// FetchConfig implements api.Controller.
func (d *Daemon) FetchConfig(_ context.Context, version int) (string, []byte, error) {
	if err := d.kept(version); err != nil {
		return "", nil, err
	}
	return d.File, []byte(d.TOML), d.Err
}

// versions is a history with one version of every fate.
func versions() []history.Entry {
	at := Now.Add(-26 * time.Hour)
	return []history.Entry{
		{Version: 1, Time: at, Cause: "start", Result: "applied"},
		{Version: 2, Time: at.Add(time.Hour), Cause: "reload", By: "root", Result: "confirmed", Judge: "alice"},
		{Version: 3, Time: at.Add(2 * time.Hour), Cause: "reload", By: "SIGHUP", Result: "not confirmed"},
		{Version: 4, Time: at.Add(3 * time.Hour), Cause: "rollback", By: "deadline", Origin: 2, Result: "applied"},
		{Version: 5, Time: at.Add(4 * time.Hour), Cause: "reload", By: "root", Result: "waiting"},
	}
}

// OwnGroup returns the primary group of the test's process. A server with it as
// AdminGroup takes commands from the test, whoever runs it.
func OwnGroup(t testing.TB) string {
	t.Helper()
	g, err := user.LookupGroupId(strconv.Itoa(os.Getgid()))
	if err != nil {
		t.Skipf("no name for the test's group: %v", err)
	}
	return g.Name
}
