package arm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"

	"github.com/nvad/nvad/pkg/azure"
)

// reading collects one Snapshot. What is cheap and decides most is read first, so that
// little is missing if the time ends.
type reading struct {
	*Client
	ask  Ask
	s    azure.Snapshot
	seen map[string]bool // VNets that were asked for
	// tables are the route tables by ID.
	tables map[string]*azure.RouteTable

	vnetShelf  *shelf[armnetwork.VirtualNetwork]
	tableShelf *shelf[rawTable]
}

// Snapshot reads all that Ask names. It is an error if the VM itself can't be read, or if ctx
// ends or Azure can't be reached any more: then the error is a [TimeoutError] or an
// [UnreachableError], and the Snapshot has what was read before.
// What else can't be read is in [azure.Snapshot.Missing].
func (c *Client) Snapshot(ctx context.Context, a Ask) (azure.Snapshot, error) {
	r := &reading{
		Client: c, ask: a, seen: map[string]bool{}, tables: map[string]*azure.RouteTable{},
		vnetShelf: newShelf[armnetwork.VirtualNetwork](), tableShelf: newShelf[rawTable](),
	}
	r.s.Cloud, c.spent = c.cloud.name, 0
	err := r.all(ctx)
	r.s.Taken = time.Now()
	return r.s, err
}

func (r *reading) all(ctx context.Context) error {
	if err := r.vm(ctx); err != nil {
		return err
	}
	steps := []func(context.Context) error{r.nics, r.vnets, r.routeServers, r.gateways, r.nvas}
	if r.ask.Routes {
		steps = append(steps, r.effective, r.exchanged, r.gatewayRoutes)
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// missing notes that a part could not be read, and passes on only the end of ctx.
func (r *reading) missing(id string, what azure.What, err error) error {
	if err == nil {
		return nil
	}
	m := azure.Missing{ID: strings.ToLower(id), What: what}
	err = r.explain(err)
	if isEnd(err) {
		return err
	}
	if p, ok := errors.AsType[*PermissionError](err); ok {
		m.Permission = p.Action
	}
	m.Reason = err.Error()
	// A bound is noted once, not for each that is beyond it.
	if _, bound := errors.AsType[refusal](err); bound && slices.ContainsFunc(r.s.Missing, func(o azure.Missing) bool {
		return o.What == what && o.Reason == m.Reason
	}) {
		return nil
	}
	r.s.Missing = append(r.s.Missing, m)
	return nil
}

// which returns the resource ID that is given, or the one of the machine that asks.
func (c *Client) which(ctx context.Context, id string) (string, error) {
	if id != "" {
		return id, nil
	}
	c.begin("the resource ID of this machine")
	in, err := c.machine(ctx)
	if err == nil && in.ID == "" {
		err = errors.New("the metadata service gives no resource ID")
	}
	if err != nil {
		return "", &NotAzureError{err}
	}
	return in.ID, nil
}

// vm reads the machine that Ask names, or the machine that asks.
func (r *reading) vm(ctx context.Context) error {
	id, err := r.which(ctx, r.ask.VM)
	if err != nil {
		return err
	}
	vm, err := r.readVM(ctx, id)
	if err != nil {
		return fmt.Errorf("the VM itself can't be read: %w", r.explain(err))
	}
	r.s.VM = vm.VM
	for _, nic := range vm.nics {
		n, err := r.readNIC(ctx, nic)
		if err := r.missing(nic, azure.WhatNIC, err); err != nil {
			return err
		}
		if err == nil {
			r.s.NICs = append(r.s.NICs, n)
		}
	}
	r.s.VM = located(r.s.VM, r.s.NICs)
	return nil
}
