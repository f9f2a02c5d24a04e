package kernel

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/nat"
)

// NFTMonitor tells when nvad's nftables table changes, by whoever's hand.
type NFTMonitor struct {
	conn *netlink.Conn // nil: the kernel has no netfilter
}

// openNFTMonitor starts to listen: the kernel keeps events from now on. Where there
// is no netfilter there are no events.
func openNFTMonitor(ns Namespace) (*NFTMonitor, error) {
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, &netlink.Config{NetNS: ns.fd})
	if errors.Is(err, unix.EPROTONOSUPPORT) {
		return &NFTMonitor{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("netfilter socket: %w", err)
	}
	err = errors.Join(conn.SetReadBuffer(monitorBuffer), conn.JoinGroup(unix.NFNLGRP_NFTABLES))
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("nftables events: %w", err)
	}
	return &NFTMonitor{conn}, nil
}

// Close ends listening, and a [NFTMonitor.Watch] with it.
func (m *NFTMonitor) Close() error {
	if m.conn == nil {
		return nil
	}
	return m.conn.Close()
}

// Watch calls fn for each change of the table until ctx ends or the monitor is
// closed. Events that were lost count as a change.
func (m *NFTMonitor) Watch(ctx context.Context, fn func([]fib.Event)) error {
	if m.conn == nil {
		<-ctx.Done()
		return ctx.Err()
	}
	stop := context.AfterFunc(ctx, func() { m.conn.Close() })
	defer stop()
	for {
		list, err := m.conn.Receive()
		switch {
		case ctx.Err() != nil, errors.Is(err, os.ErrClosed):
			return ctx.Err()
		case err != nil && !errors.Is(err, unix.ENOBUFS):
			return fmt.Errorf("nftables events: %w", err)
		case err != nil || concernsOwn(list):
			fn([]fib.Event{{Kind: fib.NATEvent}})
		}
	}
}

// concernsOwn looks for the name of the table, which is the first attribute of the
// messages about every kind of object.
func concernsOwn(list []netlink.Message) bool {
	for _, m := range list {
		own := false
		attrs(m.Data[min(nfgenmsg, len(m.Data)):], func(kind uint16, value []byte) {
			own = own || kind == unix.NFTA_TABLE_NAME && unix.ByteSliceToString(value) == nat.Table
		})
		if own {
			return true
		}
	}
	return false
}
