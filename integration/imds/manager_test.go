package imds

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/lab/emulator/arm"
	"github.com/nvad/nvad/integration/lab/emulator/rpc"
)

// managed brings up the hubs with Resource Manager, where the VMs' identities have a role of
// configs/azure, or one with the action that is given.
func managed(t *testing.T, role string) bed {
	t.Helper()
	root, err := lab.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(root, "configs/azure", role)
	if strings.HasPrefix(role, "Microsoft.") {
		file = filepath.Join(t.TempDir(), "role.json")
		if err := os.WriteFile(file, []byte(`{"Name": "weak", "Actions": ["`+role+`"]}`), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	l := lab.Up(t, lab.Options{
		Scenario: "azure-from-nothing", Manager: true, Role: file,
		NVAs: map[string]lab.NVA{"vm-hub00": {Kind: lab.None}, "vm-hub10": {Kind: lab.None}},
	})
	lab.Build(t, "./cmd/nvactl")
	return bed{l, lab.Build(t, "./cmd/nvad"), t.TempDir()}
}

// fromAzure are the flags that cloud-init gives bootstrap.
func (b bed) fromAzure(file, wait string, more ...string) []string {
	return append([]string{"--from-azure", "--tag", "nvad=rg-nva", "--nvas", "2", "--output", file, "--wait", wait}, more...)
}

// changes returns the requests so far that change something in Azure.
func (b bed) changes(t *testing.T) (list []string) {
	t.Helper()
	requests, err := rpc.Get[[]string](t.Context(), b.ManagerSocket(), "/requests")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range requests {
		if strings.HasPrefix(r, http.MethodPut) || strings.HasPrefix(r, http.MethodPatch) || strings.HasPrefix(r, http.MethodDelete) {
			list = append(list, r)
		}
	}
	return list
}

// set changes how Resource Manager behaves: path is /behaviour or /faults.
func (b bed) set(t *testing.T, path string, value any) {
	t.Helper()
	if err := rpc.Send(t.Context(), b.ManagerSocket(), http.MethodPut, path, value); err != nil {
		t.Fatal(err)
	}
}

// TestNoAzure: the error says whether there is no Azure, no identity, or no permission.
func TestNoAzure(t *testing.T) {
	t.Parallel()
	lab.Build(t, "./cmd/nvactl")
	b := newBed(t)
	file := filepath.Join(b.dir, "nvad.toml")
	b.bootstrap("hub00", b.fromAzure(file, "2s")...).refused(t, file, "the service exists only in Azure")
	b.metadata(t, "hub00")
	b.bootstrap("hub00", b.fromAzure(file, "5s")...).refused(t, file, "no identity", "Identity not found", "az vm identity assign")
}

// TestNoPermission: the error names the permission that lacks, and the role that has it.
func TestNoPermission(t *testing.T) {
	t.Parallel()
	b := managed(t, "Microsoft.Resources/subscriptions/read")
	file := filepath.Join(b.dir, "nvad.toml")
	b.bootstrap("hub00", b.fromAzure(file, "3s")...).refused(t, file, "lacks the permission Microsoft.Compute/virtualMachines/read", "configs/azure/role-reader.json", "gave up after try")
}

// TestReader: the reader's role is enough to write the file, and not to register.
func TestReader(t *testing.T) {
	t.Parallel()
	b := managed(t, "role-reader.json")
	file := filepath.Join(b.dir, "nvad.toml")
	dry := b.bootstrap("hub00", b.fromAzure(file, "20s", "--register", "--dry-run")...).must(t)
	for _, want := range []string{"as peer vm-hub00 of Route Server rs-hub00", "IP forwarding at NIC vm-hub00-nic"} {
		if !strings.Contains(dry.err, "would register: ") || !strings.Contains(dry.err, want) {
			t.Errorf("no %q in %q", want, dry.err)
		}
	}
	b.bootstrap("hub00", b.fromAzure(file, "3s", "--register")...).refused(t, file, "lacks the permission Microsoft.Network/networkInterfaces/write", "role-operator.json")
	b.bootstrap("hub00", b.fromAzure(file, "20s")...).must(t)
	if read(t, file) != dry.out {
		t.Errorf("--dry-run printed\n%sthe file contains\n%s", dry.out, read(t, file))
	}
}

// TestSlowAzure: Resource Manager throttles, refuses a change while another is under way,
// takes its time, shows it late and answers in small pages. A second run finds everything
// done, and changes nothing.
func TestSlowAzure(t *testing.T) {
	t.Parallel()
	b := managed(t, "role-operator.json")
	file := filepath.Join(b.dir, "nvad.toml")
	b.set(t, "/behaviour", arm.Behaviour{
		Latency: 20 * time.Millisecond, WriteTime: 2 * time.Second, RetryAfter: time.Second, Lag: 2 * time.Second, PageSize: 1,
	})
	b.set(t, "/faults", []arm.Fault{
		{Match: "GET", Times: 2, Status: http.StatusTooManyRequests, Code: "TooManyRequests", Message: "slow down", RetryAfter: "1"},
		{Match: "bgpConnections/vm-hub00", Times: 1, Status: http.StatusConflict, Code: "AnotherOperationInProgress", Message: "Another operation on this or dependent resource is in progress."},
	})
	b.bootstrap("hub00", b.fromAzure(file, "2m", "--register")...).must(t)
	first, changes := read(t, file), b.changes(t)
	if len(changes) == 0 {
		t.Error("nothing was registered")
	}
	lab.Eventually(t, time.Minute, func() error { // until Azure shows what has changed
		if r := b.bootstrap("hub00", b.fromAzure(file, "20s", "--register", "--dry-run")...).must(t); !strings.Contains(r.err, "nothing to register") {
			return errors.New(r.err)
		}
		return nil
	})
	r := b.bootstrap("hub00", b.fromAzure(file, "2m", "--register")...).must(t)
	if !strings.Contains(r.out, ": unchanged") || read(t, file) != first {
		t.Errorf("the second time it said %q", r.out)
	}
	if again := b.changes(t); len(again) != len(changes) {
		t.Errorf("the second time it asked for %v", again[len(changes):])
	}
}
