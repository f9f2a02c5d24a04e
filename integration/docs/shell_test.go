package docs

import (
	"bufio"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
)

// commandTimeout is how long one statement may take on a busy machine.
const commandTimeout = 30 * time.Second

// mark begins the line that follows each statement and contains its exit code.
const mark = "@@end "

// shell is a bash on an NVA that runs the statements of one page one after the other.
type shell struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// prelude gives the shell its own /etc and /run/nvad, in which conf is /etc/nvad and socket is
// nvad's socket, the way to Azure's Resource Manager, a key for the NVAs, and functions for
// commands that a test can't really run.
const prelude = `set -o pipefail
own=%[1]s
mount -t tmpfs tmpfs $own && mkdir $own/u $own/w && cp /etc/hosts $own/u/ &&
mount -t overlay overlay -o lowerdir=/etc,upperdir=$own/u,workdir=$own/w /etc &&
mkdir -p /etc/nvad /etc/frr /run/nvad && mount --bind %[2]s /etc/nvad && mount -t tmpfs -o mode=755 tmpfs /run/nvad &&
ln -s %[3]s /run/nvad/nvad.sock || exit 1
PATH=%[4]s:$PATH
export STATE_DIRECTORY=%[6]s TMPDIR=%[6]s SSL_CERT_FILE=%[7]s
reboot() { :; }
cd %[5]s && cp frr.conf /etc/frr/ && openssl rand -hex 20 >nva.key
`

// newShell starts a shell on a node.
func newShell(t *testing.T, l *lab.Lab, node string, places ...any) *shell {
	t.Helper()
	cmd := l.Command(node, "bash", "--noprofile", "--norc")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &shell{cmd, in, bufio.NewReader(out)}
	t.Cleanup(func() { in.Close(); _ = cmd.Wait() })
	if out, code := s.raw(fmt.Sprintf(prelude, places...)); code != 0 {
		t.Fatalf("prelude: %d: %s", code, out)
	}
	return s
}

// run runs a statement and returns its output and its exit code.
func (s *shell) run(text string) (string, int) {
	return s.raw("{\n" + text + "\n} </dev/null\n")
}

func (s *shell) raw(text string) (string, int) {
	if _, err := io.WriteString(s.in, text+"code=$?; echo; echo \""+mark+"$code\"\n"); err != nil {
		return err.Error(), -1
	}
	hung := time.AfterFunc(commandTimeout, func() { _ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL) })
	defer hung.Stop()
	var out strings.Builder
	for {
		line, err := s.out.ReadString('\n')
		if err != nil {
			return out.String() + "the shell has ended: " + err.Error(), -1
		}
		if code, ok := strings.CutPrefix(line, mark); ok {
			n, _ := strconv.Atoi(strings.TrimSpace(code))
			return strings.TrimSuffix(out.String(), "\n"), n
		}
		out.WriteString(line)
	}
}
