package tomlfile

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Bounds of numbers that protocols carry in 16 and 32 bits.
const (
	MaxUint16 = 1<<16 - 1
	MaxUint32 = 1<<32 - 1
)

// Custom returns a Value that set reads and toml writes.
func Custom(kind string, set func(Cell), toml func() string) Value {
	return Value{Kind: kind, Set: set, TOML: toml}
}

// Parsed returns a Value that parse reads and toml writes. Parse reports the fault of
// an invalid cell itself and returns false.
func Parsed[T any](p *T, kind string, parse func(Cell) (T, bool), toml func(T) string) Value {
	return Custom(kind, func(c Cell) {
		if v, ok := parse(c); ok {
			*p = v
		}
	}, func() string { return toml(*p) })
}

// Text returns a Value for a string that passes check, which may be nil.
func Text(p *string, check func(string) error) Value {
	return Parsed(p, "string", func(c Cell) (string, bool) {
		s, ok := c.Text("a string")
		if ok && check != nil {
			if err := check(s); err != nil {
				c.Fail("%v", err)
				return "", false
			}
		}
		return s, ok
	}, Quote)
}

// NotEmpty refuses an empty string.
func NotEmpty(s string) error {
	if s == "" {
		return errors.New("want a string that is not empty")
	}
	return nil
}

// Secret returns a Value for a string that no error and no diff shows, and that a redacted
// print hides. The errors of check must not quote it either.
func Secret(p *string, check func(string) error) Value {
	v := Parsed(p, "string", func(c Cell) (string, bool) {
		s, ok := c.Val.(string)
		if !ok {
			c.Fail("want a string")
			return "", false
		}
		err := check(s)
		if err != nil {
			c.Fail("%v", err)
		}
		return s, err == nil
	}, Quote)
	v.Secret = true
	return v
}

// OneOf returns a Value for one of a few words.
func OneOf(p *string, words ...string) Value {
	return Parsed(p, "word", func(c Cell) (string, bool) {
		s, ok := c.Val.(string)
		if !ok || !slices.Contains(words, s) {
			c.Fail("want %s, got %s%s", OrList(words), Show(c.Val), DidYouMean(s, words))
			return "", false
		}
		return s, true
	}, Quote)
}

// WordFor returns a Value for one of a few words, each of which stands for the value at the same
// position. Any other value is printed as an empty string.
func WordFor[T comparable](p *T, words []string, values ...T) Value {
	return Parsed(p, "word", func(c Cell) (v T, ok bool) {
		word := ""
		if OneOf(&word, words...).Set(c); word == "" {
			return v, false
		}
		return values[slices.Index(words, word)], true
	}, func(v T) string {
		i := slices.Index(values, v)
		if i < 0 {
			return `""`
		}
		return Quote(words[i])
	})
}

// OrList returns `"a", "b" or "c"`.
func OrList(words []string) string {
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

// Bool returns a Value for true or false.
func Bool(p *bool) Value {
	return Parsed(p, "true or false", func(c Cell) (bool, bool) {
		b, ok := c.Val.(bool)
		if !ok {
			c.Want("true or false")
		}
		return b, ok
	}, strconv.FormatBool)
}

// BoolOr returns a Value for true, false, or a word for a stronger form of true, which sets both
// p and more.
func BoolOr(p, more *bool, word string) Value {
	kind := "true, false or " + strconv.Quote(word)
	return Custom(kind, func(c Cell) {
		switch c.Val {
		case true, false:
			*p, *more = c.Val.(bool), false
		case word:
			*p, *more = true, true
		default:
			c.Want(kind)
		}
	}, func() string {
		if *more {
			return Quote(word)
		}
		return strconv.FormatBool(*p)
	})
}

// Words returns a Value for a set of words, each of them one bit of p, from the lowest. It is written
// as a list; where alone is set, a single word may stand without brackets.
func Words[B ~uint8](p *B, alone bool, words ...string) Value {
	list := List[string]{
		Kind: "list of words", Want: "a list of " + strings.ReplaceAll(OrList(words), " or ", " and "),
		Parse: func(c Cell) (s string, ok bool) { OneOf(&s, words...).Set(c); return s, s != "" },
		TOML:  Quote, NotEmpty: true, Repeats: true, Alone: alone,
	}
	if alone {
		list.Kind, list.Want = "word or list of words", strings.ReplaceAll(OrList(words), " or ", ", ")+" or a list of them"
	}
	of := func(set B) (names []string) {
		for i, w := range words {
			if set&(1<<i) != 0 {
				names = append(names, w)
			}
		}
		return names
	}
	return Custom(list.Kind, func(c Cell) {
		var names []string
		list.At(&names).Set(c)
		*p = 0
		for _, w := range names {
			*p |= 1 << slices.Index(words, w)
		}
	}, func() string { names := of(*p); return list.At(&names).TOML() })
}

// Integer is a type that holds whole numbers.
type Integer interface {
	~int | ~int64 | ~uint8 | ~uint16 | ~uint32
}

// Number returns a Value for an integer from lo to hi.
func Number[N Integer](p *N, lo, hi int64) Value {
	return Parsed(p, fmt.Sprintf("number %d-%d", lo, hi), func(c Cell) (N, bool) {
		n, ok := c.Val.(int64)
		if !ok || n < lo || n > hi {
			c.Want(fmt.Sprintf("a number from %d to %d", lo, hi))
			return 0, false
		}
		return N(n), true
	}, func(n N) string { return strconv.FormatInt(int64(n), 10) })
}

// OptionalNumber returns a Value for a number of 32 bits whose absence differs from zero.
func OptionalNumber(p **uint32) Value {
	return Custom("number", func(c Cell) {
		n, before := uint32(0), len(c.Doc.Errors)
		if Number(&n, 0, MaxUint32).Set(c); len(c.Doc.Errors) == before {
			*p = &n
		}
	}, func() string {
		if *p == nil {
			return ""
		}
		return strconv.FormatUint(uint64(**p), 10)
	})
}

// Seconds returns a Value for a whole number of seconds from lo to hi, written as an integer or
// as a duration ("90s"), that passes check, which may be nil.
func Seconds(p *time.Duration, lo, hi int64, check func(int64) error) Value {
	return Parsed(p, fmt.Sprintf("seconds %d-%d", lo, hi), func(c Cell) (time.Duration, bool) {
		n, ok := c.Val.(int64)
		if s, isText := c.Val.(string); isText {
			d, err := time.ParseDuration(s)
			ok = err == nil && d%time.Second == 0
			n = int64(d / time.Second)
		}
		if !ok || n < lo || n > hi {
			c.Want(fmt.Sprintf("whole seconds from %d to %d (90 or \"90s\")", lo, hi))
			return 0, false
		}
		if check != nil && check(n) != nil {
			c.Fail("%v", check(n))
			return 0, false
		}
		return time.Duration(n) * time.Second, true
	}, func(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) })
}

// Milliseconds returns a Value for a whole number of milliseconds from lo to hi.
func Milliseconds(p *time.Duration, lo, hi int64) Value {
	return Parsed(p, fmt.Sprintf("milliseconds %d-%d", lo, hi), func(c Cell) (time.Duration, bool) {
		n, ok := c.Val.(int64)
		if !ok || n < lo || n > hi {
			c.Want(fmt.Sprintf("milliseconds from %d to %d", lo, hi))
			return 0, false
		}
		return time.Duration(n) * time.Millisecond, true
	}, func(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) })
}

// InlineTable returns a Value for a table with fields of its own, printed on one line without
// the keys that have their zero value.
func InlineTable[T any](p *T, fields func(*T) []Field) Value {
	return Custom("table", func(c Cell) {
		if t, ok := c.Table(); ok {
			ReadFields(t, fields(p))
			t.Done()
		}
	}, func() string {
		return Inline((&Printer{}).Differing(fields(p), fields(new(T))))
	})
}

// Names returns a Value for a list of strings.
func Names(p *[]string, parse func(Cell) (string, bool)) Value {
	return List[string]{Kind: "list of names", Want: "a list of names", Parse: parse, TOML: Quote}.At(p)
}

// Name reads any string as an element of [Names].
func Name(c Cell) (string, bool) { return c.Text("a name") }

// TableOf returns a Value for a table with keys that the user names and a value for each.
func TableOf[T any](p *map[string]T, kind string, parse func(name string, c Cell) (T, bool), toml func(T) string) Value {
	return Custom(kind, func(c Cell) {
		t, ok := c.Table()
		if !ok {
			return
		}
		out := map[string]T{}
		t.Each(func(name string, c Cell) {
			if v, ok := parse(name, c); ok {
				out[name] = v
			}
		})
		if *p = out; len(out) == 0 {
			*p = nil
		}
	}, func() string {
		var parts []string
		for _, name := range SortedKeys(*p) {
			parts = append(parts, QuoteKey(name)+" = "+toml((*p)[name]))
		}
		return Inline(parts)
	})
}

// List describes an array whose elements are all read in the same way.
type List[T any] struct {
	Kind     string               // for the reference: "list of addresses"
	Want     string               // for errors: "a list of IP addresses"
	Parse    func(Cell) (T, bool) // reports the fault of an invalid element and returns false
	TOML     func(T) string
	NotEmpty bool        // an empty list is a fault
	Repeats  bool        // an element may occur twice
	Alone    bool        // a single string may stand without brackets
	Identity func(T) any // what no two elements share; nil: the element itself
}

// At returns the list at p as a Value.
func (l List[T]) At(p *[]T) Value {
	return Custom(l.Kind, func(c Cell) { l.set(c, p) }, func() string {
		parts := make([]string, len(*p))
		for i, e := range *p {
			parts[i] = l.TOML(e)
		}
		if l.Alone && len(parts) == 1 {
			return parts[0]
		}
		return "[" + strings.Join(parts, ", ") + "]"
	})
}

// showAny quotes text from the file, and prints what was parsed as it is.
func showAny(v any) string {
	if s, ok := v.(string); ok {
		return Show(s)
	}
	return fmt.Sprint(v)
}

func (l List[T]) set(c Cell, p *[]T) {
	cells := []Cell{c}
	if _, text := c.Val.(string); !text || !l.Alone {
		var ok bool
		if cells, ok = c.Items(l.Want); !ok {
			return
		}
	}
	if len(cells) == 0 && l.NotEmpty {
		c.Fail("the list is empty; want %s", l.Want)
		return
	}
	var out []T
	seen := map[any]bool{}
	for _, item := range cells {
		v, ok := l.Parse(item)
		if !ok {
			continue
		}
		var id any = v
		if l.Identity != nil {
			id = l.Identity(v)
		}
		if seen[id] && !l.Repeats {
			item.Fail("%s is listed twice; remove one", showAny(id))
			continue
		}
		seen[id] = true
		out = append(out, v)
	}
	*p = out
}
