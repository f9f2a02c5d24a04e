// Package nic makes each NIC of an NVA answer Azure's platform address by itself.
//
// A load balancer probes every NIC from the same address, 168.63.129.16, but table main has
// only one route there. So the answers of all other NICs would leave by the wrong one, and
// the load balancer would take them out of service. The package keeps a table for each NIC
// with a route to that address, and rules that send the NIC's answers there.
//
// Promises: a rule matches only packets from an address of the NIC to [Platform]. BGP, VXLAN and
// forwarded packets follow table main as before. What already is as wanted is left alone, so
// that nobody notices a restart. What another program removed is put back, and counted as a
// repair.
//
// nvad's rules have [Protocol] and [Priority]; its routes have Protocol, a table other than
// main and the destination Platform. The package never touches any others.
//
// A [Manager] belongs to one goroutine. The package knows no netlink: package kernel
// implements [Kernel], package nictest has a kernel in memory.
package nic

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"time"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/retry"
)

// Manager compares the wanted rules and routes with the kernel's. It belongs to one goroutine.
type Manager struct {
	kernel  Kernel
	wanted  []NIC
	state   map[string]*state
	tables  []uint32     // where nvad's routes may be; nil: in any table
	remains *retry.State // of unwanted rules and routes
	repairs []string
}

// state is the manager's memory of one NIC.
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

// Sync writes the rules and routes that the NICs need on these links. It returns when to try
// again what failed; zero: nothing did.
func (m *Manager) Sync(links []fib.Link, now time.Time) (next time.Time, err error) {
	if len(m.wanted) == 0 && m.tables != nil && len(m.tables) == 0 {
		return time.Time{}, nil // nothing is wanted, and nothing of an earlier file is left
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
	if m.remains.Due(now) {
		m.remains = m.remains.After(m.all(m.unwanted(have)), now)
	}
	return m.remains.Earlier(next), nil
}

// read reads nvad's rules and routes. It searches all tables only the first time; after that it
// is known in which ones routes are.
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

// build writes what one NIC needs: the route before the rules that lead to it.
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

// missing returns the operations that turn have into p.
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

// unwanted returns the operations that delete what no NIC needs: rules first.
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

// all carries out every operation, even after one that failed, and joins the errors.
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

// Kick makes everything that failed due at once, because a link changed.
func (m *Manager) Kick() {
	for _, s := range m.state {
		s.Kick()
	}
}

// Repairs says what was found changed since the last call.
func (m *Manager) Repairs() []string {
	list := m.repairs
	m.repairs = nil
	return list
}

// Flush deletes everything of nvad's.
func (m *Manager) Flush() error {
	m.SetWanted(nil)
	m.tables = nil
	have, err := m.read()
	if err != nil {
		return err
	}
	return m.all(m.unwanted(have))
}

// Status describes a wanted NIC.
type Status struct {
	NIC                    // with the derived Gateway, once that is known
	State     string       // "ready", "waiting" or "failed"
	Reason    string       // of the last two
	Addresses []netip.Addr // whose answers leave by this NIC
}

// Status returns the wanted NICs as of the last [Manager.Sync].
func (m *Manager) Status() []Status {
	var list []Status
	for _, n := range m.wanted {
		s := m.state[n.Device]
		st := Status{NIC: n, State: "waiting"}
		if s.plan.route.Via.IsValid() {
			st.Gateway = s.plan.route.Via
		}
		switch {
		case s.Failure != nil:
			st.State, st.Reason = "failed", s.Failure.Err.Error()
		case s.Wait != nil:
			st.Reason = s.Wait.Error()
		case s.Built:
			st.State = "ready"
			for _, r := range s.plan.rules {
				st.Addresses = append(st.Addresses, r.From)
			}
		}
		list = append(list, st)
	}
	return list
}
