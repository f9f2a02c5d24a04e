package lab_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
)

// TestLoopWithoutTunnel shows the loop that the article warns about. Here the NVAs' iBGP
// session runs between their NICs and not through a tunnel. The VNet's routes apply to the
// NVA's own NIC too, so the VNet sends back to the NVA what it has just sent on.
func TestLoopWithoutTunnel(t *testing.T) {
	nvas := map[string]lab.NVA{}
	for vnet, static := range map[string]string{
		"hub00": "route 10.10.0.4/32 via 10.0.0.1;",
		"hub10": "route 10.0.0.4/32 via 10.10.0.1;",
	} {
		nvas[vnet] = lab.NVA{Kind: lab.BIRD, Config: withoutTunnel(t, vnet, static), Script: os.DevNull}
	}
	l := lab.Up(t, lab.Options{NVAs: nvas})
	l.AwaitSessions(t, 20*time.Second)
	lab.Eventually(t, 20*time.Second, func() error {
		if hops, _ := effective(t, l, "vm-hub00", "10.110.0.0/16"); hops != "10.0.0.4" {
			return fmt.Errorf("next hops of 10.110.0.0/16 on the NVA's NIC are %q", hops)
		}
		if hops, _ := effective(t, l, "vm-hub100", "10.110.0.0/16"); hops == "" {
			return fmt.Errorf("10.110.0.0/16 has not arrived behind the circuit")
		}
		out, _ := l.Output("vm-hub00", "ip", "route", "get", "10.110.0.4")
		if !strings.Contains(out, "via 10.0.0.1 dev eth0") {
			return fmt.Errorf("the NVA's route is %q", out)
		}
		return nil
	})
	out, err := l.Output("vm-hub100", "ping", "-c", "1", "-W", "2", "10.110.0.4")
	if err == nil || !strings.Contains(out, "From 10.0.0.4") || !strings.Contains(out, "Time to live exceeded") {
		t.Errorf("ping found no loop at the NVA:\n%s", out)
	}
}

// withoutTunnel rewrites an NVA's configuration to peer over the VNet peering, with a static
// route to the other NVA.
func withoutTunnel(t *testing.T, vnet, static string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "two-hubs", "vm-"+vnet+".bird.conf"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(
		"169.254.0.1", "10.0.0.4", "169.254.0.2", "10.10.0.4",
		"\tdirect;\n", "\tmultihop;\n", "\tipv4;\n", "\tipv4;\n\t"+static+"\n",
	).Replace(string(data))
	file := filepath.Join(t.TempDir(), "bird.conf")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestVNet checks what a VNet carries between its NICs and over a peering, and what it drops.
func TestVNet(t *testing.T) {
	l := lab.Up(t, lab.Options{})
	l.AwaitAnswer(t, "vm-hub00", "10.0.0.5")
	l.AwaitAnswer(t, "vm-hub00", "10.10.0.5")
	l.AwaitAnswer(t, "vm-hub00", "168.63.129.16")
	l.AwaitAnswer(t, "vm-hub00", "169.254.169.254")
	for name, argv := range map[string][]string{
		"multicast":        {"ping", "-c", "1", "-W", "1", "-I", "eth0", "224.0.0.1"},
		"own unused space": {"ping", "-c", "1", "-W", "1", "10.0.7.7"},
		"other VNets":      {"ping", "-c", "1", "-W", "1", "10.110.0.4"},
	} {
		if out, err := l.Output("vm-hub00", argv...); err == nil {
			t.Errorf("%s got an answer:\n%s", name, out)
		}
	}
	for port, want := range map[int]bool{65329: true, 65330: false} {
		if got := delivered(t, l, port); got != want {
			t.Errorf("UDP from source port %d: delivered %v, want %v", port, got, want)
		}
	}
	for proto, want := range map[string]bool{"ip4:50": true, "ip4:47": false, "ip4:4": false} {
		if got := deliveredRaw(t, l, proto); got != want {
			t.Errorf("%s: delivered %v, want %v", proto, got, want)
		}
	}
}

// deliveredRaw sends one packet of an IP protocol and reports whether it
// arrives at the VM beside it.
func deliveredRaw(t *testing.T, l *lab.Lab, proto string) bool {
	t.Helper()
	var server *net.IPConn
	to := &net.IPAddr{IP: net.IPv4(10, 0, 0, 5)}
	err := l.Within("vm-hub00-b", func() (err error) {
		server, err = net.ListenIP(proto, to)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	err = l.Within("vm-hub00", func() error {
		client, err := net.DialIP(proto, nil, to)
		if err != nil {
			return err
		}
		defer client.Close()
		_, err = client.Write(make([]byte, 40))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return answers(server)
}

// answers reports whether anything arrives soon.
func answers(server net.Conn) bool {
	_ = server.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
	_, err := server.Read(make([]byte, 100))
	return err == nil
}

// delivered sends one datagram from a source port and reports whether it
// arrives at the VM beside it.
func delivered(t *testing.T, l *lab.Lab, source int) bool {
	t.Helper()
	var server *net.UDPConn
	to := &net.UDPAddr{IP: net.IPv4(10, 0, 0, 5), Port: 9999}
	err := l.Within("vm-hub00-b", func() (err error) {
		server, err = net.ListenUDP("udp4", to)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	err = l.Within("vm-hub00", func() error {
		client, err := net.DialUDP("udp4", &net.UDPAddr{Port: source}, to)
		if err != nil {
			return err
		}
		defer client.Close()
		_, err = client.Write([]byte("x"))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return answers(server)
}

// TestSweep leaves a lab behind as a killed test would.
func TestSweep(t *testing.T) {
	lab.RequireRoot(t)
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	prefix := fmt.Sprintf("nvlsweep%d", os.Getpid())
	l, err := lab.Create(t.Context(), lab.Options{
		Prefix:   prefix,
		Emulator: lab.Build(t, "./integration/lab/cmd/azure"),
		Owner:    dead.Process.Pid,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := lab.Sweep(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(l.Dir()); !os.IsNotExist(err) {
		t.Errorf("%s is still there", l.Dir())
	}
	if out := run(t, "ip", "netns"); strings.Contains(out, prefix) {
		t.Errorf("namespaces are still there:\n%s", out)
	}
	if _, err := lab.Open(prefix); err == nil {
		t.Error("the lab can still be opened")
	}
}

func run(t *testing.T, argv ...string) string {
	t.Helper()
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", argv, err, out)
	}
	return string(out)
}
