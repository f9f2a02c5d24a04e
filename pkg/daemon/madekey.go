package daemon

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/config/tomlfile"
	"github.com/nvad/nvad/pkg/tunnel"
)

// keysDirectory is the directory of the keys that nvad made, within the state directory.
const keysDirectory = "wireguard"

// PublicKey returns the public key of the private one that nvad has made, or will use, for a
// tunnel of that name. It makes the private key if there is none.
func PublicKey(opt Options, name string) (tunnel.Key, error) {
	if err := tomlfile.Interface(name); err != nil {
		return tunnel.Key{}, err
	}
	key, err := madeKey(opt.stateDirectory(), name)
	if err != nil {
		return tunnel.Key{}, err
	}
	return key.Public(), nil
}

// successorKey makes the key of the tunnel that takes the place of a WireGuard tunnel. It does so for
// configured tunnels only, so that no client fills the disk with keys.
func successorKey(opt Options, cfg *config.Config, name string) (successor string, key tunnel.Key, err error) {
	is := func(t config.Tunnel) bool { return t.Name == name && t.Type == config.TunnelWireGuard }
	if !slices.ContainsFunc(cfg.Tunnels, is) {
		return "", key, api.NotFound("no WireGuard tunnel %q is configured", name)
	}
	successor = config.Successor(name)
	if key, err = PublicKey(opt, successor); err != nil {
		return "", key, api.Invalid("the key of tunnel %s: %v", successor, err)
	}
	return successor, key, nil
}

// KeyFile returns the path of the private key that nvad made, or will make, for a tunnel of
// that name.
func KeyFile(opt Options, name string) string {
	return filepath.Join(opt.stateDirectory(), keysDirectory, name+".key")
}

// madeKey returns the private key of a tunnel, and makes it if there is none yet. Only nvad may
// read it. root may call it too, in the state directory of an nvad that was taken over, which
// can put links there: nothing outside that directory is read, written or given away.
func madeKey(state, name string) (tunnel.Secret, error) {
	key, err := keyWithin(state, name)
	if err != nil {
		err = fileError(filepath.Join(state, keysDirectory, name+".key"), err)
	}
	return key, err
}

func keyWithin(state, name string) (key tunnel.Secret, err error) {
	if err := os.MkdirAll(state, 0o700); err != nil {
		return key, err
	}
	root, err := os.OpenRoot(state)
	if err != nil {
		return key, err
	}
	defer root.Close()
	dir, err := keysWithin(root)
	if err != nil {
		return key, err
	}
	defer dir.Close()
	key, err = readKey(dir, name+".key")
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if err := writeKey(dir, name+".key"); err != nil {
		return key, err
	}
	return readKey(dir, name+".key")
}

// keysWithin opens the directory of the keys, and makes it if it is missing.
func keysWithin(state *os.Root) (*os.Root, error) {
	err := state.Mkdir(keysDirectory, 0o700)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	dir, openErr := state.OpenRoot(keysDirectory)
	if openErr != nil || err != nil { // it was there
		return dir, openErr
	}
	f, err := dir.Open(".")
	if err == nil {
		err = errors.Join(give(f, state), f.Close())
	}
	return dir, err
}

// give makes the owner of dir own f too. nvad does not run as root, but root may have asked for the key.
func give(f *os.File, dir *os.Root) error {
	owner, err := dir.Stat(".")
	if err != nil || os.Geteuid() != 0 {
		return err
	}
	to, ok := owner.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	return f.Chown(int(to.Uid), int(to.Gid))
}

// maxKeyFile bounds the file of a key, in octets.
const maxKeyFile = 256

func readKey(dir *os.Root, file string) (key tunnel.Secret, err error) {
	f, err := dir.OpenFile(file, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return key, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return key, errors.Join(err, errors.New("not a regular file"))
	}
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err != nil {
		return key, err
	}
	if key, err = tunnel.ParsePrivate(strings.TrimSpace(string(text))); err != nil {
		err = fmt.Errorf("%w; restore the file, or remove it: nvad then makes another key, and the peer needs its public key", err)
	}
	return key, err
}

// writeKey makes a key. If nvad and "nvad public-key" make one at the same time, the
// first stays, so that nvad uses the key that was printed.
func writeKey(dir *os.Root, file string) error {
	var octets [32]byte
	rand.Read(octets[:])
	temporary := "." + file + "." + rand.Text()
	f, err := dir.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, tunnel.NewPrivate(octets).Base64()+"\n")
	err = errors.Join(err, give(f, dir), f.Sync(), f.Close())
	if err == nil {
		err = dir.Link(temporary, file)
	}
	if errors.Is(err, fs.ErrExist) {
		err = nil
	}
	return errors.Join(err, dir.Remove(temporary))
}
