package journal_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/journal"
)

// copied returns a copy of a directory, as a crash at this moment would leave it.
func copied(t testing.TB, dir string) string {
	t.Helper()
	out := directory(t)
	if err := os.CopyFS(out, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return out
}

// lastSegment returns the segment of frequent records that is written to.
func lastSegment(t testing.TB, dir string) string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, "frequent-*.seg"))
	if err != nil || len(list) == 0 {
		t.Fatal(list, err)
	}
	return list[len(list)-1]
}

// A file that a crash cut at any octet has the records before the cut, and takes new ones.
func TestCutAnywhere(t *testing.T) {
	dir := directory(t)
	j := open(t, dir, 1<<20)
	var ends []int
	for i := range 12 {
		if _, err := j.Frequent.Append([]journal.Record{{Time: start.Add(time.Duration(i)), Kind: often, Key: fmt.Sprint(i), Data: []byte("data")}}); err != nil {
			t.Fatal(err)
		}
		ends = append(ends, int(j.Octets()))
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(lastSegment(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		again := copied(t, dir)
		if err := os.Truncate(lastSegment(t, again), int64(n)); err != nil {
			t.Fatal(err)
		}
		j, _, err := journal.Open(again, 1<<20, frequent)
		if err != nil {
			t.Fatalf("cut to %d octets: %v", n, err)
		}
		if _, err := j.Frequent.Append([]journal.Record{{Time: start.Add(time.Hour), Kind: often, Key: "new"}}); err != nil {
			t.Fatalf("cut to %d octets: %v", n, err)
		}
		list := events(t, j, all, time.Time{}, time.Time{})
		want, _ := slices.BinarySearch(ends, n+1)
		if have := len(list) - 1; have != want || list[have].Key != "new" {
			t.Fatalf("cut to %d octets: %d records are left", n, have)
		}
		for i, r := range list[:len(list)-1] {
			if r.Key != fmt.Sprint(i) || r.Damaged {
				t.Fatalf("cut to %d octets: record %d is %q", n, i, r.Key)
			}
		}
		_ = j.Close()
	}
}

// A wrong octet anywhere, in any file, costs at most the rest of that file: no record is
// invented, readers are told, and the state is right again once it was recorded anew.
func TestWrongOctet(t *testing.T) {
	w := newWorld(t, 11, 64<<10)
	for range 150 {
		w.step()
	}
	if err := w.j.Close(); err != nil {
		t.Fatal(err)
	}
	true_ := map[string]bool{}
	j := open(t, w.dir, w.size)
	for _, r := range events(t, j, all, time.Time{}, time.Time{}) {
		true_[r.Key+string(r.Data)] = true
	}
	_ = j.Close()
	files, err := filepath.Glob(filepath.Join(w.dir, "*"))
	if err != nil || len(files) < 5 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range append(slices.Collect(every(40, 1)), slices.Collect(every(info.Size(), info.Size()/16+1))...) {
			if at < info.Size() {
				wrongOctet(t, w, filepath.Base(file), at, true_)
			}
		}
	}
}

func every(end, step int64) func(func(int64) bool) {
	return func(yield func(int64) bool) {
		for i := int64(0); i < end && yield(i); i += step {
		}
	}
}

func wrongOctet(t *testing.T, w *world, name string, at int64, known map[string]bool) {
	t.Helper()
	dir := copied(t, w.dir)
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, name)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[at] ^= 0x55
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	j, notes, err := journal.Open(dir, w.size, frequent)
	if err != nil {
		t.Fatalf("%s, octet %d: %v", name, at, err)
	}
	defer j.Close()
	told := len(notes) > 0
	for _, r := range events(t, j, all, time.Time{}, time.Time{}) {
		told = told || r.Damaged
		if !r.Damaged && !known[r.Key+string(r.Data)] {
			t.Errorf("%s, octet %d: invented %q", name, at, r.Key)
		}
	}
	got, err := state(t, j, all, w.now.Add(1))
	told = told || err != nil
	switch {
	case !told && !maps.Equal(got, w.things):
		t.Errorf("%s, octet %d: the state is wrong and nobody is told", name, at)
	case strings.HasSuffix(name, ".base") && at >= 56 && err == nil:
		t.Errorf("%s, octet %d: the state of a damaged base is taken", name, at)
	}
	before := j.Frequent.Next()
	now := w.now.Add(time.Second)
	if _, err := j.Frequent.Append([]journal.Record{{Time: now, Kind: often, Key: "new"}}); err != nil {
		t.Fatal(err)
	}
	if err := j.Frequent.Sweep(now, all, before); err != nil {
		t.Fatal(err)
	}
	if got, err := state(t, j, frequent, now.Add(1)); err != nil || len(got) != 1 {
		t.Errorf("%s, octet %d: once recorded anew: %d things, %v", name, at, len(got), err)
	}
}

// A crash while a base replaces a segment does no harm, whichever files were there.
func TestCrashWhileMerging(t *testing.T) {
	w := newWorld(t, 21, 64<<10)
	merges := 0
	for range 400 {
		before := copied(t, w.dir)
		w.step()
		gone := missing(before, w.dir)
		if len(gone) == 0 {
			_ = os.RemoveAll(before)
			continue
		}
		merges++
		// The base has the segment, which is still there.
		crashed := copied(t, w.dir)
		for _, name := range gone {
			data, err := os.ReadFile(filepath.Join(before, name))
			if err == nil {
				err = os.WriteFile(filepath.Join(crashed, name), data, 0o600)
			}
			if err == nil {
				err = os.WriteFile(filepath.Join(crashed, "frequent.base.tmp"), data, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		j := open(t, crashed, w.size)
		at := w.now.Add(1)
		want, err1 := state(t, w.j, all, at)
		got, err2 := state(t, j, all, at)
		if fmt.Sprint(err1) != fmt.Sprint(err2) || !maps.Equal(got, want) {
			t.Errorf("%d things (%v), want %d (%v)", len(got), err2, len(want), err1)
		}
		if left := missing(crashed, w.dir); len(left) > 0 {
			t.Errorf("%v stay", left)
		}
		_ = j.Close()
		_ = os.RemoveAll(crashed)
		_ = os.RemoveAll(before)
	}
	if merges < 5 {
		t.Errorf("%d merges", merges)
	}
}

// missing returns the names of files that are in one directory and not in another.
func missing(from, in string) (out []string) {
	list, _ := os.ReadDir(from)
	for _, e := range list {
		if _, err := os.Stat(filepath.Join(in, e.Name())); err != nil {
			out = append(out, e.Name())
		}
	}
	return out
}

// A file of another version is set aside, and stays as it is.
func TestOtherVersion(t *testing.T) {
	w := newWorld(t, 2, 64<<10)
	for range 150 {
		w.step()
	}
	_ = w.j.Close()
	files, _ := filepath.Glob(filepath.Join(w.dir, "*"))
	for _, file := range files {
		dir := copied(t, w.dir)
		path := filepath.Join(dir, filepath.Base(file))
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		data[7] = 9
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		for round := range 2 {
			j, notes, err := journal.Open(dir, w.size, frequent)
			if err != nil {
				t.Fatal(err)
			}
			if len(notes) != 1-round {
				t.Errorf("%s: start %d says %q", path, round, notes)
			}
			for range 200 {
				if _, err := j.Frequent.Append([]journal.Record{{Time: w.now, Kind: often, Key: "k", Data: make([]byte, 100)}}); err != nil {
					t.Fatal(err)
				}
			}
			_ = j.Close()
		}
		kept, err := os.ReadFile(path + ".aside")
		if err != nil || !bytes.Equal(kept, data) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// FuzzOpen reads a segment and a base of any octets.
func FuzzOpen(f *testing.F) {
	dir := f.TempDir()
	j, _, err := journal.Open(dir, 1<<20, frequent)
	if err != nil {
		f.Fatal(err)
	}
	if _, err := j.Frequent.Append([]journal.Record{{Time: start, Kind: often, Key: "a", Data: []byte("x")}, {Time: start, Kind: often, Key: "b", Gone: true}}); err != nil {
		f.Fatal(err)
	}
	if err := j.Frequent.Sweep(start, all, 1); err != nil {
		f.Fatal(err)
	}
	_ = j.Close()
	data, err := os.ReadFile(filepath.Join(dir, "frequent-000000000001.seg"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data, data)
	f.Add(data[:100], []byte{})
	f.Fuzz(func(t *testing.T, segment, base []byte) {
		dir := directory(t)
		for name, data := range map[string][]byte{"frequent-000000000001.seg": segment, "frequent.base": base} {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		j, _, err := journal.Open(dir, 1<<20, frequent)
		if err != nil {
			t.Fatal(err) // damage is set aside, and keeps nobody from opening the journal
		}
		defer j.Close()
		events(t, j, all, time.Time{}, time.Time{})
		_, _ = state(t, j, all, start.Add(time.Hour))
		if _, err := j.Frequent.Append([]journal.Record{{Time: start, Kind: often, Key: "new"}}); err != nil {
			t.Fatal(err)
		}
	})
}
