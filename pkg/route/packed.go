package route

import (
	"context"
	"iter"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Packed is an immutable, sorted list of prefixes for readers of a table, who need it for
// as long as they read. An IPv4 prefix takes 5 octets and an IPv6 prefix 17; a
// [netip.Prefix] would take 32.
type Packed struct{ v4, v6 []byte }

// Octets of one packed prefix.
const (
	packed4 = 5
	packed6 = 17
)

// Pack sorts prefixes in place, by [ComparePrefix], and packs them.
func Pack(prefixes []netip.Prefix) Packed {
	slices.SortFunc(prefixes, ComparePrefix)
	four := 0
	for _, p := range prefixes {
		if p.Addr().Is4() {
			four++
		}
	}
	out := Packed{make([]byte, 0, four*packed4), make([]byte, 0, (len(prefixes)-four)*packed6)}
	for _, p := range prefixes {
		if a := p.Addr(); a.Is4() {
			b := a.As4()
			out.v4 = append(append(out.v4, b[:]...), byte(p.Bits()))
		} else {
			b := a.As16()
			out.v6 = append(append(out.v6, b[:]...), byte(p.Bits()))
		}
	}
	return out
}

// Len returns the number of prefixes.
func (p Packed) Len() int { return len(p.v4)/packed4 + len(p.v6)/packed6 }

// Pages yields the prefixes in order, at most n at a time. A page is valid until the
// next one is yielded.
func (p Packed) Pages(n int) iter.Seq[[]netip.Prefix] {
	return func(yield func([]netip.Prefix) bool) {
		page := make([]netip.Prefix, 0, min(n, p.Len()))
		add := func(a netip.Addr, bits byte) bool {
			page = append(page, netip.PrefixFrom(a, int(bits)))
			if len(page) < n {
				return true
			}
			more := yield(page)
			page = page[:0]
			return more
		}
		for i := 0; i < len(p.v4); i += packed4 {
			if !add(netip.AddrFrom4([4]byte(p.v4[i:])), p.v4[i+packed4-1]) {
				return
			}
		}
		for i := 0; i < len(p.v6); i += packed6 {
			if !add(netip.AddrFrom16([16]byte(p.v6[i:])), p.v6[i+packed6-1]) {
				return
			}
		}
		if len(page) > 0 {
			yield(page)
		}
	}
}

// shareTime is the age up to which a list is lent to another reader.
const shareTime = time.Second

// Lists lends a table's prefixes to readers. Readers that begin within a second of each
// other share one list, and lists are made one at a time, so fifty readers at once cost as
// much as one. A list that nobody reads is not kept. The zero value is ready to use, also
// concurrently.
type Lists struct {
	once   sync.Once
	turn   chan struct{} // contains one token: whoever takes it may make a list
	mu     sync.Mutex    // guards the rest
	latest Packed
	made   time.Time
	users  int // of latest
}

// Borrow returns the table's prefixes. It calls read for a copy of them if no list is young
// enough. The caller must call release when it has read its last page.
func (l *Lists) Borrow(ctx context.Context, read func(context.Context) ([]netip.Prefix, error)) (list Packed, release func(), err error) {
	l.once.Do(func() { l.turn = make(chan struct{}, 1) })
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return Packed{}, nil, ctx.Err()
	}
	if list, release, ok := l.lend(); ok {
		return list, release, nil
	}
	made := time.Now()
	prefixes, err := read(ctx)
	if err != nil {
		return Packed{}, nil, err
	}
	list = Pack(prefixes)
	l.mu.Lock()
	l.latest, l.made, l.users = list, made, 1
	l.mu.Unlock()
	return list, l.release(made), nil
}

// lend hands out the latest list if somebody reads it and it is young enough.
func (l *Lists) lend() (Packed, func(), bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.users == 0 || time.Since(l.made) > shareTime {
		return Packed{}, nil, false
	}
	l.users++
	return l.latest, l.release(l.made), true
}

// release returns a function that gives back the list made at that time.
func (l *Lists) release(made time.Time) func() {
	return sync.OnceFunc(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if !l.made.Equal(made) {
			return // another list has taken its place
		}
		if l.users--; l.users == 0 {
			l.latest = Packed{}
		}
	})
}
