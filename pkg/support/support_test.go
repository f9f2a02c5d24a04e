package support

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// unpack returns the files of an archive.
func unpack(t *testing.T, r io.Reader) map[string]string {
	t.Helper()
	zip, err := gzip.NewReader(r)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for in := tar.NewReader(zip); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		files[h.Name] = string(data)
	}
}

// TestWrite: an exhibit that fails, or is too large or too slow, keeps no other out.
func TestWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		results, err := Write(t.Context(), &b, "support", time.Now(), []Exhibit{
			{"failed.txt", func(_ context.Context, w io.Writer) error {
				_, err := io.WriteString(w, "so far\n")
				return errors.Join(err, errors.New("not\nallowed"))
			}},
			{"large.txt", func(_ context.Context, w io.Writer) error {
				for {
					if _, err := io.WriteString(w, strings.Repeat("x", 1000)); err != nil {
						return err
					}
				}
			}},
			{"slow.txt", func(ctx context.Context, _ io.Writer) error {
				<-ctx.Done()
				return ctx.Err()
			}},
			{"good.txt", func(_ context.Context, w io.Writer) error {
				_, err := io.WriteString(w, "all is well\n")
				return err
			}},
		})
		if err != nil {
			t.Fatal(err)
		}
		files := unpack(t, &b)
		want := `       7  failed.txt                   not allowed
 2097152  large.txt                    cut at 2097152 bytes
       0  slow.txt                     took more than 15s
      12  good.txt
`
		if got := files["support/CONTENTS.txt"]; got != want || len(results) != 4 || results[1].Note != "cut at 2097152 bytes" {
			t.Errorf("contents:\n%s", got)
		}
		if files["support/failed.txt"] != "so far\n" || files["support/good.txt"] != "all is well\n" || len(files["support/large.txt"]) != mostSize {
			t.Errorf("files are not what was collected")
		}
	})
}

// TestSystem: on a machine without nvad and without some of the programs, the other
// exhibits are complete.
func TestSystem(t *testing.T) {
	list := append(System(), command("missing.txt", "no-such-program"), command("large.txt", "yes"))
	var b bytes.Buffer
	results, err := Write(t.Context(), &b, "support", time.Now(), list)
	if err != nil {
		t.Fatal(err)
	}
	notes := map[string]Result{}
	for _, r := range results {
		notes[r.Name] = r
	}
	for _, name := range []string{"kernel/sysctls.txt", "system/meminfo.txt", "system/uname.txt", "system/files.txt"} {
		if r := notes[name]; r.Size == 0 && name != "system/files.txt" || r.Note != "" {
			t.Errorf("%+v", r)
		}
	}
	if r := notes["missing.txt"]; !strings.Contains(r.Note, "not found") {
		t.Errorf("%+v", r)
	}
	if r := notes["large.txt"]; r.Size != mostSize || !strings.HasPrefix(r.Note, "cut at") {
		t.Errorf("%+v", r)
	}
}
