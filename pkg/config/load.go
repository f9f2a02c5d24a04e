package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"unicode/utf8"
)

// maxSize is the largest file that is read, in bytes: some 100,000 list
// entries.
const maxSize = 8 << 20

// Load reads the file at path. The error is Errors.
func Load(path string) (*Config, error) {
	data, err := Read(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, data)
}

// Read is the text of the file at path, or as much of it as tells that it is too
// large. The error is Errors.
func Read(path string) ([]byte, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, Errors{{File: path, Msg: err.Error()}}
	}
	return data, nil
}

// readFile is the content of a regular file of at most maxSize, or an error
// that does not repeat the path.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, cause(err)
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil {
		return nil, cause(err)
	} else if st.IsDir() {
		return nil, errors.New("is a directory")
	}
	data, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, cause(err)
	}
	return data, nil
}

func cause(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// Parse reads a configuration; name is what errors call it. The error is
// Errors: every fault of the file, or the one fault that keeps it from being
// TOML.
func Parse(name string, data []byte) (*Config, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // Windows editors write it
	if err := checkText(data); err != nil {
		err.File = name
		return nil, Errors{err}
	}
	vals, marks, fault := decode(name, data)
	if fault != nil {
		return nil, Errors{fault}
	}
	doc := &document{file: name, lines: map[string]int{}, elems: map[string][]string{}}
	root, _ := cell{doc: doc, line: 1, val: vals, mark: marks}.table()
	cfg := readConfig(root)
	cfg.source = source{file: name, lines: doc.lines, elems: doc.elems}
	doc.errors = validate(cfg, doc.errors)
	if len(doc.errors) > 0 {
		return nil, doc.errors.sorted()
	}
	return cfg, nil
}

// checkText tells what is wrong with a file that is no text at all, for which
// a TOML parser has stranger words.
func checkText(data []byte) *Error {
	if len(data) > maxSize {
		return &Error{Msg: fmt.Sprintf("larger than %d MiB", maxSize>>20)}
	}
	if i := bytes.IndexByte(data, 0); i >= 0 {
		return &Error{Line: lineAt(data, i), Msg: "holds a NUL byte: not a text file, or UTF-16"}
	}
	for i := 0; i < len(data); {
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n == 1 {
			return &Error{Line: lineAt(data, i), Msg: fmt.Sprintf("byte 0x%02x is not UTF-8", data[i])}
		}
		i += n
	}
	return nil
}

func lineAt(data []byte, offset int) int {
	return 1 + bytes.Count(data[:offset], []byte("\n"))
}
