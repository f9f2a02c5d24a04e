package config

import (
	"fmt"
	"slices"
)

// checker collects what is wrong with a Config as a whole: all that no key
// shows by itself.
type checker struct {
	cfg    *Config
	src    *source
	errors Errors
}

// validate adds to what reading cfg has found.
func validate(cfg *Config, found Errors) Errors {
	v := &checker{cfg: cfg, src: &cfg.source, errors: found}
	v.identity()
	v.references()
	v.kernel()
	v.health()
	v.api()
	for i := range cfg.Tunnels {
		v.tunnel(i)
	}
	for i := range cfg.NICs {
		v.nic(i)
	}
	for i := range cfg.Statics {
		v.static(i)
	}
	v.nat()
	v.originated()
	for i := range cfg.Neighbors {
		v.neighbor(i)
	}
	v.policies()
	return v.errors
}

// fail reports a fault at the first of keys, separated by spaces, that stands
// in the file; at the nearest table above the first one if none does.
func (v *checker) fail(keys, format string, args ...any) {
	key := v.src.given(keys)
	v.errors = append(v.errors, &Error{File: v.src.file, Line: v.src.line(key), Key: key, Msg: fmt.Sprintf(format, args...)})
}

// has reports whether key stands in the file.
func (v *checker) has(key string) bool { return v.src.lines[key] > 0 }

// distinct reports element i of an array of tables if an earlier one is the
// same.
func (v *checker) distinct(array, field string, i int, id any, same func(j int) bool) {
	for j := range i {
		if same(j) {
			first := v.src.elem(array, j, id) + "." + field
			v.fail(v.src.elem(array, i, id)+"."+field, "%v is given twice, first in line %d", id, v.src.line(first))
			return
		}
	}
}

func (v *checker) references() {
	objects := v.cfg.objects()
	for _, r := range v.cfg.refs() {
		inherited := !v.has(r.key) // by a neighbor from its group, or by a group from its preset
		if inherited || slices.Contains(objects[r.kind], r.name) {
			continue
		}
		v.fail(r.key, "there is no %s %q%s", r.kind, r.name, didYouMean(r.name, objects[r.kind]))
	}
}

// identity looks for the ASN, which only neighbors ask for. A file that says
// nothing at all was cut off, or is another one than was meant: it would take
// away everything that runs.
func (v *checker) identity() {
	if len(v.src.lines) == 1 {
		v.errors = append(v.errors, &Error{File: v.src.file, Line: 1, Msg: "the file says nothing"})
	}
	if len(v.cfg.Neighbors) > 0 && !v.has("asn") {
		v.fail("asn", "required key is missing: neighbors need it")
	}
}

func (v *checker) kernel() {
	k := v.cfg.Kernel
	if k.Protocol == k.StaticProtocol {
		v.fail("kernel.static-protocol kernel.protocol", "protocol and static-protocol must differ, both are %d", k.Protocol)
	}
}

// health reports a minimum that its peer-group can't reach, and tunnels that are
// not there.
func (v *checker) health() {
	for _, group := range sortedKeys(v.cfg.Health.MinEstablished) {
		have := 0
		for _, n := range v.cfg.Neighbors {
			if n.PeerGroup == group {
				have++
			}
		}
		if _, known := v.cfg.Groups[group]; known && v.cfg.Health.MinEstablished[group] > have {
			v.fail("health.min-established."+group, "peer-group %s has only %d neighbors", group, have)
		}
	}
	var tunnels []string
	for _, t := range v.cfg.Tunnels {
		tunnels = append(tunnels, t.Name)
	}
	for _, name := range v.cfg.Health.Tunnels {
		if !slices.Contains(tunnels, name) {
			v.fail("health.tunnels", "there is no tunnel %q%s", name, didYouMean(name, tunnels))
		}
	}
}
