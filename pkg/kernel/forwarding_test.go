package kernel

import (
	"fmt"
	"testing"
)

// The forwarding database of a device: which entries nvad added, which the device may have
// learned, and who owns them.
func TestForwarding(t *testing.T) {
	ns, name := testNS(t)
	k := open(t, ns)
	for _, cmd := range []string{
		"link add vxlan0 type vxlan id 42 group 239.1.1.1 dev eth0 dstport 8472", "link set vxlan0 up", "addr add 10.0.1.1/24 dev vxlan0",
		"neigh add 10.0.1.254 lladdr 02:00:00:00:00:02 dev vxlan0", "neigh add 10.0.1.253 lladdr 02:00:00:00:00:02 dev vxlan0",
		"neigh add fd00::2 lladdr 02:00:00:00:00:02 dev vxlan0", "neigh add 10.0.1.9 lladdr 02:00:00:00:00:09 dev vxlan0",
	} {
		sh(t, "ip -n "+name+" "+cmd)
	}
	sh(t, "bridge -n "+name+" fdb add 02:00:00:00:00:02 dev vxlan0 dst 10.0.2.254 dynamic")
	sh(t, "bridge -n "+name+" fdb add 02:00:00:00:00:03 dev vxlan0 dst 10.0.2.253 permanent")
	links, err := k.Tunnels.Links()
	if err != nil {
		t.Fatal(err)
	}
	entries, err := Forwarding(ns, links[len(links)-1].Index)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, e := range entries {
		got[e.MAC.String()] = fmt.Sprint(e.Remote, e.Permanent, e.Addresses)
		if e.Age < 0 || e.Age.Minutes() > 1 {
			t.Errorf("%s is %v old", e.MAC, e.Age)
		}
	}
	for mac, want := range map[string]string{
		"00:00:00:00:00:00": "239.1.1.1 true []",
		"02:00:00:00:00:02": "10.0.2.254 false [10.0.1.253 10.0.1.254 fd00::2]",
		"02:00:00:00:00:03": "10.0.2.253 true []",
	} {
		if got[mac] != want {
			t.Errorf("%s: %s, want %s", mac, got[mac], want)
		}
	}
	if len(got) != 3 {
		t.Errorf("entries %v", got)
	}
}
