package policy

import (
	"encoding/binary"
	"regexp/syntax"
	"slices"
)

// dfa is a deterministic automaton that finds the first of several expressions to
// match anywhere in a text. It needs one table lookup for each character, whatever
// the number of expressions, and allocates nothing. ADR 0015 compares it with the
// standard library's regexp, whose price grows with every rule of a list.
type dfa struct {
	class  [256]uint8 // characters that no expression tells apart share a class
	width  int        // number of classes
	start  uint16
	next   []uint16 // by state*width+class; with stopped set, the result is final
	result []int16  // the first expression that matches if the text ends here, or -1
}

const stopped = 1 << 15

// maxStates is the size at which building an automaton is given up. Lists that
// users write need a few dozen.
const maxStates = 1000

// match returns the index of the first expression that matches, or -1. text
// must be ASCII without newlines.
func (d *dfa) match(text []byte) int {
	s := d.start
	for _, b := range text {
		s = d.next[int(s)*d.width+int(d.class[b])]
		if s >= stopped {
			return int(d.result[s&^stopped])
		}
	}
	return int(d.result[s])
}

// newDFA builds the automaton by the subset construction over the programs of
// the expressions, or returns nil if it would be too large.
func newDFA(progs []*syntax.Prog) *dfa {
	b := &dfaBuilder{index: make(map[string]uint16)}
	b.concatenate(progs)
	b.classes()
	b.dfa.start = b.add(kernel{begin: true, best: len(progs)}) &^ stopped
	for s := 0; s < len(b.kernels); s++ {
		if len(b.kernels) > maxStates {
			return nil
		}
		b.expand(b.kernels[s])
	}
	return &b.dfa
}

// kernel is the set of instructions to which the characters so far have led. Since
// a match may begin anywhere, it implies the start of every expression before best,
// the first one that has matched already.
type kernel struct {
	pcs   []uint32 // sorted
	best  int
	begin bool // no character has been read
}

type dfaBuilder struct {
	dfa     dfa
	inst    []syntax.Inst // of all expressions
	owner   []int         // expression of each instruction
	starts  []uint32      // first instruction of each expression
	samples []rune        // a character of each class
	kernels []kernel      // by state
	index   map[string]uint16
}

func (b *dfaBuilder) concatenate(progs []*syntax.Prog) {
	for i, p := range progs {
		base := uint32(len(b.inst))
		b.starts = append(b.starts, base+uint32(p.Start))
		for _, in := range p.Inst {
			in.Out += base
			if in.Op == syntax.InstAlt || in.Op == syntax.InstAltMatch {
				in.Arg += base
			}
			b.inst = append(b.inst, in)
			b.owner = append(b.owner, i)
		}
	}
}

// classes groups the ASCII characters by the instructions that accept them.
func (b *dfaBuilder) classes() {
	seen := make(map[string]uint8)
	for c := range rune(128) {
		var sig []byte
		for i := range b.inst {
			if in := &b.inst[i]; isRune(in.Op) && in.MatchRune(c) {
				sig = binary.BigEndian.AppendUint32(sig, uint32(i))
			}
		}
		id, ok := seen[string(sig)]
		if !ok {
			id = uint8(len(b.samples))
			seen[string(sig)] = id
			b.samples = append(b.samples, c)
		}
		b.dfa.class[c] = id
	}
	b.dfa.width = len(b.samples)
}

func isRune(op syntax.InstOp) bool {
	switch op {
	case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
		return true
	}
	return false
}

// add returns the state of k and creates it if it is new.
func (b *dfaBuilder) add(k kernel) uint16 {
	runes, best := b.closure(k, false)
	k.best = best
	k.pcs = slices.DeleteFunc(k.pcs, func(pc uint32) bool { return b.owner[pc] >= best })
	key := k.key()
	if s, ok := b.index[key]; ok {
		return s
	}
	s := uint16(len(b.kernels))
	_, atEnd := b.closure(k, true)
	if atEnd == len(b.starts) {
		atEnd = -1
	}
	b.kernels = append(b.kernels, k)
	b.dfa.result = append(b.dfa.result, int16(atEnd))
	open := slices.ContainsFunc(runes, func(pc uint32) bool { return b.owner[pc] < best })
	if !open && len(k.pcs) == 0 && !k.begin {
		s |= stopped
	}
	b.index[key] = s
	return s
}

func (k kernel) key() string {
	key := binary.BigEndian.AppendUint32(nil, uint32(k.best))
	if k.begin {
		key = append(key, 1)
	}
	for _, pc := range k.pcs {
		key = binary.BigEndian.AppendUint32(key, pc)
	}
	return string(key)
}

// expand appends the row of the state of k.
func (b *dfaBuilder) expand(k kernel) {
	runes, _ := b.closure(k, false)
	for _, c := range b.samples {
		to := kernel{best: k.best}
		for _, pc := range runes {
			if in := &b.inst[pc]; in.MatchRune(c) {
				to.pcs = append(to.pcs, in.Out)
			}
		}
		slices.Sort(to.pcs)
		to.pcs = slices.Compact(to.pcs)
		b.dfa.next = append(b.dfa.next, b.add(to))
	}
}

// closure follows the instructions that read no character. It returns those that
// wait for one, and the first expression that has matched. end tells that the text
// ends here.
func (b *dfaBuilder) closure(k kernel, end bool) (runes []uint32, best int) {
	seen := make([]bool, len(b.inst))
	stack := append(slices.Clone(k.pcs), b.starts[:k.best]...)
	best = k.best
	for len(stack) > 0 {
		pc := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if seen[pc] {
			continue
		}
		seen[pc] = true
		switch in := &b.inst[pc]; in.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			stack = append(stack, in.Out, in.Arg)
		case syntax.InstCapture, syntax.InstNop:
			stack = append(stack, in.Out)
		case syntax.InstEmptyWidth:
			if holds(syntax.EmptyOp(in.Arg), k.begin, end) {
				stack = append(stack, in.Out)
			}
		case syntax.InstMatch:
			best = min(best, b.owner[pc])
		case syntax.InstFail:
		default:
			runes = append(runes, pc)
		}
	}
	return runes, best
}

// holds reports whether an anchor holds. POSIX syntax has only ^ and $.
func holds(op syntax.EmptyOp, begin, end bool) bool {
	const begins, ends = syntax.EmptyBeginLine | syntax.EmptyBeginText, syntax.EmptyEndLine | syntax.EmptyEndText
	return (op&begins == 0 || begin) && (op&ends == 0 || end)
}
