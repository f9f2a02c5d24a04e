// Package nictest is a kernel in memory for tests of package nic and of those
// above it. A test may change what is in it as another program would. It is safe
// for one goroutine besides the manager's.
package nictest

import (
	"io/fs"
	"slices"
	"sync"

	"github.com/nvad/nvad/pkg/nic"
)

// Kernel implements nic.Kernel.
type Kernel struct {
	mu      sync.Mutex
	found   nic.Found
	foreign []uint32 // tables in which another program has a route to nic.Platform
	reads   [][]uint32
	ops     []nic.Op
	err     error
}

// Read implements nic.Kernel.
func (k *Kernel) Read(tables []uint32) (nic.Found, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.reads = append(k.reads, tables)
	var out nic.Found
	out.Rules = slices.Clone(k.found.Rules)
	for _, r := range k.found.Routes {
		if len(tables) == 0 || slices.Contains(tables, r.Table) {
			out.Routes = append(out.Routes, r)
		}
	}
	return out, nil
}

// Do implements nic.Kernel.
func (k *Kernel) Do(op nic.Op) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ops = append(k.ops, op)
	if err := k.err; err != nil {
		k.err = nil
		return err
	}
	if op.Kind == nic.AddRoute && slices.Contains(k.foreign, op.Route.Table) {
		return fs.ErrExist
	}
	k.apply(op)
	return nil
}

func (k *Kernel) apply(op nic.Op) {
	f := &k.found
	inTable := func(r nic.Route) bool { return r.Table == op.Route.Table }
	switch op.Kind {
	case nic.AddRoute, nic.ReplaceRoute:
		f.Routes = append(slices.DeleteFunc(f.Routes, inTable), op.Route)
	case nic.DeleteRoute:
		f.Routes = slices.DeleteFunc(f.Routes, inTable)
	case nic.AddRule:
		f.Rules = append(f.Rules, op.Rule)
	case nic.DeleteRule:
		f.Rules = slices.DeleteFunc(f.Rules, func(r nic.Rule) bool { return r == op.Rule })
	}
}

// Change lets another program change what is there.
func (k *Kernel) Change(fn func(*nic.Found)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	fn(&k.found)
}

// Occupy puts another program's route to nic.Platform into a table.
func (k *Kernel) Occupy(table uint32) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.foreign = append(k.foreign, table)
}

// FailNext makes the next operation fail.
func (k *Kernel) FailNext(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.err = err
}

// Take returns the operations and the tables of each Read since it was last
// called.
func (k *Kernel) Take() (ops []nic.Op, reads [][]uint32) {
	k.mu.Lock()
	defer k.mu.Unlock()
	ops, reads = k.ops, k.reads
	k.ops, k.reads = nil, nil
	return ops, reads
}
