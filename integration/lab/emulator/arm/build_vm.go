package arm

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"
)

// VM describes a running virtual machine with one NIC to [Site.VM].
type VM struct {
	Name string
	// Subnet is an ID, and Addresses the NIC's private addresses in it, the primary first.
	Subnet    string
	Addresses []netip.Addr
	MAC       string // as the NIC shows it: 00-0D-3A-04-75-98; empty: made from the name
	// Forwarding says whether the NIC may forward packets.
	Forwarding    bool
	PublicAddress string // ID, or empty
	SecurityGroup string // ID, or empty
	Tags          map[string]string
	// Identity says that the VM has an identity of its own.
	Identity bool
	// Identities are the names of user-assigned identities.
	Identities []string
}

// VM adds a running virtual machine and its NIC, and returns both IDs. The NIC's name is
// the VM's with -nic behind it.
func (b Site) VM(m VM) (vm, nic string) {
	vm = b.ID(TypeVM, m.Name)
	nic = b.NIC(vm, m.Name+"-nic", m)
	r := &armcompute.VirtualMachine{
		ID: &vm, Name: &m.Name, Type: to.Ptr(TypeVM), Location: to.Ptr(Location), Identity: b.identity(vm, m),
		Properties: &armcompute.VirtualMachineProperties{
			VMID: to.Ptr(uuid(vm)), ProvisioningState: to.Ptr("Succeeded"),
			NetworkProfile: &armcompute.NetworkProfile{NetworkInterfaces: []*armcompute.NetworkInterfaceReference{{
				ID: &nic, Properties: &armcompute.NetworkInterfaceReferenceProperties{Primary: to.Ptr(true)},
			}}},
		},
	}
	for name, value := range m.Tags {
		if r.Tags == nil {
			r.Tags = map[string]*string{}
		}
		r.Tags[name] = &value
	}
	b.State.Put(r)
	b.State.Power(vm, true)
	return vm, nic
}

// NIC adds a NIC, whose fields of m apply, to a VM.
func (b Site) NIC(vm, name string, m VM) string {
	id := b.ID(TypeNIC, name)
	p := &armnetwork.InterfacePropertiesFormat{
		EnableIPForwarding: &m.Forwarding, EnableAcceleratedNetworking: to.Ptr(false), Primary: to.Ptr(true),
		MacAddress: to.Ptr(m.MAC), VirtualMachine: &armnetwork.SubResource{ID: &vm}, ProvisioningState: succeeded,
	}
	if m.MAC == "" {
		sum := sha256.Sum256([]byte(id))
		p.MacAddress = to.Ptr(fmt.Sprintf("00-0D-3A-%02X-%02X-%02X", sum[0], sum[1], sum[2]))
	}
	if m.SecurityGroup != "" {
		p.NetworkSecurityGroup = &armnetwork.SecurityGroup{ID: &m.SecurityGroup}
	}
	for i, a := range m.Addresses {
		name := fmt.Sprintf("ipconfig%d", i+1)
		c := &armnetwork.InterfaceIPConfiguration{
			ID: to.Ptr(id + "/ipConfigurations/" + name), Name: &name, Type: to.Ptr(TypeNIC + "/ipConfigurations"), Etag: newETag(),
			Properties: &armnetwork.InterfaceIPConfigurationPropertiesFormat{
				Primary: to.Ptr(i == 0), PrivateIPAddress: to.Ptr(a.String()), PrivateIPAddressVersion: to.Ptr(armnetwork.IPVersionIPv4),
				PrivateIPAllocationMethod: to.Ptr(armnetwork.IPAllocationMethodStatic), Subnet: &armnetwork.Subnet{ID: &m.Subnet}, ProvisioningState: succeeded,
			},
		}
		if i == 0 && m.PublicAddress != "" {
			c.Properties.PublicIPAddress = &armnetwork.PublicIPAddress{ID: &m.PublicAddress}
		}
		p.IPConfigurations = append(p.IPConfigurations, c)
	}
	b.State.Put(&armnetwork.Interface{
		ID: &id, Name: &name, Type: to.Ptr(TypeNIC), Location: to.Ptr(Location), Etag: newETag(), Properties: p,
	})
	return id
}

func (b Site) identity(vm string, m VM) *armcompute.VirtualMachineIdentity {
	if !m.Identity && len(m.Identities) == 0 {
		return nil
	}
	i := &armcompute.VirtualMachineIdentity{Type: to.Ptr(armcompute.ResourceIdentityTypeUserAssigned)}
	if m.Identity {
		i.Type = to.Ptr(armcompute.ResourceIdentityTypeSystemAssigned)
		i.PrincipalID, i.TenantID = to.Ptr(uuid(vm)), to.Ptr(Tenant)
	}
	if m.Identity && len(m.Identities) > 0 {
		i.Type = to.Ptr(armcompute.ResourceIdentityTypeSystemAssignedUserAssigned)
	}
	for _, name := range m.Identities {
		if i.UserAssignedIdentities == nil {
			i.UserAssignedIdentities = map[string]*armcompute.UserAssignedIdentitiesValue{}
		}
		id := b.ID(TypeIdentity, name)
		i.UserAssignedIdentities[id] = &armcompute.UserAssignedIdentitiesValue{PrincipalID: to.Ptr(uuid(id)), ClientID: to.Ptr(uuid(id + " client"))}
	}
	return i
}

// Power starts or stops a VM.
func (s *State) Power(vm string, on bool) {
	code, text := "PowerState/deallocated", "VM deallocated"
	if on {
		code, text = "PowerState/running", "VM running"
	}
	Change(s, vm, func(m *armcompute.VirtualMachine) {
		m.Properties.InstanceView = &armcompute.VirtualMachineInstanceView{Statuses: []*armcompute.InstanceViewStatus{
			{Code: to.Ptr("ProvisioningState/succeeded"), Level: to.Ptr(armcompute.StatusLevelTypesInfo), DisplayStatus: to.Ptr("Provisioning succeeded")},
			{Code: &code, Level: to.Ptr(armcompute.StatusLevelTypesInfo), DisplayStatus: &text},
		}}
	})
}

// Running reports whether a VM is running.
func (s *State) Running(vm string) bool {
	m, ok := Get[armcompute.VirtualMachine](s, vm)
	if !ok || m.Properties.InstanceView == nil {
		return false
	}
	for _, status := range m.Properties.InstanceView.Statuses {
		if status.Code != nil && *status.Code == "PowerState/running" {
			return true
		}
	}
	return false
}

// Hub adds a plain hub: a VNet 10.NUMBER.0.0/16 named vnet-NAME with the subnets default and
// RouteServerSubnet (third octet 210), a Route Server rs-NAME, and a forwarding NVA vm-NAME
// at .0.4 with an identity of its own, which is the peer vm-NAME with ASN. It returns the
// IDs that tests need.
func (b Site) Hub(name string, number int, asn int64) (h HubIDs) {
	net := func(format string) string { return fmt.Sprintf(format, number) }
	addr := func(format string) netip.Addr { return netip.MustParseAddr(net(format)) }
	h.VNet = b.VNet("vnet-"+name, []string{net("10.%d.0.0/16")},
		Subnet{Name: "default", Prefix: net("10.%d.0.0/24")}, Subnet{Name: "RouteServerSubnet", Prefix: net("10.%d.210.0/24")})
	h.RouteServer = b.RouteServer(RouteServer{
		Name: "rs-" + name, VNet: h.VNet, Addresses: []netip.Addr{addr("10.%d.210.4"), addr("10.%d.210.5")}, BranchToBranch: true,
	})
	h.VM, h.NIC = b.VM(VM{
		Name: "vm-" + name, Subnet: h.VNet + "/subnets/default", Addresses: []netip.Addr{addr("10.%d.0.4")}, Forwarding: true, Identity: true,
	})
	h.Connection = b.State.Connect(h.RouteServer, "vm-"+name, net("10.%d.0.4"), asn)
	return h
}

// HubIDs are the IDs of a hub's resources.
type HubIDs struct {
	VNet, RouteServer, Connection, VM, NIC string
}

// uuid returns an ID that depends on nothing but text.
func uuid(text string) string {
	sum := hex.EncodeToString(hash(strings.ToLower(text)))
	return sum[:8] + "-" + sum[8:12] + "-4" + sum[13:16] + "-8" + sum[17:20] + "-" + sum[20:32]
}

func hash(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}
