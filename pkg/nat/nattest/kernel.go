// Package nattest is a kernel in memory for tests of what uses package nat.
package nattest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nvad/nvad/pkg/nat"
)

// Kernel implements nat.Kernel. The zero value has no table.
type Kernel struct {
	// Log is every change asked for, failed ones included.
	Log []string

	table *nat.Found
	rules map[string]string // by mark
	fail  map[string]error
}

// FailNext makes the next call of that method fail: "Read", "Replace" or "Delete".
func (k *Kernel) FailNext(name string, err error) {
	if k.fail == nil {
		k.fail = make(map[string]error)
	}
	k.fail[name] = err
}

// Change changes the table as another program would; change gets nil if there is
// none, and returns what there is then.
func (k *Kernel) Change(change func(*nat.Found) *nat.Found) { k.table = change(k.table) }

// Read implements nat.Kernel.
func (k *Kernel) Read() (*nat.Found, error) {
	if err := k.failing("Read"); err != nil || k.table == nil {
		return nil, err
	}
	found := &nat.Found{Flags: k.table.Flags, Chains: slices.Clone(k.table.Chains)}
	for i := range found.Chains {
		found.Chains[i].Marks = slices.Clone(found.Chains[i].Marks)
	}
	return found, nil
}

// Replace implements nat.Kernel.
func (k *Kernel) Replace(chains []nat.Chain) error {
	k.Log = append(k.Log, "replace")
	if err := k.failing("Replace"); err != nil {
		return err
	}
	k.table, k.rules = &nat.Found{}, make(map[string]string)
	for _, c := range chains {
		found := nat.FoundChain{Name: c.Name, Hook: c.Hook}
		for _, r := range c.Rules {
			found.Marks = append(found.Marks, r.Mark())
			k.rules[r.Mark()] = r.String()
		}
		k.table.Chains = append(k.table.Chains, found)
	}
	return nil
}

// Delete implements nat.Kernel.
func (k *Kernel) Delete() error {
	k.Log = append(k.Log, "delete")
	if err := k.failing("Delete"); err != nil {
		return err
	}
	k.table = nil
	return nil
}

func (k *Kernel) failing(name string) error {
	err := k.fail[name]
	delete(k.fail, name)
	return err
}

var hooks = map[nat.Hook]string{
	nat.Prerouting: " hook prerouting", nat.Postrouting: " hook postrouting", nat.Forward: " hook forward",
	nat.RawPrerouting: " hook prerouting raw", nat.RawInput: " hook input raw", nat.OtherHook: " hook other",
}

// String prints the table: a line for each chain and rule. No table is "".
func (k *Kernel) String() string {
	if k.table == nil {
		return ""
	}
	var b strings.Builder
	if k.table.Flags {
		b.WriteString("flags\n")
	}
	for _, c := range k.table.Chains {
		fmt.Fprintf(&b, "%s%s\n", c.Name, hooks[c.Hook])
		for _, mark := range c.Marks {
			text, ok := k.rules[mark]
			if !ok {
				text = "another's rule"
			}
			b.WriteString("  " + text + "\n")
		}
	}
	return b.String()
}
