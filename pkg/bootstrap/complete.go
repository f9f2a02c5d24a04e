package bootstrap

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/nvad/nvad/pkg/azure"
)

// Tags of VMs from which bootstrap takes what it can't derive. Azure compares their names
// without regard to case.
const (
	tagOverlay = "nvad-overlay" // address in the tunnel
	tagASN     = "nvad-asn"
	tagVNI     = "nvad-vni"
	tagKey     = "nvad-key" // public key
)

// complete fills in what r leaves open, and returns what has to be registered. Nothing is
// guessed: if s lacks something, it returns an error, so that a part that can't be read
// for a moment does not remove an NVA from the file.
func complete(r Request, s azure.Snapshot, own netip.Addr) (Request, registration, error) {
	d := *r.Azure
	if len(s.VM.Addresses) == 0 {
		return r, registration{}, lacking(s, unsettledf("Resource Manager knows no address of this VM"), azure.WhatVM, azure.WhatNIC)
	}
	if s.VM.Addresses[0] != own {
		return r, registration{}, unsettledf("Resource Manager says that this VM's address is %s, the metadata service says %s; other NVAs would send to the wrong one", s.VM.Addresses[0], own)
	}
	if err := numbers(&r, s); err != nil {
		return r, registration{}, err
	}
	server, err := routeServer(r, s)
	if err != nil {
		return r, registration{}, err
	}
	if server.ID != "" {
		r.RouteServers = server.Addresses
	}
	if r.VNets == nil {
		if r.VNets, err = space(s, s.VM.VNet, server.VNet); err != nil {
			return r, registration{}, err
		}
	}
	reg := registration{server: server}
	if d.Register {
		if reg, err = plans(r, s, server, own); err != nil {
			return r, reg, err
		}
	}
	err = addTagged(&r, s)
	if u, ok := errors.AsType[unsettled](err); len(r.RouteServers)+len(r.Remotes)+len(r.Peers) == 0 && (err == nil || ok && u.usable) {
		return r, reg, unsettledf("there is no one to peer with: no Route Server, and no other NVA")
	}
	return r, reg, err
}

// numbers fills in ASN, VNI and this NVA's address in the tunnel from the VM's tags.
func numbers(r *Request, s azure.Snapshot) (err error) {
	if r.ASN == 0 {
		if r.ASN, err = numberTag(s.VM, tagASN, DefaultASN, 32); err != nil {
			return err
		}
	}
	if r.VNI == 0 {
		if r.VNI, err = numberTag(s.VM, tagVNI, DefaultVNI, 24); err != nil {
			return err
		}
	}
	if r.TunnelAddress.IsValid() {
		return nil
	}
	own, err := overlayTag(s.VM, overlay)
	if own.IsValid() {
		r.TunnelAddress = netip.PrefixFrom(own, overlay.Bits())
	}
	return err
}

// tag returns the value of a VM's tag.
func tag(vm azure.VM, name string) (string, bool) {
	for k, v := range vm.Tags {
		if strings.EqualFold(k, name) {
			return v, true
		}
	}
	return "", false
}

// numberTag returns the number in a VM's tag, from 1 to the largest with so many bits; otherwise if there
// is no such tag.
func numberTag(vm azure.VM, name string, otherwise uint32, bits int) (uint32, error) {
	text, ok := tag(vm, name)
	if !ok {
		return otherwise, nil
	}
	n, err := strconv.ParseUint(text, 10, bits)
	if err != nil || n == 0 {
		return 0, unsettledf("tag %s of VM %s is %s, which is no number from 1 to %d", name, printable(vm.Name), printable(text), uint64(1)<<bits-1)
	}
	return uint32(n), nil
}

// overlayTag returns a VM's address in the tunnel as its tag says; invalid without the
// tag.
func overlayTag(vm azure.VM, prefix netip.Prefix) (netip.Addr, error) {
	text, ok := tag(vm, tagOverlay)
	if !ok {
		return netip.Addr{}, nil
	}
	a, err := netip.ParseAddr(text)
	if err != nil || !prefix.Contains(a) {
		return netip.Addr{}, unsettledf("tag %s of VM %s is %s, which is no address in %s", tagOverlay, printable(vm.Name), printable(text), prefix.Masked())
	}
	return a, nil
}

// routeServer returns the Route Server to peer with: the one that is asked for, the one in
// the VM's VNet, or the only one in a peered VNet. It returns none if none is wanted, or
// if its addresses are given and nothing else about it is needed.
func routeServer(r Request, s azure.Snapshot) (azure.RouteServer, error) {
	d, given := *r.Azure, len(r.RouteServers) > 0
	if d.RouteServer == NoRouteServer || given && !d.Register {
		return azure.RouteServer{}, nil
	}
	fits := func(rs azure.RouteServer) bool {
		switch {
		case given:
			return slices.Contains(rs.Addresses, r.RouteServers[0]) && slices.Contains(rs.Addresses, r.RouteServers[1])
		case d.RouteServer != "":
			return strings.EqualFold(rs.Name, d.RouteServer) || strings.EqualFold(rs.ID, d.RouteServer)
		}
		return true
	}
	var near, far []azure.RouteServer
	for _, rs := range s.RouteServers {
		switch {
		case !fits(rs):
		case rs.VNet == s.VM.VNet:
			near = append(near, rs)
		default:
			far = append(far, rs)
		}
	}
	found := near
	if len(near) == 0 {
		found = far
		// While those of the VM's own VNet can't be read, another one must not be taken.
		if !given && d.RouteServer == "" {
			if err := lacking(s, nil, azure.WhatRouteServer); err != nil {
				return azure.RouteServer{}, fmt.Errorf("which Route Server? choose with --route-server NAME: %w", err)
			}
		}
	}
	switch len(found) {
	case 0:
		return azure.RouteServer{}, lacking(s, unsettledf("no Route Server%s is in this VM's VNet or in one peered with it; create it, or set --route-server %s", wanted(r), NoRouteServer),
			azure.WhatRouteServer, azure.WhatVNet)
	case 1:
		return ready(found[0])
	}
	return azure.RouteServer{}, fmt.Errorf("there are %d Route Servers: %s; choose with --route-server NAME or --route-server ADDRESS,ADDRESS", len(found), described(found))
}

func wanted(r Request) string {
	switch {
	case len(r.RouteServers) > 0:
		return " with the addresses " + list(r.RouteServers)
	case r.Azure.RouteServer != "":
		return " " + printable(r.Azure.RouteServer)
	}
	return ""
}

// described lists Route Servers: names can be the same in several resource groups.
func described(servers []azure.RouteServer) string {
	var parts []string
	for _, rs := range servers[:min(len(servers), 8)] {
		parts = append(parts, fmt.Sprintf("%s in resource group %s (%s)", printable(rs.Name), printable(rs.ResourceGroup), list(rs.Addresses)))
	}
	return strings.Join(parts, ", ")
}

// ready returns rs if it can be peered with. Azure takes up to half an hour to create one.
func ready(rs azure.RouteServer) (azure.RouteServer, error) {
	if len(rs.Addresses) != azure.RouteServerInstances {
		return rs, unsettledf("Route Server %s has %d of %d addresses, and is %s", printable(rs.Name), len(rs.Addresses), azure.RouteServerInstances, printable(rs.ProvisioningState))
	}
	for _, a := range rs.Addresses {
		if !a.Is4() {
			return rs, fmt.Errorf("Route Server %s has the address %s, which is not IPv4", printable(rs.Name), a)
		}
	}
	return rs, nil
}

// space returns the IPv4 prefixes of the VNets.
func space(s azure.Snapshot, ids ...string) (all []netip.Prefix, err error) {
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		if id == "" {
			continue
		}
		i := slices.IndexFunc(s.VNets, func(v azure.VNet) bool { return v.ID == id })
		if i < 0 || len(s.VNets[i].Space) == 0 {
			return nil, lacking(s, unsettledf("Resource Manager does not say which prefixes the VNet %s has", printable(short(id))), azure.WhatVNet)
		}
		for _, p := range s.VNets[i].Space {
			if p.IsValid() && p.Addr().Is4() {
				all = append(all, p.Masked())
			}
		}
	}
	slices.SortFunc(all, netip.Prefix.Compare)
	return slices.Compact(all), nil
}

// addTagged adds the NVAs that have the tag. An NVA that the operator gave too is as the
// operator says.
func addTagged(r *Request, s azure.Snapshot) error {
	if r.Azure.Tag == "" {
		return nil
	}
	if !tagged(s.VM, r.Azure.Tag) {
		return unsettledf("this VM, %s, has no tag %s itself, so the other NVAs can't find it", printable(s.VM.Name), printable(r.Azure.Tag))
	}
	if err := lacking(s, nil, azure.WhatNVAs); err != nil {
		return err
	}
	if len(s.NVAs) > maxNVAs {
		return fmt.Errorf("%d VMs have the tag %s, more than the %d that can be one mesh", len(s.NVAs), printable(r.Azure.Tag), maxNVAs)
	}
	r.Remotes = slices.Clone(r.Remotes)
	seen := map[netip.Addr]azure.VM{}
	for _, a := range s.VM.Addresses {
		seen[a] = s.VM
	}
	others := 0
	var encrypted []Remote // their VMs are in seen
	for _, vm := range s.NVAs {
		if vm.ID == s.VM.ID {
			continue
		}
		m, err := remote(*r, s, vm)
		if err != nil {
			return err
		}
		if other, twice := seen[m.Address]; twice {
			return unsettledf("the VMs %s and %s both have the tag %s and the address %s; VNets whose addresses overlap need different tags", printable(other.Name), printable(vm.Name), printable(r.Azure.Tag), m.Address)
		}
		seen[m.Address] = vm
		others++
		if i := slices.IndexFunc(r.Remotes, func(o Remote) bool { return o.Address == m.Address }); i >= 0 {
			r.Remotes[i].Name, r.Remotes[i].Unpeered = m.Name, m.Unpeered
			continue
		}
		if r.Azure.PublishKey {
			encrypted = append(encrypted, m)
			continue
		}
		r.Remotes = append(r.Remotes, m)
	}
	what := printable(r.Azure.Tag)
	if r.Azure.PublishKey {
		others -= addEncrypted(r, encrypted, seen)
		what += " and a key in " + tagKey
	}
	if n := 1 + others; n < r.Azure.NVAs {
		return unsettled{error: fmt.Errorf("%d of %d NVAs have the tag %s", n, r.Azure.NVAs, what), usable: true}
	}
	return nil
}

// tagged reports whether a VM has the tag NAME or NAME=VALUE.
func tagged(vm azure.VM, want string) bool {
	name, value, both := strings.Cut(want, "=")
	got, ok := tag(vm, name)
	return ok && (!both || got == value)
}

// remote returns another NVA as its VM describes it.
func remote(r Request, s azure.Snapshot, vm azure.VM) (Remote, error) {
	if len(vm.Addresses) == 0 || !vm.Addresses[0].Is4() {
		return Remote{}, lacking(s, unsettledf("VM %s has the tag %s, but no IPv4 address yet", printable(vm.Name), printable(r.Azure.Tag)), azure.WhatNIC)
	}
	if why := unfit(r, vm.Addresses[0]); why != "" {
		return Remote{}, unsettledf("VM %s has the tag %s and the address %s, which is %s", printable(vm.Name), printable(r.Azure.Tag), vm.Addresses[0], why)
	}
	for _, n := range []struct {
		tag       string
		want      uint32
		otherwise uint32
		bits      int
	}{{tagASN, r.ASN, r.ASN, 32}, {tagVNI, r.VNI, r.VNI, 24}} {
		got, err := numberTag(vm, n.tag, n.otherwise, n.bits)
		if err != nil {
			return Remote{}, err
		}
		if got != n.want {
			return Remote{}, unsettledf("tag %s of VM %s is %d, but this NVA has %d; it must be the same on all NVAs of one tag", n.tag, printable(vm.Name), got, n.want)
		}
	}
	prefix := overlay
	if r.TunnelAddress.IsValid() {
		prefix = r.TunnelAddress
	}
	m := Remote{Address: vm.Addresses[0], Name: vm.Name, Unpeered: !peered(s, vm.VNet)}
	var err error
	m.Overlay, err = overlayTag(vm, prefix)
	return m, err
}

// platform is Azure's platform address, in no VNet.
var platform = netip.AddrFrom4([4]byte{168, 63, 129, 16})

// unfit returns what an IPv4 address is if it can't be that of another NVA's VM; otherwise it is empty.
func unfit(r Request, a netip.Addr) string {
	switch {
	case slices.Contains(r.RouteServers, a):
		return "the Route Server's"
	case a.As4()[0] == 0, a == netip.AddrFrom4([4]byte{255, 255, 255, 255}), a.IsLoopback(), a.IsLinkLocalUnicast(), a.IsMulticast(), a == platform:
		return "in no VNet"
	}
	return ""
}

// peered reports whether the VM's packets reach a VNet by a peering, or need none.
func peered(s azure.Snapshot, vnet string) bool {
	if vnet == s.VM.VNet {
		return true
	}
	return slices.ContainsFunc(s.VNets, func(v azure.VNet) bool {
		return v.ID == s.VM.VNet && slices.ContainsFunc(v.Peerings, func(p azure.Peering) bool { return p.Remote == vnet })
	})
}
