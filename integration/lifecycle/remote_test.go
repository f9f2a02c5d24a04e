package lifecycle

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/pkg/api/apitest/pki"
)

// TestRemote reads nvad's state and changes it over TCP from the neighbors' namespace.
func TestRemote(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	const port = "8443"
	ours, theirs := pki.New(t, b.Dir, "ours"), pki.New(t, b.Dir, "theirs")
	cert, key := ours.Issue(pki.Leaf{Name: "nvad", Address: net.ParseIP(ourAddress)})
	s := ordinary(open(peer1))
	api := func(admins string) string {
		return fmt.Sprintf("[api]\nlisten = [\"%s:%s\"]\ncertificate = %q\nkey = %q\nclient-ca = %q\nadmins = [%s]\n",
			ourAddress, port, cert, key, theirs.Path, admins)
	}
	s.rest = api(`"OU=network"`)
	b.configure(s)
	n := b.start()
	remote := func(leaf pki.Leaf, args ...string) result {
		t.Helper()
		own, ownKey := theirs.Issue(leaf)
		argv := []string{lab.Build(t, "./cmd/nvactl"), "--address", ourAddress + ":" + port, "--cert", own, "--key", ownKey, "--ca", ours.Path}
		return b.runIn(b.theirs, append(argv, args...)...)
	}
	alice, bob := pki.Leaf{Name: "alice", Units: []string{"network"}}, pki.Leaf{Name: "bob"}
	for _, who := range []pki.Leaf{alice, bob} {
		if r := remote(who, "status"); r.code != 0 || !strings.Contains(r.out, ourAddress) {
			t.Errorf("%s reads: %+v", who.Name, r)
		}
	}
	if r := remote(bob, "log-level", "info"); r.code != 1 || !strings.Contains(r.err, "is for certificates with OU=network (yours has CN=bob)") {
		t.Errorf("bob changes: %+v", r)
	}
	s.networks = append(s.networks, "10.21.0.0/16")
	s.rest = api(`"CN=bob"`)
	b.configure(s)
	if r := remote(alice, "reload"); r.code != 0 || !strings.Contains(r.out, "api: admins") {
		t.Errorf("alice changes: %+v", r)
	}
	b.must(contains(b.tell("config history"), "reload, CN=alice, OU=network"))
	if r := remote(bob, "log-level", "info"); r.code != 0 {
		t.Errorf("bob changes: %+v", r)
	}

	good, err := os.ReadFile(key)
	b.must(err)
	b.must(os.WriteFile(key, []byte("none"), 0o600))
	if r := b.ctl("reload"); r.code != 1 || !strings.Contains(r.err, "nvad.key") {
		t.Errorf("a bad key was accepted: %+v", r)
	}
	n.Stop()
	n = b.start() // routes, and serves everything else
	b.warned("listen: api at "+ourAddress+":"+port+" is not served: ", "nvad.key")
	b.must(os.WriteFile(key, good, 0o600))
	b.warned()
	if r := remote(bob, "status"); r.code != 0 {
		t.Errorf("with a good key again: %+v", r)
	}
	n.Stop()
	s.rest = "[api]\nlisten = [\"10.0.0.4:8443\"]\n"
	b.configure(s)
	b.must(os.RemoveAll(filepath.Dir(b.socket) + "/history")) // which would otherwise run instead of the file
	b.refused(fmt.Sprintf("%s:%d: api.listen: the API is served over TCP only with mutual TLS, and client-ca is missing; set it", b.config, s.line("listen =")))
}
