// Package support collects the data that support needs in one archive.
//
// Promise: a part that is missing, forbidden or slow keeps no other part out; the archive
// notes it. The time and the size of each part are bounded. The package owns no state and
// changes nothing but the archive. Keeping secrets out is left to whoever chooses the
// parts.
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
	// Collect writes the content. If it fails, the archive keeps the part written so far.
	Collect func(ctx context.Context, w io.Writer) error
}

// Bounds of an exhibit.
const (
	mostTime = 15 * time.Second
	mostSize = 2 << 20
)

// Result describes an exhibit in the archive.
type Result struct {
	Name string
	Size int
	Note string // why it is missing or incomplete; empty if it is complete
}

// Write collects the exhibits and writes them to w as a .tar.gz, in the directory dir, with
// their results in CONTENTS.txt. It fails only if w does.
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
	var contents strings.Builder
	for _, e := range list {
		data, r := collect(ctx, e)
		results = append(results, r)
		contents.WriteString(r.String() + "\n")
		if err := put(e.Name, data); err != nil {
			return results, err
		}
	}
	if err := put("CONTENTS.txt", []byte(contents.String())); err != nil {
		return results, err
	}
	return results, errors.Join(out.Close(), zip.Close())
}

// collect runs one exhibit within its bounds.
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

// errFull ends an exhibit that has reached mostSize.
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

// String returns the line of CONTENTS.txt.
func (r Result) String() string {
	return strings.TrimRight(fmt.Sprintf("%8d  %-28s %s", r.Size, r.Name, r.Note), " ")
}
