// Package frrouting starts the daemons of a version of FRR, for tests and for the lab.
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
	"slices"
	"strconv"
	"time"

	"github.com/nvad/nvad/integration/rivals"
)

// startTime is how long a daemon may take until it answers.
const startTime = 10 * time.Second

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

// managed are the daemons that read no file in newer versions: mgmtd has their configuration,
// and gets it from vtysh.
var managed = []string{"mgmtd", "staticd"}

// ReadsFile reports whether a daemon of that version reads a configuration file itself.
func ReadsFile(frr rivals.Rival, daemon string) bool {
	return frr == rivals.FRR8 || !slices.Contains(managed, daemon)
}

// Daemons returns the daemons to start for those that are wanted, in the order in which to start
// them: newer versions configure staticd through mgmtd.
func Daemons(frr rivals.Rival, wanted ...string) []string {
	if frr != rivals.FRR8 && slices.Contains(wanted, "staticd") {
		return append([]string{"mgmtd"}, wanted...)
	}
	return wanted
}

// Command returns the command line of a daemon that stays in the foreground, reads config, if it
// can, and has its sockets in dir. more is appended.
func Command(frr rivals.Rival, dir, daemon, config string, more ...string) []string {
	argv := []string{
		frr.Daemon(daemon), "-i", filepath.Join(dir, daemon+".pid"),
		"--vty_socket", dir, "-z", filepath.Join(dir, "zserv.api"), "-A", "127.0.0.1", "-P", "0",
	}
	if ReadsFile(frr, daemon) {
		argv = append(argv, "-f", config)
	}
	if daemon == "bfdd" && frr == rivals.FRR8 { // newer versions have no control socket
		argv = append(argv, "--bfdctl", filepath.Join(dir, "bfdd.sock"))
	}
	return frr.Command(dir, append(argv, more...)...)
}

// Start gives dir to FRR and starts daemons with spawn, each once the one before answers, and
// mgmtd before them if one of them needs it. zebra must be first. Each daemon that can reads
// the file that config returns for it.
func Start(frr rivals.Rival, dir string, daemons []string, config func(daemon string) string, spawn func(daemon string, argv ...string) error) error {
	if err := Own(dir); err != nil {
		return err
	}
	for _, daemon := range Daemons(frr, daemons...) {
		if err := spawn(daemon, Command(frr, dir, daemon, config(daemon))...); err != nil {
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
func Vtysh(frr rivals.Rival, dir string, args ...string) []string {
	return frr.Command(dir, append([]string{frr.Client(), "--vty_socket", dir}, args...)...)
}
