// Package debroot keeps Debian roots in the user's cache directory: the one that
// integration/machine boots, and the one that integration/rivals takes programs from.
//
// A root takes a minute and a download to make, so it is made once and then shared by all test
// processes, which wait for the one that makes it. A root is never changed: if its recipe
// changes, another one is made. `make setup-undo` removes all of them. How a root is made is
// up to the caller.
package debroot

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
)

// Cache returns the directory that contains the roots, and creates it if necessary.
func Cache() (string, error) {
	user, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(user, "nvad-machine")
	return dir, os.MkdirAll(dir, 0o755)
}

// Missing is the error if there is no root and none can be made, for example without a
// network.
type Missing struct{ error }

// Get returns the root with that name and recipe. If it is not in the cache, it calls download
// to make it in a directory that does not exist yet.
func Get(name, recipe string, download func(dir string) error) (string, error) {
	root, err := Path(name, recipe)
	if err != nil {
		return "", err
	}
	unlock, err := lock(filepath.Join(filepath.Dir(root), "lock-"+name))
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(root); err == nil {
		return root, nil
	}
	unfinished := root + ".new"
	if err := os.RemoveAll(unfinished); err != nil {
		return "", err
	}
	if err := download(unfinished); err != nil {
		return "", errors.Join(Missing{fmt.Errorf("make the root %s, for which packages are downloaded: %w", name, err)}, os.RemoveAll(unfinished))
	}
	return root, os.Rename(unfinished, root)
}

// Path returns where the root with that name and recipe is or will be.
func Path(name, recipe string) (string, error) {
	cache, err := Cache()
	sum := sha256.Sum256([]byte(runtime.GOARCH + "\n" + recipe))
	return filepath.Join(cache, fmt.Sprintf("%s-%x", name, sum[:6])), err
}

func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { f.Close() }, nil
}

// Source is a line of sources.list.
type Source struct{ URI, Suite, Component string }

// Sources returns the host's suite and where its apt gets that suite's packages: the suite's
// own archive first, then its updates.
func Sources() (suite string, list []Source, err error) {
	release, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return "", nil, err
	}
	for line := range strings.Lines(string(release)) {
		if v, ok := strings.CutPrefix(line, "VERSION_CODENAME="); ok {
			suite = strings.Trim(strings.TrimSpace(v), `"`)
		}
	}
	out, err := exec.Command("apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages").Output()
	if err != nil {
		return "", nil, fmt.Errorf("apt-get indextargets: %w", err)
	}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) != 3 || f[1] != suite && !strings.HasPrefix(f[1], suite+"-") {
			continue
		}
		if s := (Source{f[0], f[1], f[2]}); !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	slices.SortStableFunc(list, func(a, b Source) int { return len(a.Suite) - len(b.Suite) })
	if len(list) == 0 || list[0].Suite != suite {
		return "", nil, fmt.Errorf("apt knows no archive of suite %q", suite)
	}
	return suite, list, nil
}

// Run runs a command without a terminal. If it fails, the error contains the end of its
// output.
func Run(argv ...string) error {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8", "PATH=/usr/sbin:/usr/bin:/sbin:/bin")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", argv[0], err, out[max(0, len(out)-2000):])
	}
	return nil
}
