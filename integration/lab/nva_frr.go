package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"time"
)

// Where Debian's FRR has its daemons and keeps its sockets. A path space gives
// every NVA a directory of its own below frrRunDir.
const (
	frrDaemonDir = "/usr/lib/frr"
	frrRunDir    = "/var/run/frr"
	frrUser      = "frr"
)

// frrDaemons are what the article's NVA runs, in the order of their start.
var frrDaemons = []string{"zebra", "staticd", "bgpd"}

// frrProcesses names an FRR NVA's processes in the order in which they are
// ended: bgpd first, so that it says goodbye while zebra still runs.
func frrProcesses(vm VM) []string {
	var names []string
	for _, daemon := range frrDaemons {
		names = append([]string{vm.Name + "." + daemon}, names...)
	}
	return names
}

func (l *Lab) frrDir(vm VM) string { return filepath.Join(frrRunDir, l.Namespace(vm.Name)) }

// prepareFRR makes the directory of an NVA's path space, which belongs to the
// user that FRR's daemons run as.
func (l *Lab) prepareFRR(vm VM) error {
	u, err := user.Lookup(frrUser)
	if err != nil {
		return fmt.Errorf("is FRR installed? %w", err)
	}
	uid, errUID := strconv.Atoi(u.Uid)
	gid, errGID := strconv.Atoi(u.Gid)
	dir := l.frrDir(vm)
	if err := errors.Join(errUID, errGID, os.MkdirAll(dir, 0o755)); err != nil {
		return err
	}
	return errors.Join(os.Chown(frrRunDir, uid, gid), os.Chown(dir, uid, gid))
}

// startFRR starts the daemons and feeds the configuration in through vtysh,
// which takes what `show running-config` prints.
func (l *Lab) startFRR(vm VM, nva NVA) error {
	config, err := l.nvaFile(nva.Config, vm, ".frr.conf")
	if err != nil {
		return err
	}
	space := l.Namespace(vm.Name)
	for _, daemon := range frrDaemons {
		vty := filepath.Join(l.frrDir(vm), daemon+".vty")
		if err := os.RemoveAll(vty); err != nil {
			return err
		}
		bin := filepath.Join(frrDaemonDir, daemon)
		if err := l.spawn(vm.Name+"."+daemon, vm.Name, bin, "-N", space, "-f", os.DevNull); err != nil {
			return err
		}
		if err := awaitFile(vty); err != nil {
			return err
		}
	}
	_, err = l.Output(vm.Name, "vtysh", "-N", space, "-f", config)
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

func awaitFile(path string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for {
		_, err := os.Stat(path)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(5 * time.Millisecond):
		}
	}
}
