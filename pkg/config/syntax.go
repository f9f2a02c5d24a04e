package config

import (
	"bytes"
	"errors"
	"slices"
	"sort"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/pelletier/go-toml/v2/unstable"
)

// mark is the line of a value and of what it holds: a shadow of the decoded
// document. Methods accept a nil mark.
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

// sub is the table under key, made at line if it is not there; the last
// element where key is an array of tables.
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

// decode is the document and its marks; the error is the first of the syntax,
// since what follows one can't be trusted. Both parsers must accept it. The
// decoder has the better words for what is wrong, but recurses without limit:
// it sees only what is shallow, or what the other parser, which has a limit,
// has passed.
func decode(name string, data []byte) (map[string]any, *mark, *Error) {
	doc := map[string]any{}
	root, fault := markLines(data)
	switch {
	case fault != nil && fault.Msg == tooManyParts: // for the decoder, the more so
	case fault == nil || shallow(data):
		if _, err := toml.Decode(string(data), &doc); err != nil {
			fault = decodeError(data, err)
		}
	}
	if fault != nil {
		fault.File = name
		return nil, nil, fault
	}
	return doc, root, nil
}

// shallow reports whether data can't be nested deeply enough to exhaust a
// stack.
func shallow(data []byte) bool {
	return bytes.Count(data, []byte("["))+bytes.Count(data, []byte("{")) < 10000
}

// decodeError takes the line from the offset: the decoder's own is one too low
// after a CR, or at the end of a file without a newline.
func decodeError(data []byte, err error) *Error {
	out := &Error{Line: 1, Msg: "TOML syntax: " + err.Error()}
	var pe toml.ParseError
	if errors.As(err, &pe) {
		out.Line = lineAt(data, min(max(pe.Position.Start, 0), len(data)))
		out.Key = pe.LastKey
		out.Msg = "TOML syntax: " + pe.Message
	}
	if isSecret(out.Key) {
		out.Msg = "TOML syntax: the value is not a string in quotes" // the parser's words would show it
	}
	return out
}

// isSecret reports whether a dotted key is that of a password.
func isSecret(key string) bool {
	key = key[strings.LastIndexByte(key, '.')+1:]
	var s Settings
	return slices.ContainsFunc(settingsFields, func(f field[Settings]) bool {
		_, hidden := f.bind(&s).(secret)
		return hidden && f.key == key
	})
}

// marker walks the syntax tree of a document.
type marker struct {
	parser   unstable.Parser
	newlines []int  // offset of each
	deep     *Error // the first key of too many parts
}

const tooManyParts = "the key has too many parts"

// maxParts is how many parts a dotted key may have; nvad's have four. The
// decoder takes half a minute over 20,000.
const maxParts = 32

// markLines is the marks of a document. It fails where the two parsers
// disagree about what is TOML.
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

// keys is the parts of a dotted key and the line of each.
func (w *marker) keys(node *unstable.Node) (parts []string, line int) {
	for it := node.Key(); it.Next(); {
		parts = append(parts, string(it.Node().Data))
		line = w.line(it.Node().Raw)
	}
	if len(parts) > maxParts && w.deep == nil {
		w.deep = &Error{Line: line, Key: parts[0], Msg: tooManyParts}
	}
	return parts, line
}

// header is the table that [key] or [[key]] opens.
func (w *marker) header(root *mark, node *unstable.Node, array bool) *mark {
	parts, line := w.keys(node)
	at := root
	last := len(parts) - 1
	for _, key := range parts[:last] {
		at = at.sub(key, line)
	}
	if !array {
		at = at.sub(parts[last], line)
		at.line = line
		return at
	}
	list := at.kids[parts[last]]
	if list == nil {
		list = &mark{line: line}
		at.put(parts[last], list)
	}
	list.items = append(list.items, &mark{line: line})
	return list.items[len(list.items)-1]
}

func (w *marker) keyValue(table *mark, node *unstable.Node) {
	parts, line := w.keys(node)
	last := len(parts) - 1
	for _, key := range parts[:last] {
		table = table.sub(key, line)
	}
	table.put(parts[last], w.value(node.Value(), line))
}

// value is the mark of a value that stands, if its node does not tell, at line.
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

// firstLine is the line of node; an array has none of its own, but its first
// element does.
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
