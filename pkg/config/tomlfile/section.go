package tomlfile

import "cmp"

// Section declares one kind of table of a file that is read into a C. A program
// lists its sections once, in the order in which they are printed.
type Section[C any] interface {
	// Read reads the section of the file, if it is there, into c.
	Read(file *Table, c *C)
	// Print writes what differs from base, the defaults.
	Print(p *Printer, c, base *C)
	// Diff returns what differs from old to new.
	Diff(old, new *C) []Change
	// Describe returns the section's part of the reference.
	Describe(base *C) TableDoc
}

// Single is a [Section] that a file has at most once.
type Single[C, T any] struct {
	Name   string // "kernel"; empty for the keys above the first table
	Doc    string
	Of     func(*C) *T
	Fields func(*T) []Field
}

// Read implements [Section].
func (s Single[C, T]) Read(file *Table, c *C) {
	if s.Name == "" {
		ReadFields(file, s.Fields(s.Of(c)))
	} else if sub := file.Sub(s.Name); sub != nil {
		ReadFields(sub, s.Fields(s.Of(c)))
		sub.Done()
	}
}

// Print implements [Section].
func (s Single[C, T]) Print(p *Printer, c, base *C) {
	if lines := p.Differing(s.Fields(s.Of(c)), s.Fields(s.Of(base))); len(lines) > 0 {
		p.Section(s.header(), lines)
	}
}

// Diff implements [Section].
func (s Single[C, T]) Diff(old, new *C) []Change {
	return DiffFields(cmp.Or(s.Name, "global"), s.Fields(s.Of(old)), s.Fields(s.Of(new)))
}

// Describe implements [Section].
func (s Single[C, T]) Describe(base *C) TableDoc {
	d := TableDoc{Header: s.header(), Doc: s.Doc, Keys: Describe(s.Of(base), s.Fields)}
	if s.Name == "" {
		d.Title = "Above the first table"
	}
	return d
}

func (s Single[C, T]) header() string {
	if s.Name == "" {
		return ""
	}
	return "[" + s.Name + "]"
}

// Array is a [Section] that is an array of tables.
type Array[C, T any] struct {
	Key    string // "tunnel", for [[tunnel]]
	ID     string // the key that names an element in errors
	Doc    string
	Of     func(*C) *[]T
	New    func() T        // an element with its defaults; nil: the zero T
	Name   func(*T) string // tells elements apart in a diff
	Gone   Impact          // of removing an element
	Fields func(*T) []Field
}

// Read implements [Section].
func (a Array[C, T]) Read(file *Table, c *C) {
	for _, sub := range file.Tables(a.Key, a.ID) {
		v := a.fresh()
		ReadFields(sub, a.Fields(&v))
		sub.Done()
		*a.Of(c) = append(*a.Of(c), v)
	}
}

func (a Array[C, T]) fresh() (v T) {
	if a.New != nil {
		v = a.New()
	}
	return v
}

// Print implements [Section].
func (a Array[C, T]) Print(p *Printer, c, _ *C) {
	list, base := *a.Of(c), a.fresh()
	for i := range list {
		p.Section("[["+a.Key+"]]", p.Differing(a.Fields(&list[i]), a.Fields(&base)))
	}
}

// Diff implements [Section].
func (a Array[C, T]) Diff(old, new *C) []Change {
	return DiffEach(a.Key, *a.Of(old), *a.Of(new), a.Gone, a.Name, func(object string, x, y *T) []Change {
		return DiffFields(object, a.Fields(x), a.Fields(y))
	})
}

// Describe implements [Section].
func (a Array[C, T]) Describe(*C) TableDoc {
	base := a.fresh()
	return TableDoc{Header: "[[" + a.Key + "]]", Doc: a.Doc, Each: Each(a.Gone), Keys: Describe(&base, a.Fields)}
}

// Each describes what adding and removing an element of an array costs.
func Each(gone Impact) string {
	switch gone {
	case SessionReset:
		return "Adding one is live; removing one ends the session."
	case DeviceRecreated:
		return "Adding one is live; removing one deletes the device."
	}
	return "Adding and removing one is live."
}
