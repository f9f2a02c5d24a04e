// Package frrouting starts FRR's daemons as Debian ships them, for tests and for the lab.
//
// Promise: the sockets, the files and what vtysh talks to are in a directory of the
// caller's, so that any number of FRRs run side by side. It starts no process of its
// own accord and owns no state: the caller says how one is started, and ends it. What
// a configuration says is the caller's too.
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

// startTime bounds how long a daemon may take until it answers.
const startTime = 10 * time.Second

// Path is where Debian has a daemon: "zebra", "bgpd".
func Path(daemon string) string { return filepath.Join("/usr/lib/frr", daemon) }

// Own gives a directory to the user that FRR's daemons become.
func Own(dir string) error {
	u, err := user.Lookup("frr")
	if err != nil {
		return fmt.Errorf("is FRR installed? %w", err)
	}
	uid, errUID := strconv.Atoi(u.Uid)
	gid, errGID := strconv.Atoi(u.Gid)
	return errors.Join(errUID, errGID, os.Chown(dir, uid, gid))
}

// Command is the command line of a daemon that stays in the foreground, reads config
// and has its sockets in dir, with more arguments behind.
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

// Start gives dir to FRR and starts daemons by spawn, each once the one before
// answers: zebra is to be first. Each reads the file that config names for it.
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

// Await waits until a daemon answers vtysh; it returns why it does not after 10 s.
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

// Unconfigured names no file for any daemon: the configuration comes by vtysh.
func Unconfigured(string) string { return os.DevNull }

// Files names dir/daemon.conf for each daemon: none takes another's lines.
func Files(dir string) func(daemon string) string {
	return func(daemon string) string { return filepath.Join(dir, daemon+".conf") }
}

// Vtysh is the command line of vtysh with these arguments, for the daemons of dir.
func Vtysh(dir string, args ...string) []string {
	return append([]string{"vtysh", "--vty_socket", dir}, args...)
}
