package daemon

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/tunnel"
)

// plants put something else where a key belongs.
var plants = map[string]func(t *testing.T, state, elsewhere string) error{
	"directory": func(_ *testing.T, state, elsewhere string) error {
		return os.Symlink(elsewhere, filepath.Join(state, keysDirectory))
	},
	"directory with a key": func(t *testing.T, state, elsewhere string) error {
		write(t, elsewhere, "wg0.key", "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=\n")
		return os.Symlink(elsewhere, filepath.Join(state, keysDirectory))
	},
	"key": func(t *testing.T, state, elsewhere string) error {
		write(t, elsewhere, "key", "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=\n")
		if err := os.Mkdir(filepath.Join(state, keysDirectory), 0o700); err != nil {
			return err
		}
		return os.Symlink(filepath.Join(elsewhere, "key"), filepath.Join(state, keysDirectory, "wg0.key"))
	},
	"pipe": func(_ *testing.T, state, _ string) error {
		if err := os.Mkdir(filepath.Join(state, keysDirectory), 0o700); err != nil {
			return err
		}
		return syscall.Mkfifo(filepath.Join(state, keysDirectory, "wg0.key"), 0o600)
	},
}

// An nvad that was taken over may put links where root looks for a key. They give it no file and
// no directory, and nothing is read or written elsewhere.
func TestPublicKeyFollowsNoLinks(t *testing.T) {
	t.Setenv("STATE_DIRECTORY", "")
	for name, plant := range plants {
		t.Run(name, func(t *testing.T) {
			state, elsewhere := t.TempDir(), t.TempDir()
			if os.Geteuid() == 0 {
				if err := os.Chown(state, 65534, 65534); err != nil {
					t.Fatal(err)
				}
			}
			if err := plant(t, state, elsewhere); err != nil {
				t.Fatal(err)
			}
			before, _ := os.ReadDir(elsewhere)
			failed := make(chan error, 1)
			go func() {
				_, err := PublicKey(Options{Socket: filepath.Join(state, "nvad.sock")}, "wg0")
				failed <- err
			}()
			select {
			case err := <-failed:
				if err == nil {
					t.Error("it took the key, or made one")
				}
			case <-time.After(10 * time.Second):
				t.Fatal("it waits for ever")
			}
			if after, _ := os.ReadDir(elsewhere); len(after) != len(before) {
				t.Errorf("it wrote %v", after)
			}
			paths := []string{elsewhere}
			for _, f := range before {
				paths = append(paths, filepath.Join(elsewhere, f.Name()))
			}
			for _, path := range paths {
				info, err := os.Stat(path)
				if err != nil {
					t.Fatal(err)
				}
				if to := info.Sys().(*syscall.Stat_t); int(to.Uid) != os.Geteuid() {
					t.Errorf("%s was given to user %d", path, to.Uid)
				}
			}
		})
	}
}

// Whoever makes a key at the same time as others gets the one that stays.
func TestKeyIsMadeOnce(t *testing.T) {
	state := t.TempDir()
	keys := make([]tunnel.Secret, 8)
	var all sync.WaitGroup
	for i := range keys {
		all.Go(func() {
			var err error
			if keys[i], err = madeKey(state, "wg0"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, k := range keys {
		if !k.Equal(keys[0]) {
			t.Error("two have different keys")
		}
	}
	if left, err := os.ReadDir(filepath.Join(state, keysDirectory)); err != nil || len(left) != 1 {
		t.Errorf("%v %v", left, err)
	}
}

// WireGuard ignores a peer that has this end's own key, so that it would be missing, and be given again,
// each second.
func TestOwnKeyAsPeer(t *testing.T) {
	b := newWGBed(t, wireguardFile)
	own := b.wanted.Tunnels[0].WireGuard.Private.Public()
	cfg, err := config.Parse("nvad.toml", []byte(strings.Replace(wireguardFile, "L+V9o0fNYkMVKNqsX7spBzD/9oSvxM/C7ZCZX1jLO3Q=", own.String(), 1)))
	if err != nil {
		t.Fatal(err)
	}
	b.set(cfg)
	if got := b.wanted.Tunnels[0].WireGuard.Broken; !strings.Contains(got, "this end's own key") {
		t.Errorf("%q", got)
	}
	b.notice(time.Now())
	b.set(b.cfg)
	if got := b.wanted.Tunnels[0].WireGuard.Broken; got == "" {
		t.Error("forgotten")
	}
}

// A key file that is lost or damaged while nvad runs counts at the next reload, not when a peer
// happens to call from another address.
func TestKeyStaysWhilePeerRoams(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"removed": os.Remove,
		"damaged": func(path string) error { return os.WriteFile(path, []byte("AAAA"), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newWGBed(t, strings.ReplaceAll(wireguardFile, "roaming = false\n", ""))
			key := b.wanted.Tunnels[0].WireGuard.Private
			if err := spoil(filepath.Join(b.state, keysDirectory, "wg0.key")); err != nil {
				t.Fatal(err)
			}
			applied := b.applied
			call := netip.MustParseAddrPort("198.51.100.7:1000")
			b.status = []tunnel.Status{{Tunnel: tunnel.Tunnel{Name: "wg0", WireGuard: &tunnel.WireGuard{}}, Peer: tunnel.PeerState{Peer: tunnel.Peer{Endpoint: call}}}}
			b.notice(time.Now())
			if b.applied == applied {
				t.Fatal("the peer's new address was not handed over: this test could not fail")
			}
			if got := b.wanted.Tunnels[0].WireGuard; got.Private != key || got.Broken != "" {
				t.Errorf("another key, or none: %q", got.Broken)
			}
			b.set(b.cfg)
			if got := b.wanted.Tunnels[0].WireGuard; got.Private == key {
				t.Error("a reload did not read the file again")
			}
		})
	}
}

// TestSuccessorKey: a key is made for the successor of a configured WireGuard tunnel, once, and
// for nothing else.
func TestSuccessorKey(t *testing.T) {
	opt := Options{Socket: filepath.Join(t.TempDir(), "nvad.sock")}
	cfg := &config.Config{Tunnels: []config.Tunnel{{Name: "wg0", Type: config.TunnelWireGuard}, {Name: "vxlan0"}, {Name: "a23456789012345", Type: config.TunnelWireGuard}}}
	name, key, err := successorKey(opt, cfg, "wg0")
	if err != nil || name != "wg0k2" {
		t.Fatal(name, err)
	}
	if _, again, err := successorKey(opt, cfg, "wg0"); err != nil || again != key {
		t.Errorf("the key is another one the second time: %v", err)
	}
	for _, name := range []string{"wg0k2", "vxlan0", "wg1", "../x", "", "a23456789012345"} {
		if _, _, err := successorKey(opt, cfg, name); err == nil {
			t.Errorf("a key was made for %q", name)
		}
	}
	files, err := os.ReadDir(filepath.Dir(KeyFile(opt, "wg0")))
	if err != nil || len(files) != 1 || files[0].Name() != "wg0k2.key" {
		t.Errorf("files: %v, %v", files, err)
	}
}
