package daemon

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
)

func TestNetworkdLinks(t *testing.T) {
	links, err := net.Interfaces()
	i := slices.IndexFunc(links, func(l net.Interface) bool { return l.Flags&net.FlagLoopback == 0 })
	if err != nil || i < 0 {
		t.Skip("there is no link but the loopback")
	}
	for _, tt := range []struct {
		name, state, own string
		want             bool
	}{
		{"managed", "ADMIN_STATE=configured\nOPER_STATE=routable\n", "net:[1]", true},
		{"not managed", "ADMIN_STATE=unmanaged\n", "net:[1]", false},
		{"of another namespace", "ADMIN_STATE=configured\n", "net:[2]", false},
	} {
		root := t.TempDir()
		put := func(path, content string) {
			path = filepath.Join(root, path)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		put("run/systemd/netif/links/"+strconv.Itoa(links[i].Index), tt.state)
		for pid, target := range map[string]string{"1": "net:[1]", "self": tt.own} {
			put("proc/"+pid+"/ns/x", "")
			if err := os.Symlink(target, filepath.Join(root, "proc", pid, "ns/net")); err != nil {
				t.Fatal(err)
			}
		}
		if got := len(networkdLinks(root)) > 0; got != tt.want {
			t.Errorf("%s: %t", tt.name, got)
		}
	}
}
