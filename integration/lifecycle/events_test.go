package lifecycle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// at returns a moment as an argument of nvactl.
func at(t time.Time) string { return " " + t.UTC().Format(time.RFC3339Nano) + " " }

// flat returns a text without line breaks, wherever nvactl broke its lines.
func flat(text string) string { return strings.Join(strings.Fields(text), " ") }

// shows waits until nvactl prints all of want, wherever its lines break, in 80 columns.
func (b *bed) shows(command string, want ...string) {
	b.Helper()
	var text string
	b.Eventually(patience, func() error {
		r := b.ctl(strings.Fields(command)...)
		if text = r.out; r.code != 0 {
			return fmt.Errorf("nvactl %s: %s", command, r.err)
		}
		return contains(flat(text), want...)
	})
	b.Logf("$ nvactl %s\n%s", command, text)
	for line := range strings.Lines(text) {
		if utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > 80 {
			b.Errorf("nvactl %s: more than 80 columns: %s", command, line)
		}
	}
	if out := b.tell(command + " -o json"); !json.Valid([]byte(out)) {
		b.Errorf("nvactl %s -o json: %s", command, out)
	}
}

// TestEvents: a session goes down and returns, a user drains and reloads, and nvad repairs a
// route. The journal shows each, the tables show what was before and meanwhile, and the history
// of a prefix shows its states, also after a restart; bgpdump reads the same.
func TestEvents(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	const prefix, root = "10.99.0.0/16", " by user root (uid 0)"
	f := b.frr(peer1, frrOptions{networks: []string{prefix, "10.100.0.0/16"}})
	b.frr(peer2, frrOptions{networks: []string{"10.100.0.0/16"}})
	s := ordinary(open(peer1), open(peer2))
	b.configure(s)
	n := b.start()
	b.up(peer1)
	b.up(peer2)
	b.inSync()
	b.shows("explain "+prefix+" --history", prefix+": 1 state; ", "via 10.0.0.1 dev eth0")
	before := time.Now()

	f.vtysh("conf t", "router bgp 65010", "neighbor "+ourAddress+" shutdown message off to the beach")
	b.shows("events --last 100", peer1+" (AS 65010) Established -> Idle: ", "off to the beach", prefix+" removed via 10.0.0.1 dev eth0")
	meanwhile := time.Now()
	follower := b.followEvents()
	f.vtysh("conf t", "router bgp 65010", "no neighbor "+ourAddress+" shutdown")
	b.up(peer1)
	b.routed(prefix)
	if r := b.ctl("drain", "--reason", "upgrade"); r.code != 0 {
		t.Errorf("drain: %+v", r)
	}
	b.tell("drain --off")
	s.networks = append(s.networks, "10.21.0.0/16")
	b.configure(s)
	b.tell("reload")
	b.ip("route del " + prefix + " metric 20")
	b.shows("events --last 100", "drain"+root+": upgrade", "undrain"+root, "reload"+root+", version 2 runs: network 10.21.0.0/16 added",
		"route "+prefix+" put back", peer1+" is dead (session)", peer1+" is alive again (session)", "nvad is in sync", "The journal begins at ")
	follower.sees("neighbor", peer1+" (AS 65010) Established")
	follower.sees("operation", "undrain"+root)
	b.shows("events --kind operations --since"+at(meanwhile), "drain"+root, "3 events. ")

	b.shows("neighbors --at"+at(before), "65010 Established", "2 65010")
	b.shows("neighbors "+peer1+" --at"+at(meanwhile), peer1, "off to the beach")
	b.shows("routes --at"+at(before), prefix+" "+peer1, "10.100.0.0/16 "+peer1, "10.20.0.0/16")
	b.shows("routes --at"+at(meanwhile), "10.100.0.0/16 "+peer2)
	if out := b.tell("routes " + prefix + " --at" + at(meanwhile)); !strings.HasSuffix(out, ": none.\n") {
		t.Errorf("meanwhile: %s", out)
	}
	states := []string{peer1 + " via 10.0.0.1 dev eth0", " none none " + peer1 + " is down", " now "}
	b.shows("explain "+prefix+" --history", states...)

	n.Stop()
	b.start()
	b.up(peer1)
	b.inSync()
	b.shows("explain "+prefix+" --history", states...)
	b.shows("events --kind operations,daemon", "stop by signal SIGTERM", "nvad is stopping", "nvad started, version ")
	b.shows("routes --at"+at(before), prefix+" "+peer1)
	b.readsMRT(before, "|W|"+peer1+"|65010|"+prefix+"\n", "|STATE|"+peer1+"|65010|6|1\n", "|A|"+peer1+"|65010|"+prefix+"|65010|IGP|"+peer1+"|0|0||NAG||\n")
}

// followEvents runs nvactl events --follow until the end of nvad.
func (b *bed) followEvents() *watcher {
	b.Helper()
	return b.nvactl("events", "--follow")
}

// readsMRT has bgpdump read what happened since then.
func (b *bed) readsMRT(since time.Time, want ...string) {
	b.Helper()
	file := b.Path("events.mrt")
	r := b.ctl("events", "--since", strings.TrimSpace(at(since)), "--mrt", file) // it warns of the gap before the restart
	b.must(contains(r.out, file+": "))
	var out, errs bytes.Buffer
	cmd := exec.Command("bgpdump", "-m", file)
	cmd.Stdout, cmd.Stderr = &out, &errs
	b.must(cmd.Run())
	b.must(contains(out.String(), want...))
	if strings.Contains(errs.String(), "warn") || strings.Contains(errs.String(), "error") {
		b.Errorf("bgpdump: %s", errs.String())
	}
}
