package failover

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"strconv"

	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/rawbgp"
)

// destinations is the block that contains everything announced.
const destinations = "16.0.0.0/4"

// prefix returns the n-th announced network of the block that begins at base.
func prefix(base, n int) netip.Prefix {
	at := base<<24 + n<<8
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(at >> 24), byte(at >> 16), byte(at >> 8), 0}), 24)
}

// block is the first octet of ordinary announcements.
const block = 20

// announcement returns count routes with the same attributes.
func announcement(base, count int, attrs rawbgp.Attrs) []rawbgp.Route {
	routes := make([]rawbgp.Route, count)
	for i := range routes {
		routes[i] = rawbgp.Route{Prefix: prefix(base, i), Attrs: &attrs}
	}
	return routes
}

// targets returns one address for each flow, spread over the announced networks from the first
// to the last.
func targets(base, count, flows int) []netip.Addr {
	list := make([]netip.Addr, flows)
	for i := range list {
		a := prefix(base, i*(count-1)/max(flows-1, 1)).Addr().As4()
		a[3] = 9
		list[i] = netip.AddrFrom4(a)
	}
	return list
}

// through returns an error unless the kernel routes count networks through a gateway.
func (s *scene) through(namespace string, gateway netip.Addr, count int) error {
	out, err := exec.Command("ip", "-4", "-n", s.NS(namespace), "route", "show").Output()
	if err != nil {
		return fmt.Errorf("ip route: %w", err)
	}
	if n := bytes.Count(out, []byte(" via "+gateway.String()+" ")); n < count {
		return fmt.Errorf("%d of %d routes go through %s", n, count, gateway)
	}
	return nil
}

// prefixes counts the prefixes in the kernel's routing tables without reading the tables.
func (s *scene) prefixes(namespace string) (count int, err error) {
	err = lab.WithinNamespace(s.NS(namespace), func() error {
		data, err := os.ReadFile("/proc/thread-self/net/fib_triestat")
		if err != nil {
			return err
		}
		m := trieSize.FindSubmatch(data)
		if m == nil {
			return errors.New("fib_triestat tells no number of prefixes")
		}
		count, err = strconv.Atoi(string(m[1]))
		return err
	})
	return count, err
}

// trieSize matches the size of the first table, which local and main share.
var trieSize = regexp.MustCompile(`Prefixes:\s+(\d+)`)

// pathOf returns the attributes of an NVA's routes, with its ASN repeated length times.
func pathOf(nextHop netip.Addr, asn uint32, length int) rawbgp.Attrs {
	path := rawbgp.Segment{Type: rawbgp.Sequence}
	for range length {
		path.ASNs = append(path.ASNs, asn)
	}
	return rawbgp.Attrs{Path: []rawbgp.Segment{path}, NextHop: nextHop}
}
