package arm_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"

	"github.com/nvad/nvad/integration/lab/emulator/arm"
)

// TestTagsAreMerged: nvactl's client gives a VM a tag with the operator's role, and not with
// the reader's. Other tags stay, and the same tag is not written twice.
func TestTagsAreMerged(t *testing.T) {
	t.Run("reader", func(t *testing.T) {
		b := newBed(t)
		_, _, err := b.nvactl("role-reader.json", groupScope).Tag(t.Context(), b.hub.VM, "nvad-key", "abc")
		if err == nil || !strings.Contains(err.Error(), "lacks the permission Microsoft.Resources/tags/write for "+b.hub.VM) || !strings.Contains(err.Error(), "role-operator.json") {
			t.Errorf("%v", err)
		}
	})
	t.Run("operator", func(t *testing.T) {
		b := newBed(t)
		arm.Change(b.state, b.hub.VM, func(vm *armcompute.VirtualMachine) {
			vm.Tags = map[string]*string{"nvad": to.Ptr("site1"), "NVAD-Key": to.Ptr("old")}
		})
		c := b.nvactl("role-operator.json", groupScope)
		for _, first := range []bool{true, false} {
			id, changed, err := c.Tag(t.Context(), b.hub.VM, "nvad-key", "abc")
			if err != nil || changed != first || id != b.hub.VM {
				t.Fatal(id, changed, err)
			}
		}
		vm, _ := arm.Get[armcompute.VirtualMachine](b.state, b.hub.VM)
		if len(vm.Tags) != 2 || *vm.Tags["nvad"] != "site1" || *vm.Tags["nvad-key"] != "abc" {
			t.Errorf("%v", vm.Tags)
		}
		patches := 0
		for _, r := range b.server.Requests() {
			if strings.HasPrefix(r, http.MethodPatch) {
				patches++
			}
		}
		if patches != 1 {
			t.Errorf("%d changes", patches)
		}
		if _, _, err := c.Tag(t.Context(), b.hub.VM+"x", "nvad-key", "abc"); err == nil || !strings.Contains(err.Error(), "ResourceNotFound") {
			t.Errorf("a VM that is not there: %v", err)
		}
	})
}
