// Package fibtest is a kernel in memory for tests of what uses package fib. It
// keeps the rules of Linux that matter: an object must exist before what refers
// to it, routes go with their object without a word, a group is replaced only by
// a group.
package fibtest

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/nvad/nvad/pkg/fib"
)

// Kernel implements fib.Kernel. The zero value is not ready: use [New].
type Kernel struct {
	// Log is every operation asked for, as text, failed ones included.
	Log []string

	routes    map[place]fib.KernelRoute
	objects   map[uint32]fib.Object
	down      map[int]bool
	fail      map[string]error
	noObjects bool
	noBuckets bool
}

type place struct {
	prefix netip.Prefix
	metric uint32
}

// New returns an empty table.
func New() *Kernel {
	return &Kernel{
		routes:  make(map[place]fib.KernelRoute),
		objects: make(map[uint32]fib.Object),
		down:    make(map[int]bool),
		fail:    make(map[string]error),
	}
}

// FailNext makes the next call of that name fail: "Routes", "Objects", or an
// operation as it stands in [Kernel.Log].
func (k *Kernel) FailNext(name string, err error) { k.fail[name] = err }

// ForbidObjects makes the kernel one without next-hop objects.
func (k *Kernel) ForbidObjects() { k.noObjects = true }

// ForbidBuckets makes the kernel one without resilient groups, as before Linux
// 5.13.
func (k *Kernel) ForbidBuckets() { k.noBuckets = true }

// Plant adds a route as another program would.
func (k *Kernel) Plant(r fib.KernelRoute) { k.routes[place{r.Prefix, r.Metric}] = r }

// Uproot deletes a route as another program would.
func (k *Kernel) Uproot(prefix netip.Prefix, metric uint32) { delete(k.routes, place{prefix, metric}) }

// SetLink takes a link up or down: next hops and routes on a link that goes down
// vanish.
func (k *Kernel) SetLink(index int, up bool) {
	k.down[index] = !up
	if up {
		return
	}
	for id, o := range k.objects {
		if len(o.Members) == 0 && o.Hop.Link == index {
			k.DropObject(id)
		}
	}
	for p, r := range k.routes {
		if r.Object == 0 && slices.ContainsFunc(r.Hops, func(h fib.NextHop) bool { return h.Link == index }) {
			delete(k.routes, p)
		}
	}
}

// DropObject deletes an object as another program would: groups lose the member,
// empty groups and routes go too.
func (k *Kernel) DropObject(id uint32) {
	delete(k.objects, id)
	for gid, g := range k.objects {
		left := slices.DeleteFunc(slices.Clone(g.Members), func(m fib.Member) bool { return m.ID == id })
		switch {
		case len(left) == len(g.Members):
		case len(left) == 0:
			k.DropObject(gid)
		default:
			g.Members = left
			k.objects[gid] = g
		}
	}
	maps.DeleteFunc(k.routes, func(_ place, r fib.KernelRoute) bool { return r.Object == id })
}

// Routes implements fib.Kernel.
func (k *Kernel) Routes(yield func(fib.KernelRoute)) error {
	if err := k.failing("Routes"); err != nil {
		return err
	}
	for _, p := range k.places() {
		yield(k.routes[p])
	}
	return nil
}

// Objects implements fib.Kernel.
func (k *Kernel) Objects() ([]fib.Object, error) {
	if err := k.failing("Objects"); err != nil {
		return nil, err
	}
	if k.noObjects {
		return nil, errors.ErrUnsupported
	}
	var list []fib.Object
	for _, id := range slices.Sorted(maps.Keys(k.objects)) {
		list = append(list, k.objects[id])
	}
	return list, nil
}

// Do implements fib.Kernel.
func (k *Kernel) Do(ops []fib.Op) []error {
	errs := make([]error, len(ops))
	for i, op := range ops {
		name := opText(op)
		k.Log = append(k.Log, name)
		if errs[i] = k.failing(name); errs[i] == nil {
			errs[i] = k.do(op)
		}
	}
	return errs
}

func (k *Kernel) do(op fib.Op) error {
	p := place{op.Route.Prefix, op.Route.Metric}
	old, present := k.routes[p]
	switch op.Kind {
	case fib.AddRoute, fib.ReplaceRoute:
		if present && op.Kind == fib.AddRoute {
			return fs.ErrExist
		}
		if _, ok := k.objects[op.Route.Object]; op.Route.Object != 0 && !ok {
			return errors.New("next-hop object does not exist")
		}
		if k.anyDown(op.Route.Hops) {
			return errors.New("network is down")
		}
		k.routes[p] = op.Route
	case fib.DeleteRoute:
		if present && old.Protocol == op.Route.Protocol && old.Object == op.Route.Object {
			delete(k.routes, p)
		}
	case fib.PutObject:
		return k.put(op.Object)
	case fib.DeleteObject:
		k.DropObject(op.Object.ID)
	}
	return nil
}

func (k *Kernel) put(o fib.Object) error {
	if k.noObjects {
		return errors.ErrUnsupported
	}
	if o.Buckets > 0 && k.noBuckets {
		return errors.ErrUnsupported
	}
	old, ok := k.objects[o.ID]
	switch {
	case ok && (len(old.Members) > 0) != (len(o.Members) > 0):
		return errors.New("can't replace a group with a next hop or back")
	case ok && old.Buckets != o.Buckets:
		return errors.New("can't replace a group with one of a different type")
	}
	for _, m := range o.Members {
		if _, ok := k.objects[m.ID]; !ok {
			return errors.New("member does not exist")
		}
	}
	if len(o.Members) == 0 && k.down[o.Hop.Link] {
		return errors.New("network is down")
	}
	k.objects[o.ID] = o
	return nil
}

func (k *Kernel) anyDown(hops []fib.NextHop) bool {
	return slices.ContainsFunc(hops, func(h fib.NextHop) bool { return k.down[h.Link] })
}

func (k *Kernel) failing(name string) error {
	err := k.fail[name]
	delete(k.fail, name)
	return err
}

func (k *Kernel) places() []place {
	return slices.SortedFunc(maps.Keys(k.routes), func(a, b place) int {
		return cmp.Or(a.prefix.Addr().Compare(b.prefix.Addr()), cmp.Compare(a.prefix.Bits(), b.prefix.Bits()),
			cmp.Compare(a.metric, b.metric))
	})
}

// String prints the routes with their hops resolved, one a line, and then how
// many objects there are. Object numbers do not show, so that two kernels that
// behave alike print alike.
func (k *Kernel) String() string {
	var b strings.Builder
	for _, p := range k.places() {
		r := k.routes[p]
		fmt.Fprintf(&b, "%s metric %d proto %d", p.prefix, p.metric, r.Protocol)
		for _, h := range k.hops(r) {
			fmt.Fprintf(&b, " %s", h)
		}
		if r.Kind != fib.Unicast {
			fmt.Fprintf(&b, " kind %d", r.Kind)
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "%d objects\n", len(k.objects))
	return b.String()
}

func (k *Kernel) hops(r fib.KernelRoute) []fib.NextHop {
	if r.Object == 0 {
		return r.Hops
	}
	var hops []fib.NextHop
	for _, m := range k.objects[r.Object].Members {
		h := k.objects[m.ID].Hop
		h.Weight = m.Weight
		hops = append(hops, h)
	}
	return fib.SortHops(hops)
}

func opText(op fib.Op) string {
	r := op.Route
	switch op.Kind {
	case fib.AddRoute:
		return fmt.Sprintf("add %s metric %d", r.Prefix, r.Metric)
	case fib.ReplaceRoute:
		return fmt.Sprintf("replace %s metric %d", r.Prefix, r.Metric)
	case fib.DeleteRoute:
		return fmt.Sprintf("delete %s metric %d", r.Prefix, r.Metric)
	case fib.PutObject:
		if len(op.Object.Members) > 0 {
			return fmt.Sprintf("put group %d", op.Object.ID)
		}
		return fmt.Sprintf("put hop %s", op.Object.Hop)
	}
	return fmt.Sprintf("delete object %d", op.Object.ID)
}
