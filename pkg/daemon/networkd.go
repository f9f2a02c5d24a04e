package daemon

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/nvad/nvad/pkg/config"
)

// plain decides whether routes do without next-hop objects. systemd-networkd
// before 256 deletes the objects of others when it is restarted, and the kernel
// the routes with them; routes that carry their next hops it leaves alone if told
// to (ManageForeignRoutes=no).
func (d *daemon) plain(cfg *config.Config) bool {
	if cfg.Kernel.NextHopGroups != config.Auto {
		return cfg.Kernel.NextHopGroups == config.Off
	}
	links := networkdLinks("/")
	if len(links) > 0 {
		d.log.Info("routes without next-hop groups: systemd-networkd would delete these at its restart",
			"links", strings.Join(links, " "), "otherwise", "kernel.nexthop-groups = true")
	}
	return len(links) > 0
}

// networkdLinks returns the names of the links that systemd-networkd manages: none
// if it manages another network namespace.
func networkdLinks(root string) []string {
	own, err1 := os.Readlink(filepath.Join(root, "proc/self/ns/net"))
	init, err2 := os.Readlink(filepath.Join(root, "proc/1/ns/net"))
	if err1 == nil && err2 == nil && own != init {
		return nil
	}
	files, err := filepath.Glob(filepath.Join(root, "run/systemd/netif/links/*"))
	if err != nil {
		return nil
	}
	var names []string
	for _, f := range files {
		index, err := strconv.Atoi(filepath.Base(f))
		if err != nil || !managed(f) {
			continue
		}
		if l, err := net.InterfaceByIndex(index); err == nil && l.Flags&net.FlagLoopback == 0 {
			names = append(names, l.Name)
		}
	}
	return names
}

// managed reads the state that systemd-networkd keeps of a link (networkctl(1),
// SETUP): one that it has been told to configure.
func managed(file string) bool {
	b, err := os.ReadFile(file)
	if err != nil {
		return false
	}
	lines := strings.Split(string(b), "\n")
	return slices.Contains(lines, "ADMIN_STATE=configured") || slices.Contains(lines, "ADMIN_STATE=configuring")
}
