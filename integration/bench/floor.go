package bench

import (
	"context"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/kernel"
)

// floor measures how fast the kernel takes and drops routes, without BGP.
func floor(ctx context.Context, o *Options, b *bed, res *Result) error {
	ns, err := os.Open(filepath.Join("/run/netns", b.ns("dut")))
	if err != nil {
		return err
	}
	defer ns.Close()
	k, err := kernel.OpenFIB(kernel.NamespaceFD(int(ns.Fd())))
	if err != nil {
		return err
	}
	defer k.Close()
	link, err := b.linkIndex()
	if err != nil {
		return err
	}
	ops := make([]fib.Op, res.Size)
	for i := range ops {
		ops[i] = fib.Op{Kind: fib.AddRoute, Route: fib.KernelRoute{
			Prefix: prefix(i), Protocol: 186, Metric: 20,
			Hops: []fib.NextHop{{Via: netip.MustParseAddr("10.0.0.1"), Link: link}},
		}}
	}
	t := &trial{Options: o, bed: b, res: res, n: res.Size, ctx: ctx}
	t.phase("add", func() error { return t.write(k, "fib", ops, t.n) })
	for i := range ops {
		ops[i].Kind = fib.DeleteRoute
	}
	t.phase("delete", func() error { return t.write(k, "withdraw", ops, 0) })
	return nil
}

// linkIndex is the index of the link to the Route Server.
func (b *bed) linkIndex() (index int, err error) {
	err = lab.WithinNamespace(b.ns("dut"), func() error {
		link, err := net.InterfaceByName("rs")
		if err == nil {
			index = link.Index
		}
		return err
	})
	return index, err
}

// write carries out ops in batches and notes when the FIB has want routes.
func (t *trial) write(k *kernel.FIB, key string, ops []fib.Op, want int) error {
	const batch = 10_000
	reached := t.fib.expect(want)
	begin := time.Now()
	for len(ops) > 0 {
		n := min(batch, len(ops))
		for _, err := range k.Do(ops[:n]) {
			if err != nil {
				return err
			}
		}
		ops = ops[n:]
	}
	return t.since(key, begin, t.fib.tracker, reached)
}

func prefix(number int) netip.Prefix {
	a := uint32(firstAddress + number<<8)
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(a >> 24), byte(a >> 16), byte(a >> 8), 0}), 24)
}
