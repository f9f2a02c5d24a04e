package scenarios

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/lab/emulator/router"
)

// pair has the NVAs of hub00 by address, and instances the instances of its Route Server.
var (
	pair      = []string{"10.0.0.4", "10.0.0.6"}
	instances = 2
)

// TestOneReplacement reads every UPDATE that a pair of NVAs sends to Route Server, while one
// of them restarts and while both are told to change attributes. Azure dampens a withdrawal
// followed by an announcement, but not a replacement. So there may be no withdrawal, and Route
// Server must always have a route.
func TestOneReplacement(t *testing.T) {
	t.Parallel()
	nvas := copiesOf(t, "hub00-ha1.toml", "hub00-ha2.toml")
	l := lab.UpOptions(t, lab.Options{Scenario: "two-hubs-ha", NVAs: nvas})
	awaitPairs(t, l)

	t.Run("restart of one", func(t *testing.T) {
		before := newRecord(t, l)
		restart(t, l, "vm-hub00", "10.0.0.4")
		sent := before.since(t)
		for who, updates := range sent {
			wantNoReturn(t, who, updates)
			if strings.HasSuffix(who, "10.0.0.6") && len(updates) > 0 {
				t.Errorf("%s was not restarted, but sent %v", who, updates)
			}
		}
		wantOnce(t, sent, "10.0.0.4")
		before.wantNothingLost(t)
	})
	t.Run("reload", func(t *testing.T) {
		before := newRecord(t, l)
		for vm, nva := range nvas {
			edit(t, nva.Config, `next-hop = "10.0.0.100"`, `next-hop = "10.0.0.100", as-path-prepend = [65001]`)
			if err := l.SignalNVA(vm, syscall.SIGHUP); err != nil {
				t.Fatal(err)
			}
		}
		awaitPath(t, l, "65001 65001 65001 65001")
		sent := before.since(t)
		for who, updates := range sent {
			wantNoReturn(t, who, updates)
		}
		wantOnce(t, sent, pair...)
		before.wantNothingLost(t)
	})
	// Without this, nothing above would show that the test notices a loss.
	t.Run("both stop", func(t *testing.T) {
		before := newRecord(t, l)
		each(t, []string{"vm-hub00", "vm-hub00-2"}, l.StopNVA)
		lab.Eventually(t, 30*time.Second, func() error {
			for i := range instances {
				if lost := before.lostBy(t, i); !slices.Contains(lost, netip.MustParsePrefix("10.110.0.0/16")) {
					return fmt.Errorf("instance %d has lost %v", i, lost)
				}
			}
			return nil
		})
	})
}

// copiesOf returns hub00's NVAs with configurations that can be edited.
func copiesOf(t *testing.T, files ...string) map[string]lab.NVA {
	t.Helper()
	nvas := map[string]lab.NVA{}
	for i, vm := range []string{"vm-hub00", "vm-hub00-2"} {
		text, err := os.ReadFile(configs(t, files[i]))
		if err != nil {
			t.Fatal(err)
		}
		own := filepath.Join(t.TempDir(), files[i])
		if err := os.WriteFile(own, text, 0o644); err != nil {
			t.Fatal(err)
		}
		nvas[vm] = lab.NVA{Kind: lab.Nvad, Binary: lab.Build(t, "./cmd/nvad"), Config: own}
	}
	return nvas
}

func edit(t *testing.T, file, old, text string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), old) {
		t.Fatalf("%s has no %s", file, old)
	}
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(string(data), old, text)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// restart stops an NVA and starts it again once Route Server has noticed.
func restart(t *testing.T, l *lab.Lab, vm, address string) {
	t.Helper()
	await := func(established bool) {
		t.Helper()
		lab.Eventually(t, 60*time.Second, func() error {
			for i := range instances {
				s, err := l.RouteServer("hub00", i).Session(t.Context(), netip.MustParseAddr(address))
				if err != nil || s.Established != established {
					return fmt.Errorf("session of instance %d: %+v, %v", i, s, err)
				}
			}
			return nil
		})
	}
	if err := l.StopNVA(vm); err != nil {
		t.Fatal(err)
	}
	await(false)
	if err := l.StartNVA(vm); err != nil {
		t.Fatal(err)
	}
	await(true)
	awaitPairs(t, l)
	awaitPath(t, l, "65001 65001 65001")
}

// awaitPath waits until both instances have the route to the other hub's spoke from both NVAs
// with the given AS path.
func awaitPath(t *testing.T, l *lab.Lab, path string) {
	t.Helper()
	lab.Eventually(t, 30*time.Second, func() error {
		for i := range instances {
			for _, nva := range pair {
				routes, err := l.RouteServer("hub00", i).Received(t.Context(), netip.MustParseAddr(nva))
				if err != nil {
					return err
				}
				if !slices.ContainsFunc(routes, func(r router.Route) bool {
					return r.Prefix.String() == "10.110.0.0/16" && r.Path() == path
				}) {
					return fmt.Errorf("instance %d was sent by %s\n%s", i, nva, lab.RouteTable(routes))
				}
			}
		}
		return nil
	})
}

// record contains the routes that Route Server had received and lost at some moment.
type record struct {
	l    *lab.Lab
	sent map[string]int // number of UPDATEs, by instance and NVA
	lost []int          // by instance
}

func newRecord(t *testing.T, l *lab.Lab) record {
	t.Helper()
	r := record{l: l, sent: map[string]int{}}
	for who, updates := range (record{l: l}).since(t) {
		r.sent[who] = len(updates)
	}
	for i := range instances {
		r.lost = append(r.lost, len(lostBy(t, l, i)))
	}
	return r
}

// quiet is how long no UPDATE may come before the test looks at them.
const quiet = 1500 * time.Millisecond

// since returns the UPDATEs after the record, by "INSTANCE from NVA", once no more arrive.
func (r record) since(t *testing.T) map[string][]router.Update {
	t.Helper()
	sent, total, stable := map[string][]router.Update{}, -1, time.Now()
	lab.Eventually(t, 30*time.Second, func() error {
		n := 0
		for i := range instances {
			for _, nva := range pair {
				who := fmt.Sprintf("instance %d from %s", i, nva)
				updates, err := r.l.RouteServer("hub00", i).Updates(t.Context(), netip.MustParseAddr(nva))
				if err != nil {
					return err
				}
				n, sent[who] = n+len(updates), updates[r.sent[who]:]
			}
		}
		if n != total {
			total, stable = n, time.Now()
		}
		if time.Since(stable) < quiet {
			return fmt.Errorf("%d UPDATEs, and more may come", n)
		}
		return nil
	})
	return sent
}

func (r record) lostBy(t *testing.T, instance int) []netip.Prefix {
	t.Helper()
	return lostBy(t, r.l, instance)[r.lost[instance]:]
}

func lostBy(t *testing.T, l *lab.Lab, instance int) []netip.Prefix {
	t.Helper()
	lost, err := l.RouteServer("hub00", instance).Lost(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return lost
}

func (r record) wantNothingLost(t *testing.T) {
	t.Helper()
	for i := range instances {
		if lost := r.lostBy(t, i); len(lost) > 0 {
			t.Errorf("instance %d was without %v for a time", i, lost)
		}
	}
}

// wantNoReturn checks that no prefix is withdrawn and then announced again.
func wantNoReturn(t *testing.T, who string, updates []router.Update) {
	t.Helper()
	withdrawn := map[netip.Prefix]bool{}
	for _, u := range updates {
		for _, p := range u.Withdrawn {
			withdrawn[p] = true
		}
		for _, p := range u.Announced {
			if withdrawn[p] {
				t.Errorf("%s: %s was withdrawn and then announced", who, p)
			}
		}
	}
}

// wantOnce checks that each of these NVAs announced the other hub's spoke to each instance,
// and no prefix twice.
func wantOnce(t *testing.T, sent map[string][]router.Update, nvas ...string) {
	t.Helper()
	for i := range instances {
		for _, nva := range nvas {
			who := fmt.Sprintf("instance %d from %s", i, nva)
			times := map[netip.Prefix]int{}
			for _, u := range sent[who] {
				for _, p := range u.Announced {
					times[p]++
				}
			}
			t.Logf("%s: %v", who, times)
			if times[netip.MustParsePrefix("10.110.0.0/16")] == 0 {
				t.Errorf("%s: 10.110.0.0/16 was not announced", who)
			}
			for p, n := range times {
				if n > 1 {
					t.Errorf("%s: %s was announced %d times", who, p, n)
				}
			}
		}
	}
}
