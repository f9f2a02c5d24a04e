package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// SitePath returns the path of the file that names the NVAs of the lab for nvactl --site. The file
// is missing if no NVA runs nvad.
func (l *Lab) SitePath() string { return l.path("site.toml") }

// writeSite writes the file that names the NVAs on which nvad runs.
func (l *Lab) writeSite() error {
	text := "# The NVAs of this lab, for nvactl --site.\n"
	some := false
	for _, vm := range l.Topology.Hosts() {
		if l.Options.NVAs[vm.Name].Kind.IsNvad() {
			some = true
			text += fmt.Sprintf("\n[[nva]]\nname = %q\nsocket = %q\n", vm.Name, l.nvaSocket(vm))
		}
	}
	if !some {
		return nil
	}
	return os.WriteFile(l.SitePath(), []byte(text), 0o644)
}

// webName is the process that serves the page.
const webName = "web"

// webPort is the port of the page, if nobody else has it.
const webPort = "127.0.0.1:8179"

// StartWeb starts nvactl web for all NVAs of the lab, and returns the address of the page. It ends
// with the lab.
func (l *Lab) StartWeb(ctx context.Context) (address string, err error) {
	at := webPort
	if free, err := net.Listen("tcp", at); err != nil {
		at = "127.0.0.1:0"
	} else {
		_ = free.Close()
	}
	nvactl := l.Options.Nvactl
	if nvactl == "" {
		nvactl = filepath.Join(filepath.Dir(l.Options.Emulator), "nvactl")
	}
	// Whoever can read the log has the token.
	log := l.path("log", webName+".log")
	if err := os.WriteFile(log, nil, 0o600); err != nil {
		return "", err
	}
	if err := l.start(webName, exec.Command(nvactl, "--site", l.SitePath(), "web", "--listen", at)); err != nil {
		return "", err
	}
	return l.awaitPage(ctx, log)
}

// awaitPage waits until nvactl web has printed the address.
func (l *Lab) awaitPage(ctx context.Context, log string) (string, error) {
	for {
		text, err := os.ReadFile(log)
		if err != nil {
			return "", err
		}
		first, _, whole := bytes.Cut(text, []byte("\n"))
		if address, ok := strings.CutPrefix(string(first), "Open "); ok && whole {
			return address, nil
		}
		if _, running := l.process(webName); !running {
			return "", fmt.Errorf("nvactl web ended: %s", bytes.TrimSpace(text))
		}
		select {
		case <-ctx.Done():
			return "", errors.Join(fmt.Errorf("nvactl web printed no address: %s", text), ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}
