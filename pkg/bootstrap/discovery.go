package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/nvad/nvad/pkg/azure"
)

// Discovery says what Azure Resource Manager is asked for.
type Discovery struct {
	// RouteServer is the name or the resource ID of the Route Server to peer with, or
	// [NoRouteServer]; empty: the only one.
	RouteServer string
	// Tag is NAME=VALUE or NAME: the other NVAs are the VMs that have it. Empty: there are
	// none but those of [Request.Remotes].
	Tag string
	// NVAs is how many NVAs to wait for, this one included; 0: take those that are there.
	NVAs int
	// ClientID chooses among several identities of the VM; empty: its own.
	ClientID string
	// Register makes this NVA a BGP peer of the Route Server and lets its NIC forward.
	Register bool
	// PublishKey writes this NVA's public key to a tag of its VM, and reaches the NVAs of Tag
	// through WireGuard, with the keys in the tags of their VMs.
	PublishKey bool
}

// NoRouteServer stands for an NVA that peers with no Route Server.
const NoRouteServer = "none"

// maxTag is the longest tag that Azure accepts: 512 characters of name, 256 of value.
const maxTag = 512 + 1 + 256

func (d Discovery) check() error {
	name, _, _ := strings.Cut(d.Tag, "=")
	switch {
	case d.Tag != "" && (strings.TrimSpace(name) == "" || len(d.Tag) > maxTag):
		return fmt.Errorf("--tag: %s is not a tag; want NAME=VALUE or NAME", printable(d.Tag))
	case d.NVAs < 0 || d.NVAs > maxNVAs+1:
		return fmt.Errorf("--nvas: want a number from 1 to %d", maxNVAs+1)
	case d.NVAs > 0 && d.Tag == "":
		return fmt.Errorf("--nvas: needs --tag, which says how to recognise an NVA")
	case d.PublishKey && d.Tag == "":
		return fmt.Errorf("--publish-key: needs --tag, which says whose keys are read")
	case d.Register && d.RouteServer == NoRouteServer:
		return fmt.Errorf("--register: with --route-server %s there is nothing to register at", NoRouteServer)
	}
	return nil
}

// unsettled is a fault that may pass by itself: while a VM boots for the first time, its
// role assignments, its tags and the other VMs may not have appeared yet.
type unsettled struct {
	error
	// usable says that the result is complete enough to be used if the fault stays.
	usable bool
	// said says that nvactl has printed the fault already.
	said bool
}

// Unwrap implements the interface of package errors.
func (u unsettled) Unwrap() error { return u.error }

func unsettledf(format string, args ...any) error {
	return unsettled{error: fmt.Errorf(format, args...)}
}

// Pauses between attempts. Azure permits a VM's identity thousands of reads an hour, and
// what is waited for takes seconds to minutes.
const firstPause, longestPause = time.Second, 15 * time.Second

// again calls try until it succeeds, fails in a way that does not pass, or ctx ends, and
// reports each attempt to the log.
func (n nvactl) again(ctx context.Context, try func() error) error {
	pause := firstPause
	for tries := 1; ; tries++ {
		err := try()
		u, passing := errors.AsType[unsettled](err)
		if err == nil || !passing {
			return err
		}
		if deadline, ok := ctx.Deadline(); ctx.Err() != nil || ok && time.Until(deadline) < pause {
			if u.usable {
				fmt.Fprintf(n.progress, "note: %v; going on without\n", err)
				return nil
			}
			return fmt.Errorf("gave up after try %d: %w", tries, err)
		}
		if !u.said {
			fmt.Fprintf(n.progress, "Azure: %v\n", err)
		}
		fmt.Fprintf(n.progress, "Azure: trying again in %v\n", pause)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, longestPause)
	}
}

// discover completes r with what Azure Resource Manager knows, and returns what has to be
// registered there. own is this NVA's address.
func (n nvactl) discover(ctx context.Context, r Request, own netip.Addr) (Request, registration, error) {
	var found Request
	var reg registration
	published := false
	err := n.again(ctx, func() error {
		s, err := n.snapshot(ctx, r.Azure.Tag)
		if err != nil {
			return err
		}
		// Before this NVA waits for the keys of the others, which wait for its own.
		if r.Azure.PublishKey && !published {
			if err := n.publish(ctx, s.VM, r.Identity.Public); err != nil {
				return err
			}
			published = true
		}
		found, reg, err = complete(r, s, own)
		return err
	})
	if err == nil {
		n.note(found, reg)
	}
	return found, reg, err
}

// note says what was found, so that the log of the first boot shows on what the file is
// based.
func (n nvactl) note(r Request, reg registration) {
	if rs := reg.server; rs.ID != "" {
		fmt.Fprintf(n.progress, "Azure: Route Server %s, %s\n", printable(rs.Name), list(rs.Addresses))
	}
	for _, p := range r.Peers {
		if p.vm.Name != "" {
			fmt.Fprintf(n.progress, "Azure: NVA %s, public key %s\n", p.vm.label(), p.Public)
			n.unpeered(p.vm)
		}
	}
	for _, text := range r.notes {
		fmt.Fprintf(n.progress, "note: %s\n", text)
	}
	for _, m := range r.Remotes {
		if m.Name != "" {
			fmt.Fprintf(n.progress, "Azure: NVA %s\n", m.label())
		}
		n.unpeered(m)
	}
}

func (n nvactl) unpeered(m Remote) {
	if m.Unpeered {
		fmt.Fprintf(n.progress, "note: the VNet of %s is not peered with this VM's; unless there is another way between them, the tunnel has none\n", m.label())
	}
}

func list[T fmt.Stringer](values []T) string {
	var parts []string
	for _, v := range values {
		parts = append(parts, v.String())
	}
	return strings.Join(parts, ", ")
}

// lacking returns the error for what could not be read, if s says that it could not: which
// permission the VM's identity lacks, or Azure's reason. Otherwise it is otherwise.
func lacking(s azure.Snapshot, otherwise error, parts ...azure.What) error {
	for _, what := range parts {
		for _, m := range s.Missing {
			if m.What != what {
				continue
			}
			if m.Permission != "" {
				return unsettledf("%s of %s can't be read: the VM's identity lacks the permission %s; assign it the role of configs/azure/role-operator.json there",
					what, printable(short(m.ID)), printable(m.Permission))
			}
			return unsettledf("%s of %s can't be read: %s", what, printable(short(m.ID)), reason(m.Reason))
		}
	}
	return otherwise
}

// short leaves out of a resource ID what is the same in nearly all, so that the rest is
// not cut off.
func short(id string) string {
	if i := strings.LastIndex(id, "/providers/"); i > 0 {
		return id[i+len("/providers/"):]
	}
	return id
}
