package lab

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/nvad/nvad/integration/frrouting"
	"github.com/nvad/nvad/integration/rivals"
)

// frrRunDir is where Debian's FRR keeps its sockets. With a path space, each NVA has its own
// directory there.
const frrRunDir = "/var/run/frr"

// frrDaemons returns the daemons of the article's NVA, in the order in which they are started.
func frrDaemons(frr rivals.Rival) []string { return frrouting.Daemons(frr, "zebra", "staticd", "bgpd") }

// frrProcesses returns the names of an FRR NVA's processes in the order in which they are
// ended: bgpd first, so that it can close its sessions while zebra still runs.
func frrProcesses(frr rivals.Rival, vm VM) []string {
	var names []string
	for _, daemon := range frrDaemons(frr) {
		names = append([]string{vm.Name + "." + daemon}, names...)
	}
	return names
}

func (l *Lab) frrDir(vm VM) string { return filepath.Join(frrRunDir, l.Namespace(vm.Name)) }

// prepareFRR creates the directory of an NVA's path space. It belongs to the user that FRR's
// daemons run as.
func (l *Lab) prepareFRR(vm VM) error {
	if err := os.MkdirAll(l.frrDir(vm), 0o755); err != nil {
		return err
	}
	return errors.Join(frrouting.Own(frrRunDir), frrouting.Own(l.frrDir(vm)))
}

// startFRR starts the daemons and loads the configuration through vtysh, which accepts what
// `show running-config` prints.
func (l *Lab) startFRR(vm VM, nva NVA) error {
	config, err := l.nvaFile(nva.Config, vm, ".frr.conf")
	if err != nil {
		return err
	}
	space := l.Namespace(vm.Name)
	frr := kinds[nva.Kind]
	for _, daemon := range frrDaemons(frr) {
		if err := os.RemoveAll(filepath.Join(l.frrDir(vm), daemon+".vty")); err != nil {
			return err
		}
		argv := []string{frr.Daemon(daemon), "-N", space}
		if frrouting.ReadsFile(frr, daemon) {
			argv = append(argv, "-f", os.DevNull)
		}
		if err := l.spawn(vm.Name+"."+daemon, vm.Name, frr.Command("", argv...)...); err != nil {
			return err
		}
		if err := frrouting.Await(l.frrDir(vm), daemon); err != nil {
			return err
		}
	}
	_, err = l.Output(vm.Name, frr.Command("", frr.Client(), "-N", space, "-f", config)...)
	return err
}

// removeFRR removes the path spaces' directories.
func (l *Lab) removeFRR() error {
	var errs []error
	for _, host := range l.Topology.Hosts() {
		errs = append(errs, os.RemoveAll(l.frrDir(host)))
	}
	return errors.Join(errs...)
}
