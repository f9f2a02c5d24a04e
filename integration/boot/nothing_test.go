package boot

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"

	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/lab/emulator/arm"
)

// TestFromNothing: both machines know nothing but their user-data. Their role assignments and
// their tags come after they have booted, as in Azure. Then they reach each other, and running
// the script again disturbs nothing.
func TestFromNothing(t *testing.T) {
	weak := filepath.Join(t.TempDir(), "role.json")
	if err := os.WriteFile(weak, []byte(`{"Name": "weak", "Actions": ["Microsoft.Resources/subscriptions/read"]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	b := newBed(t, weak, "bootstrap.yaml", "bootstrap.yaml")
	b.tag(t, "")
	begin := time.Now()
	b.start(t)
	b.says(t, "lacks the permission Microsoft.Compute/virtualMachines/read")
	b.ChangeAzure(t, b.assign(t))
	b.says(t, "has no tag nvad=rg-nva itself")
	b.tag(t, "rg-nva")
	b.reach(t)
	t.Logf("from power-on to ping in both directions: %v", time.Since(begin).Round(100*time.Millisecond))
	for _, n := range b.nvas() {
		n.initialised(t)
		n.settled(t)
		n.installed(t)
		n.again(t)
	}
	b.measure(t, "another NVA", 500*time.Millisecond, func() { b.another(t) })
	b.nvas()[0].polls(t)
	b.encrypt(t)
}

// encrypt has both machines ask for WireGuard. Each publishes its key, and has a tunnel with the
// other's key instead of VXLAN.
func (b bed) encrypt(t *testing.T) {
	t.Helper()
	for _, n := range b.nvas() {
		n.Sh(t, `sed -i '/^azure.poll/d' /etc/nvad/nvad.toml`) // bootstrap leaves an edited file alone
		n.Sh(t, `sed -i 's/tunnel="vxlan"/tunnel="wireguard"/' /usr/local/sbin/nvad-setup; nvad-setup >/root/encrypt.log 2>&1 &`)
	}
	keys := map[string]string{}
	for _, n := range b.nvas() {
		keys[n.hub] = strings.TrimSpace(n.Exec(t, "nvad", "public-key", "nva"))
	}
	for i, n := range b.nvas() {
		other := keys[b.nvas()[1-i].hub]
		lab.Eventually(t, patience, func() error {
			text := n.Sh(t, "cat /etc/nvad/nvad.toml /root/encrypt.log")
			if !strings.Contains(text, other) || !strings.Contains(text, `= "wireguard"`) || strings.Contains(text, "vxlan0") {
				return fmt.Errorf("%s has no tunnel with the key %s:\n%s", n.hub, other, text)
			}
			return nil
		})
	}
}

// another gives a third VM the tag, and runs the script again. It becomes a neighbor, the
// sessions that were there go on, and when it has lost the tag it is none.
func (b bed) another(t *testing.T) {
	t.Helper()
	set := func(tags map[string]*string) {
		b.ChangeAzure(t, func(s *arm.State) {
			arm.Change(s, arm.ID(arm.TypeVM, "vm-hub00-b"), func(vm *armcompute.VirtualMachine) { vm.Tags = tags })
		})
	}
	sessions := func(n *nva) (list []string) {
		var all []struct{ Address, State, Since string }
		if err := json.Unmarshal([]byte(n.Exec(t, "nvactl", "neighbors", "-o", "json")), &all); err != nil {
			t.Fatal(err)
		}
		for _, s := range all {
			if s.State == "Established" {
				list = append(list, s.Address+" since "+s.Since)
			}
		}
		return list
	}
	before := sessions(b.hub10)
	if len(before) != 3 {
		t.Fatalf("sessions %v", before)
	}
	set(map[string]*string{"nvad": to.Ptr("rg-nva")})
	out := b.hub10.Sh(t, "nvad-setup 2>&1")
	if !strings.Contains(out, "Azure: NVA vm-hub00-b (10.0.0.5)") || !strings.Contains(out, "ok: 4 neighbors") {
		t.Errorf("with another NVA the script said\n%s", out)
	}
	if after := sessions(b.hub10); !slices.Equal(before, after) {
		t.Errorf("sessions before\n%s\nafter\n%s", before, after)
	}
	set(nil)
	if out := b.hub10.Sh(t, "nvad-setup 2>&1"); !strings.Contains(out, "ok: 3 neighbors") {
		t.Errorf("without the other NVA the script said\n%s", out)
	}
	if after := sessions(b.hub10); !slices.Equal(before, after) {
		t.Errorf("sessions before\n%s\nin the end\n%s", before, after)
	}
}

// says waits until bootstrap says something on both machines.
func (b bed) says(t *testing.T, what string) {
	t.Helper()
	lab.Eventually(t, patience, func() error {
		for _, n := range b.nvas() {
			if text := n.output(); !strings.Contains(text, what) {
				return fmt.Errorf("%s does not say %q:\n%s", n.hub, what, text)
			}
		}
		return nil
	})
}

// assign gives the role of the operator to both VMs, for their resource group.
func (b bed) assign(t *testing.T) func(*arm.State) {
	t.Helper()
	role, err := arm.ReadRole(operator(t))
	if err != nil {
		t.Fatal(err)
	}
	return func(s *arm.State) {
		for _, n := range b.nvas() {
			for _, identity := range s.Identities(arm.ID(arm.TypeVM, "vm-"+n.hub)) {
				s.Assign(identity.Object, role, "/subscriptions/"+arm.Subscription+"/resourceGroups/"+arm.Group)
			}
		}
	}
}

// tag sets the tag of both VMs, or removes it if value is empty.
func (b bed) tag(t *testing.T, value string) {
	t.Helper()
	b.ChangeAzure(t, func(s *arm.State) {
		for _, n := range b.nvas() {
			arm.Change(s, arm.ID(arm.TypeVM, "vm-"+n.hub), func(vm *armcompute.VirtualMachine) {
				vm.Tags = nil
				if value != "" {
					vm.Tags = map[string]*string{"nvad": to.Ptr(value)}
				}
			})
		}
	})
}

// again runs the script a second time. It changes nothing: nvad runs on, with its sessions.
func (n *nva) again(t *testing.T) {
	t.Helper()
	state := func() string {
		return n.Sh(t, `systemctl show -P MainPID nvad; cat /etc/nvad/nvad.toml; nvactl neighbors -o json | grep -E '"(address|since|flaps)"'`)
	}
	before := state()
	out := n.Sh(t, "nvad-setup 2>&1")
	if after := state(); !strings.Contains(out, "/etc/nvad/nvad.toml: unchanged") || after != before {
		t.Errorf("%s: before\n%sthe script said\n%safter\n%s", n.hub, before, out, after)
	}
}
