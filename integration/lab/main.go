package lab

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Main runs the tests of a package and removes what Build has built. The tests fail
// where a process that one of them has started does not end with them.
//
//	func TestMain(m *testing.M) { os.Exit(lab.Main(m)) }
func Main(m *testing.M) int {
	defer os.RemoveAll(BuildDir())
	if err := os.Setenv(startedBy, strconv.Itoa(os.Getpid())); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	left := descendants()
	for deadline := time.Now().Add(5 * time.Second); len(left) > 0 && time.Now().Before(deadline); left = descendants() {
		time.Sleep(20 * time.Millisecond)
	}
	for _, process := range left {
		fmt.Fprintln(os.Stderr, "the tests have ended and this process has not:", process)
		code = 1
	}
	return code
}

// startedBy is in the environment of what the tests start, and of what that starts.
const startedBy = "NVAD_TEST_PID"

// descendants are the processes that this one has started, their parents may be
// gone: PID and command line of each.
func descendants() []string {
	self := strconv.Itoa(os.Getpid())
	mark := []byte(startedBy + "=" + self)
	paths, _ := filepath.Glob("/proc/[0-9]*/environ")
	var found []string
	for _, path := range paths {
		dir := filepath.Dir(path)
		pid := filepath.Base(dir)
		environ, _ := os.ReadFile(path) // a process may end meanwhile
		if pid == self || !hasVariable(environ, mark) {
			continue
		}
		argv, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		found = append(found, pid+" "+strings.ReplaceAll(strings.TrimRight(string(argv), "\x00"), "\x00", " "))
	}
	return found
}

// hasVariable reports whether an environment, as in /proc, has a variable.
func hasVariable(environ, variable []byte) bool {
	for v := range bytes.SplitSeq(environ, []byte{0}) {
		if bytes.Equal(v, variable) {
			return true
		}
	}
	return false
}
