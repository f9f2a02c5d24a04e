package listen

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestHolder names this very process for ports that it has.
func TestHolder(t *testing.T) {
	tcp, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	udp, err := net.ListenPacket("udp6", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	want := fmt.Sprintf(" (pid %d) of user ", os.Getpid())
	at := tcp.Addr().(*net.TCPAddr).AddrPort()
	if _, err := TCP(at); err == nil || !strings.Contains(err.Error(), "listen on "+at.String()+": listen.test"+want) {
		t.Errorf("taken: %v", err)
	}
	for _, at := range []netip.AddrPort{at, netip.AddrPortFrom(netip.IPv4Unspecified(), at.Port())} {
		if got := Holder(at); !strings.Contains(got, want) {
			t.Errorf("%s: %s", at, got)
		}
	}
	if got := HolderUDP(udp.LocalAddr().(*net.UDPAddr).AddrPort()); !strings.HasPrefix(got, "a program of user ") {
		t.Errorf("UDP: %s", got)
	}
}

// TestHolderUnseen: of another user's process only the user can be seen, and of one
// that ended meanwhile nothing.
func TestHolderUnseen(t *testing.T) {
	proc := t.TempDir()
	table := `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0400000A:23DB 00000000:0000 0A 00000000:00000000 00:00000000 00000000 54321        0 4711 1 0 100 0 0 10 0
   1: 0400000A:C001 0100000A:00B3 01 00000000:00000000 00:00000000 00000000 54321        0 4712 1 0 100 0 0 10 0
`
	if err := errors.Join(os.MkdirAll(filepath.Join(proc, "self/net"), 0o755), os.MkdirAll(filepath.Join(proc, "7/fd"), 0o755),
		os.WriteFile(filepath.Join(proc, "self/net/tcp"), []byte(table), 0o644)); err != nil {
		t.Fatal(err)
	}
	for at, want := range map[string]string{
		"10.0.0.4:9179":  "a program of user 54321 has it (ss -lntp, as root, shows which)",
		"0.0.0.0:9179":   "a program of user 54321 has it (ss -lntp, as root, shows which)",
		"10.0.0.5:9179":  "another program has it (ss -lntp shows which)",
		"10.0.0.4:49153": "another program has it (ss -lntp shows which)", // a session, no listener
	} {
		if got := holderIn(proc, "tcp", netip.MustParseAddrPort(at)); got != want {
			t.Errorf("%s: %s, want %s", at, got, want)
		}
	}
	if err := errors.Join(os.Symlink("socket:[4711]", filepath.Join(proc, "7/fd/3")), os.WriteFile(filepath.Join(proc, "7/comm"), []byte("py\x1b[2Jthon\n"), 0o644)); err != nil {
		t.Fatal(err)
	}
	if got := holderIn(proc, "tcp", netip.MustParseAddrPort("10.0.0.4:9179")); got != "py[2Jthon (pid 7) of user 54321 has it" {
		t.Error(got)
	}
}
