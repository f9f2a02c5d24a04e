package bootstrap

import (
	"encoding/base64"
	"fmt"
	"math/big"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/azure"
	"github.com/nvad/nvad/pkg/tunnel"
)

// withKeys is hub00 with NVAs 10.10.0.4, 10.11.0.4 and so on, whose VMs have these tags nvad-key; an empty one
// stands for none.
func withKeys(tags ...string) azure.Snapshot {
	s := hub00()
	first := s.NVAs[0]
	s.NVAs = nil
	for i, text := range tags {
		vm := first
		vm.ID, vm.Name = fmt.Sprint(otherVM, i), fmt.Sprint("vm-hub1", i)
		vm.Addresses = addresses(fmt.Sprintf("10.%d.0.4", 10+i))
		vm.Tags = map[string]string{"nvad": "site1"}
		if text != "" {
			vm.Tags["NVAD-key"] = text
		}
		s.NVAs = append(s.NVAs, vm)
	}
	return s
}

// publishing is the request of hub00, whose key is keyOf(1).
func publishing(nvas int) Request {
	r := discovery(Discovery{Tag: siteTag, PublishKey: true, NVAs: nvas})
	r.Identity = Identity{keyOf(1), "/var/lib/nvad/wireguard/nva.key"}
	return r
}

// TestKeysFromTags: the file is the same, octet for octet, as with --peer.
func TestKeysFromTags(t *testing.T) {
	s := withKeys(keyOf(2).String(), keyOf(3).String())
	r, _, err := ask00(publishing(3), s)
	if err != nil || len(r.notes) > 0 || len(r.Remotes) > 0 {
		t.Fatalf("%v %q %v", err, r.notes, r.Remotes)
	}
	byHand, _, err := ask00(discovery(Discovery{}), s)
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range []string{"10.10.0.4", "10.11.0.4"} {
		p, err := ParsePeer(keyOf(i+2).String() + "@" + a)
		if err != nil {
			t.Fatal(err)
		}
		byHand.Peers = append(byHand.Peers, p)
	}
	if got, want := fileOf(t, keyOf(1), "10.0.0.4", r), fileOf(t, keyOf(1), "10.0.0.4", byHand); got != want || strings.Count(got, "[[tunnel]]") != 2 {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// TestGivenBesideKeys: what the operator gave is used as it was given.
func TestGivenBesideKeys(t *testing.T) {
	r := publishing(3)
	r.Peers = []Peer{{Public: keyOf(2), Host: "hub.example.net"}}
	r.Remotes = []Remote{{Address: netip.MustParseAddr("10.11.0.4")}}
	got, _, err := ask00(r, withKeys(keyOf(2).String(), keyOf(3).String()))
	if err != nil || !slices.Equal(got.Peers, r.Peers) || len(got.Remotes) != 1 || got.Remotes[0].Name != "vm-hub11" {
		t.Errorf("%v %+v", err, got)
	}
	if len(r.Peers) != 1 {
		t.Error("the request was changed")
	}
}

// orders are the x-coordinates of all points of low order, on the curve and on its twist.
func lowOrders() (list []*big.Int) {
	p := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	big1, _ := new(big.Int).SetString("325606250916557431795983626356110631294008115727848805560023387167927233504", 10)
	big2, _ := new(big.Int).SetString("39382357235489614581723060781553021112529911719440698176882885853963445705823", 10)
	return []*big.Int{big.NewInt(0), big.NewInt(1), big1, big2, new(big.Int).Sub(p, big.NewInt(1)), p, new(big.Int).Add(p, big.NewInt(1))}
}

// inTag writes a number as a key.
func inTag(n *big.Int) string {
	b := n.FillBytes(make([]byte, 32))
	slices.Reverse(b)
	return base64.StdEncoding.EncodeToString(b)
}

// TestHostileKeys: whatever is in the tag of one VM, that VM is left out with a note that names it, and the
// other one stays.
func TestHostileKeys(t *testing.T) {
	high := keyOf(4)
	high[31] |= 0x80
	private := base64.StdEncoding.EncodeToString(slices.Repeat([]byte{7}, 31))
	bad := map[string]string{
		"no key": "hello", "empty": " ", "short": private, "long": keyOf(4).String() + "AAAA", "line end": keyOf(4).String() + "\n",
		"TOML": "\"\n[[neighbor]]\n", "escape": "\x1b[2J", "huge": strings.Repeat("A", 1<<20), "hex": strings.Repeat("ab", 32),
		"URL base64": strings.Repeat("-", 43) + "=", "unused bits": strings.TrimSuffix(keyOf(4).String(), "=")[:42] + "B=", "several": keyOf(4).String() + "," + keyOf(5).String(),
		"own": keyOf(1).String(), "high bit": high.String(), "ours by another name": inTag(new(big.Int).SetBit(big.NewInt(9), 255, 1)),
	}
	for i, n := range lowOrders() {
		bad[fmt.Sprint("low order ", i)] = inTag(n)
		bad[fmt.Sprint("low order, high bit ", i)] = inTag(new(big.Int).SetBit(n, 255, 1))
	}
	for name, text := range bad {
		r, _, err := ask00(publishing(0), withKeys(keyOf(2).String(), text))
		if err != nil || len(r.Peers) != 1 || r.Peers[0].Public != keyOf(2) {
			t.Errorf("%s: %v %+v", name, err, r.Peers)
		}
		if len(r.notes) != 1 || !strings.HasPrefix(r.notes[0], "vm-hub11 (10.11.0.4) is left out: ") || strings.ContainsAny(r.notes[0], "\n\x1b") ||
			len(r.notes[0]) > 300 || len(text) > 10 && strings.Contains(r.notes[0], text) {
			t.Errorf("%s: %q", name, r.notes)
		}
	}
}

// TestSameKeyTwice: if two VMs have one key, or their tunnels would be the same, neither is used; the note names
// both. One that the operator gave stays.
func TestSameKeyTwice(t *testing.T) {
	twin := 2
	for first := map[uint32]int{}; ; twin++ {
		l := linkTo(keyOf(1), Peer{Public: keyOf(twin + 1)})
		if n, taken := first[l.number]; taken {
			testTwins(t, keyOf(n), keyOf(twin+1), "make the key of one of them anew")
			r := publishing(0)
			r.Peers = []Peer{{Public: keyOf(n), Host: "a"}}
			got, _, err := ask00(r, withKeys(keyOf(twin+1).String()))
			if err != nil || !slices.Equal(got.Peers, r.Peers) || len(got.notes) != 1 || !strings.Contains(got.notes[0], "as the one of --peer "+keyOf(n).String()) {
				t.Errorf("given: %v %+v", err, got)
			}
			break
		}
		first[l.number] = twin + 1
	}
	testTwins(t, keyOf(2), keyOf(2), "has the same key in its tag nvad-key")
}

func testTwins(t *testing.T, a, b tunnel.Key, want string) {
	t.Helper()
	r, _, err := ask00(publishing(0), withKeys(a.String(), keyOf(1000).String(), b.String()))
	if err != nil || len(r.Peers) != 1 || r.Peers[0].Public != keyOf(1000) || len(r.notes) != 2 {
		t.Fatalf("%v %+v %q", err, r.Peers, r.notes)
	}
	for i, names := range [][2]string{{"vm-hub10", "vm-hub12"}, {"vm-hub12", "vm-hub10"}} {
		if n := r.notes[i]; !strings.HasPrefix(n, names[0]) || !strings.Contains(n, names[1]) || !strings.Contains(n, want) {
			t.Errorf("%q", n)
		}
	}
}

// TestLateKeys: an NVA without a key counts as one that is not there yet. --nvas waits for it, and after that,
// the rest is used.
func TestLateKeys(t *testing.T) {
	r, _, err := ask00(publishing(3), withKeys(keyOf(2).String(), ""))
	if u, ok := err.(unsettled); !ok || !u.usable || !strings.Contains(err.Error(), "2 of 3 NVAs have the tag nvad=site1 and a key in nvad-key") || len(r.Peers) != 1 {
		t.Errorf("%v %+v", err, r.Peers)
	}
	r, _, err = ask00(publishing(0), withKeys(keyOf(2).String(), ""))
	if err != nil || len(r.Peers) != 1 || len(r.notes) != 1 || !strings.Contains(r.notes[0], "vm-hub11 (10.11.0.4) is left out: its VM has no tag nvad-key yet; run bootstrap again") {
		t.Errorf("%v %q", err, r.notes)
	}
	alone := publishing(0)
	alone.Azure.RouteServer = NoRouteServer
	if _, _, err := ask00(alone, withKeys("")); err == nil || !strings.Contains(err.Error(), "no one to peer with") {
		t.Errorf("alone: %v", err)
	}
	if err := (Discovery{PublishKey: true}).check(); err == nil || !strings.Contains(err.Error(), "--publish-key: needs --tag") {
		t.Errorf("without --tag: %v", err)
	}
}

// TestPublish: this NVA's key is written before it waits for those of the others, once, and not if it is there.
func TestPublish(t *testing.T) {
	late, ready := withKeys(""), withKeys(keyOf(2).String())
	n, progress, calls := fakeNvactl(t, fmt.Sprintf(`if [ $2 = tag ]; then echo "vm-hub00: has the tag $3"; exit; fi
case $(grep -c snapshot $(dirname $0)/calls) in
1) cat %s ;;
*) cat %s ;;
esac`, saved(t, late), saved(t, ready)))
	run := func(want string) {
		t.Helper()
		if err := os.Remove(calls); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		r, _, err := n.discover(within(t, time.Minute), publishing(2), own00)
		if err != nil || len(r.Peers) != 1 {
			t.Fatalf("%v %+v\n%s", err, r.Peers, progress)
		}
		text, _ := os.ReadFile(calls)
		var done []string
		for line := range strings.Lines(string(text)) {
			done = append(done, strings.Join(strings.Fields(line)[1:3], " "))
		}
		if got := strings.Join(done, "; "); got != want {
			t.Errorf("ran %q, want %q", got, want)
		}
	}
	tagged := "tag nvad-key=" + keyOf(1).String()
	run("snapshot -o; " + tagged + "; snapshot -o")
	for _, want := range []string{"1 of 2 NVAs have the tag nvad=site1 and a key", "Azure: NVA vm-hub10 (10.10.0.4), public key " + keyOf(2).String()} {
		if !strings.Contains(progress.String(), want) {
			t.Errorf("no %q in\n%s", want, progress)
		}
	}
	n.dryRun = true
	run("snapshot -o; snapshot -o")
	if strings.Count(progress.String(), "would register: public key "+keyOf(1).String()+", as tag nvad-key of VM vm-hub00") != 1 {
		t.Error(progress)
	}
	n.dryRun = false
	vm := ready.VM
	vm.Tags = map[string]string{"nvad": "site1", "Nvad-Key": keyOf(1).String()}
	if err := n.publish(t.Context(), vm, keyOf(1)); err != nil {
		t.Error(err)
	}
	vm.Tags["Nvad-Key"] = keyOf(9).String()
	if err := n.publish(t.Context(), vm, keyOf(1)); err != nil || !strings.Contains(progress.String(), "note: tag nvad-key of this VM, vm-hub00, is another key") {
		t.Error(err, progress)
	}
	if text, _ := os.ReadFile(calls); strings.Count(string(text), tagged) != 1 {
		t.Errorf("ran\n%s", text)
	}
}
