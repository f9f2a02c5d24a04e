package docs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
)

// TestCommands goes through the pages and runs their commands, each page in its own shell on
// an NVA. The migration from FRR comes first, then everything else with nvad.
func TestCommands(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	count := 0
	for _, p := range inOrder(readPages(t)) {
		statements := p.shown(t)
		if len(statements) == 0 {
			continue
		}
		t.Run(strings.ReplaceAll(p.name, "/", "_"), func(t *testing.T) { count += b.page(t, p, statements) })
	}
	t.Logf("%d statements ran", count)
	if count < 100 {
		t.Errorf("%d statements ran: are they looked for where they are?", count)
	}
}

// inOrder puts the page that begins with FRR first.
func inOrder(pages []page) (out []page) {
	for _, p := range pages {
		if p.name == "docs/from-frr.md" {
			out = append([]page{p}, out...)
		} else {
			out = append(out, p)
		}
	}
	return out
}

// page runs the statements of a page and returns how many it ran.
func (b *bed) page(t *testing.T, p page, statements []statement) (ran int) {
	sh := newShell(t, b.Lab, nva, filepath.Join(b.dir, "own"), filepath.Join(b.dir, "conf"), b.NVASocket(nva),
		filepath.Join(b.dir, "bin"), b.work(t, p), filepath.Join(b.dir, "state"), b.Certificate())
	for _, s := range statements {
		by, _ := runsElsewhere(s) // TestElsewhere reports the errors
		if by != "" && !b.stand(t, sh, s) || by == "" && checkKnown(s) != nil {
			continue
		}
		ran++
		if by == "" && !b.stand(t, sh, s) {
			b.run(t, sh, s)
		}
	}
	b.leave(t)
	return ran
}

// run runs a statement, which must end with exit code 0.
func (b *bed) run(t *testing.T, sh *shell, s statement) {
	t.Helper()
	begin := time.Now()
	b.before(t, s)
	out, code := sh.run(s.text)
	t.Logf("%s:%d (%.1f s) $ %s\n%s", s.page, s.line, time.Since(begin).Seconds(), s.text, out)
	if code != 0 {
		t.Errorf("%s:%d: %s: exit code %d\n%s", s.page, s.line, s.text, code, out)
	}
	if strings.Contains(s.text, "the same") && differs(out) {
		t.Errorf("%s:%d: not the same:\n%s", s.page, s.line, out)
	}
	b.after(t, sh, s)
}

// differs reports whether diff has printed a difference.
func differs(out string) bool {
	return strings.HasPrefix(out, "< ") || strings.HasPrefix(out, "> ") || strings.Contains(out, "\n< ") || strings.Contains(out, "\n> ")
}

// alone lists the commands of nvactl that need no daemon.
var alone = []string{"nvactl config check", "nvactl config convert", "nvactl policy test"}

// versioned matches commands that name a configuration of the history.
var versioned = regexp.MustCompile(`--from [0-9]|--version [0-9]|nvactl rollback [0-9]`)

// before prepares what a statement expects, such as a daemon or a change to apply.
func (b *bed) before(t *testing.T, s statement) {
	t.Helper()
	asks := strings.Contains(s.text, "nvactl ") && !strings.Contains(s.text, "nvactl config convert")
	for _, a := range alone {
		asks = asks && !strings.HasPrefix(s.text, a)
	}
	switch {
	case asks:
		b.use(t, false)
	case strings.Contains(s.text, "nvad bootstrap"):
		b.must(t, os.RemoveAll(b.conf()))
	}
	switch {
	case strings.Contains(s.text, "in_sync"), strings.HasPrefix(s.text, "nvactl health"):
		b.await(t, true)
	case strings.HasPrefix(s.text, "nvactl azure diff"):
		b.settle(t)
	case strings.Contains(s.text, "--soft"):
		b.awaitNeighbors(t)
	case strings.HasPrefix(s.text, "nvactl reload"):
		b.change(t)
		b.pending = strings.Contains(s.text, "--confirm")
	case strings.HasPrefix(s.text, "nvactl confirm"):
		if !b.pending {
			b.change(t)
			b.nvactl(t, "reload", "--confirm", "60s")
		}
		b.pending = false
	case versioned.MatchString(s.text):
		b.versions(t, s.page)
	}
}

// settle waits until Azure has done what nvad sent.
func (b *bed) settle(t *testing.T) {
	t.Helper()
	b.awaitNeighbors(t)
	b.await(t, true)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	b.must(t, b.Settle(ctx))
}

// versions gives a page its own history of six configurations.
func (b *bed) versions(t *testing.T, page string) {
	t.Helper()
	if b.history == page {
		return
	}
	b.history = page
	b.must(t, b.StopNVA(nva))
	b.must(t, os.RemoveAll(filepath.Join(filepath.Dir(b.NVASocket(nva)), "history")))
	b.use(t, false)
	for range 5 {
		b.change(t)
		b.nvactl(t, "reload")
	}
}

// after restores what a statement has stopped or removed.
func (b *bed) after(t *testing.T, sh *shell, s statement) {
	t.Helper()
	switch {
	case strings.Contains(s.text, "nvad bootstrap"):
		b.configure(t)
	case strings.HasPrefix(s.text, "cd $(mktemp -d)"): // where the reader has the tunnel's configuration file
		sh.run("cp " + filepath.Join(b.workOf(s.page), "vxlan.sh") + " .")
	}
}

// leave cleans up after a page, so that the next one finds what it expects.
func (b *bed) leave(t *testing.T) {
	t.Helper()
	b.configure(t)
	if b.remote {
		b.must(t, b.StopNVA(nva))
		b.remote = false
	}
	b.use(t, false)
	for _, address := range []string{"10.0.210.4", "10.0.210.5"} {
		b.nvactl(t, "enable", address)
	}
	b.nvactl(t, "drain", "--off")
	b.nvactl(t, "reload")
	b.AwaitSessions(t, time.Minute)
}

// stand does what a statement asks of systemd or of a terminal, and reports whether it did.
func (b *bed) stand(t *testing.T, sh *shell, s statement) bool {
	t.Helper()
	switch {
	case strings.HasPrefix(s.text, "systemctl disable --now frr"):
		return true // it ends when nvad begins
	case strings.HasPrefix(s.text, "systemctl enable --now nvad"):
		b.use(t, false)
		b.await(t, true)
	case strings.HasPrefix(s.text, "systemctl enable --now frr"):
		b.use(t, true)
	case strings.HasPrefix(s.text, "systemctl restart nvad"):
		b.serve(t)
	case strings.Contains(s.text, "nvad --config"):
		b.foreground(t, sh, s)
	default:
		return false
	}
	return true
}

// serve restarts nvad with the API on TCP, as docs/safe-change.md configures it.
func (b *bed) serve(t *testing.T) {
	t.Helper()
	file, err := os.OpenFile(b.conf(), os.O_APPEND|os.O_WRONLY, 0)
	b.must(t, err)
	tls := filepath.Join(filepath.Dir(b.conf()), "tls")
	_, err = fmt.Fprintf(file, "[api]\nlisten = [\"10.0.0.4:8443\"]\ncertificate = \"%[1]s/nvad.crt\"\nkey = \"%[1]s/nvad.key\"\n"+
		"client-ca = \"%[1]s/ca.crt\"\nadmins = [\"OU=network\"]\n", tls)
	b.must(t, errors.Join(err, file.Close(), b.StopNVA(nva)))
	b.remote = true
	b.use(t, false)
}

// foreground runs nvad as a reader does at a terminal, until it is in sync.
func (b *bed) foreground(t *testing.T, sh *shell, s statement) {
	t.Helper()
	b.use(t, false)
	b.must(t, b.StopNVA(nva))
	sh.run("rm /run/nvad/nvad.sock; (exec " + s.text + ") >nvad.log 2>&1 & daemon=$!")
	defer func() {
		out, code := sh.run("kill -TERM $daemon; wait $daemon; code=$?; ln -sf " + b.NVASocket(nva) + " /run/nvad/nvad.sock; cat nvad.log; (exit $code)")
		t.Logf("%s:%d $ %s\n%s", s.page, s.line, s.text, out)
		if code != 0 {
			t.Errorf("%s:%d: %s: exit code %d\n%s", s.page, s.line, s.text, code, out)
		}
	}()
	lab.Eventually(t, time.Minute, func() error {
		if out, code := sh.run("nvactl status -o json | jq -e .in_sync"); code != 0 {
			return errors.New(out)
		}
		return nil
	})
}
