package dataplane

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// settings remembers across restarts what sysctls were before nvad first wrote them, so that a
// flush can restore them. In another boot or network namespace the values are gone.
//
// Lines of the file: name, value before and value written, separated by tabs.
type settings struct {
	stateFile
	list []setting // in the order in which they were first written
}

// setting is one sysctl that nvad wrote.
type setting struct{ name, before, written string }

func readSettings(path, namespace string) (*settings, error) {
	s := &settings{stateFile: stateFile{path, namespace}}
	lines, err := s.read()
	for _, line := range lines {
		if f := strings.Split(line, "\t"); len(f) == 3 {
			s.list = append(s.list, setting{f[0], f[1], f[2]})
		}
	}
	return s, err
}

// note records that nvad is about to write a setting.
func (s *settings) note(name, before, written string) error {
	before, written = oneSpace(before), oneSpace(written)
	i := slices.IndexFunc(s.list, func(o setting) bool { return o.name == name })
	switch {
	case i >= 0 && s.list[i].written == written:
		return nil
	case i >= 0:
		s.list[i].written = written
	default:
		s.list = append(s.list, setting{name, before, written})
	}
	var lines []string
	for _, o := range s.list {
		lines = append(lines, strings.Join([]string{o.name, o.before, o.written}, "\t"))
	}
	return s.write(lines)
}

// restore puts every setting back that still has the value nvad wrote, the last one first. It
// returns in words what it did and what it left alone. It touches only settings below net: the
// daemon's user could have written anything into the file, and root runs this too.
func (s *settings) restore(k Sysctls) (restored, left []string, err error) {
	var errs []error
	for _, o := range slices.Backward(s.list) {
		now, err := k.Get(o.name)
		switch {
		case errors.Is(err, fs.ErrNotExist): // it went with its link
		case err != nil:
			errs = append(errs, err)
		case !ofNetwork(o.name):
			left = append(left, fmt.Sprintf("%s = %s: it was %s before nvad set it", o.name, oneSpace(now), o.before))
		case !sameValue(now, o.written):
			left = append(left, fmt.Sprintf("%s = %s: another program has changed it since nvad set it to %s", o.name, oneSpace(now), o.written))
		default:
			if err := k.Set(o.name, o.before); err != nil {
				errs = append(errs, err)
				continue
			}
			restored = append(restored, o.name+" = "+o.before)
		}
	}
	s.list = nil
	return restored, left, errors.Join(append(errs, s.forget())...)
}

// ofNetwork reports whether a setting, in either of sysctl(8)'s forms, is below net.
func ofNetwork(name string) bool {
	path := strings.ReplaceAll(name, ".", "/")
	if strings.Contains(name, "/") {
		path = name
	}
	return strings.HasPrefix(filepath.Clean("/"+path), "/net/")
}

// wrote reports whether value is what nvad wrote last.
func (s *settings) wrote(name, value string) bool {
	return slices.ContainsFunc(s.list, func(o setting) bool { return o.name == name && o.written == oneSpace(value) })
}

// syncSysctls writes the settings that differ.
func (d *Dataplane) syncSysctls(now time.Time) {
	d.due.sysctls = time.Time{}
	for _, name := range slices.Sorted(maps.Keys(d.wanted.Sysctls)) {
		want := d.wanted.Sysctls[name]
		have, err := d.opt.Sysctls.Get(name)
		if err == nil && !sameValue(have, want) {
			again := d.settings.wrote(name, want)
			d.fault("sysctls state file", d.settings.note(name, have, want))
			if err = d.opt.Sysctls.Set(name, want); err == nil {
				d.total.SysctlRepairs++
				d.log.Info("sysctl set", "name", name, "value", want, "was", have)
				if again {
					d.publishRepair(now, "sysctl", 1, fmt.Sprintf("%s = %s, was %s", name, want, oneSpace(have)))
				}
			}
		}
		d.fault(name, err)
	}
}

// restoreSysctls restores the settings that nvad wrote, for a flush.
func (d *Dataplane) restoreSysctls() error {
	restored, left, err := d.settings.restore(d.opt.Sysctls)
	for _, what := range restored {
		d.log.Info("sysctl restored", "value", what)
	}
	for _, what := range left {
		d.log.Warn("sysctl left as it is", "value", what)
	}
	return err
}

func oneSpace(value string) string { return strings.Join(strings.Fields(value), " ") }

func sameValue(a, b string) bool { return oneSpace(a) == oneSpace(b) }
