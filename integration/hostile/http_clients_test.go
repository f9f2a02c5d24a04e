package hostile

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
)

// mostClients is how many descriptors nvad may use for its clients: 256 for HTTP, and some for
// the API.
const mostClients = 300

// TestHeldHTTP: someone opens connections to /healthz and sends nothing. nvad keeps only as
// many as it has room for. A load balancer, nvactl and BGP still get through.
func TestHeldHTTP(t *testing.T) {
	b := newBed(t, listenerAddress, feederAddress)
	b.start(fmt.Sprintf("asn = %d\nrouter-id = %q\nhealth.listen = [\"%s:%s\"]\n", dutASN, dutAddress, dutAddress, healthPort) +
		neighborKeys(listenerAddress, listenerASN, ""))
	w := &witnesses{bed: b}
	lab.Eventually(t, 10*time.Second, func() error { _, _, err := w.healthz(); return err })
	before := b.descriptors()
	count := 1000
	if long {
		count = 4500
	}
	from, to := netip.AddrPortFrom(netip.MustParseAddr(feederAddress), 0), netip.MustParseAddrPort(dutAddress+":"+healthPort)
	var held []net.Conn
	defer func() {
		for _, c := range held {
			c.Close()
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	for i := range count {
		c, err := lab.DialFrom(b.NS(theirs))(ctx, from, to)
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		held = append(held, c)
		if i%100 != 99 {
			continue
		}
		if code, _, err := w.healthz(); err != nil || code != http.StatusOK && code != http.StatusServiceUnavailable {
			t.Errorf("after %d connections /healthz answers %d, %v", i+1, code, err)
		}
		if now := b.descriptors(); now > before+mostClients {
			t.Errorf("after %d connections nvad has %d descriptors, before it had %d", i+1, now, before)
		}
	}
	if _, err := b.nvactl("status"); err != nil {
		t.Error(err)
	}
	good := w.good(listenerAddress, listenerASN, nil)
	if err := good.Err(); err != nil {
		t.Errorf("BGP: %v", err)
	}
}

// descriptors counts nvad's open descriptors.
func (b *bed) descriptors() int {
	b.Helper()
	list, err := os.ReadDir(filepath.Join("/proc", fmt.Sprint(b.nvad.Process.Pid), "fd"))
	if err != nil {
		b.Fatal(err)
	}
	return len(list)
}
