package arm

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/nvad/nvad/pkg/azure"
)

// machineNICs is a VM with the IDs of its NICs, the primary one first.
type machineNICs struct {
	azure.VM
	nics []string
}

// maxNICs bounds the NICs of a VM; Azure's largest have 15.
const maxNICs = 64

func (c *Client) readVM(ctx context.Context, id string) (machineNICs, error) {
	var out machineNICs
	at, err := parse(id)
	if err != nil {
		return out, err
	}
	if !strings.EqualFold(at.ResourceType.String(), "Microsoft.Compute/virtualMachines") {
		return out, refuse("%s is a %s: want a virtual machine; of scale sets, those with flexible orchestration have them", id, at.ResourceType)
	}
	f, err := c.compute(at.SubscriptionID)
	if err != nil {
		return out, err
	}
	c.begin("VM " + at.Name)
	answer, err := f.NewVirtualMachinesClient().Get(ctx, at.ResourceGroupName, at.Name, nil)
	if err != nil {
		return out, err
	}
	out.VM = azure.VM{
		ID: strings.ToLower(id), Name: at.Name, ResourceGroup: at.ResourceGroupName, Subscription: at.SubscriptionID,
		Location: val(answer.Location),
	}
	for name, value := range answer.Tags {
		if out.Tags == nil {
			out.Tags = map[string]string{}
		}
		out.Tags[name] = val(value)
	}
	for n := range each(val(val(answer.Properties).NetworkProfile).NetworkInterfaces) {
		if val(val(n.Properties).Primary) {
			out.nics = slices.Insert(out.nics, 0, low(n.ID))
		} else {
			out.nics = append(out.nics, low(n.ID))
		}
	}
	if len(out.nics) > maxNICs {
		return out, refuse("%s has %d NICs: more than %d are not read", id, len(out.nics), maxNICs)
	}
	return out, nil
}

// located returns vm with the addresses and the VNet that its NICs give it.
func located(vm azure.VM, nics []azure.NIC) azure.VM {
	for i, n := range nics {
		vm.Addresses = append(vm.Addresses, n.Addresses...)
		if i == 0 || n.Primary {
			vm.VNet = n.VNet
		}
	}
	return vm
}

// Versions of the API of Resource Manager's own resources.
const (
	subscriptionsVersion = "2021-01-01"
	resourcesVersion     = "2021-04-01"
)

// Bounds of the search for machines with the tag.
const (
	maxSubscriptions = 1_000
	maxNVAs          = 256
)

// nvas reads the machines with the tag in all subscriptions. Resource Manager itself looks
// for the tag, and lists only what the identity may read.
func (r *reading) nvas(ctx context.Context) error {
	if r.ask.Tag == "" {
		return nil
	}
	subscriptions, err := r.subscriptions(ctx)
	if err != nil {
		return err
	}
	var ids []string
	for _, s := range subscriptions {
		list, err := r.tagged(ctx, s)
		if err := r.missing("/subscriptions/"+s, azure.WhatNVAs, err); err != nil {
			return err
		}
		ids = append(ids, list...)
	}
	slices.Sort(ids)
	ids = slices.DeleteFunc(slices.Compact(ids), func(id string) bool { return id == r.s.VM.ID })
	if len(ids) > maxNVAs {
		err := refuse("%d machines have the tag %s: more than %d are not read", len(ids), r.ask.Tag, maxNVAs)
		return r.missing("/subscriptions", azure.WhatNVAs, err)
	}
	for _, id := range ids {
		vm, err := r.readNVA(ctx, id)
		if err := r.missing(id, azure.WhatNVAs, err); err != nil {
			return err
		}
		if err == nil {
			r.s.NVAs = append(r.s.NVAs, vm)
		}
	}
	return nil
}

// subscriptions lists those that the identity may read; the VM's is one of them.
func (r *reading) subscriptions(ctx context.Context) ([]string, error) {
	type subscription struct {
		ID    string `json:"subscriptionId"`
		State string
	}
	list, err := rawList[subscription](ctx, r.Client, "the subscriptions", "/subscriptions", subscriptionsVersion, nil)
	if err := r.missing("/subscriptions", azure.WhatNVAs, err); err != nil {
		return nil, err
	}
	out := []string{strings.ToLower(r.s.VM.Subscription)}
	for _, s := range list {
		if s.ID != "" && s.State != "Disabled" && s.State != "Deleted" {
			out = append(out, strings.ToLower(s.ID))
		}
	}
	slices.Sort(out)
	out = slices.Compact(out)
	if len(out) > maxSubscriptions {
		err := refuse("%d subscriptions: more than %d are not searched", len(out), maxSubscriptions)
		return out[:maxSubscriptions], r.missing("/subscriptions", azure.WhatNVAs, err)
	}
	return out, nil
}

// tagged returns the IDs of a subscription's virtual machines with the tag.
func (r *reading) tagged(ctx context.Context, subscription string) ([]string, error) {
	name, value, both := strings.Cut(r.ask.Tag, "=")
	filter := "tagName eq '" + quote(name) + "'"
	if both {
		filter += " and tagValue eq '" + quote(value) + "'"
	}
	type resource struct{ ID, Type string }
	list, err := rawList[resource](ctx, r.Client, "the machines with the tag "+r.ask.Tag+" in subscription "+subscription,
		"/subscriptions/"+subscription+"/resources", resourcesVersion, url.Values{"$filter": {filter}})
	var ids []string
	for _, res := range list {
		if strings.EqualFold(res.Type, "Microsoft.Compute/virtualMachines") {
			ids = append(ids, strings.ToLower(res.ID))
		}
	}
	return ids, err
}

// quote doubles the quotes in a string of a filter, as OData has it.
func quote(s string) string { return strings.ReplaceAll(s, "'", "''") }

// readNVA reads a machine with its addresses.
func (c *Client) readNVA(ctx context.Context, id string) (azure.VM, error) {
	m, err := c.readVM(ctx, id)
	if err != nil {
		return m.VM, err
	}
	var nics []azure.NIC
	for _, id := range m.nics {
		n, err := c.readNIC(ctx, id)
		if err != nil {
			return m.VM, err
		}
		nics = append(nics, n)
	}
	return located(m.VM, nics), nil
}
