package container

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
)

func TestMain(m *testing.M) { os.Exit(lab.Main(m)) }

// engine is podman with a store of its own, so that the machine's is left alone.
type engine struct {
	options []string
	tag     string
}

// podman installs the image into a new store. runc and cgroupfs work on machines without
// systemd too.
func podman(t *testing.T, archive string) *engine {
	t.Helper()
	lab.RequireRoot(t)
	lab.RequireCommands(t, "podman", "runc")
	dir := t.TempDir()
	e := &engine{options: []string{
		"--root", filepath.Join(dir, "root"), "--runroot", filepath.Join(dir, "run"), "--storage-driver", "vfs",
		"--runtime", "runc", "--cgroup-manager", "cgroupfs", "--events-backend", "none",
	}}
	said := e.must(t, "load", "-i", archive)
	_, e.tag, _ = strings.Cut(strings.TrimSpace(said), "Loaded image: ")
	t.Cleanup(func() {
		if out, err := e.do("rm", "--all", "--force", "--time", "0"); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
	return e
}

func (e *engine) do(args ...string) (string, error) {
	out, err := exec.Command("podman", append(e.options[:len(e.options):len(e.options)], args...)...).CombinedOutput()
	return string(out), err
}

func (e *engine) must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := e.do(args...)
	if err != nil {
		t.Fatalf("podman %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// image builds the image for this machine.
func image(t *testing.T) string {
	t.Helper()
	root, err := lab.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd := exec.Command("make", "-s", "-C", root, "image", "DIST="+dir, "IMAGE_ARCHES="+runtime.GOARCH)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	archives, _ := filepath.Glob(filepath.Join(dir, "*.image.tar"))
	if len(archives) != 1 {
		t.Fatalf("make image wrote %v", archives)
	}
	return archives[0]
}

// runner writes a program that runs nvad in a container as docs/container.md says. The lab
// starts it in the network namespace of a VM, which is then the host's network for podman.
// "ip netns exec" hides the cgroups that podman needs, so the program returns to this
// process's mounts. The container has the name of the directory of the socket, which is that
// of the VM.
func (e *engine) runner(t *testing.T, flags ...string) string {
	t.Helper()
	var b bytes.Buffer
	fmt.Fprintf(&b, `#!/bin/sh -e
# Called with: --config FILE --socket FILE
state=$(dirname "$4")
chown -R 65532:65532 "$state"
exec nsenter --mount=/proc/%d/ns/mnt podman %s run --rm --replace --name "$(basename "$state")" %s \
	-v "$2:/etc/nvad/nvad.toml:ro" -v "$state:/var/lib/nvad" -v "$state:/run/nvad" -e NVAD_SOCKET=/run/nvad/nva.sock \
	%s --config /etc/nvad/nvad.toml --socket /run/nvad/nva.sock
`, os.Getpid(), strings.Join(e.options, " "), strings.Join(flags, " "), e.tag)
	file := filepath.Join(t.TempDir(), "nvad")
	if err := os.WriteFile(file, b.Bytes(), 0o755); err != nil {
		t.Fatal(err)
	}
	return file
}

// asDocumented are the flags of docs/container.md. The limits are those of a small machine:
// podman would raise them, which not every machine allows.
var asDocumented = strings.Fields("--network host --read-only --cap-drop all --cap-add net_admin --cap-add net_bind_service " +
	"--security-opt unmask=/proc/sys --security-opt no-new-privileges --ulimit nofile=4096:4096 --ulimit nproc=1024:1024")

// TestTwoHubs: two containers connect the two hubs. The health check follows the drain, and
// a container that is replaced takes over what the one before left in the kernel.
func TestTwoHubs(t *testing.T) {
	e := podman(t, image(t))
	root, err := lab.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	nvas := map[string]lab.NVA{}
	for _, hub := range []string{"hub00", "hub10"} {
		nvas[hub] = lab.NVA{Kind: lab.Nvad, Binary: e.runner(t, asDocumented...), Config: filepath.Join(root, "configs", hub+".toml")}
	}
	l := lab.Up(t, lab.Options{NVAs: nvas})
	const patience = 90 * time.Second
	l.AwaitAnswer(t, "vm-hub100", "10.110.0.4")
	l.AwaitAnswer(t, "vm-hub110", "10.100.0.4")

	healthy := func() error {
		if out, err := e.do("healthcheck", "run", "vm-hub00"); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	}
	lab.Eventually(t, patience, healthy)
	e.must(t, "exec", "--user", "0:65532", "vm-hub00", "nvactl", "drain")
	if healthy() == nil {
		t.Error("the health check passes during a drain")
	}
	who := e.must(t, "exec", "vm-hub00", "nvactl", "status")
	if !strings.Contains(who, "Draining") {
		t.Errorf("status says %s", who)
	}

	if err := l.StopNVA("hub00"); err != nil {
		t.Fatal(err)
	}
	left := l.Exec(t, "vm-hub00", "ip", "route", "show", "proto", "186")
	if !strings.Contains(left, "10.110.0.0/16") {
		t.Errorf("a container that stopped left %q in the kernel", left)
	}
	if err := l.StartNVA("hub00"); err != nil {
		t.Fatal(err)
	}
	lab.Eventually(t, patience, healthy)
	l.AwaitAnswer(t, "vm-hub100", "10.110.0.4")
}

// TestWithoutCapabilities: without what it needs, the container says which it lacks.
func TestWithoutCapabilities(t *testing.T) {
	e := podman(t, image(t))
	out, err := e.do("run", "--rm", "--network", "none", "--read-only", "--cap-drop", "all",
		"--ulimit", "nofile=4096:4096", "--ulimit", "nproc=1024:1024", e.tag)
	if err == nil || !strings.Contains(out, "nvad.toml") {
		t.Errorf("without a file: %v, %s", err, out)
	}
}

// TestReproducible: the same commit gives the same bytes.
func TestReproducible(t *testing.T) {
	lab.RequireCommands(t, "make")
	var sums [2][sha256.Size]byte
	for i := range sums {
		data, err := os.ReadFile(image(t))
		if err != nil {
			t.Fatal(err)
		}
		sums[i] = sha256.Sum256(data)
	}
	if sums[0] != sums[1] {
		t.Errorf("two builds differ: %x, %x", sums[0], sums[1])
	}
}
