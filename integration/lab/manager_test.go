package lab_test

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/lab/emulator/arm"
	"github.com/nvad/nvad/integration/lab/emulator/arm/rules"
	"github.com/nvad/nvad/integration/lab/emulator/router"
	"github.com/nvad/nvad/integration/lab/emulator/sdn"
)

// TestManager: VMs reach Resource Manager by its name and their metadata service, Route
// Server's peers follow its connections, and nothing of it outlasts the lab.
func TestManager(t *testing.T) {
	t.Parallel()
	lab.RequireCommands(t, "curl")
	l := lab.Up(t, lab.Options{Scenario: "one-hub", Manager: true})
	for _, vm := range []string{"vm-hub00", "vm-hub100"} {
		out := l.Exec(t, vm, "curl", "-sS", "--cacert", l.Certificate(), "https://management.azure.com/subscriptions?api-version=2022-12-01")
		if !strings.Contains(out, "AuthenticationFailed") {
			t.Errorf("%s is told %s", vm, out)
		}
		out = l.Exec(t, vm, "curl", "-sS", "-H", "Metadata: true", "http://169.254.169.254/metadata/instance?api-version=2021-02-01")
		if !strings.Contains(out, `"`+vm+`"`) {
			t.Errorf("%s is told %s", vm, out)
		}
	}
	hub := arm.ID(arm.TypeHub, "rs-hub00")
	l.ChangeAzure(t, func(s *arm.State) {
		s.Delete(hub + "/bgpConnections/vm-hub00-2")
		s.Connect(hub, "another", "10.0.0.99", 65009)
	})
	lab.Eventually(t, 5*time.Second, func() error {
		sessions, err := l.RouteServer("hub00", 1).Sessions(t.Context())
		var got []string
		for _, s := range sessions {
			got = append(got, fmt.Sprint(s.Neighbor, " ", s.ASN))
		}
		if text := strings.Join(got, ", "); err == nil && text != "10.0.0.4 65001, 10.0.0.99 65009, 10.0.200.4 65515" {
			err = errors.New(text)
		}
		return err
	})
	if _, err := os.Stat("/etc/netns/" + l.Namespace("vm-hub00") + "/hosts"); err != nil {
		t.Error(err)
	}
	if err := l.Down(); err != nil {
		t.Error(err)
	}
	if left, err := filepath.Glob("/etc/netns/" + l.Options.Prefix + "-*"); len(left) > 0 || err != nil {
		t.Errorf("the lab has left %v, %v", left, err)
	}
}

// TestSpokes: Route Server advertises its VNet's spokes too, which follow its routes, and the
// model says the same as the emulators where a subnet has user-defined routes.
func TestSpokes(t *testing.T) {
	l := lab.Up(t, lab.Options{Scenario: "hub-spokes", Manager: true, NVAs: map[string]lab.NVA{
		"vm-hub00": birdNVA(t, nva1, 65001, announcement{"0.0.0.0/0", ""}, announcement{"10.5.0.0/16", ""}, announcement{"10.1.7.0/24", ""}),
	}})
	l.AwaitSessions(t, 30*time.Second)
	lab.Eventually(t, 10*time.Second, func() error {
		if hops, _ := effective(t, l, "vm-spoke01", "192.168.100.0/24"); hops == "" {
			return errors.New("the circuit's routes have not arrived")
		}
		for i := range 2 {
			routes, err := l.RouteServer("hub00", i).Advertised(t.Context(), nva1)
			if _, ok := find(routes, "192.168.100.0/24"); !ok || err != nil {
				return fmt.Errorf("instance %d advertises\n%s, %w", i, lab.RouteTable(routes), err)
			}
			for _, prefix := range []string{"10.0.0.0/16", "10.1.0.0/16", "10.2.0.0/16"} {
				if r, _ := find(routes, prefix); r.Path() != "65515" {
					return fmt.Errorf("instance %d advertises %s with the path %q", i, prefix, r.Path())
				}
			}
		}
		return nil
	})
	testModel(t, l, []string{"10.2.146.76", "10.2.146.77"}, "vm-hub00", "vm-spoke01", "vm-spoke02")
}

// testModel: the model of Azure's rules says the same as the emulators, which decide in
// another way.
func testModel(t *testing.T, l *lab.Lab, hops []string, vms ...string) {
	n := rules.Read(l.AzureState(t))
	sent := rules.Sent{}
	for _, peer := range n.RouteServers[0].Peers {
		for i, instance := range n.RouteServers[0].Addresses {
			received, err := l.RouteServer("hub00", i).Received(t.Context(), peer.Address)
			if err != nil {
				t.Fatal(err)
			}
			sent[rules.Session{NVA: peer.Address, Instance: instance}] = rules.Announcement{ASN: peer.ASN, Routes: modelRoutes(received)}
		}
	}
	for i, g := range n.Gateways {
		_, vnet, _ := strings.Cut(g.ID, "ergw-")
		routes, err := l.CircuitRoutes(t.Context(), vnet)
		if err != nil {
			t.Fatal(err)
		}
		// Effective routes show the circuit's next hops, and not the gateway's neighbor.
		for _, hop := range hops {
			for _, r := range modelRoutes(routes) {
				r.NextHop = netip.MustParseAddr(hop)
				n.Gateways[i].Circuit = append(n.Gateways[i].Circuit, r)
			}
		}
	}
	for s := range sent {
		i := slices.Index(n.RouteServers[0].Addresses, s.Instance)
		received, err1 := l.RouteServer("hub00", i).Received(t.Context(), s.NVA)
		received = slices.DeleteFunc(received, func(r router.Route) bool { return !r.Accepted })
		advertised, err2 := l.RouteServer("hub00", i).Advertised(t.Context(), s.NVA)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		same(t, fmt.Sprint("learned, ", s), routeTexts(n.Learned(s, sent)), routeTexts(modelRoutes(received)))
		same(t, fmt.Sprint("advertised, ", s), routeTexts(n.Advertised(s, sent)), routeTexts(modelRoutes(advertised)))
	}
	for _, vm := range vms {
		i := slices.IndexFunc(n.NICs, func(nic rules.NIC) bool { return strings.HasSuffix(nic.ID, "/"+vm+"-nic") })
		model, _ := n.Effective(n.NICs[i], sent)
		emulated, err := l.EffectiveRoutes(t.Context(), vm)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "effective, "+vm, effectiveTexts(model), effectiveTexts(rules.Platform(emulated)))
	}
}

func modelRoutes(routes []router.Route) []rules.Route {
	var out []rules.Route
	for _, r := range routes {
		out = append(out, rules.Route{
			Prefix: r.Prefix, NextHop: r.NextHop, ASPath: r.ASPath, NoAdvertise: slices.Contains(r.Communities, "65535:65282"),
		})
	}
	return out
}

func routeTexts(routes []rules.Route) []string {
	var texts []string
	for _, r := range routes {
		texts = append(texts, fmt.Sprint(r.Prefix, " ", r.NextHop, " ", r.ASPath))
	}
	return texts
}

func effectiveTexts(routes []sdn.EffectiveRoute) []string {
	var texts []string
	for _, r := range routes {
		texts = append(texts, fmt.Sprint(r))
	}
	return texts
}

func same(t *testing.T, what string, model, emulated []string) {
	t.Helper()
	slices.Sort(model)
	slices.Sort(emulated)
	if !slices.Equal(model, emulated) {
		t.Errorf("%s: the model says\n%s\nthe emulators say\n%s", what, strings.Join(model, "\n"), strings.Join(emulated, "\n"))
	}
}
