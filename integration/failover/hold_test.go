package failover

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nvad/nvad/integration/frrouting"
	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/rivals"
)

var flagHold = flag.Int("hold-routes", 100_000, "routes that two neighbors announce and withdraw while BFD has to hold")

// TestBFDHolds keeps every core busy while two neighbors announce everything and the preferred
// one loses its session and announces everything again. BFD at 300 ms x 3, with FRR's bfdd and
// with BIRD, must not go down.
func TestBFDHolds(t *testing.T) {
	lab.RequireRival(t, rivals.FRR8)
	const interval = 300 * time.Millisecond
	s := layScene(t, nvadDaemon, *flagHold, interval)
	s.a.answerByFRR(interval)
	s.b.answerBFD(interval)
	lab.Build(t, "./cmd/nvactl")
	startNvadAsService(s.bed)
	s.occupy()
	gap := s.a.watchBFD()
	start := time.Now()
	s.load()
	s.a.reset()
	s.a.connect()
	s.settle()
	took := time.Since(start).Round(time.Millisecond)
	near, downs := s.nearFlaps(), s.a.frrDowns()
	t.Logf("%d routes twice, %d withdrawn and announced again, in %v on %d busy cores", s.routes, s.routes, took, runtime.NumCPU())
	t.Logf("nvad has seen flaps %v, FRR %d; nvad's packets to FRR were %v apart at most", near, downs, gap().Round(time.Millisecond))
	if near["10.1.0.2"]+near["10.2.0.2"]+downs > 0 || len(near) != 2 {
		t.Errorf("BFD flapped: nvad has seen %v, FRR %d", near, downs)
	}
}

// servicePriority is the nice value of nvad.service.
const servicePriority = -10

// startNvadAsService starts nvad at the priority it has under systemd.
func startNvadAsService(b *bed) {
	b.Helper()
	b.Spawn("dut", "nvad", "nice", "-n", fmt.Sprint(servicePriority-priority), lab.Build(b.T, "./cmd/nvad"),
		"--config", filepath.Join(b.Dir, "nvad.toml"), "--socket", filepath.Join(b.Dir, "nvad.sock"))
}

// occupy keeps every core busy at the priority of an ordinary service.
func (s *scene) occupy() {
	s.Helper()
	for i := range runtime.NumCPU() {
		s.Spawn("host", fmt.Sprintf("busy%d", i), "nice", "-n", fmt.Sprint(-priority), "sh", "-c", "while :; do :; done")
	}
}

// answerByFRR is answerBFD with FRR's bfdd.
func (v *nva) answerByFRR(interval time.Duration) {
	v.Helper()
	ms := interval.Milliseconds()
	config := v.Write("bfdd.conf", fmt.Sprintf("bfd\n peer %s local-address %s\n  transmit-interval %d\n  receive-interval %d\n exit\nexit\n",
		v.remote, v.address, ms, ms))
	err := frrouting.Start(rivals.FRR8, v.Dir, []string{"bfdd"}, func(string) string { return config }, func(name string, argv ...string) error {
		v.Spawn(v.name, name, argv...)
		return nil
	})
	if err != nil {
		v.Fatal(err)
	}
}

// frrDowns returns how many times FRR has seen a session go down.
func (v *nva) frrDowns() int {
	v.Helper()
	out := v.Run(frrouting.Vtysh(rivals.FRR8, v.Dir, "-c", "show bfd peers counters json")...)
	var peers []struct {
		Downs int `json:"session-down"`
	}
	if err := json.Unmarshal([]byte(out), &peers); err != nil || len(peers) != 1 {
		v.Fatalf("bfdd's counters: %v: %s", err, out)
	}
	return peers[0].Downs
}

// nearFlaps returns how many times nvad has seen a session go down, by neighbor.
func (s *scene) nearFlaps() map[string]int {
	s.Helper()
	out, err := s.Nvactl("nvad", "-o", "json", "neighbors")
	if err != nil {
		s.Fatal(err)
	}
	var list []struct {
		Address string
		BFD     *struct{ Flaps int }
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		s.Fatal(err)
	}
	flaps := map[string]int{}
	for _, n := range list {
		if n.BFD != nil {
			flaps[n.Address] = n.BFD.Flaps
		}
	}
	return flaps
}

// watchBFD watches the BFD packets that reach the NVA once its session is up. The returned
// function stops the watch and returns the longest time between two packets.
func (v *nva) watchBFD() (end func() time.Duration) {
	v.Helper()
	var fd int
	err := lab.WithinNamespace(v.NS(v.name), func() (err error) {
		fd, err = capture(v.device)
		return err
	})
	if err != nil {
		v.Fatal(err)
	}
	stop, longest := make(chan struct{}), make(chan time.Duration)
	go func() {
		defer unix.Close(fd)
		longest <- longestGap(fd, stop)
	}()
	return func() time.Duration { close(stop); return <-longest }
}

// capture opens a socket that receives the IPv4 packets of a device. Reads time out after a
// while.
func capture(device string) (int, error) {
	const ipv4 = unix.ETH_P_IP>>8 | unix.ETH_P_IP&0xff<<8
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM, ipv4)
	if err != nil {
		return 0, err
	}
	i, err := net.InterfaceByName(device)
	if err != nil {
		return 0, err
	}
	return fd, errors.Join(unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: ipv4, Ifindex: i.Index}),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 100_000}))
}

// longestGap returns the longest time between two BFD packets of a session that is up and has
// reached its fast interval.
func longestGap(fd int, stop <-chan struct{}) (longest time.Duration) {
	const up, ipHeader, udpHeader, bfdPort = 3, 20, 8, 3784
	var last time.Time
	buf, oob := make([]byte, 2048), make([]byte, 128)
	for {
		select {
		case <-stop:
			return longest
		default:
		}
		n, cn, _, from, err := unix.Recvmsg(fd, buf, oob, 0)
		if err != nil || n < ipHeader+udpHeader+24 || binary.BigEndian.Uint16(buf[ipHeader+2:]) != bfdPort {
			continue
		}
		if ll, ok := from.(*unix.SockaddrLinklayer); ok && ll.Pkttype == unix.PACKET_OUTGOING {
			continue
		}
		control := buf[ipHeader+udpHeader:]
		if fast := binary.BigEndian.Uint32(control[12:]) < 1_000_000; control[1]>>6 != up || !fast {
			last = time.Time{}
			continue
		}
		now := arrival(oob[:cn])
		if !last.IsZero() {
			longest = max(longest, now.Sub(last))
		}
		last = now
	}
}

// arrival returns when the kernel received a packet (SO_TIMESTAMPNS): this process may have
// read it late.
func arrival(oob []byte) time.Time {
	list, err := unix.ParseSocketControlMessage(oob)
	if err != nil || len(list) == 0 || len(list[0].Data) < 16 {
		return time.Now()
	}
	sec, nsec := binary.NativeEndian.Uint64(list[0].Data), binary.NativeEndian.Uint64(list[0].Data[8:])
	return time.Unix(int64(sec), int64(nsec))
}
