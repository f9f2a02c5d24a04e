package machine

import (
	"crypto/sha256"
	_ "embed"
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

// packages are installed in addition to Debian's minimal root. cloud-init is installed
// separately, because debootstrap fails on it.
var packages = []string{
	"systemd", "systemd-sysv", "dbus", "iproute2", "iputils-ping", "nftables", "procps", "curl", "ca-certificates",
}

//go:embed furnish.sh
var furnish string

// baseRoot returns the root that all machines share. If it is not in the cache, baseRoot
// creates it.
func baseRoot() (string, error) {
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	unlock, err := lock(filepath.Join(cache, "lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	suite, sources, err := aptSources()
	if err != nil {
		return "", err
	}
	recipe := strings.Join(append([]string{suite, runtime.GOARCH, furnish}, packages...), "\n")
	root := filepath.Join(cache, fmt.Sprintf("%s-%x", suite, sha256.Sum256([]byte(recipe)))[:len(suite)+13])
	if _, err := os.Stat(root); err == nil {
		return root, nil
	}
	unfinished := root + ".new"
	if err := os.RemoveAll(unfinished); err != nil {
		return "", err
	}
	if err := makeRoot(unfinished, suite, sources); err != nil {
		return "", errors.Join(noRoot{fmt.Errorf("make a root of %s, for which packages are downloaded: %w", suite, err)}, os.RemoveAll(unfinished))
	}
	return root, os.Rename(unfinished, root)
}

// noRoot is the error if there is no root and none can be created, for example without a
// network.
type noRoot struct{ error }

func cacheDir() (string, error) {
	user, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(user, "nvad-machine")
	return dir, os.MkdirAll(dir, 0o755)
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

// source is a line of sources.list.
type source struct{ uri, suite, component string }

// aptSources returns the host's suite and where its apt gets that suite's packages: the
// suite's own archive first, then its updates.
func aptSources() (suite string, list []source, err error) {
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
		if s := (source{f[0], f[1], f[2]}); !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	slices.SortStableFunc(list, func(a, b source) int { return len(a.suite) - len(b.suite) })
	if len(list) == 0 || list[0].suite != suite {
		return "", nil, fmt.Errorf("apt knows no archive of suite %q", suite)
	}
	return suite, list, nil
}

func makeRoot(dir, suite string, sources []source) error {
	var text strings.Builder
	var components []string
	for _, s := range sources {
		fmt.Fprintf(&text, "deb %s %s %s\n", s.uri, s.suite, s.component)
		if s.suite == suite {
			components = append(components, s.component)
		}
	}
	if err := quietly("debootstrap", "--variant=minbase", "--include="+strings.Join(packages, ","),
		"--components="+strings.Join(components, ","), suite, dir, sources[0].uri); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "etc/apt/sources.list"), []byte(text.String()), 0o644); err != nil {
		return err
	}
	return quietly("chroot", dir, "sh", "-euc", furnish)
}

// quietly runs a command. If it fails, the error contains the end of its output.
func quietly(argv ...string) error {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8", "PATH=/usr/sbin:/usr/bin:/sbin:/bin")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", argv[0], err, out[max(0, len(out)-2000):])
	}
	return nil
}
