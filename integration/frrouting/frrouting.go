// Package frrouting starts FRR's daemons as Debian ships them, for tests and for the lab.
//
// It promises that the sockets, the files and everything that vtysh talks to are in a
// directory of the caller's, so that any number of FRRs can run side by side. It does not
// start processes itself and owns no state: the caller provides a function that starts a
// process, and ends the processes. The caller also writes the configuration.
package frrouting

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"time"
)

// startTime is how long a daemon may take until it answers.
const startTime = 10 * time.Second

// Path returns where Debian installs a daemon: "zebra", "bgpd".
func Path(daemon string) string { return filepath.Join("/usr/lib/frr", daemon) }

// Own gives a directory to the user that FRR's daemons run as.
func Own(dir string) error {
	u, err := user.Lookup("frr")
	if err != nil {
		return fmt.Errorf("is FRR installed? %w", err)
	}
	uid, errUID := strconv.Atoi(u.Uid)
	gid, errGID := strconv.Atoi(u.Gid)
	return errors.Join(errUID, errGID, os.Chown(dir, uid, gid))
}

// Command returns the command line of a daemon that stays in the foreground, reads config and
// has its sockets in dir. more is appended.
func Command(dir, daemon, config string, more ...string) []string {
	argv := []string{
		Path(daemon), "-f", config, "-i", filepath.Join(dir, daemon+".pid"),
		"--vty_socket", dir, "-z", filepath.Join(dir, "zserv.api"), "-A", "127.0.0.1", "-P", "0",
	}
	if daemon == "bfdd" {
		argv = append(argv, "--bfdctl", filepath.Join(dir, "bfdd.sock"))
	}
	return append(argv, more...)
}

// Start gives dir to FRR and starts daemons with spawn, each once the one before answers.
// zebra must be first. Each daemon reads the file that config returns for it.
func Start(dir string, daemons []string, config func(daemon string) string, spawn func(daemon string, argv ...string) error) error {
	if err := Own(dir); err != nil {
		return err
	}
	for _, daemon := range daemons {
		if err := spawn(daemon, Command(dir, daemon, config(daemon))...); err != nil {
			return err
		}
		if err := Await(dir, daemon); err != nil {
			return err
		}
	}
	return nil
}

// Await waits until a daemon answers vtysh. If it does not answer within 10 s, Await returns
// the reason.
func Await(dir, daemon string) error {
	socket := filepath.Join(dir, daemon+".vty")
	for deadline := time.Now().Add(startTime); ; time.Sleep(5 * time.Millisecond) {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			return conn.Close()
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s does not answer: %w", daemon, err)
		}
	}
}

// Unconfigured returns no file for any daemon: the configuration comes through vtysh.
func Unconfigured(string) string { return os.DevNull }

// Files returns dir/daemon.conf for each daemon, because none accepts another's lines.
func Files(dir string) func(daemon string) string {
	return func(daemon string) string { return filepath.Join(dir, daemon+".conf") }
}

// Vtysh returns the command line of vtysh with these arguments, for the daemons of dir.
func Vtysh(dir string, args ...string) []string {
	return append([]string{"vtysh", "--vty_socket", dir}, args...)
}
