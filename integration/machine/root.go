package machine

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/nvad/nvad/integration/debroot"
)

// packages are installed in addition to Debian's minimal root. cloud-init is installed
// separately, because debootstrap fails on it.
var packages = []string{
	"systemd", "systemd-sysv", "dbus", "iproute2", "iputils-ping", "nftables", "procps", "curl", "ca-certificates",
}

//go:embed furnish.sh
var furnish string

// baseRoot returns the root that all machines share.
func baseRoot() (string, error) {
	suite, sources, err := debroot.Sources()
	if err != nil {
		return "", err
	}
	recipe := strings.Join(append([]string{furnish}, packages...), "\n")
	return debroot.Get(suite, recipe, func(dir string) error { return makeRoot(dir, suite, sources) })
}

func makeRoot(dir, suite string, sources []debroot.Source) error {
	var text strings.Builder
	var components []string
	for _, s := range sources {
		fmt.Fprintf(&text, "deb %s %s %s\n", s.URI, s.Suite, s.Component)
		if s.Suite == suite {
			components = append(components, s.Component)
		}
	}
	if err := debroot.Run("debootstrap", "--variant=minbase", "--include="+strings.Join(packages, ","),
		"--components="+strings.Join(components, ","), suite, dir, sources[0].URI); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "etc/apt/sources.list"), []byte(text.String()), 0o644); err != nil {
		return err
	}
	return debroot.Run("chroot", dir, "sh", "-euc", furnish)
}
