package lifecycle

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nvad/nvad/integration/lab"
)

// TestTechSupport gathers data from a running nvad and from one that has ended. The neighbors'
// passwords, one in the configuration file and one in a password file, must not appear in it.
func TestTechSupport(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	lab.RequireCommands(t, "tar", "nft")
	const secret, other = "kRaKaToA-1883", "vEsUvIuS-79"
	b.must(os.WriteFile(filepath.Join(b.Dir, "key"), []byte(other+"\n"), 0o600))
	b.frr(peer1, frrOptions{networks: []string{"10.100.0.0/16"}, password: secret})
	b.configure(ordinary(open(peer1, `password = "`+secret+`"`), open(peer2, `password-file = "`+b.Dir+`/key"`)))
	n := b.start()
	b.up(peer1)
	b.routed("10.100.0.0/16")

	dir := b.gather("running")
	for name, want := range map[string]string{
		"CONTENTS.txt":                      "nvad/status.txt",
		"nvad/version.txt":                  "nvad   ",
		"nvad/config.txt":                   "password",
		"nvad/neighbors.json":               `"state": "Established"`,
		"nvad/routes.txt":                   "10.100.0.0/16",
		"nvad/fib.txt":                      "10.100.0.0/16",
		"nvad/topology.txt":                 "10.0.0.1",
		"nvad/events.json":                  `"new_state":"Established"`,
		"nvad/advertised-" + peer1 + ".txt": "10.20.0.0/16",
		"kernel/links.txt":                  "vxlan",
		"kernel/routes.txt":                 "10.100.0.0/16",
		"kernel/nexthops.txt":               "id 186",
		"kernel/fdb.txt":                    "10.10.0.4",
		"kernel/sysctls.txt":                "net.ipv4.ip_forward = ",
		"system/packages.txt":               "iproute2 ",
		"system/files.txt":                  "",
	} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		b.must(err)
		b.must(contains(string(data), want))
	}
	if data, err := os.ReadFile(filepath.Join(dir, "nvad/heap.pprof")); err != nil || len(data) < 100 || data[0] != 0x1f {
		t.Errorf("heap profile of %d bytes: %v", len(data), err)
	}

	contents := func() string {
		data, err := os.ReadFile(filepath.Join(dir, "CONTENTS.txt"))
		b.must(err)
		return string(data)
	}
	if strings.Contains(contents(), "not nvad's") {
		t.Errorf("in nvad's own namespace:\n%s", contents())
	}
	b.elsewhere(fmt.Sprintf("it (pid %d) runs in another network namespace", n.Cmd.Process.Pid))

	n.Stop()
	dir = b.gather("ended")
	b.must(contains(contents(), "nvad is not running", "kernel/routes.txt"))

	for _, word := range []string{secret, other} {
		if out := b.run("grep", "-rlF", word, filepath.Join(b.Dir, "out")); out.out != "" || out.code != 1 {
			t.Errorf("%s is in %s", word, out.out)
		}
	}
}

// gather runs nvactl tech-support and unpacks what it wrote.
func (b *bed) gather(name string) string {
	b.Helper()
	archive, out := filepath.Join(b.Dir, name+".tar.gz"), filepath.Join(b.Dir, "out", name)
	b.must(os.MkdirAll(out, 0o755))
	r := b.ctl("tech-support", "--output", archive)
	if r.code != 0 || !strings.HasSuffix(r.out, archive+"\n") {
		b.Fatalf("exit code %d: %s", r.code, r.err)
	}
	info, err := os.Stat(archive)
	if err != nil || info.Mode().Perm() != 0o600 {
		b.Fatalf("%v: %v", info, err)
	}
	b.Sh("tar -C %s --strip-components=1 -xzf %s", out, archive)
	return out
}

// elsewhere runs nvactl tech-support in the neighbors' namespace. That kernel is not nvad's,
// and the list of contents has to say so.
func (b *bed) elsewhere(says string) {
	b.Helper()
	out, err := b.Command(b.theirs, lab.Build(b.T, "./cmd/nvactl"), "--socket", b.socket, "tech-support", "--output", filepath.Join(b.Dir, "theirs.tar.gz")).CombinedOutput()
	b.must(err)
	b.must(contains(string(out), "kernel/namespace.txt", "the files in kernel/ are not nvad's", says))
}
