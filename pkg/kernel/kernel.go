package kernel

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// Kernel is every door to one namespace, opened together.
type Kernel struct {
	FIB     *FIB
	Tunnels *Tunnels
	Sysctls Sysctls
	Monitor *Monitor
	// ID names the boot and the namespace.
	ID string
}

// Open opens the doors to a namespace. It changes nothing there, and from now on
// the monitor keeps events.
func Open(ns Namespace) (*Kernel, error) {
	k := &Kernel{Sysctls: OpenSysctls(ns)}
	if err := k.open(ns); err != nil {
		return nil, errors.Join(err, k.Close())
	}
	return k, nil
}

func (k *Kernel) open(ns Namespace) (err error) {
	if k.ID, err = identify(ns); err != nil {
		return err
	}
	if k.FIB, err = OpenFIB(ns); err != nil {
		return err
	}
	if k.Tunnels, err = OpenTunnels(ns); err != nil {
		return err
	}
	k.Monitor, err = OpenMonitor(ns, k.FIB)
	return err
}

func identify(ns Namespace) (string, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("boot: %w", err)
	}
	id, err := ns.ID()
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s %d", strings.TrimSpace(string(boot)), id), nil
}

// Close closes what is open; the kernel's state stays.
func (k *Kernel) Close() error {
	var errs []error
	if k.Monitor != nil {
		errs = append(errs, k.Monitor.Close())
	}
	if k.Tunnels != nil {
		errs = append(errs, k.Tunnels.Close())
	}
	if k.FIB != nil {
		errs = append(errs, k.FIB.Close())
	}
	return errors.Join(errs...)
}
