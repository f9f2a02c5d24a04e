package scenarios

import (
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"

	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/lab/emulator/arm"
)

// TestAzureFromNothing: two VMs that know nothing but a tag become NVAs. The role permits all
// that they need, and they register themselves only once.
func TestAzureFromNothing(t *testing.T) {
	t.Parallel()
	l := lab.UpScenario(t, "azure-from-nothing")
	show(t, l)
	for vm, peers := range map[string]string{"vm-hub00": "rs-hub00", "vm-hub10": "rs-hub10"} {
		out, err := l.CloudInitOutput(vm)
		if err != nil || !strings.Contains(out, "Azure: Route Server "+peers) || !strings.Contains(out, "ok: 3 neighbors, 1 tunnel") {
			t.Errorf("%s: %v\n%s", vm, err, out)
		}
	}
	state := l.AzureState(t)
	for _, hub := range []string{"hub00", "hub10"} {
		peer, ok := arm.Get[armnetwork.BgpConnection](state, arm.ID(arm.TypeHub, "rs-"+hub, "bgpConnections", "vm-"+hub))
		if !ok || *peer.Properties.PeerAsn != 65001 {
			t.Errorf("vm-%s is no peer", hub)
		}
		nic, ok := arm.Get[armnetwork.Interface](state, arm.ID(arm.TypeNIC, "vm-"+hub+"-nic"))
		if !ok || !*nic.Properties.EnableIPForwarding {
			t.Errorf("the NIC of vm-%s does not forward", hub)
		}
	}
}
