package dataplane

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/tunnel"
	"github.com/nvad/nvad/pkg/watch"
)

// tellState hands the new state of a tunnel to those who watch. Shown is the old one
// with its reason, as it was logged.
func (d *Dataplane) tellState(t tunnel.Status, shown string) {
	old, _, _ := strings.Cut(shown, " ")
	d.opt.Watch.Publish(watch.Event{At: time.Now(), Change: watch.Tunnel{
		Name: t.Name, VNI: t.VNI, Old: old, New: t.State, Reason: t.Reason,
	}})
}

// tellWarning hands on what keeps packets of a tunnel from getting through, or that
// nothing does any more.
func (d *Dataplane) tellWarning(t tunnel.Status) {
	d.opt.Watch.Publish(watch.Event{At: time.Now(), Change: watch.Tunnel{
		Name: t.Name, VNI: t.VNI, Old: t.State, New: t.State, Reason: cmp.Or(t.Warning, "MTU fits"),
	}})
}

// tellRepair hands on that a tunnel is as it should be again. What names it.
func (d *Dataplane) tellRepair(what string) {
	words := strings.Fields(what)
	for _, t := range d.tunnels.Status() {
		if slices.Contains(words, t.Name) {
			d.opt.Watch.Publish(watch.Event{At: time.Now(), Change: watch.Tunnel{Name: t.Name, VNI: t.VNI, New: "repaired", Reason: what}})
		}
	}
}

// tellTransitions hands on what the turn has changed in the kernel.
func (d *Dataplane) tellTransitions(now time.Time) {
	list := d.fib.Transitions()
	if len(list) == 0 {
		return
	}
	events := make([]watch.Event, len(list))
	for i, t := range list {
		c := watch.Forwarding{
			Prefix: t.Prefix, Group: t.Group, Routes: t.Routes, Class: t.Class.String(),
			Old: t.Old.String(), New: t.New.String(), State: t.State.String(), Reason: t.Reason,
		}
		if t.State == fib.Installed && !t.New.Present {
			c.State = "removed"
		}
		events[i] = watch.Event{At: now, Change: c}
	}
	d.opt.Watch.Publish(events...)
}
