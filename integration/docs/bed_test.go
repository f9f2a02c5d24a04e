package docs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"

	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/lab/emulator/arm"
)

// nva is the machine on which the reader of the pages works.
const nva = "vm-hub00"

// bed is the two hubs, with FRR or nvad on nva, and the files that statements expect.
type bed struct {
	*lab.Lab
	dir     string
	frr     bool // FRR runs, not nvad
	pending bool // a change waits for confirmation
	remote  bool // the API is served over TCP too
	changes int
	history string // the page that has its own history
}

func (b *bed) conf() string { return filepath.Join(b.dir, "conf", "nvad.toml") }

// newBed brings the two hubs up, with FRR first.
func newBed(t *testing.T) *bed {
	t.Helper()
	lab.RequireRoot(t)
	lab.RequireCommands(t, "jq", "curl", "openssl")
	far, err := below("configs/hub10.toml")
	if err != nil {
		t.Fatal(err)
	}
	b := &bed{dir: t.TempDir(), frr: true}
	b.furnish(t)
	b.Lab = lab.Up(t, lab.Options{Manager: true, NVAs: map[string]lab.NVA{
		nva: {Kind: lab.FRR}, "vm-hub10": {Kind: lab.Nvad, Binary: lab.Build(t, "./cmd/nvad"), Config: far},
	}})
	b.AwaitSessions(t, time.Minute)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	b.must(t, b.Settle(ctx))
	b.wrap(t, "vtysh", `if [ -e `+b.dir+`/saved ]; then exec cat `+b.dir+`/saved; fi; exec /usr/bin/vtysh -N `+b.Namespace(nva)+` "$@"`)
	b.tag(t)
	if _, err := os.Stat("/run/nvad"); err != nil {
		t.Cleanup(func() { _ = os.Remove("/run/nvad") }) // if it is still empty
	}
	return b
}

// furnish creates the directories: conf is /etc/nvad, bin is in PATH, and a page starts in
// work.
func (b *bed) furnish(t *testing.T) {
	t.Helper()
	for _, name := range []string{"conf", "bin", "work", "own", "state"} {
		b.must(t, os.Mkdir(filepath.Join(b.dir, name), 0o755))
	}
	b.wrap(t, "nvad", `exec `+lab.Build(t, "./cmd/nvad")+` "$@"`)
	// nvactl watch runs until its reader ends it.
	b.wrap(t, "nvactl", `case "$1" in watch) set -- timeout --foreground --preserve-status -s INT 1 `+lab.Build(t, "./cmd/nvactl")+` "$@";; *) set -- `+
		lab.Build(t, "./cmd/nvactl")+` "$@";; esac; exec "$@"`)
	b.wrap(t, "azure", `exec `+lab.Build(t, "./integration/lab/cmd/azure")+` "$@"`)
	b.wrap(t, "sudo", `exec "$@"`)
	b.configure(t)
}

func (b *bed) wrap(t *testing.T, name, script string) {
	t.Helper()
	b.must(t, os.WriteFile(filepath.Join(b.dir, "bin", name), []byte("#!/bin/sh\n"+script+"\n"), 0o755))
}

func (b *bed) must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// configure writes the example's configuration, with a short drain.
func (b *bed) configure(t *testing.T) {
	t.Helper()
	path, err := below("configs/hub00.toml")
	b.must(t, err)
	data, err := os.ReadFile(path)
	b.must(t, err)
	b.must(t, os.WriteFile(b.conf(), []byte("drain.hold = 1\nhealth.listen = [\"10.0.0.4:8080\"]\n"+string(data)), 0o644))
}

// change makes the configuration file differ from the running configuration.
func (b *bed) change(t *testing.T) {
	t.Helper()
	b.configure(t)
	b.changes++
	data, err := os.ReadFile(b.conf())
	b.must(t, err)
	text := strings.Replace(string(data), "drain.hold = 1", fmt.Sprintf("drain.hold = 1\ndrain.prepends = %d", b.changes%30), 1)
	b.must(t, os.WriteFile(b.conf(), []byte(text), 0o644))
}

// work creates a directory with the files that statements read.
func (b *bed) work(t *testing.T, p page) string {
	t.Helper()
	dir := b.workOf(p.name)
	root, err := below("")
	b.must(t, err)
	hubs := root + "/integration/lab/testdata/two-hubs/vm-hub00"
	out, err := exec.Command("sh", "-ec", `mkdir `+dir+`; cd `+dir+`; ln -s `+root+`/configs configs; ln -s `+b.dir+`/bin bin
		cp `+b.conf()+` new.toml; cp `+b.conf()+` nvad.toml; cp `+hubs+`.frr.conf frr.conf; cp `+hubs+`.sh vxlan.sh
		cp `+root+`/configs/cloud-init/bootstrap.yaml .; echo package >nvad_amd64.deb`).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return dir
}

func (b *bed) workOf(page string) string {
	return filepath.Join(b.dir, "work", strings.ReplaceAll(page, "/", "_"))
}

// tag gives the NVAs the tag of the pages, by which they find each other.
func (b *bed) tag(t *testing.T) {
	t.Helper()
	b.ChangeAzure(t, func(s *arm.State) {
		for _, name := range []string{nva, "vm-hub10"} {
			arm.Change(s, arm.ID(arm.TypeVM, name), func(vm *armcompute.VirtualMachine) {
				vm.Tags = map[string]*string{"nvad": to.Ptr("site1")}
			})
		}
	})
}

// use runs FRR or nvad, and waits until its routes are installed.
func (b *bed) use(t *testing.T, frr bool) {
	t.Helper()
	saved := filepath.Join(b.dir, "saved")
	if b.frr != frr {
		if b.frr {
			// On stderr, vtysh complains about a missing file /etc/frr/NAMESPACE/vtysh.conf.
			text, err := b.Command(nva, "vtysh", "-N", b.Namespace(nva), "-c", "show running-config").Output()
			b.must(t, errors.Join(err, os.WriteFile(saved, text, 0o644)))
		}
		_ = b.StopNVA(nva) // it may have ended already
		b.must(t, os.RemoveAll(filepath.Join(filepath.Dir(b.NVASocket(nva)), "history")))
		b.frr = frr
		if frr {
			b.must(t, os.RemoveAll(saved))
		}
		b.Options.NVAs[nva] = lab.NVA{Kind: lab.FRR}
		if !frr {
			b.Options.NVAs[nva] = lab.NVA{Kind: lab.Nvad, Binary: lab.Build(t, "./cmd/nvad"), Config: b.conf()}
		}
	}
	if _, err := b.NVAProcess(nva); err != nil {
		b.restart(t)
	}
	if !frr {
		b.await(t, false)
	}
}

// restart starts the NVA. Pages restart it so often that the far NVA suppresses it for
// flapping. A reset, as an operator would do it, ends that.
func (b *bed) restart(t *testing.T) {
	t.Helper()
	far := exec.Command(lab.Build(t, "./cmd/nvactl"), "--socket", b.NVASocket("vm-hub10"), "reset", "169.254.0.1")
	if out, err := far.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b.must(t, b.StartNVA(nva))
}

// await waits until nvad has its routes and, if inSync is set, is in sync. Neighbors that a
// page has shut down stay down.
func (b *bed) await(t *testing.T, inSync bool) {
	t.Helper()
	lab.Eventually(t, time.Minute, func() error {
		if _, err := b.NVAProcess(nva); err != nil { // it was still about to end
			b.restart(t)
		}
		out, err := exec.Command(lab.Build(t, "./cmd/nvactl"), "--socket", b.NVASocket(nva), "status", "-o", "json").Output()
		if err != nil {
			return err
		}
		var status struct {
			Prefixes int  `json:"prefixes"`
			InSync   bool `json:"in_sync"`
		}
		if err := json.Unmarshal(out, &status); err != nil || status.Prefixes < 3 || inSync && !status.InSync {
			return fmt.Errorf("%s: %v", out, err)
		}
		return nil
	})
}

// awaitNeighbors waits until all sessions are up again after a statement has reset one.
// Otherwise a soft reset would fail, because the neighbor is not established.
func (b *bed) awaitNeighbors(t *testing.T) {
	t.Helper()
	lab.Eventually(t, time.Minute, func() error {
		var neighbors []struct{ Address, State string }
		if err := json.Unmarshal(b.nvactl(t, "neighbors", "-o", "json"), &neighbors); err != nil {
			return err
		}
		for _, n := range neighbors {
			if n.State != "Established" {
				return fmt.Errorf("neighbor %s is %s", n.Address, n.State)
			}
		}
		return nil
	})
}

// nvactl runs nvactl outside a page and returns its output.
func (b *bed) nvactl(t *testing.T, args ...string) []byte {
	t.Helper()
	var errs strings.Builder
	cmd := exec.Command(lab.Build(t, "./cmd/nvactl"), append([]string{"--socket", b.NVASocket(nva)}, args...)...)
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("nvactl %v: %v: %s", args, err, errs.String())
	}
	return out
}
