package lifecycle

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/timestamppb"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// past asks the journal of the running nvad.
func (b *bed) past(req *nvadv1.ListEventsRequest) (events []*nvadv1.WatchEvent, err error) {
	b.Helper()
	conn, err := grpc.NewClient("unix:"+b.socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	stream, err := nvadv1.NewNvadClient(conn).ListEvents(b.Context(), req)
	if err != nil {
		return nil, err
	}
	for {
		r, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return events, nil
		case err != nil:
			return events, err
		}
		events = append(events, r.GetEvents()...)
	}
}

// recorded waits until the journal has an event that is as wanted.
func (b *bed) recorded(what string, req *nvadv1.ListEventsRequest, is func(*nvadv1.WatchEvent) bool) (found *nvadv1.WatchEvent) {
	b.Helper()
	b.Eventually(patience, func() error {
		list, err := b.past(req)
		i := slices.IndexFunc(list, is)
		if i < 0 {
			return fmt.Errorf("%s: nothing among %d events (%v): %v", what, len(list), err, list)
		}
		found = list[i]
		return nil
	})
	return found
}

// bestFrom matches the event of a prefix whose best path comes from a neighbor; empty: has none.
func bestFrom(prefix, neighbor string) func(*nvadv1.WatchEvent) bool {
	return func(ev *nvadv1.WatchEvent) bool {
		r := ev.GetRoute()
		return r.GetPrefix() == prefix && r.GetNew().GetNeighbor() == neighbor
	}
}

// TestPast: what happened is in the journal, with the state at each time, after an orderly end and
// after a kill. A reload can end it, and leaves the files.
func TestPast(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	const early, late = "10.99.0.0/16", "10.100.0.0/16"
	f := b.frr(peer1, frrOptions{networks: []string{early}})
	b.configure(ordinary(open(peer1)))
	n := b.start()
	b.up(peer1)
	b.inSync()
	all, state := &nvadv1.ListEventsRequest{}, &nvadv1.ListEventsRequest{State: true}
	b.recorded("the table before in sync", state, bestFrom(early, peer1))
	b.recorded("its route in the kernel", state, func(ev *nvadv1.WatchEvent) bool {
		return ev.GetFib().GetPrefix() == early && ev.GetFib().GetState() == "installed" && strings.Contains(ev.GetFib().GetNew(), peer1)
	})
	b.recorded("the session", all, func(ev *nvadv1.WatchEvent) bool {
		return ev.GetNeighbor().GetAddress() == peer1 && ev.GetNeighbor().GetNewState() == "Established"
	})
	f.vtysh("conf t", "router bgp 65010", "address-family ipv4 unicast", "network "+late)
	came := b.recorded("a new route", all, bestFrom(late, peer1))
	if a := came.GetRoute().GetNew().GetAttributes(); a.GetAsPath() != "65010" || a.GetNextHop() != peer1 {
		t.Errorf("attributes %v", a)
	}
	n.Signal(syscall.SIGTERM)
	n.Ended()

	n = b.start()
	b.recorded("the route before the restart", all, bestFrom(late, peer1))
	b.recorded("the end", all, func(ev *nvadv1.WatchEvent) bool { return ev.GetDaemon().GetState() == "stopping" })
	b.up(peer1)
	b.inSync()
	b.recorded("the state after the restart", state, bestFrom(late, peer1))
	f.vtysh("conf t", "router bgp 65010", "address-family ipv4 unicast", "no network "+late)
	gone := b.recorded("the route gone", all, bestFrom(late, ""))
	b.ctl("drain")
	b.recorded("the drain", state, func(ev *nvadv1.WatchEvent) bool { return ev.GetOperation().GetWhat() == "drain" })
	n.Signal(syscall.SIGKILL)
	n.Ended()

	b.start()
	b.recorded("the route gone, before the kill", all, bestFrom(late, ""))
	for name, at := range map[string]struct {
		time time.Time
		has  bool
	}{
		"after it came": {came.GetTime().AsTime().Add(1), true},
		"when it went":  {gone.GetTime().AsTime(), true},
		"afterwards":    {gone.GetTime().AsTime().Add(1), false},
	} {
		list, err := b.past(&nvadv1.ListEventsRequest{State: true, Until: timestamppb.New(at.time)})
		if err != nil || slices.ContainsFunc(list, bestFrom(late, peer1)) != at.has {
			t.Errorf("%s: %v, %v", name, err, list)
		}
	}
	b.up(peer1)
	b.inSync()
	if list, err := b.past(state); err != nil || slices.ContainsFunc(list, func(ev *nvadv1.WatchEvent) bool { return ev.GetOperation().GetWhat() == "drain" }) {
		t.Errorf("a restart ends a drain: %v, %v", err, list)
	}

	b.Write("nvad.toml", b.Read("nvad.toml")+"\n[journal]\nsize = 0\n")
	b.tell("reload")
	b.Eventually(patience, func() error {
		if _, err := b.past(all); err == nil || !strings.Contains(err.Error(), "size of [journal] is 0") {
			return fmt.Errorf("size 0: %v", err)
		}
		return nil
	})
	files, _ := filepath.Glob(filepath.Join(filepath.Dir(b.socket), "journal", "*.seg"))
	if len(files) != 2 {
		t.Errorf("files %v", files)
	}
}
