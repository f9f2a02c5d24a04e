package nic

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/retry"
)

// Manager is the state of package nic. It belongs to one goroutine.
type Manager struct {
	kernel  Kernel
	wanted  []NIC
	state   map[string]*state
	tables  []uint32 // that may hold routes of nvad; nil: any may
	remains *retry.State
	repairs []string
}

// state is what the manager remembers of one NIC.
type state struct {
	retry.Progress // Built: the kernel had plan
	plan           plan
}

// New returns a manager that wants nothing.
func New(k Kernel) *Manager { return &Manager{kernel: k} }

// SetWanted replaces the wanted NICs.
func (m *Manager) SetWanted(list []NIC) {
	old := m.state
	m.wanted, m.state = slices.Clone(list), make(map[string]*state)
	for _, n := range list {
		m.state[n.Device] = &state{}
		if s := old[n.Device]; s != nil {
			m.state[n.Device].plan, m.state[n.Device].Built = s.plan, s.Built
		}
	}
}

// Sync brings the kernel to what the NICs need, given the links as they are. It
// returns when to try again what failed; zero: nothing did.
func (m *Manager) Sync(links []fib.Link, now time.Time) (next time.Time, err error) {
	if len(m.wanted) == 0 && m.tables != nil && len(m.tables) == 0 {
		return time.Time{}, nil // and nothing of an earlier file is left
	}
	have, err := m.read()
	if err != nil {
		return now.Add(retry.First), err
	}
	for _, n := range m.wanted {
		s := m.state[n.Device]
		if s.Due(now) {
			s.Settle(m.build(n, s, have, links), now)
		}
		next = s.Failure.Earlier(next)
	}
	m.removeUnwanted(have, now)
	return m.remains.Earlier(next), nil
}

// read reads what is nvad's. All tables are looked through only the first time:
// later, it is known where something was put.
func (m *Manager) read() (Found, error) {
	tables := m.tables
	for _, n := range m.wanted {
		if m.tables != nil && !slices.Contains(tables, n.Table) {
			tables = append(tables, n.Table)
		}
	}
	have, err := m.kernel.Read(tables)
	if err != nil {
		return have, fmt.Errorf("read rules of NICs: %w", err)
	}
	m.tables = []uint32{}
	for _, r := range have.Rules {
		m.tables = append(m.tables, r.Table)
	}
	for _, r := range have.Routes {
		m.tables = append(m.tables, r.Table)
	}
	for _, n := range m.wanted {
		m.tables = append(m.tables, n.Table)
	}
	slices.Sort(m.tables)
	m.tables = slices.Compact(m.tables)
	return have, nil
}

// build makes what one NIC needs: the route before the rules that lead to it.
func (m *Manager) build(n NIC, s *state, have Found, links []fib.Link) error {
	p, err := n.plan(links)
	if err != nil {
		s.plan, s.Built = plan{}, false
		return err
	}
	ops := missing(p, have)
	if s.Built && len(ops) > 0 && same(s.plan, p) {
		m.repairs = append(m.repairs, n.Device+": "+ops[0].String())
	}
	s.plan, s.Built = p, false
	return m.all(ops)
}

// missing is what to do for p where the kernel has have.
func missing(p plan, have Found) (ops []Op) {
	i := slices.IndexFunc(have.Routes, func(r Route) bool { return r.Table == p.route.Table })
	switch {
	case i < 0:
		ops = append(ops, Op{Kind: AddRoute, Route: p.route})
	case have.Routes[i] != p.route:
		ops = append(ops, Op{Kind: ReplaceRoute, Route: p.route})
	}
	for _, r := range p.rules {
		if !slices.Contains(have.Rules, r) {
			ops = append(ops, Op{Kind: AddRule, Rule: r})
		}
	}
	return ops
}

func same(a, b plan) bool { return a.route == b.route && slices.Equal(a.rules, b.rules) }

// removeUnwanted deletes what of nvad's no NIC needs any more.
func (m *Manager) removeUnwanted(have Found, now time.Time) {
	if m.remains.Due(now) {
		m.remains = m.remains.After(m.all(m.unwanted(have)), now)
	}
}

// unwanted is what to do about what is in have for no reason: rules first.
func (m *Manager) unwanted(have Found) (ops []Op) {
	var rules []Rule
	tables := make(map[uint32]bool)
	for _, s := range m.state {
		rules = append(rules, s.plan.rules...)
		tables[s.plan.route.Table] = true
	}
	for _, r := range have.Rules {
		if !slices.Contains(rules, r) {
			ops = append(ops, Op{Kind: DeleteRule, Rule: r})
		}
	}
	for _, r := range have.Routes {
		if !tables[r.Table] {
			ops = append(ops, Op{Kind: DeleteRoute, Route: r})
		}
	}
	return ops
}

// all carries out every operation, failed ones before it or not, and joins the
// errors.
func (m *Manager) all(ops []Op) error {
	var errs []error
	for _, op := range ops {
		err := m.kernel.Do(op)
		if errors.Is(err, fs.ErrExist) {
			err = fmt.Errorf("table %d has a route of another program to %s", op.Route.Table, Platform)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", op, err))
		}
	}
	return errors.Join(errs...)
}

// Kick makes what failed due again: a link did something.
func (m *Manager) Kick() {
	for _, s := range m.state {
		s.Kick()
	}
}

// Repairs returns what was found other than it had been made since it was last
// asked.
func (m *Manager) Repairs() []string {
	list := m.repairs
	m.repairs = nil
	return list
}

// Flush removes everything of nvad.
func (m *Manager) Flush() error {
	m.SetWanted(nil)
	m.tables = nil
	have, err := m.read()
	if err != nil {
		return err
	}
	return m.all(m.unwanted(have))
}
