package kernel

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/nvad/nvad/pkg/fib"
)

// Kernel is every door to one namespace, opened together.
type Kernel struct {
	FIB     *FIB
	Tunnels *Tunnels
	NFT     *NFT
	NICs    *NICs
	Sysctls Sysctls
	Monitor *Monitor
	// NFTMonitor is what Monitor is not: nftables has events of its own.
	NFTMonitor *NFTMonitor
	// ID names the boot and the namespace.
	ID string
}

// Open opens the doors to a namespace. It changes nothing there, and from now on
// the monitor keeps events.
func Open(ns Namespace) (*Kernel, error) {
	k := &Kernel{Sysctls: openSysctls(ns)}
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
	if k.Tunnels, err = openTunnels(ns); err != nil {
		return err
	}
	if k.NFT, err = openNFT(ns); err != nil {
		return err
	}
	if k.NICs, err = openNICs(ns); err != nil {
		return err
	}
	if k.Monitor, err = openMonitor(ns, k.FIB); err != nil {
		return err
	}
	k.NFTMonitor, err = openNFTMonitor(ns)
	return err
}

// Watch tells what both monitors see, as [Monitor.Watch] does, but from two
// goroutines.
func (k *Kernel) Watch(ctx context.Context, fn func([]fib.Event)) error {
	tasks, ctx := errgroup.WithContext(ctx)
	tasks.Go(func() error { return k.Monitor.Watch(ctx, fn) })
	tasks.Go(func() error { return k.NFTMonitor.Watch(ctx, fn) })
	return tasks.Wait()
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
	if k.NFTMonitor != nil {
		errs = append(errs, k.NFTMonitor.Close())
	}
	if k.Monitor != nil {
		errs = append(errs, k.Monitor.Close())
	}
	if k.NICs != nil {
		errs = append(errs, k.NICs.Close())
	}
	if k.Tunnels != nil {
		errs = append(errs, k.Tunnels.Close())
	}
	if k.FIB != nil {
		errs = append(errs, k.FIB.Close())
	}
	return errors.Join(errs...)
}
