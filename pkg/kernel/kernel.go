// Package kernel is nvad's only access to the Linux kernel: rtnetlink, nftables and
// sysctls.
//
// Packages fib, tunnel, nat and nic compare what is wanted with what there is, and ask
// for the rest through interfaces. This package implements those interfaces, and
// reports what other programs change.
//
// Promise: everything concerns one network namespace, the caller's or one that is given.
// Routes go in batches with an answer for each, so that one rejected route stops no
// other and each error is known. Nothing is cached: every read asks the kernel.
//
// It owns sockets and no other state. What should be in the kernel, and what to do about
// errors, is for the packages above to decide. Links, addresses and nftables go through
// libraries; ADR 0014 says why the rest does not. nvad's messages follow linux/rtnetlink.h,
// linux/nexthop.h, linux/if_link.h, linux/neighbour.h, linux/fib_rules.h and
// linux/netfilter/nf_tables.h.
package kernel

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/nvad/nvad/pkg/fib"
)

// Kernel bundles every kernel interface that nvad uses in one network namespace.
type Kernel struct {
	FIB     *FIB
	Tunnels *Tunnels
	NFT     *NFT
	NICs    *NICs
	Sysctls Sysctls
	Monitor *Monitor // of rtnetlink
	// ID identifies boot and namespace.
	ID string

	tables *Monitor // of nftables; nil: the kernel has none
}

// Open opens the sockets. It changes nothing in the namespace. The kernel keeps events
// from this moment until [Kernel.Watch] fetches them.
func Open(ns Namespace) (*Kernel, error) {
	k := &Kernel{Sysctls: Sysctls{ns}}
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
	s, err := dial(ns, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	k.Tunnels, k.NICs = newTunnels(ns, s), &NICs{s}
	if k.NFT, err = openNFT(ns); err != nil {
		return err
	}
	if k.Monitor, err = openMonitor(ns, k.FIB); err != nil {
		return err
	}
	k.tables, err = openNFTMonitor(ns)
	return err
}

// Watch calls fn with what other programs change, until ctx ends: links, addresses,
// routes, rules, sysctls and nvad's nftables table. It may call fn from two goroutines.
func (k *Kernel) Watch(ctx context.Context, fn func([]fib.Event)) error {
	tasks, ctx := errgroup.WithContext(ctx)
	tasks.Go(func() error { return k.Monitor.Watch(ctx, fn) })
	if k.tables != nil {
		tasks.Go(func() error { return k.tables.Watch(ctx, fn) })
	}
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

// Close closes the sockets. The kernel's state stays; where it has no WireGuard, nobody
// encrypts from then on.
func (k *Kernel) Close() error {
	var errs []error
	if k.tables != nil {
		errs = append(errs, k.tables.Close())
	}
	if k.Monitor != nil {
		errs = append(errs, k.Monitor.Close())
	}
	if k.Tunnels != nil {
		errs = append(errs, k.Tunnels.close())
	}
	if k.FIB != nil {
		errs = append(errs, k.FIB.Close())
	}
	return errors.Join(errs...)
}
