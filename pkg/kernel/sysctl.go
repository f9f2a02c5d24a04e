package kernel

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Sysctls reads and writes the settings under /proc/sys as a namespace sees them.
type Sysctls struct{ ns Namespace }

// openSysctls returns the settings of a namespace.
func openSysctls(ns Namespace) Sysctls { return Sysctls{ns} }

// Get returns a setting without surrounding space. Its name is in sysctl(8)'s
// form; a link's name with dots in it is written with slashes throughout, as
// there.
func (s Sysctls) Get(name string) (string, error) {
	var b []byte
	err := s.ns.do(func() (err error) {
		b, err = os.ReadFile(sysctlPath(name))
		return err
	})
	if err != nil {
		return "", fmt.Errorf("sysctl %s: %w", name, err)
	}
	return strings.TrimSpace(string(b)), nil
}

// Set writes a setting.
func (s Sysctls) Set(name, value string) error {
	err := s.ns.do(func() error { return os.WriteFile(sysctlPath(name), []byte(value), 0) })
	if err != nil {
		return fmt.Errorf("sysctl %s = %s: %w", name, value, err)
	}
	return nil
}

func sysctlPath(name string) string {
	if !strings.Contains(name, "/") {
		name = strings.ReplaceAll(name, ".", "/")
	}
	return filepath.Join("/proc/sys", filepath.Clean("/"+name))
}
