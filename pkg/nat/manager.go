// Package nat keeps nvad's nftables table as wanted: masquerading, translation of sources and
// destinations, clamping of TCP's maximum segment size to what fits through the tunnels, and
// the rules that keep strangers out of the tunnels (ADR 0009).
//
// Promises: the table is replaced as a whole and in one step, so no packet meets half of it,
// and only if it differs. Other tables are not looked at. Chains that translate exist
// only if there is something to translate, because they make the kernel track every
// connection. What another program changed is put back, and counted as a repair.
//
// A rule is recognised by the mark in its comment, a hash of everything it says. If another
// program changes a rule but keeps its comment, that goes unnoticed.
//
// A [Manager] belongs to one goroutine. The package knows no netlink: package kernel
// implements [Kernel], package nattest has a kernel in memory.
package nat

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/nvad/nvad/pkg/retry"
)

// Table is the name of nvad's table, of the family inet. Everything in it is nvad's.
const Table = "nvad"

// Kernel reads and writes the table.
type Kernel interface {
	// Read returns the table; nil if there is none.
	Read() (*Found, error)
	// Replace puts these chains and nothing else into the table, in one step.
	Replace([]Chain) error
	// Delete deletes the table. It succeeds if there is none.
	Delete() error
}

// Found is the table in the kernel.
type Found struct {
	Flags  bool // it has flags; "dormant" would switch it off
	Chains []FoundChain
}

// FoundChain is a chain in the kernel.
type FoundChain struct {
	Name  string
	Hook  Hook
	Marks []string // of the rules, in their order; "" for a rule without one
	Hits  []Hits   // of the same rules
}

// Hits counts what matched a rule. In chains of type nat, only the first packet of each
// connection counts: the others follow it.
type Hits struct{ Packets, Bytes uint64 }

// Manager compares the wanted table with the kernel's. It belongs to one goroutine.
type Manager struct {
	kernel   Kernel
	wanted   []Chain
	progress retry.Progress
	repairs  []string
}

// New returns a manager that wants no table.
func New(k Kernel) *Manager { return &Manager{kernel: k} }

// SetWanted replaces the wanted rules.
func (m *Manager) SetWanted(r Rules) {
	wanted := r.chains()
	if reflect.DeepEqual(wanted, m.wanted) {
		return
	}
	m.wanted, m.progress = wanted, retry.Progress{}
}

// Sync reads the table, and replaces it if it is not as wanted. After a failure it returns when
// to try again, and does nothing until then.
func (m *Manager) Sync(now time.Time) (next time.Time, err error) {
	if m.progress.Due(now) {
		m.progress.Settle(m.settle(), now)
	}
	if f := m.progress.Failure; f != nil {
		return f.At, f.Err
	}
	return time.Time{}, nil
}

func (m *Manager) settle() error {
	what, err := m.compare()
	if err != nil || what == "" {
		return err
	}
	if m.progress.Built {
		m.progress.Built = false
		m.repairs = append(m.repairs, what)
	}
	if err := m.write(); err != nil {
		return err
	}
	// If the table did not read back as it was written, it would be replaced again at
	// every look.
	what, err = m.compare()
	if err == nil && what != "" {
		err = errors.New("just written, but " + what)
	}
	return err
}

// compare says how the table differs from what is wanted; "" if it does not.
func (m *Manager) compare() (string, error) {
	have, err := m.kernel.Read()
	if err != nil {
		return "", fmt.Errorf("read table %s: %w", Table, err)
	}
	return difference(have, m.wanted), nil
}

func (m *Manager) write() error {
	if len(m.wanted) == 0 {
		return m.Flush()
	}
	if err := m.kernel.Replace(m.wanted); err != nil {
		return fmt.Errorf("write table %s: %w", Table, err)
	}
	return nil
}

// difference says for the operator how a table differs from the wanted chains; "" if it does
// not. The order of chains does not matter.
func difference(have *Found, wanted []Chain) string {
	switch {
	case have == nil && len(wanted) == 0:
		return ""
	case have == nil:
		return "the table is missing"
	case len(wanted) == 0:
		return "there is a table, and none is wanted"
	case have.Flags:
		return "the table has flags"
	}
	for _, w := range wanted {
		i := slices.IndexFunc(have.Chains, func(c FoundChain) bool { return c.Name == w.Name })
		switch {
		case i < 0:
			return "chain " + w.Name + " is missing"
		case have.Chains[i].Hook != w.Hook:
			return "chain " + w.Name + " has another hook"
		case !slices.Equal(have.Chains[i].Marks, w.marks()):
			return "the rules of chain " + w.Name + " differ"
		}
	}
	if len(have.Chains) > len(wanted) {
		return "there are more chains"
	}
	return ""
}

func (c Chain) marks() []string {
	var list []string
	for _, r := range c.Rules {
		list = append(list, r.Mark())
	}
	return list
}

// Repairs says how the table was found changed since the last call.
func (m *Manager) Repairs() []string {
	list := m.repairs
	m.repairs = nil
	return list
}

// Flush deletes the table.
func (m *Manager) Flush() error {
	m.wanted, m.progress.Built = nil, false
	if err := m.kernel.Delete(); err != nil {
		return fmt.Errorf("delete table %s: %w", Table, err)
	}
	return nil
}

// Status is a wanted rule with what matched it.
type Status struct {
	Chain string
	Rule  Rule
	Hits
	Missing bool // the kernel does not have it as wanted
}

// Status returns the wanted rules with the kernel's counters, which start again when the table
// is written. It leaves out the rules with which every chain begins.
func (m *Manager) Status() ([]Status, error) {
	have, err := m.kernel.Read()
	if err != nil {
		return nil, err
	}
	var list []Status
	for _, c := range m.wanted {
		found := have.chain(c.Name)
		for i, r := range c.Rules {
			s := Status{Chain: c.Name, Rule: r, Missing: i >= len(found.Marks) || found.Marks[i] != r.Mark()}
			if !s.Missing && i < len(found.Hits) {
				s.Hits = found.Hits[i]
			}
			if r.Why != platform && r.Why != toRemote {
				list = append(list, s)
			}
		}
	}
	return list, nil
}

// chain returns the chain with a name; the zero value if there is none.
func (f *Found) chain(name string) FoundChain {
	if f != nil {
		if i := slices.IndexFunc(f.Chains, func(c FoundChain) bool { return c.Name == name }); i >= 0 {
			return f.Chains[i]
		}
	}
	return FoundChain{}
}
