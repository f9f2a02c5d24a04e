package nat

// Table is the name of nvad's table, which is of the family inet. Whatever is in
// it is nvad's.
const Table = "nvad"

// Kernel is what the package needs of the kernel.
type Kernel interface {
	// Read returns the table, nil if there is none.
	Read() (*Found, error)
	// Replace makes the table hold these chains and nothing else, in one step.
	Replace([]Chain) error
	// Delete removes the table. That there is none is success.
	Delete() error
}

// Found is the table as the kernel has it.
type Found struct {
	Flags  bool // it has some, of which "dormant" switches it off
	Chains []FoundChain
}

// FoundChain is a chain as the kernel has it.
type FoundChain struct {
	Name  string
	Hook  Hook
	Marks []string // of the rules, in their order; "" for a rule without
	Hits  []Hits   // of the same rules
}

// Hits is how often a rule was met. In chains of type nat that is once for each
// connection: its other packets follow the first.
type Hits struct{ Packets, Bytes uint64 }
