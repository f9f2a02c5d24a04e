package arm

import (
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"

	"github.com/nvad/nvad/integration/lab/emulator/metadata"
)

// Machine describes a VM as its metadata service does in a cloud, with its identities.
func (s *State) Machine(vm, cloud string) (metadata.VM, bool) {
	r, ok := Get[armcompute.VirtualMachine](s, vm)
	if !ok {
		return metadata.VM{}, false
	}
	m := metadata.VM{Name: *r.Name, ID: *r.ID, Environment: cloud, Location: *r.Location, Tenant: Tenant, Identities: identities(r), Tags: map[string]string{}}
	for name, value := range r.Tags {
		m.Tags[name] = *value
	}
	for _, ref := range r.Properties.NetworkProfile.NetworkInterfaces {
		if nic, ok := Get[armnetwork.Interface](s, *ref.ID); ok {
			m.NICs = append(m.NICs, s.port(nic))
		}
	}
	return m, true
}

// Identities returns the managed identities of a VM, its own first.
func (s *State) Identities(vm string) []metadata.Identity {
	r, ok := Get[armcompute.VirtualMachine](s, vm)
	if !ok {
		return nil
	}
	return identities(r)
}

func identities(vm *armcompute.VirtualMachine) []metadata.Identity {
	var list []metadata.Identity
	if vm.Identity == nil {
		return nil
	}
	if p := vm.Identity.PrincipalID; p != nil {
		list = append(list, metadata.Identity{System: true, Object: *p, Client: uuid(*p + " client"), Resource: *vm.ID})
	}
	for _, id := range slices.Sorted(maps.Keys(vm.Identity.UserAssignedIdentities)) {
		u := vm.Identity.UserAssignedIdentities[id]
		list = append(list, metadata.Identity{Object: *u.PrincipalID, Client: *u.ClientID, Resource: id})
	}
	return list
}

// port describes a NIC to the metadata service.
func (s *State) port(nic *armnetwork.Interface) metadata.NIC {
	var n metadata.NIC
	n.MAC, _ = net.ParseMAC(strings.ToLower(*nic.Properties.MacAddress))
	for _, c := range nic.Properties.IPConfigurations {
		if a, err := netip.ParseAddr(*c.Properties.PrivateIPAddress); err == nil {
			n.Addresses = append(n.Addresses, a)
		}
		if subnet, ok := Get[armnetwork.Subnet](s, *c.Properties.Subnet.ID); ok && !n.Subnet.IsValid() {
			for _, text := range append(subnet.Properties.AddressPrefixes, subnet.Properties.AddressPrefix) {
				if text != nil {
					n.Subnet, _ = netip.ParsePrefix(*text)
				}
			}
		}
	}
	return n
}
