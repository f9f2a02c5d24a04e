package lifecycle

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// manager is systemd's end of the notification socket.
type manager struct {
	*bed
	mu       sync.Mutex
	messages []string
	ready    func() // called at the first READY=1, before the next message is read
}

// manager creates the socket and returns the environment variable that names it.
func (b *bed) manager(ready func()) (*manager, []string) {
	b.Helper()
	m := &manager{bed: b, ready: ready}
	path := b.Dir + "/notify"
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	go m.receive(c)
	return m, []string{"NOTIFY_SOCKET=" + path}
}

func (m *manager) receive(c *net.UnixConn) {
	buf := make([]byte, 4096)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		message := string(buf[:n])
		if message == "READY=1" && m.ready != nil {
			m.ready()
			m.ready = nil
		}
		m.mu.Lock()
		m.messages = append(m.messages, message)
		m.mu.Unlock()
	}
}

func (m *manager) all() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.messages)
}

// told waits for a message that matches.
func (m *manager) told(pattern string) {
	m.Helper()
	re := regexp.MustCompile(pattern)
	m.Eventually(patience, func() error {
		all := m.all()
		if !slices.ContainsFunc(all, re.MatchString) {
			return fmt.Errorf("no %q in %q", pattern, all)
		}
		return nil
	})
}

// TestReady starts nvad as systemd does: READY=1 comes once the link and every static route
// are installed.
func TestReady(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	const routes = 2000
	s := ordinary()
	for i := range routes {
		s.statics = append(s.statics, fmt.Sprintf("10.%d.%d.0/24", 128+i/256, i%256))
	}
	s.rest = "[kernel]\nip-forward = true\n"
	b.configure(s)
	var links, table, forward string
	m, env := b.manager(func() {
		table, links = b.ip("route show proto 200"), b.ip("-br link show vxlan0")
		forward = b.run("sysctl", "-n", "net.ipv4.ip_forward").out
	})
	n := b.launch(env)
	m.told("^READY=1$")
	if got := strings.Count(table, "\n"); got != routes+1 || !strings.Contains(links, "UP") || forward != "1\n" {
		t.Errorf("READY=1 with %d of %d routes, link %q, ip_forward %q", got, routes+1, links, forward)
	}
	n.Stop()
	all := m.all()
	if last := all[len(all)-1]; last != "STOPPING=1" {
		t.Errorf("last message %q of %q", last, all)
	}
}

// TestNotify follows the notifications that systemd gets during a run: state, reloads and
// health.
func TestNotify(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.frr(peer1, frrOptions{networks: []string{"10.100.0.0/16"}})
	b.configure(ordinary(open(peer1)))
	m, env := b.manager(nil)
	n := b.launch(append(env, "WATCHDOG_USEC=400000"))
	m.told("^READY=1$")
	m.told("(?m)^STATUS=1 of 1 neighbors established, [0-9]+ prefixes")
	n.Signal(syscall.SIGHUP)
	m.told(`^RELOADING=1\nMONOTONIC_USEC=[0-9]+$`)
	b.Eventually(patience, func() error {
		all := m.all()
		i := slices.IndexFunc(all, func(s string) bool { return strings.HasPrefix(s, "RELOADING=1") })
		if !slices.Contains(all[i:], "READY=1") {
			return fmt.Errorf("the reload does not end: %q", all[i:])
		}
		return nil
	})

	fed := func() (n int) {
		for _, s := range m.all() {
			n += strings.Count(s, "WATCHDOG=1")
		}
		return n
	}
	before, begin := fed(), time.Now()
	b.Eventually(patience, func() error {
		if fed() < before+5 {
			return fmt.Errorf("the watchdog was fed %d times", fed()-before)
		}
		return nil
	})
	if each := time.Since(begin) / 5; each > 400*time.Millisecond {
		t.Errorf("the watchdog was fed every %v", each)
	}
	states := 0
	for _, s := range m.all() {
		states += strings.Count(s, "STATUS=")
	}
	if states > 8 {
		t.Errorf("%d states for one session: %q", states, m.all())
	}
	n.Stop()
	m.told("^STOPPING=1$")
}
