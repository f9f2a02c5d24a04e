package policy

import (
	"encoding/binary"
	"regexp/syntax"
	"slices"
)

// dfa is a deterministic automaton that says whether an expression matches
// somewhere in a text: one table lookup for each character, no allocation.
type dfa struct {
	class [256]uint8 // characters the expression can't tell apart share a class
	width int        // classes
	start uint16
	next  []uint16 // state*width + class
	final []bool   // the expression matches if the text ends in this state
}

// States that no further character leads out of, and the first of the others.
const (
	stateMatched = iota
	stateDead
	firstState
)

// maxStates is where an automaton is given up. Those of patterns that users
// write have a few dozen.
const maxStates = 400

func (d *dfa) match(text []byte) bool {
	s := d.start
	for _, b := range text {
		s = d.next[int(s)*d.width+int(d.class[b])]
		if s <= stateDead {
			return s == stateMatched
		}
	}
	return d.final[s]
}

// newDFA builds the automaton by the subset construction over prog, or returns
// nil if it would be too large. Text must be ASCII without newlines.
func newDFA(prog *syntax.Prog) *dfa {
	b := &dfaBuilder{prog: prog, index: make(map[string]uint16)}
	b.dfa.final = []bool{stateMatched: true, stateDead: false}
	b.kernels = make([]kernel, firstState)
	b.classes()
	b.dfa.start = b.add(kernel{begin: true})
	for s := firstState; s < len(b.kernels); s++ {
		if len(b.kernels) > maxStates {
			return nil
		}
		b.expand(b.kernels[s])
	}
	return &b.dfa
}

// kernel is the set of instructions that the characters so far have led to. A
// match may also begin at any place, so the start of the program is implied.
type kernel struct {
	pcs   []uint32 // sorted
	begin bool     // no character was read yet
}

type dfaBuilder struct {
	prog    *syntax.Prog
	dfa     dfa
	samples []rune // one character of each class
	kernels []kernel
	index   map[string]uint16
}

// classes groups the ASCII characters by the instructions that accept them.
func (b *dfaBuilder) classes() {
	seen := make(map[string]uint8)
	for c := range rune(128) {
		var sig []byte
		for i := range b.prog.Inst {
			in := &b.prog.Inst[i]
			if isRune(in.Op) && in.MatchRune(c) {
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
	b.dfa.next = make([]uint16, firstState*b.dfa.width)
}

func isRune(op syntax.InstOp) bool {
	switch op {
	case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
		return true
	}
	return false
}

// add returns the state of k, making one if there is none.
func (b *dfaBuilder) add(k kernel) uint16 {
	key := make([]byte, 0, 4*len(k.pcs)+1)
	if k.begin {
		key = append(key, 1)
	}
	for _, pc := range k.pcs {
		key = binary.BigEndian.AppendUint32(key, pc)
	}
	if s, ok := b.index[string(key)]; ok {
		return s
	}
	runes, matched := b.closure(k, false)
	_, final := b.closure(k, true)
	s := uint16(len(b.kernels))
	switch {
	case matched:
		s = stateMatched
	case len(runes) == 0 && !final && !k.begin:
		s = stateDead
	default:
		b.kernels = append(b.kernels, k)
		b.dfa.final = append(b.dfa.final, final)
	}
	b.index[string(key)] = s
	return s
}

// expand fills the row of state k.
func (b *dfaBuilder) expand(k kernel) {
	runes, _ := b.closure(k, false)
	for _, c := range b.samples {
		var to kernel
		for _, pc := range runes {
			if in := &b.prog.Inst[pc]; in.MatchRune(c) {
				to.pcs = append(to.pcs, in.Out)
			}
		}
		slices.Sort(to.pcs)
		to.pcs = slices.Compact(to.pcs)
		b.dfa.next = append(b.dfa.next, b.add(to))
	}
}

// closure follows what reads no character from k and the start of the program,
// and returns the instructions that wait for one, and whether the match is
// complete. end says that the text is at its end.
func (b *dfaBuilder) closure(k kernel, end bool) (runes []uint32, matched bool) {
	seen := make([]bool, len(b.prog.Inst))
	stack := append(slices.Clone(k.pcs), uint32(b.prog.Start))
	for len(stack) > 0 {
		pc := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if seen[pc] {
			continue
		}
		seen[pc] = true
		in := &b.prog.Inst[pc]
		switch in.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			stack = append(stack, in.Out, in.Arg)
		case syntax.InstCapture, syntax.InstNop:
			stack = append(stack, in.Out)
		case syntax.InstEmptyWidth:
			if holds(syntax.EmptyOp(in.Arg), k.begin, end) {
				stack = append(stack, in.Out)
			}
		case syntax.InstMatch:
			matched = true
		case syntax.InstFail:
		default:
			runes = append(runes, pc)
		}
	}
	return runes, matched
}

// holds reports whether an anchor is satisfied. POSIX syntax has only ^ and $.
func holds(op syntax.EmptyOp, begin, end bool) bool {
	const begins, ends = syntax.EmptyBeginLine | syntax.EmptyBeginText, syntax.EmptyEndLine | syntax.EmptyEndText
	return (op&begins == 0 || begin) && (op&ends == 0 || end)
}
