package tomlfile

import (
	"bytes"
	"errors"
	"slices"
	"sort"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/pelletier/go-toml/v2/unstable"
)

// mark has the line of a value and of all values inside it. The decoder does not
// report lines, so the marks are collected from a second parser and walked beside
// the decoded document. Methods accept a nil mark.
type mark struct {
	line  int
	kids  map[string]*mark // of a table
	items []*mark          // of an array
}

func (m *mark) kid(key string) *mark {
	if m == nil {
		return nil
	}
	return m.kids[key]
}

func (m *mark) item(i int) *mark {
	if m == nil || i >= len(m.items) {
		return nil
	}
	return m.items[i]
}

func (m *mark) lineOr(line int) int {
	if m == nil || m.line == 0 {
		return line
	}
	return m.line
}

// sub returns the table under key, added at line if it is missing; the last
// element if key is an array of tables.
func (m *mark) sub(key string, line int) *mark {
	k := m.kids[key]
	if k == nil {
		k = &mark{line: line}
		m.put(key, k)
	}
	if len(k.items) > 0 {
		return k.items[len(k.items)-1]
	}
	return k
}

func (m *mark) put(key string, k *mark) {
	if m.kids == nil {
		m.kids = map[string]*mark{}
	}
	m.kids[key] = k
}

// decode returns the document and its marks, or the first syntax error. Both parsers
// must accept the document. The decoder has the better messages, but recurses
// without limit: it is given only what is shallow, or what the other parser, which
// has a limit, has accepted.
func decode(data []byte, secrets []string) (map[string]any, *mark, *Error) {
	doc := map[string]any{}
	root, fault := markLines(data)
	switch {
	case fault != nil && fault.Msg == tooManyParts: // too much for the decoder as well
	case fault == nil || shallow(data):
		if _, err := toml.Decode(string(data), &doc); err != nil {
			fault = decodeError(data, err, secrets)
		}
	}
	if fault != nil {
		return nil, nil, fault
	}
	return doc, root, nil
}

// shallow reports whether data has too few brackets to exhaust a stack by nesting.
func shallow(data []byte) bool {
	return bytes.Count(data, []byte("["))+bytes.Count(data, []byte("{")) < 10000
}

// decodeError takes the line from the offset: the decoder's own line is one too low
// after a CR, and at the end of a file without a newline.
func decodeError(data []byte, err error, secrets []string) *Error {
	out := &Error{Line: 1, Msg: "TOML syntax: " + err.Error()}
	var pe toml.ParseError
	if errors.As(err, &pe) {
		out.Line = lineAt(data, min(max(pe.Position.Start, 0), len(data)))
		out.Key = pe.LastKey
		out.Msg = "TOML syntax: " + pe.Message
	}
	if slices.Contains(secrets, out.Key[strings.LastIndexByte(out.Key, '.')+1:]) {
		out.Msg = "TOML syntax: the value is not a string in quotes" // the decoder's message would show it
	}
	return out
}

// marker walks the syntax tree of a document.
type marker struct {
	parser   unstable.Parser
	newlines []int  // offset of each
	deep     *Error // the first key of too many parts
}

const tooManyParts = "the dotted key has too many parts"

// maxParts bounds the parts of a dotted key: the decoder takes half a minute for
// a key of 20,000 parts.
const maxParts = 32

// markLines returns the marks of a document.
func markLines(data []byte) (*mark, *Error) {
	w := &marker{}
	for i, b := range data {
		if b == '\n' {
			w.newlines = append(w.newlines, i)
		}
	}
	root := &mark{line: 1}
	table := root
	w.parser.Reset(data)
	for w.parser.NextExpression() {
		node := w.parser.Expression()
		switch node.Kind {
		case unstable.Table:
			table = w.header(root, node, false)
		case unstable.ArrayTable:
			table = w.header(root, node, true)
		case unstable.KeyValue:
			w.keyValue(table, node)
		}
	}
	if w.deep != nil {
		return nil, w.deep
	}
	if err := w.parser.Error(); err != nil {
		return nil, w.syntaxError(err, data)
	}
	return root, nil
}

func (w *marker) syntaxError(err error, data []byte) *Error {
	out := &Error{Line: 1 + bytes.Count(data, []byte("\n")), Msg: "TOML syntax: " + err.Error()}
	var pe *unstable.ParserError
	if errors.As(err, &pe) && len(pe.Highlight) > 0 {
		out.Line = w.line(w.parser.Range(pe.Highlight))
	}
	return out
}

func (w *marker) line(r unstable.Range) int {
	return 1 + sort.SearchInts(w.newlines, int(r.Offset))
}

// parent returns the table within root that has the dotted key of node, the last part
// of the key, and its line.
func (w *marker) parent(root *mark, node *unstable.Node) (table *mark, key string, line int) {
	var parts []string
	for it := node.Key(); it.Next(); {
		parts = append(parts, string(it.Node().Data))
		line = w.line(it.Node().Raw)
	}
	if len(parts) > maxParts && w.deep == nil {
		w.deep = &Error{Line: line, Key: parts[0], Msg: tooManyParts}
	}
	last := len(parts) - 1
	for _, part := range parts[:last] {
		root = root.sub(part, line)
	}
	return root, parts[last], line
}

// header returns the table that [key] or [[key]] opens.
func (w *marker) header(root *mark, node *unstable.Node, array bool) *mark {
	at, key, line := w.parent(root, node)
	if !array {
		at = at.sub(key, line)
		at.line = line
		return at
	}
	list := at.kids[key]
	if list == nil {
		list = &mark{line: line}
		at.put(key, list)
	}
	list.items = append(list.items, &mark{line: line})
	return list.items[len(list.items)-1]
}

func (w *marker) keyValue(table *mark, node *unstable.Node) {
	at, key, line := w.parent(table, node)
	at.put(key, w.value(node.Value(), line))
}

// value returns the mark of a value in the given line.
func (w *marker) value(node *unstable.Node, line int) *mark {
	m := &mark{line: line}
	switch node.Kind {
	case unstable.Array:
		for it := node.Children(); it.Next(); {
			m.items = append(m.items, w.value(it.Node(), w.firstLine(it.Node(), line)))
		}
	case unstable.InlineTable:
		for it := node.Children(); it.Next(); {
			w.keyValue(m, it.Node())
		}
	}
	return m
}

// firstLine returns the line of node, or line if unknown. The parser gives an array no
// line, but its first element has one.
func (w *marker) firstLine(node *unstable.Node, line int) int {
	if node.Kind == unstable.Array {
		it := node.Children()
		if !it.Next() {
			return line
		}
		return w.firstLine(it.Node(), line)
	}
	if !slices.Contains([]unstable.Kind{unstable.Invalid, unstable.Comment}, node.Kind) {
		return w.line(node.Raw)
	}
	return line
}
