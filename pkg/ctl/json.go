package ctl

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// The JSON of nvactl is for jq and scripts: every key is there, named and
// ordered as in the interface's definition; what is absent is null, "" or [];
// numbers are numbers, those of 64 bits too, which protojson makes strings, so
// that comparing them goes wrong without a word.

// appendJSON appends the compact form of m.
func appendJSON(b []byte, m protoreflect.Message) []byte {
	if t, ok := m.Interface().(*timestamppb.Timestamp); ok {
		return appendString(b, t.AsTime().UTC().Format(time.RFC3339))
	}
	b = append(b, '{')
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), f.Name()...), '"', ':')
		b = appendField(b, m, f)
	}
	return append(b, '}')
}

// preciseTime is of changes that follow each other within a second.
const preciseTime protoreflect.FullName = "nvad.v1.WatchEvent.time"

func appendField(b []byte, m protoreflect.Message, f protoreflect.FieldDescriptor) []byte {
	v := m.Get(f)
	switch {
	case f.IsMap():
		return appendMap(b, f.MapValue(), v.Map())
	case f.IsList():
		b = append(b, '[')
		for i := range v.List().Len() {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendValue(b, f, v.List().Get(i))
		}
		return append(b, ']')
	case f.HasPresence() && !m.Has(f):
		return append(b, "null"...)
	case f.FullName() == preciseTime:
		return appendString(b, v.Message().Interface().(*timestamppb.Timestamp).AsTime().UTC().Format("2006-01-02T15:04:05.000000Z"))
	}
	return appendValue(b, f, v)
}

func appendMap(b []byte, f protoreflect.FieldDescriptor, m protoreflect.Map) []byte {
	entries := make(map[string]json.RawMessage, m.Len())
	m.Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
		entries[k.String()] = appendValue(nil, f, v)
		return true
	})
	sorted, _ := json.Marshal(entries)
	return appendPlain(b, sorted)
}

func appendValue(b []byte, f protoreflect.FieldDescriptor, v protoreflect.Value) []byte {
	switch f.Kind() {
	case protoreflect.MessageKind:
		return appendJSON(b, v.Message())
	case protoreflect.BoolKind:
		return strconv.AppendBool(b, v.Bool())
	case protoreflect.Uint32Kind, protoreflect.Uint64Kind:
		return strconv.AppendUint(b, v.Uint(), 10)
	case protoreflect.BytesKind:
		return appendString(b, hex.EncodeToString(v.Bytes()))
	}
	return appendString(b, v.String())
}

func appendString(b []byte, s string) []byte {
	if !strings.ContainsFunc(s, needsEscape) {
		return append(append(append(b, '"'), s...), '"')
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string cannot fail
	return appendPlain(b, bytes.TrimSuffix(buf.Bytes(), []byte("\n")))
}

// appendPlain appends JSON with the characters escaped that encoding/json leaves as
// they are and a terminal does not only print: DEL, C1, marks of direction.
func appendPlain(b, text []byte) []byte {
	for _, r := range string(text) {
		switch {
		case unicode.IsPrint(r) || r == '\n':
			b = utf8.AppendRune(b, r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			b = fmt.Appendf(b, `\u%04x\u%04x`, high, low)
		default:
			b = fmt.Appendf(b, `\u%04x`, r)
		}
	}
	return b
}

func needsEscape(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }

// indented is the form of m that is printed, its lines after the first
// prefixed.
func indented(m proto.Message, prefix string) []byte {
	var buf bytes.Buffer
	_ = json.Indent(&buf, appendJSON(nil, m.ProtoReflect()), prefix, "  ") // appendJSON makes valid JSON
	return buf.Bytes()
}

// writeJSON prints one object.
func writeJSON(w io.Writer, m proto.Message) error {
	_, err := w.Write(append(indented(m, ""), '\n'))
	return err
}

// jsonArray prints objects as elements of one array, one at a time.
type jsonArray struct {
	out     io.Writer
	started bool
}

func (a *jsonArray) add(m proto.Message) error {
	open := ",\n  "
	if !a.started {
		open = "[\n  "
	}
	a.started = true
	_, err := a.out.Write(append([]byte(open), indented(m, "  ")...))
	return err
}

func (a *jsonArray) end() error {
	closing := "\n]\n"
	if !a.started {
		closing = "[]\n"
	}
	_, err := io.WriteString(a.out, closing)
	return err
}

// writeArray prints a list that is already there.
func writeArray[T proto.Message](w io.Writer, list []T) error {
	arr := jsonArray{out: w}
	for _, m := range list {
		if err := arr.add(m); err != nil {
			return err
		}
	}
	return arr.end()
}
