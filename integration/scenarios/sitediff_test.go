package scenarios

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/pkg/api/apitest/pki"
	"github.com/nvad/nvad/pkg/site"
)

// soon is how long a difference may take to be found after it was made.
const soon = 5 * time.Second

// pace is the time between two questions: nvad closes the connections of an address that makes
// too many in a second over TCP.
// Each question makes two.
const pace = time.Second / 5

// siteNVAs are the NVAs of two-hubs-ha, by the names that the site gives them.
var siteNVAs = []struct{ name, vm, config string }{
	{"hub00-a", "vm-hub00", "hub00-ha1.toml"}, {"hub00-b", "vm-hub00-2", "hub00-ha2.toml"},
	{"hub10-a", "vm-hub10", "hub10-ha1.toml"}, {"hub10-b", "vm-hub10-2", "hub10-ha2.toml"},
}

// siteBed is two-hubs-ha with a file that names its NVAs. One of them is asked over TLS.
type siteBed struct {
	*testing.T
	lab          *lab.Lab
	nvactl, file string
	configs      map[string]string // path of the configuration of each NVA, by name
	texts        map[string]string // as they were at first
}

func newSiteBed(t *testing.T) *siteBed {
	t.Helper()
	lab.RequireRoot(t)
	dir := t.TempDir()
	b := &siteBed{T: t, nvactl: lab.Build(t, "./cmd/nvactl"), file: filepath.Join(dir, "site.toml"), configs: map[string]string{}, texts: map[string]string{}}
	ca := pki.New(t, dir, "ca")
	cert, key := ca.Issue(pki.Leaf{Name: "nva", Address: net.IPv4(10, 0, 0, 6)})
	nvas := map[string]lab.NVA{}
	for _, n := range siteNVAs {
		text, err := os.ReadFile(configs(t, n.config))
		if err != nil {
			t.Fatal(err)
		}
		b.texts[n.name] = string(text)
		if n.name == "hub00-b" {
			b.texts[n.name] += fmt.Sprintf("[api]\nlisten = [\"10.0.0.6:8443\"]\ncertificate = %q\nkey = %q\nclient-ca = %q\n", cert, key, ca.Path)
		}
		b.configs[n.name] = filepath.Join(dir, n.config)
		b.write(n.name, b.texts[n.name])
		nvas[n.vm] = lab.NVA{Kind: lab.Nvad, Config: b.configs[n.name], Binary: lab.Build(t, "./cmd/nvad")}
	}
	b.lab = lab.UpOptions(t, lab.Options{Scenario: "two-hubs-ha", NVAs: nvas})
	own, ownKey := ca.Issue(pki.Leaf{Name: "alice"})
	text := fmt.Sprintf("[tls]\ncert = %q\nkey = %q\nca = %q\n", own, ownKey, ca.Path)
	for _, n := range siteNVAs {
		where := fmt.Sprintf("socket = %q", b.lab.NVASocket(n.vm))
		if n.name == "hub00-b" {
			where = "address = \"10.0.0.6:8443\""
		}
		text += fmt.Sprintf("[[nva]]\nname = %q\n%s\n", n.name, where)
	}
	if err := os.WriteFile(b.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *siteBed) write(nva, text string) {
	b.Helper()
	if err := os.WriteFile(b.configs[nva], []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
}

// ask runs nvactl for the site at the first NVA, and returns its output, whatever its exit
// code is.
func (b *siteBed) ask(args ...string) (out string, code int) {
	b.Helper()
	time.Sleep(pace)
	text, err := b.lab.Command("vm-hub00", append([]string{b.nvactl, "--site", b.file}, args...)...).Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return string(text), exit.ExitCode()
	}
	if err != nil {
		b.Fatal(err)
	}
	return string(text), 0
}

// edit replaces something in the configuration of an NVA, and reloads it.
func (b *siteBed) edit(nva string, replacements ...string) {
	b.Helper()
	text := b.texts[nva]
	for i := 0; i < len(replacements); i += 2 {
		if !strings.Contains(text, replacements[i]) {
			b.Fatalf("%s has no %q", nva, replacements[i])
		}
		text = strings.Replace(text, replacements[i], replacements[i+1], 1)
	}
	b.write(nva, text)
	vm := ""
	for _, n := range siteNVAs {
		if n.name == nva {
			vm = n.vm
		}
	}
	if out, err := exec.Command(b.nvactl, "--socket", b.lab.NVASocket(vm), "reload").CombinedOutput(); err != nil {
		b.Fatalf("reload of %s: %v, %s", nva, err, out)
	}
}

// found returns a word for each finding, such as "mtu-differs hub00-a hub10-a".
func (b *siteBed) found() (words []string, r site.Report) {
	b.Helper()
	out, code := b.ask("diff", "-o", "json")
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	silent := false
	for _, n := range r.NVAs {
		silent = silent || n.Error != ""
	}
	if wrong := r.Worst() == site.Error || r.Worst() == site.Warning || silent; wrong != (code == 1) {
		b.Errorf("exit code %d: %s", code, out)
	}
	for _, f := range r.Findings {
		words = append(words, strings.Join(append([]string{string(f.Code)}, f.NVAs...), " "))
	}
	slices.Sort(words)
	return words, r
}

// await asks until exactly these findings are there.
func (b *siteBed) await(within time.Duration, want ...string) {
	b.Helper()
	lab.Eventually(b.T, within, func() error {
		if got, r := b.found(); !slices.Equal(got, want) {
			return fmt.Errorf("found %q, want %q: %+v", got, want, r)
		}
		return nil
	})
}

// TestSite breaks one thing after the other in a site of four NVAs: nvactl diff finds each
// within five seconds, and nothing else.
func TestSite(t *testing.T) {
	b := newSiteBed(t)
	awaitPairs(t, b.lab)
	b.await(4 * soon)
	from := []string{"hub10-b"}
	each := func(code site.Code, others ...string) (want []string) {
		for _, o := range others {
			want = append(want, fmt.Sprintf("%s %s %s", code, o, from[0]))
		}
		return want
	}
	mesh := []string{"hub00-a", "hub00-b", "hub10-a"}
	for name, c := range map[string]struct {
		nva  string
		edit []string
		want []string
	}{
		"vni":           {"hub10-b", []string{"= 77", "= 78"}, each(site.TunnelVNIDiffers, mesh...)},
		"port":          {"hub10-b", []string{"vni     = 77", "vni     = 77\nport = 8472"}, each(site.TunnelPortDiffers, mesh...)},
		"mtu":           {"hub10-b", []string{"vni     = 77", "vni     = 77\nmtu = 1400"}, each(site.TunnelMTUDiffers, mesh...)},
		"prefix filter": {"hub00-b", []string{`"deny 10.0.0.0/16 ge 16", `, ""}, []string{"pair-config-differs hub00-a hub00-b"}},
		"lost prefix": {"hub00-b", []string{`import        = "accept"`, `import        = { prefix-list = "none" }`, "[prefix-list]\n", "[prefix-list]\nnone = [\"deny any\"]\n"},
			[]string{"pair-config-differs hub00-a hub00-b", "pair-prefix-missing hub00-b hub00-a"}},
		"remote-asn": {"hub10-b", []string{"remote-asn    = 65001", "remote-asn    = 65009"}, append(
			[]string{"pair-config-differs hub10-a hub10-b", "pair-prefix-missing hub10-b hub10-a"},
			"session-asn-differs hub10-b hub00-a", "session-asn-differs hub10-b hub00-b", "session-asn-differs hub10-b hub10-a")},
		"remote": {"hub10-b", []string{`"10.0.0.4", `, "", `"10.0.0.4=169.254.0.1", `, ""}, []string{"tunnel-one-sided hub00-a hub10-b"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := &siteBed{t, b.lab, b.nvactl, b.file, b.configs, b.texts}
			b.edit(c.nva, c.edit...)
			b.await(soon, c.want...)
			out, _ := b.ask("diff")
			t.Logf("\n%s", out)
			if name == "lost prefix" {
				b.explains("10.110.0.0/16", "reaches 3 of 4 NVAs", "not: hub00-b", "hub10-a: enters here, best from 10.10.210.",
					"hub00-b: no route", "from  hub10-a 169.254.0.2  rejected by prefix-list none seq 5 deny any")
			}
			b.edit(c.nva)
			b.await(4 * soon)
		})
	}
	t.Run("loop", b.loops)
	t.Run("stop", b.stops)
}

// explains follows a prefix, and looks for texts in the answer.
func (b *siteBed) explains(prefix string, want ...string) {
	b.Helper()
	out, _ := b.ask("explain", prefix)
	b.Logf("\n%s", out)
	for _, w := range want {
		if !strings.Contains(out, w) {
			b.Errorf("explain lacks %q", w)
		}
	}
}

// loops lets two NVAs send packets to each other by static routes.
func (b *siteBed) loops(t *testing.T) {
	b = &siteBed{t, b.lab, b.nvactl, b.file, b.configs, b.texts}
	static := "[[static-route]]\nprefix = \"172.16.0.0/12\"\nvia = \"169.254.0.%d\"\n\n[[tunnel]]\n"
	b.edit("hub00-a", "[[tunnel]]\n", fmt.Sprintf(static, 2))
	b.edit("hub10-a", "[[tunnel]]\n", fmt.Sprintf(static, 1))
	b.await(soon, "pair-config-differs hub00-a hub00-b", "pair-config-differs hub10-a hub10-b", "summary-loop hub00-a hub10-a")
	b.edit("hub00-a")
	b.edit("hub10-a")
	b.await(4 * soon)
}

// stops ends one NVA of a hub, and drains the other one.
func (b *siteBed) stops(t *testing.T) {
	b = &siteBed{t, b.lab, b.nvactl, b.file, b.configs, b.texts}
	if err := b.lab.StopNVA("vm-hub10-2"); err != nil {
		t.Fatal(err)
	}
	b.await(soon)
	if _, r := b.found(); r.NVAs[3].Error == "" {
		t.Errorf("hub10-b answered: %+v", r)
	}
	if out, err := exec.Command(b.nvactl, "--socket", b.lab.NVASocket("vm-hub10"), "drain").CombinedOutput(); err != nil {
		t.Fatalf("%v, %s", err, out)
	}
	b.await(soon, "drained-without-pair hub10-a")
	out, code := b.ask("status")
	t.Logf("\n%s", out)
	if code != 1 || !strings.Contains(out, "did not answer: ") || !strings.Contains(out, "draining for ") {
		t.Errorf("exit code %d", code)
	}
}
