package support

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Exhibit is one file of the archive.
type Exhibit struct {
	Name string // path in the archive
	// Collect writes the content. What was written counts also with an error.
	Collect func(ctx context.Context, w io.Writer) error
}

// Bounds of an exhibit.
const (
	mostTime = 15 * time.Second
	mostSize = 2 << 20
)

// Result is what became of an exhibit.
type Result struct {
	Name string
	Size int
	Note string // why it is not there or not complete; empty: it is
}

// Write gathers exhibits into an archive in directory dir, a .tar.gz, with their
// results in CONTENTS.txt. The error is that of w.
func Write(ctx context.Context, w io.Writer, dir string, now time.Time, list []Exhibit) ([]Result, error) {
	zip := gzip.NewWriter(w)
	out := tar.NewWriter(zip)
	put := func(name string, data []byte) error {
		err := out.WriteHeader(&tar.Header{Name: dir + "/" + name, Mode: 0o600, Size: int64(len(data)), ModTime: now, Format: tar.FormatPAX})
		if err == nil {
			_, err = out.Write(data)
		}
		return err
	}
	var results []Result
	for _, e := range list {
		data, r := collect(ctx, e)
		results = append(results, r)
		if err := put(e.Name, data); err != nil {
			return results, err
		}
	}
	if err := put("CONTENTS.txt", []byte(contents(results))); err != nil {
		return results, err
	}
	return results, errors.Join(out.Close(), zip.Close())
}

// collect gathers one exhibit within its bounds.
func collect(ctx context.Context, e Exhibit) ([]byte, Result) {
	ctx, cancel := context.WithTimeout(ctx, mostTime)
	defer cancel()
	b := &bounded{}
	err := e.Collect(ctx, b)
	r := Result{Name: e.Name, Size: len(b.data)}
	switch {
	case b.full:
		r.Note = fmt.Sprintf("cut at %d bytes", mostSize)
	case ctx.Err() != nil:
		r.Note = fmt.Sprintf("took more than %v", mostTime)
	case err != nil:
		r.Note = strings.Join(strings.Fields(err.Error()), " ")
	}
	return b.data, r
}

// errFull ends a collection whose exhibit is large enough.
var errFull = errors.New("enough")

// bounded keeps the first mostSize bytes.
type bounded struct {
	data []byte
	full bool
}

// Write implements io.Writer.
func (b *bounded) Write(p []byte) (int, error) {
	n := min(len(p), mostSize-len(b.data))
	b.data = append(b.data, p[:n]...)
	if n < len(p) {
		b.full = true
		return n, errFull
	}
	return n, nil
}

// contents is a line for each exhibit.
func contents(results []Result) string {
	var b strings.Builder
	for _, r := range results {
		b.WriteString(r.String() + "\n")
	}
	return b.String()
}

// String is the line of CONTENTS.txt.
func (r Result) String() string {
	return strings.TrimRight(fmt.Sprintf("%8d  %-28s %s", r.Size, r.Name, r.Note), " ")
}
