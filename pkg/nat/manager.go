package nat

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/nvad/nvad/pkg/retry"
)

// Manager is the state of package nat. It belongs to one goroutine.
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

// Sync reads the table and makes it as wanted. After a failure it returns when to
// try again; it does nothing before.
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
	// A table that reads back otherwise than it was written would be written
	// again at every look.
	what, err = m.compare()
	if err == nil && what != "" {
		err = errors.New("just written, but " + what)
	}
	return err
}

// compare says in what the table differs from what is wanted, "" if it does not.
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

// difference is told to the operator. The order of chains means nothing.
func difference(have *Found, wanted []Chain) string {
	switch {
	case have == nil && len(wanted) == 0:
		return ""
	case have == nil:
		return "the table is missing"
	case len(wanted) == 0:
		return "there is a table"
	case have.Flags:
		return "the table has flags"
	}
	for _, w := range wanted {
		i := slices.IndexFunc(have.Chains, func(c FoundChain) bool { return c.Name == w.Name })
		switch {
		case i < 0:
			return "chain " + w.Name + " is missing"
		case have.Chains[i].Hook != w.Hook:
			return "chain " + w.Name + " is at another hook"
		case !slices.Equal(have.Chains[i].Marks, w.marks()):
			return "the rules of chain " + w.Name + " are others"
		}
	}
	if len(have.Chains) > len(wanted) {
		return "there are other chains"
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

// Repairs returns what was found other than it had been written since it was last
// asked.
func (m *Manager) Repairs() []string {
	list := m.repairs
	m.repairs = nil
	return list
}

// Flush removes the table.
func (m *Manager) Flush() error {
	m.wanted, m.progress.Built = nil, false
	if err := m.kernel.Delete(); err != nil {
		return fmt.Errorf("delete table %s: %w", Table, err)
	}
	return nil
}
