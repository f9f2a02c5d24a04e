package ctl

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/api/apitest"
	"github.com/nvad/nvad/pkg/api/apitest/pki"
	"github.com/nvad/nvad/pkg/site"
	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/watch"
	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// siteFile writes a file with an NVA for each name and lines that say where it is.
func siteFile(t *testing.T, nvas ...[2]string) string {
	t.Helper()
	text := ""
	for _, n := range nvas {
		text += fmt.Sprintf("[[nva]]\nname = %q\n%s\n", n[0], n[1])
	}
	path := filepath.Join(ownDirectory(t), "site.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func socketOf(path string) string { return fmt.Sprintf("socket = %q", path) }

// mute returns the socket of a daemon that accepts connections and never says a word.
func mute(t *testing.T) string {
	t.Helper()
	path := filepath.Join(ownDirectory(t), "mute.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return path
}

// askingSite runs nvactl for a site, with little patience.
func askingSite(t *testing.T, file string, args ...string) result {
	t.Helper()
	return askingSiteWithin(t, 2*time.Second, file, args...)
}

func askingSiteWithin(t *testing.T, deadline time.Duration, file string, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	env := Env{Out: &out, Err: &errs, Width: defaultWidth, Now: func() time.Time { return apitest.Now }, azure: noAzure, deadline: deadline,
		Getenv: func(name string) string { return map[string]string{siteVariable: file}[name] }}
	code := Run(context.Background(), env, args)
	return result{out.String(), errs.String(), code}
}

// TestSite asks NVAs over sockets and TLS, of which some do not answer.
func TestSite(t *testing.T) {
	d := newTLSDaemon(t)
	cert, key := d.theirs.Issue(pki.Leaf{Name: "alice"})
	file := siteFile(t, [2]string{"hub00-a", socketOf(serve(t, hub00()))}, [2]string{"hub00-b", socketOf("/nonexistent/nvad.sock")},
		[2]string{"hub10-a", fmt.Sprintf("address = %q\ncert = %q\nkey = %q\nca = %q", d.address, cert, key, d.ours.Path)},
		[2]string{"hub10-b", socketOf(serve(t, badDay()))}, [2]string{"mute", socketOf(mute(t))})
	for _, name := range []string{"status", "neighbors", "tunnels"} {
		t.Run(name, func(t *testing.T) {
			r := askingSite(t, file, name)
			wantError(t, r, "2 of 5 NVAs did not answer: hub00-b, mute")
			fits(t, r.out)
			golden(t, "site-"+name+".txt", r.out)
			r = askingSite(t, file, name, "-o", "json")
			var list []map[string]json.RawMessage
			if err := json.Unmarshal([]byte(r.out), &list); err != nil || len(list) != 5 || r.code != 1 {
				t.Fatalf("%v: %s", err, r.out)
			}
			for i, o := range list {
				if dead := string(o["error"]) != "null"; dead != (i == 1 || i == 4) || dead != (string(o[name]) == "null") || len(o) != 3 {
					t.Errorf("got %s", o)
				}
			}
			if got := string(list[4]["error"]); got != `"no answer within 2s"` {
				t.Errorf("got %s", got)
			}
		})
	}
}

// TestSiteRefused: a site is for nothing that changes an NVA, or that only one can answer.
func TestSiteRefused(t *testing.T) {
	d := hub00()
	socket := serve(t, d)
	file := siteFile(t, [2]string{"a", socketOf(socket)})
	for args, want := range map[string]string{
		"reload":                        errOneNVA.Error(),
		"drain":                         errOneNVA.Error(),
		"routes":                        errOneNVA.Error(),
		"stop":                          errOneNVA.Error(),
		"--site x config check x":       errOneNVA.Error() + " (see nvactl config check --help)",
		"--site x --socket y status":    "use either --site, or --socket or --address (see nvactl status --help)",
		"--site x --address h:1 status": "use either --site, or --socket or --address (see nvactl status --help)",
		"neighbors 10.0.210.4":          `neighbors with --site shows all NVAs: leave out 10.0.210.4, or ask one NVA with --socket or --address (see nvactl neighbors --help)`,
	} {
		t.Run(args, func(t *testing.T) { wantError(t, askingSite(t, file, strings.Fields(args)...), want) })
	}
	if len(d.Commands()) > 0 {
		t.Errorf("the NVA was told to %s", d.Commands())
	}
	if r := askingSite(t, file, "--socket", socket, "neighbors", "10.0.210.4"); r.code != 0 {
		t.Errorf("one of them: %+v", r)
	}
	if r := askingSite(t, "/none.toml", "status"); r.code != 1 || r.err != "/none.toml: no such file or directory\n" {
		t.Errorf("no file: %+v", r)
	}
}

// hub10 is the NVA at the other end of hub00's tunnel.
func hub10() *apitest.Daemon {
	d := hub00()
	d.At.Host, d.At.RouterID = "vm-hub10", netip.MustParseAddr("10.10.0.4")
	t := &d.Devices[0]
	t.Source, t.Addresses, t.Remotes = netip.MustParseAddr("10.10.0.4"), []netip.Prefix{netip.MustParsePrefix("169.254.0.2/24")}, []netip.Addr{netip.MustParseAddr("10.0.0.4")}
	t.Peers = []api.TunnelPeer{{Remote: t.Remotes[0], Neighbor: netip.MustParseAddr("169.254.0.1"), Up: true, By: "bfd"}}
	d.Peers = d.Peers[2:]
	d.Peers[0].Address, d.Peers[0].Session.LocalAddress = netip.MustParseAddr("169.254.0.1"), far
	d.Peers[0].Session.RemoteID = netip.MustParseAddr("10.0.0.4")
	d.Tables, d.Kernel, d.Interfaces = nil, nil, nil
	return d
}

// TestSiteDiff compares two NVAs that fit, and then two that do not.
func TestSiteDiff(t *testing.T) {
	near := [2]string{"hub00", socketOf(serve(t, hub00()))}
	file := siteFile(t, near, [2]string{"hub10", socketOf(serve(t, hub10()))})
	r := askingSite(t, file, "diff")
	if r.code != 0 || r.out != "Compared 2 NVAs: nothing differs that matters.\n" {
		t.Errorf("got %+v", r)
	}
	d := hub10()
	d.Devices[0].VNI, d.At.RouterID, d.Peers[0].RemoteASN = 78, netip.MustParseAddr("10.0.0.4"), 65009
	file = siteFile(t, near, [2]string{"hub10", socketOf(serve(t, d))}, [2]string{"hub20", socketOf("/nonexistent/nvad.sock")})
	r = askingSite(t, file, "diff")
	wantError(t, r, "the NVAs do not fit together: 3 errors; 1 of 3 NVAs did not answer: hub20")
	fits(t, r.out)
	golden(t, "site-diff.txt", r.out)
	r = askingSite(t, file, "diff", "-o", "json")
	golden(t, "site-diff.json", r.out)
	wantError(t, nvactl(t, "", "diff"), "diff compares the NVAs of a site: name their file with --site (see nvactl diff --help)")
}

// TestSiteExplain follows a prefix between two NVAs.
func TestSiteExplain(t *testing.T) {
	far := hub10()
	prefix := netip.MustParsePrefix("10.110.0.0/16")
	x := far.Stories[prefix]
	x.Paths, x.Exports, x.Kernel = nil, nil, nil
	far.Stories = map[netip.Prefix]api.Explanation{prefix: x}
	file := siteFile(t, [2]string{"hub00", socketOf(serve(t, hub00()))}, [2]string{"hub10", socketOf(serve(t, far))}, [2]string{"hub20", socketOf("/nonexistent/nvad.sock")})
	r := askingSite(t, file, "explain", prefix.String())
	wantError(t, r, "1 of 3 NVAs did not answer: hub20")
	fits(t, r.out)
	golden(t, "site-explain.txt", r.out)
	r = askingSite(t, file, "explain", prefix.String(), "-o", "json")
	var list []struct {
		NVA     string
		Error   *string
		Way     *site.Way
		Explain *struct{ Prefix string }
	}
	if err := json.Unmarshal([]byte(r.out), &list); err != nil || len(list) != 3 || list[0].Way == nil || list[0].Explain.Prefix != prefix.String() || list[2].Error == nil || list[2].Way != nil {
		t.Errorf("%v: %s", err, r.out)
	}
	wantError(t, askingSite(t, file, "explain", "10.0.0.0/33"), `"10.0.0.0/33" is not a prefix (want one like 10.110.0.0/16)`)
	wantError(t, askingSite(t, file, "explain", "10.0.0.0/8", "--neighbor", "10.0.210.4"), "explain with --site shows all NVAs: leave out --neighbor, or ask one NVA with --socket or --address (see nvactl explain --help)")
}

// TestSiteEvents merges the journals of two NVAs.
func TestSiteEvents(t *testing.T) {
	near, far := hub00(), hub10()
	near.Happened = aNight(t)
	far.Happened = apitest.Happened(watch.Event{At: at(t, "03:12:06"), Change: watch.Neighbor{Address: netip.MustParseAddr("169.254.0.1"), ASN: 65001,
		From: speaker.EstablishedState, To: speaker.Idle, Reason: "hold timer expired"}})
	file := siteFile(t, [2]string{"hub00", socketOf(serve(t, near))}, [2]string{"hub10", socketOf(serve(t, far))}, [2]string{"hub20", socketOf("/nonexistent/nvad.sock")})
	r := askingSite(t, file, "events", "--since", "03:00", "--until", "03:13")
	wantError(t, r, "1 of 3 NVAs did not answer: hub20")
	fits(t, r.out)
	golden(t, "site-events.txt", r.out)
	r = askingSite(t, file, "events", "--last", "3", "-o", "json")
	var list []struct {
		NVA    string
		Events []json.RawMessage
	}
	if err := json.Unmarshal([]byte(r.out), &list); err != nil || len(list) != 3 || len(list[0].Events) != 3 || len(list[1].Events) != 1 {
		t.Errorf("%v: %s", err, r.out)
	}
	wantError(t, askingSite(t, file, "events", "--follow"), "--follow and --mrt are for one NVA: give --socket or --address")
}

// endless answers every stream without end, and every other call with as much as fits.
func endless(t *testing.T) string {
	t.Helper()
	socket := filepath.Join(ownDirectory(t), "nvad.sock")
	l, err := net.Listen("unix", socket)
	must(t, err)
	s := grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		name, _ := grpc.MethodFromServerStream(stream)
		var m proto.Message = &nvadv1.Status{Host: strings.Repeat("x", 1<<20)}
		switch name[strings.LastIndexByte(name, '/')+1:] {
		case "ListNeighbors":
			m = &nvadv1.ListNeighborsResponse{}
		case "ListTunnels":
			m = &nvadv1.ListTunnelsResponse{}
		case "GetConfig", "ListLinks":
			m = &nvadv1.Config{}
		case "ListRoutes", "ListEvents":
			for err == nil {
				err = stream.SendMsg(&nvadv1.ListRoutesResponse{Paths: make([]*nvadv1.Path, 1000)})
			}
			return err
		}
		return stream.SendMsg(m)
	}))
	apitest.Run(t, l, s)
	return socket
}

// TestSiteEndless: an NVA that answers without end is left out, in bounded time and memory.
func TestSiteEndless(t *testing.T) {
	file := siteFile(t, [2]string{"a", socketOf(serve(t, hub00()))}, [2]string{"b", socketOf(endless(t))})
	for _, command := range []string{"diff", "events"} {
		r := askingSite(t, file, command)
		if r.code != 1 || !strings.Contains(r.err, "NVAs did not answer: ") || !strings.Contains(r.out, "b did not answer: ") {
			t.Errorf("%s: %+v", command, r)
		}
	}
}

// TestSiteEmptyEvents: events that take two bytes in an answer and a hundred in memory are counted
// by the memory.
func TestSiteEmptyEvents(t *testing.T) {
	socket := filepath.Join(ownDirectory(t), "nvad.sock")
	l, err := net.Listen("unix", socket)
	must(t, err)
	var sent atomic.Int64
	apitest.Run(t, l, grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		for {
			if err := stream.SendMsg(&nvadv1.ListEventsResponse{Events: make([]*nvadv1.WatchEvent, 10_000)}); err != nil {
				return err
			}
			sent.Add(10_000)
		}
	})))
	r := askingSiteWithin(t, time.Minute, siteFile(t, [2]string{"a", socketOf(socket)}), "events")
	if r.code != 1 || !strings.Contains(r.out, "its answer is larger than ") || sent.Load() > 1_000_000 {
		t.Errorf("%d events: %+v", sent.Load(), r)
	}
}

// TestSiteImpostor: an impostor's texts arrive printable, whatever is asked.
func TestSiteImpostor(t *testing.T) {
	file := siteFile(t, [2]string{"a", socketOf(serve(t, hub00()))}, [2]string{"b", socketOf(impostor(t))})
	for _, args := range []string{"status", "neighbors", "tunnels", "diff", "events", "explain 10.0.0.0/8"} {
		for _, format := range []string{"table", "json"} {
			r := askingSite(t, file, append(strings.Fields(args), "-o", format)...)
			if r.code != 0 && args != "diff" && args != "events" || strings.ContainsFunc(r.out+r.err, func(c rune) bool { return c != '\n' && !unicode.IsPrint(c) }) {
				t.Errorf("%s: %d %q %q", args, r.code, r.out, r.err)
			}
		}
	}
}
