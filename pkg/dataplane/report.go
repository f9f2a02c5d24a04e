package dataplane

import (
	"cmp"
	"time"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/nic"
	"github.com/nvad/nvad/pkg/tunnel"
	"github.com/nvad/nvad/pkg/watch"
)

// fault logs the error of an object when it appears, changes or goes. The caller does not
// act on it: the object is tried again.
func (d *Dataplane) fault(object string, err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if _, changed := d.logged.Changed(object, text); !changed {
		return
	}
	if err == nil {
		d.log.Info("recovered", "object", object)
	} else {
		d.log.Warn("failed, will be tried again", "object", object, "reason", err)
	}
}

// report logs and publishes what the step changed, and stores the counters.
func (d *Dataplane) report(now time.Time) {
	d.publishGateways(now)
	d.reportRepairs(now)
	for _, n := range d.nics.Status() {
		d.reportNIC(n)
	}
	seen := d.tunnels.Status()
	for _, t := range seen {
		d.reportTunnel(t, now)
	}
	d.seen.Store(&seen)
	failing := d.total.Failed
	d.total.Counters = d.fib.Count()
	if failing == 0 && d.total.Failed > 0 {
		if example := d.fib.Refusal(); example != nil {
			d.log.Warn("the kernel rejects routes, they will be tried again",
				"count", d.total.Failed, "prefix", example.Prefix, "reason", example.Err)
		}
	}
	c := d.total
	d.counters.Store(&c)
	d.publishTransitions(now)
}

func (d *Dataplane) reportRepairs(now time.Time) {
	if n, first := d.fib.Repairs(); n > 0 {
		d.log.Warn("repairing routes that another program changed", "count", n, "first", first)
		d.publishRepair(now, "route", n, first)
	}
	for _, r := range d.tunnels.Repairs() {
		d.total.TunnelRepairs++
		d.log.Warn("repaired tunnel that another program changed", "reason", r.What)
		d.opt.Watch.Publish(watch.Event{At: now, Change: watch.Tunnel{Name: r.Tunnel, VNI: r.VNI, New: "repaired", Reason: r.What}})
	}
	for _, what := range d.nat.Repairs() {
		d.total.NATRepairs++
		d.log.Warn("repaired nftables table that another program changed", "reason", what)
		d.publishRepair(now, "nat", 1, what)
	}
	for _, what := range d.nics.Repairs() {
		d.total.NICRepairs++
		d.log.Warn("repaired routing of a NIC's answers that another program changed", "reason", what)
		d.publishRepair(now, "nic", 1, what)
	}
}

func (d *Dataplane) publishRepair(now time.Time, object string, count int, reason string) {
	d.opt.Watch.Publish(watch.Event{At: now, Change: watch.Repair{Object: object, Count: count, Reason: reason}})
}

// publishGateways publishes which next hops went with their links, or are back.
func (d *Dataplane) publishGateways(now time.Time) {
	for _, g := range d.fib.GatewayChanges() {
		state := " is down"
		if g.Alive {
			state = " is up"
		}
		d.opt.Watch.Publish(watch.Event{At: now, Change: watch.NextHop{
			Address: g.Gateway, Alive: g.Alive, By: "link", Reason: "link " + g.Link + state,
		}})
	}
}

// reportTunnel logs and publishes a tunnel whose state or warning changed.
func (d *Dataplane) reportTunnel(t tunnel.Status, now time.Time) {
	publish := func(old, reason string) {
		d.opt.Watch.Publish(watch.Event{At: now, Change: watch.Tunnel{Name: t.Name, VNI: t.VNI, Old: old, New: t.State, Reason: reason}})
	}
	if _, changed := d.logged.Changed("mtu of "+t.Name, t.Warning); changed {
		publish(t.State, cmp.Or(t.Warning, "MTU fits"))
		if t.Warning != "" {
			d.log.Warn("tunnel MTU", "tunnel", t.Name, "reason", t.Warning)
		} else {
			d.log.Info("tunnel MTU fits", "tunnel", t.Name)
		}
	}
	old, _ := d.logged.Changed("state of "+t.Name, t.State)
	if _, changed := d.logged.Changed("tunnel "+t.Name, t.State+" "+t.Reason); !changed {
		return
	}
	publish(old, t.Reason)
	if t.Reason == "" {
		d.log.Info("tunnel "+t.State, "tunnel", t.Name, "vni", t.VNI)
	} else {
		d.log.Warn("tunnel "+t.State, "tunnel", t.Name, "vni", t.VNI, "reason", t.Reason)
	}
}

// reportNIC logs a NIC whose state changed.
func (d *Dataplane) reportNIC(n nic.Status) {
	if _, changed := d.logged.Changed("nic "+n.Device, n.State+" "+n.Reason); !changed {
		return
	}
	if n.Reason == "" {
		d.log.Info("nic "+n.State, "device", n.Device, "via", n.Gateway, "table", n.Table)
	} else {
		d.log.Warn("nic "+n.State, "device", n.Device, "reason", n.Reason)
	}
}

// publishTransitions publishes which routes the step changed in the kernel.
func (d *Dataplane) publishTransitions(now time.Time) {
	list := d.fib.Transitions()
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
