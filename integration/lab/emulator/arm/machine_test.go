package arm_test

import (
	"net/netip"
	"testing"

	"github.com/nvad/nvad/integration/lab/emulator/arm"
)

func TestMachineIsWhatTheMetadataServiceSays(t *testing.T) {
	s := arm.NewState()
	b := s.Site("", "")
	vnet := b.VNet("vnet-hub00", []string{"10.0.0.0/16"}, arm.Subnet{Name: "default", Prefix: "10.0.0.0/24"})
	vm, _ := b.VM(arm.VM{
		Name: "vm-hub00", Subnet: vnet + "/subnets/default", Addresses: []netip.Addr{netip.MustParseAddr("10.0.0.4"), netip.MustParseAddr("10.0.0.5")},
		MAC: "00-0D-3A-04-75-98", Tags: map[string]string{"nvad": "site1"}, Identity: true, Identities: []string{"id-nva"},
	})
	m, ok := s.Machine(vm, "AzureChinaCloud")
	if !ok || m.Name != "vm-hub00" || m.ID != vm || m.Environment != "AzureChinaCloud" || m.Tags["nvad"] != "site1" {
		t.Errorf("machine %+v", m)
	}
	if len(m.NICs) != 1 || m.NICs[0].MAC.String() != "00:0d:3a:04:75:98" || len(m.NICs[0].Addresses) != 2 || m.NICs[0].Subnet.String() != "10.0.0.0/24" {
		t.Errorf("NICs %+v", m.NICs)
	}
	if len(m.Identities) != 2 || !m.Identities[0].System || m.Identities[1].System || m.Identities[0].Object == m.Identities[1].Object {
		t.Errorf("identities %+v", m.Identities)
	}
	if _, ok := s.Machine(arm.ID(arm.TypeVM, "vm-none"), ""); ok {
		t.Error("a VM that there is none of")
	}
}
