package nat

import "slices"

// Status is a rule and how often it was met.
type Status struct {
	Chain string
	Rule  Rule
	Hits
	Missing bool // it is not in the kernel as wanted
}

// Status returns the wanted rules, but for those that every chain begins with, with
// the kernel's counters. They begin anew when the table is written.
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

// chain is the one of that name; the zero value if there is none.
func (f *Found) chain(name string) FoundChain {
	if f != nil {
		if i := slices.IndexFunc(f.Chains, func(c FoundChain) bool { return c.Name == name }); i >= 0 {
			return f.Chains[i]
		}
	}
	return FoundChain{}
}
