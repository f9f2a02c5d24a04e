// Package tomlfile reads, prints, compares and documents a TOML file whose keys
// a program declares once, as [Field] values. Without it, every key of nvad.toml
// would be written down four times: in a reader, a printer, a diff and a manual.
//
// It promises that all faults of a file are reported together, each with file,
// line and dotted key; that a printed file reads back to the same values; and
// that no secret appears in an error or a diff.
//
// It owns no state and knows no key: package config declares the keys and checks
// whatever concerns more than one of them.
package tomlfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"unicode/utf8"
)

// MaxSize is the largest file that is accepted, in bytes. It has room for some
// 100,000 list entries.
const MaxSize = 8 << 20

// ReadFile returns the text of the file at path. Of a file larger than [MaxSize] it
// returns just enough for [Parse] to refuse it. The error is [Errors].
func ReadFile(path string) (data []byte, err error) {
	f, err := os.Open(path)
	if err == nil {
		defer f.Close()
		data, err = io.ReadAll(io.LimitReader(f, MaxSize+1))
	}
	var pe *fs.PathError
	switch {
	case err == nil:
		return data, nil
	case errors.As(err, &pe):
		err = pe.Err // without the path, which Error has
	}
	return nil, Errors{{File: path, Msg: err.Error()}}
}

// Parse returns the top-level table of a TOML document; name is the file's name in
// errors. Values of the keys named in secrets are kept out of errors. The error is
// [Errors] with the first syntax error: after one, the rest can't be trusted.
func Parse(name string, data []byte, secrets []string) (*Table, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // Windows editors write it
	fault := checkText(data)
	var vals map[string]any
	var marks *mark
	if fault == nil {
		vals, marks, fault = decode(data, secrets)
	}
	if fault != nil {
		fault.File = name
		return nil, Errors{fault}
	}
	doc := &Document{Source: Source{File: name, lines: map[string]int{}, elems: map[string][]string{}}}
	root, _ := Cell{Doc: doc, Line: 1, Val: vals, mark: marks}.Table()
	return root, nil
}

// checkText refuses files that are too large or not text at all: a TOML parser's
// message about those would only confuse.
func checkText(data []byte) *Error {
	if len(data) > MaxSize {
		return &Error{Msg: fmt.Sprintf("the file is larger than %d MiB", MaxSize>>20)}
	}
	if i := bytes.IndexByte(data, 0); i >= 0 {
		return &Error{Line: lineAt(data, i), Msg: "the file contains a NUL byte: it is not a text file, or it is UTF-16; save it as UTF-8"}
	}
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n == 1 {
			return &Error{Line: lineAt(data, i), Msg: fmt.Sprintf("byte 0x%02x is not valid UTF-8; save the file as UTF-8", data[i])}
		}
		i += n
	}
	return nil
}

func lineAt(data []byte, offset int) int {
	return 1 + bytes.Count(data[:offset], []byte("\n"))
}
