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

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// The JSON of nvactl is for jq and scripts. Every key is present, with the name and in
// the order of the interface's definition; an absent value is null, "" or []. Numbers
// of 64 bits are numbers, where protojson makes strings of them, which scripts then
// compare letter by letter.

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

// preciseTime is the field of time stamps that often differ by less than a second.
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

// appendPlain appends JSON and escapes the characters that encoding/json does not and
// that steer a terminal: DEL, C1, marks of direction.
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

// indented returns the form of m that is printed; its lines after the first begin with
// prefix.
func indented(m proto.Message, prefix string) []byte {
	var buf bytes.Buffer
	_ = json.Indent(&buf, appendJSON(nil, m.ProtoReflect()), prefix, "  ") // appendJSON makes valid JSON
	return buf.Bytes()
}

// writeJSON prints one object.
func writeJSON(w io.Writer, m proto.Message) { _, _ = w.Write(append(indented(m, ""), '\n')) }

// writeValue prints a value that is no message of the interface.
func writeValue(w io.Writer, v any) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // structs of strings and numbers cannot fail
	_, _ = w.Write(appendPlain(nil, buf.Bytes()))
}

// jsonArray prints objects as elements of one array, as they arrive.
type jsonArray struct {
	out     io.Writer
	started bool
}

func (a *jsonArray) add(m proto.Message) {
	open := ",\n  "
	if !a.started {
		open = "[\n  "
	}
	a.started = true
	_, _ = a.out.Write(append([]byte(open), indented(m, "  ")...))
}

func (a *jsonArray) end() {
	closing := "\n]\n"
	if !a.started {
		closing = "[]\n"
	}
	_, _ = io.WriteString(a.out, closing)
}

// answer prints the reply to a call: as JSON, or by print.
func answer[M proto.Message](a *app, m M, err error, print func(M)) error {
	switch {
	case err != nil:
		return err
	case a.json():
		writeJSON(a.Out, m)
	default:
		print(m)
	}
	return nil
}

// answerList prints the objects of a reply: as a JSON array, or by print, or the text none
// if there are none.
func answerList[M proto.Message](a *app, list []M, err error, none string, print func([]M)) error {
	switch {
	case err != nil:
		return err
	case a.json():
		arr := jsonArray{out: a.Out}
		for _, m := range list {
			arr.add(m)
		}
		arr.end()
	case len(list) == 0:
		line(a.Out, none)
	default:
		print(list)
	}
	return nil
}

// answerStream prints the rows of a stream as they arrive: as a JSON array, or by
// print, and by end after the last one.
func answerStream[M any, R proto.Message](a *app, stream grpc.ServerStreamingClient[M], err error, rows func(*M) []R, print func(R), end func()) error {
	if a.json() {
		arr := &jsonArray{out: a.Out}
		print, end = func(r R) { arr.add(r) }, arr.end
	}
	err = receive(stream, err, func(m *M) error {
		for _, r := range rows(m) {
			print(r)
		}
		return nil
	})
	if err == nil {
		end()
	}
	return err
}
