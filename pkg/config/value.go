package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// value ties a place of the typed configuration to its form in the file.
type value interface {
	// set reads a cell into the place, or reports what is wrong with it and
	// leaves the place alone.
	set(cell)
	// kind is what the file may hold there, in a few words for the reference.
	kind() string
	// toml is the place's content as it is written after the "=".
	toml() string
}

// Impact is what applying a change costs.
type Impact uint8

// Impacts, from the lightest to the heaviest.
const (
	Live            Impact = iota // nothing else notices
	SoftRefresh                   // routes of the neighbor are evaluated again
	SessionReset                  // the BGP session ends and comes back
	DeviceRecreated               // the tunnel is deleted and made anew
	Restart                       // takes effect when nvad is restarted
)

// String is the impact in the words of reload --dry-run.
func (i Impact) String() string {
	names := [...]string{"live", "soft refresh", "session reset", "device recreated", "restart"}
	if int(i) < len(names) {
		return names[i]
	}
	return "unknown"
}

// field is one key of a table that is read into a T: everything that reader,
// printer, diff and reference know of it.
type field[T any] struct {
	key      string
	doc      string // for the reference
	example  string // value for the reference where there is no default
	shown    bool   // the reference sets it, rather than mention it
	required bool
	impact   Impact
	bind     func(*T) value
}

// readFields reads the keys of fields that t has into dst.
func readFields[T any](t *table, dst *T, fields []field[T]) {
	for _, f := range fields {
		if c, ok := t.get(f.key); ok {
			f.bind(dst).set(c)
		} else if f.required {
			t.doc.fail(t.line, join(t.key, f.key), "required key is missing")
		}
	}
}

// text is a string that passes check, which may be nil.
type text struct {
	p     *string
	check func(string) error
}

func (v text) set(c cell) {
	s, ok := c.text("a string")
	if !ok {
		return
	}
	if v.check != nil {
		if err := v.check(s); err != nil {
			c.fail("%v", err)
			return
		}
	}
	*v.p = s
}

func (text) kind() string { return "string" }

func (v text) toml() string { return quote(*v.p) }

// choice is one of a few words.
type choice struct {
	p     *string
	words []string
}

func oneOf(p *string, words ...string) value { return choice{p, words} }

func (v choice) set(c cell) {
	s, ok := c.val.(string)
	if !ok || !slices.Contains(v.words, s) {
		c.fail("want %s, got %s%s", orList(v.words), show(c.val), didYouMean(s, v.words))
		return
	}
	*v.p = s
}

func (choice) kind() string { return "word" }

func (v choice) toml() string { return quote(*v.p) }

// orList is `"a", "b" or "c"`.
func orList(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = strconv.Quote(w)
	}
	last := len(quoted) - 1
	if last < 1 {
		return strings.Join(quoted, "")
	}
	return strings.Join(quoted[:last], ", ") + " or " + quoted[last]
}

// boolean is true or false.
type boolean struct{ p *bool }

func (v boolean) set(c cell) {
	b, ok := c.val.(bool)
	if !ok {
		c.want("true or false")
		return
	}
	*v.p = b
}

func (boolean) kind() string { return "true or false" }

func (v boolean) toml() string { return strconv.FormatBool(*v.p) }

type integer interface {
	~int | ~int64 | ~uint8 | ~uint16 | ~uint32
}

// num is an integer between lo and hi.
type num[N integer] struct {
	p      *N
	lo, hi int64
}

func number[N integer](p *N, lo, hi int64) value { return num[N]{p, lo, hi} }

func (v num[N]) set(c cell) {
	n, ok := c.val.(int64)
	if !ok || n < v.lo || n > v.hi {
		c.want(fmt.Sprintf("a number from %d to %d", v.lo, v.hi))
		return
	}
	*v.p = N(n)
}

func (v num[N]) kind() string { return fmt.Sprintf("number %d-%d", v.lo, v.hi) }

func (v num[N]) toml() string { return strconv.FormatInt(int64(*v.p), 10) }

// optional is a number whose absence differs from zero.
type optional struct{ p **uint32 }

func (v optional) set(c cell) {
	var n uint32
	before := len(c.doc.errors)
	number(&n, 0, maxUint32).set(c)
	if len(c.doc.errors) == before {
		*v.p = &n
	}
}

func (optional) kind() string { return "number" }

func (v optional) toml() string {
	if *v.p == nil {
		return ""
	}
	return strconv.FormatUint(uint64(**v.p), 10)
}

// seconds is a whole number of them, as an integer or as a duration ("90s"),
// that passes check, which may be nil.
type seconds struct {
	p      *time.Duration
	lo, hi int64
	check  func(int64) error
}

func (v seconds) set(c cell) {
	n, ok := c.val.(int64)
	if s, isText := c.val.(string); isText {
		d, err := time.ParseDuration(s)
		ok = err == nil && d%time.Second == 0
		n = int64(d / time.Second)
	}
	if !ok || n < v.lo || n > v.hi {
		c.want(fmt.Sprintf("whole seconds from %d to %d (90 or \"90s\")", v.lo, v.hi))
		return
	}
	if v.check != nil && v.check(n) != nil {
		c.fail("%v", v.check(n))
		return
	}
	*v.p = time.Duration(n) * time.Second
}

func (v seconds) kind() string { return fmt.Sprintf("seconds %d-%d", v.lo, v.hi) }

func (v seconds) toml() string { return strconv.FormatInt(int64(*v.p/time.Second), 10) }

const (
	maxUint16 = 1<<16 - 1
	maxUint32 = 1<<32 - 1
)
