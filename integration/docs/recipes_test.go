package docs

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/lab/emulator/router"
	"github.com/nvad/nvad/pkg/config"
)

// TestRecipes starts nvad with the files of docs/recipes.md in the scenarios that they are
// written for, and checks what the page promises about each.
func TestRecipes(t *testing.T) {
	t.Parallel()
	t.Run("hub and spokes", func(t *testing.T) {
		l := lab.UpScenario(t, "hub-spokes")
		t.Run("default route", func(t *testing.T) { testDefaultRoute(t, l) })
		t.Run("breakout", func(t *testing.T) { testBreakout(t, l) })
	})
	t.Run("three hubs", testThreeHubs)
	t.Run("tags", testTags)
	t.Run("pair", func(t *testing.T) {
		l := lab.UpScenario(t, "two-hubs-ha")
		t.Run("balanced", func(t *testing.T) { testPair(t, l) })
		t.Run("maintenance", func(t *testing.T) { testMaintenance(t, l) })
	})
}

// testDefaultRoute: spokes have the default route, on-premises does not, and the NVA's own NIC
// follows its user-defined route.
func testDefaultRoute(t *testing.T, l *lab.Lab) {
	for i := range 2 {
		r := received(t, l, "hub00", i, "10.0.0.4", "0.0.0.0/0")
		if !r.Accepted || !slices.Contains(r.Communities, "65535:65282") {
			t.Errorf("instance %d has %+v, want it accepted, with no-advertise", i, r)
		}
		wantSeen(t, l, "hub00", i, "10.0.0.4", "0.0.0.0/0")
	}
	wantEffective(t, l, "vm-spoke01", "Active 0.0.0.0/0 Virtual network gateway [10.0.0.4]")
	wantEffective(t, l, "vm-spoke02", "Active 0.0.0.0/0 Virtual network gateway [10.0.0.4]")
	wantEffective(t, l, "vm-hub00", "Invalid 0.0.0.0/0 Virtual network gateway [10.0.0.4]")
	wantEffective(t, l, "vm-hub00", "Active 0.0.0.0/0 Internet []")
	if out := l.Exec(t, "site-circuit01", "ip", "route", "show", "default"); out != "" {
		t.Errorf("the site has a default route: %s", out)
	}
	if out := l.Exec(t, "vm-hub00", "ip", "route", "show", "default"); strings.Count(out, "default") != 1 || !strings.Contains(out, "proto dhcp") {
		t.Errorf("the NVA's default routes are\n%s", out)
	}
}

// testBreakout: the VNet forwards packets to the internet only if they have the NVA's own
// address. Between spokes, senders keep their addresses.
func testBreakout(t *testing.T, l *lab.Lab) {
	for _, spoke := range []string{"vm-spoke01", "vm-spoke02"} {
		l.Exec(t, spoke, "curl", "-sS", "--max-time", "5", "http://203.0.113.10/")
	}
	out := l.Exec(t, "vm-spoke01", "curl", "-sS", "--max-time", "5", "http://10.2.0.4/")
	if !strings.HasPrefix(out, "10.1.0.4 asked") {
		t.Errorf("spoke02 saw another sender than the VM in spoke01: %s", out)
	}
	if out := nvactl(t, l, "vm-hub00", "nat"); !regexp.MustCompile(`masquerade-1 +[1-9][0-9]* +[0-9]+ +masquerade`).MatchString(out) {
		t.Errorf("nothing was masqueraded:\n%s", out)
	}
}

// testThreeHubs starts the NVA in the middle with two tunnels, and makes it pass routes on
// with a reload.
func testThreeHubs(t *testing.T) {
	conf := filepath.Join(t.TempDir(), "nvad.toml")
	configure := func(name string) {
		t.Helper()
		if err := os.WriteFile(conf, read(t, "configs/"+name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	configure("hub00-tunnels.toml")
	nvad := lab.Build(t, "./cmd/nvad")
	far := func(name string) lab.NVA {
		path, err := below("configs/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return lab.NVA{Kind: lab.Nvad, Binary: nvad, Config: path}
	}
	l := lab.Up(t, lab.Options{Scenario: "three-hubs", Nvactl: lab.Build(t, "./cmd/nvactl"), NVAs: map[string]lab.NVA{
		"vm-hub00": {Kind: lab.Nvad, Binary: nvad, Config: conf}, "vm-hub10": far("hub10-transit.toml"), "vm-hub20": far("hub20-transit.toml"),
	}})
	l.AwaitSessions(t, time.Minute)
	t.Run("two tunnels", func(t *testing.T) { testTwoTunnels(t, l) })
	configure("hub00-transit.toml")
	nvactl(t, l, "vm-hub00", "reload")
	t.Run("transit", func(t *testing.T) { testTransit(t, l) })
}

func testTwoTunnels(t *testing.T, l *lab.Lab) {
	l.AwaitAnswer(t, "site-circuit00", "192.168.100.4")
	l.AwaitAnswer(t, "site-circuit00", "192.168.200.4")
	for prefix, device := range map[string]string{"192.168.100.0/24": "vxlan10", "192.168.200.0/24": "vxlan20"} {
		if out := l.Exec(t, "vm-hub00", "ip", "route", "show", prefix); !strings.Contains(out, "dev "+device+" proto bgp") {
			t.Errorf("the way to %s is %q, want %s", prefix, out, device)
		}
	}
	for vnet, nva := range map[string]string{"hub10": "10.10.0.4", "hub20": "10.20.0.4"} {
		for i := range 2 {
			wantSeen(t, l, vnet, i, nva, "192.168.50.0/24")
		}
	}
}

func testTransit(t *testing.T, l *lab.Lab) {
	l.AwaitAnswer(t, "site-circuit01", "192.168.200.4")
	l.AwaitAnswer(t, "site-circuit02", "192.168.100.4")
	for _, hub := range []struct{ vnet, nva, other string }{
		{"hub10", "10.10.0.4", "192.168.200.0/24"}, {"hub20", "10.20.0.4", "192.168.100.0/24"},
	} {
		for i := range 2 {
			r := received(t, l, hub.vnet, i, hub.nva, hub.other)
			if r.NextHop.String() != hub.nva || slices.ContainsFunc(r.ASPath, func(asn uint32) bool { return asn != 65001 }) || !r.Accepted {
				t.Errorf("instance %d of %s has %+v", i, hub.vnet, r)
			}
			wantSeen(t, l, hub.vnet, i, hub.nva, hub.other, "192.168.50.0/24")
		}
	}
	if out := nvactl(t, l, "vm-hub00", "neighbors -o json"); regexp.MustCompile(`"flaps": *"?[1-9]`).MatchString(out) {
		t.Errorf("the reload reset a session:\n%s", out)
	}
}

// testTags: routes that are tagged in one hub arrive at the other hub's Route Server without
// the tags. So does the prefix of a VNet that is connected while the NVAs run.
func testTags(t *testing.T) {
	l := lab.UpScenario(t, "two-hubs-communities")
	own := nvactl(t, l, "vm-hub00", "routes accepted 10.0.210.4 -o json")
	if !strings.Contains(own, `"65001:1000"`) {
		t.Errorf("no route of the hub's own Route Server is tagged: %s", own)
	}
	if err := l.Connect("hub120"); err != nil {
		t.Fatal(err)
	}
	l.AwaitAnswer(t, "vm-hub100", "10.120.0.4")
	for i := range 2 {
		for _, prefix := range []string{"10.110.0.0/16", "10.120.0.0/16"} {
			if r := received(t, l, "hub00", i, "10.0.0.4", prefix); !r.Accepted || len(r.Communities) > 0 {
				t.Errorf("instance %d has %+v, want it accepted, without tags", i, r)
			}
		}
		wantSeen(t, l, "hub00", i, "10.0.0.4", "10.110.0.0/16", "10.120.0.0/16")
	}
}

// testPair: both NVAs announce the frontend, and both carry traffic behind it.
func testPair(t *testing.T, l *lab.Lab) {
	for i := range 2 {
		for _, nva := range []string{"10.0.0.4", "10.0.0.6"} {
			if r := received(t, l, "hub00", i, nva, "10.110.0.0/16"); r.NextHop.String() != "10.0.0.100" || !r.Accepted {
				t.Errorf("instance %d has %+v of %s, want the frontend as next hop", i, r, nva)
			}
		}
	}
	awaitBackends(t, l, "10.0.0.4", "10.0.0.6")
}

// testMaintenance drains one NVA of the pair under traffic and ends the drain.
func testMaintenance(t *testing.T, l *lab.Lab) {
	flow := l.Command("vm-hub100", "ping", "-q", "-i", "0.02", "-c", "200", "-W", "1", "10.110.0.4")
	var out strings.Builder
	flow.Stdout = &out
	if err := flow.Start(); err != nil {
		t.Fatal(err)
	}
	before := received(t, l, "hub00", 0, "10.0.0.4", "10.110.0.0/16")
	nvactl(t, l, "vm-hub00", "drain --reason maintenance")
	awaitBackends(t, l, "10.0.0.6")
	lab.Eventually(t, 10*time.Second, func() error {
		drained := received(t, l, "hub00", 0, "10.0.0.4", "10.110.0.0/16")
		if len(drained.ASPath) != len(before.ASPath)+5 {
			return fmt.Errorf("the path is %s, was %s", drained.Path(), before.Path())
		}
		return nil
	})
	_ = flow.Wait() // returns an error if packets were lost
	if !strings.Contains(out.String(), " 0% packet loss") {
		t.Errorf("the drain lost packets:\n%s", out.String())
	}
	nvactl(t, l, "vm-hub00", "drain --off")
	awaitBackends(t, l, "10.0.0.4", "10.0.0.6")
}

// awaitBackends waits until the load balancer of hub00 shares traffic among exactly these
// NVAs.
func awaitBackends(t *testing.T, l *lab.Lab, want ...string) {
	t.Helper()
	lab.Eventually(t, 30*time.Second, func() error {
		out, err := l.Output("net-hub00", "ip", "route", "show", "10.110.0.0/16")
		if err != nil {
			return err
		}
		got := viaPattern.FindAllString(out, -1)
		for i := range got {
			got[i] = strings.TrimPrefix(got[i], "via ")
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			return fmt.Errorf("the frontend leads to %v, want %v", got, want)
		}
		return nil
	})
}

var viaPattern = regexp.MustCompile(`via [0-9.]+`)

// received waits until a Route Server instance has a prefix from an NVA.
func received(t *testing.T, l *lab.Lab, vnet string, instance int, nva, prefix string) (r router.Route) {
	t.Helper()
	lab.Eventually(t, 20*time.Second, func() error {
		routes, err := l.RouteServer(vnet, instance).Received(t.Context(), netip.MustParseAddr(nva))
		i := slices.IndexFunc(routes, func(r router.Route) bool { return r.Prefix.String() == prefix })
		if err != nil || i < 0 {
			return fmt.Errorf("instance %d of %s has no %s from %s, but %v: %v", instance, vnet, prefix, nva, routes, err)
		}
		r = routes[i]
		return nil
	})
	return r
}

// wantSeen checks all prefixes that an NVA has ever announced to an instance.
func wantSeen(t *testing.T, l *lab.Lab, vnet string, instance int, nva string, want ...string) {
	t.Helper()
	lab.Eventually(t, 20*time.Second, func() error {
		seen, err := l.RouteServer(vnet, instance).Seen(t.Context(), netip.MustParseAddr(nva))
		var got []string
		for _, prefix := range seen {
			got = append(got, prefix.String())
		}
		if slices.Sort(got); err != nil || !slices.Equal(got, want) {
			return fmt.Errorf("instance %d of %s was sent %v by %s, want %v: %v", instance, vnet, got, nva, want, err)
		}
		return nil
	})
}

// wantEffective waits for an effective route, as "STATE PREFIX TYPE [HOPS]".
func wantEffective(t *testing.T, l *lab.Lab, vm, want string) {
	t.Helper()
	lab.Eventually(t, 10*time.Second, func() error {
		routes, err := l.EffectiveRoutes(t.Context(), vm)
		for _, r := range routes {
			if fmt.Sprintf("%s %s %s %v", r.State, r.Prefix, r.NextHopType, r.NextHops) == want {
				return nil
			}
		}
		return fmt.Errorf("%s has no %q, but %v: %v", vm, want, routes, err)
	})
}

// nvactl runs a command of nvactl on an NVA.
func nvactl(t *testing.T, l *lab.Lab, node, command string) string {
	t.Helper()
	out, err := l.Step(t.Context(), node+"# nvactl "+command)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	path, err := below(name)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// recipe matches a file that docs/recipes.md shows: the link to it, and its text.
var recipe = regexp.MustCompile("(?ms)^\\[`[^`]*`\\]\\(\\.\\./(configs/[^)]*)\\), on (?:[^\n]+\n)+\n```toml\n(.*?)^```$")

// TestRecipeFiles: the files on the page are those in configs, which the lab runs.
func TestRecipeFiles(t *testing.T) {
	page := string(read(t, "docs/recipes.md"))
	shown := recipe.FindAllStringSubmatch(page, -1)
	if blocks := strings.Count(page, "```toml\n"); len(shown) != blocks || blocks < 6 {
		t.Errorf("%d of %d files on the page follow a link to the file", len(shown), blocks)
	}
	for _, m := range shown {
		if string(read(t, m[1])) != m[2] {
			t.Errorf("docs/recipes.md shows another %s than there is", m[1])
		}
	}
}

// TestExamples: files of which pages show a part are valid.
func TestExamples(t *testing.T) {
	for _, name := range []string{"docs/limits.md"} {
		for _, m := range fence.FindAllStringSubmatch(string(read(t, name)), -1) {
			if m[1] != "toml" {
				continue
			}
			if _, err := config.Parse(name, []byte("asn = 65001\nrouter-id = \"10.0.0.4\"\n"+m[2])); err != nil {
				t.Error(err)
			}
		}
	}
}
