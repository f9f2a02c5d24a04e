package ctl

import (
	"context"
	"encoding/json"
	"fmt"

	"google.golang.org/protobuf/proto"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// writeReplies prints an object for each NVA: its name, its error, and under key what the
// command prints for one NVA, or null.
func writeReplies[T any](a *app, key string, replies []reply[T], value func(T) []byte) {
	out := make([]json.RawMessage, len(replies))
	for i, r := range replies {
		failure, answer := []byte("null"), []byte("null")
		if r.err != nil {
			failure = appendString(nil, r.err.Error())
		} else {
			answer = value(r.answer)
		}
		out[i] = fmt.Appendf(nil, `{"nva":%s,"error":%s,"%s":%s}`, appendString(nil, r.nva), failure, key, answer)
	}
	writeValue(a.Out, out)
}

// messages returns a JSON array of messages.
func messages[M proto.Message](list []M) []byte {
	b := []byte{'['}
	for i, m := range list {
		b = appendJSON(append(b, when(i > 0, ",")...), m.ProtoReflect())
	}
	return append(b, ']')
}

// section prints the name of an NVA, and below it what it answered or why it did not.
func section[T any](a *app, i int, r reply[T], print func(T)) {
	line(a.Out, when(i > 0, "\n")+r.nva)
	if r.err != nil {
		hang(a.Out, a.Width, "  ", "  ", "did not answer: "+r.err.Error())
		return
	}
	print(r.answer)
}

func (a *app) siteStatus(ctx context.Context, _ []string) error {
	ask := func(ctx context.Context, c *client) (*nvadv1.Status, error) {
		return c.read.GetStatus(ctx, &nvadv1.GetStatusRequest{})
	}
	return askSite(ctx, a, ask, func(replies []reply[*nvadv1.Status]) {
		if a.json() {
			writeReplies(a, "status", replies, func(s *nvadv1.Status) []byte { return appendJSON(nil, s.ProtoReflect()) })
			return
		}
		a.printSiteStatus(replies)
	})
}

func (a *app) printSiteStatus(replies []reply[*nvadv1.Status]) {
	t := a.newTable(column{head: "NVA", max: 32, min: 8, fit: wrapped}, column{head: "Version", max: 20, min: 7, fit: elided}, column{head: "Up", right: true},
		column{head: "Sync"}, column{head: "Neighbors", right: true}, column{head: "Prefixes", right: true}, column{head: "Kernel", right: true}, column{head: "Tunnels", right: true})
	for _, r := range replies {
		if r.err != nil {
			t.rowWithNote("did not answer: "+r.err.Error(), r.nva, "-", "-", "-", "-", "-", "-", "-")
			continue
		}
		s := r.answer
		sync := "no"
		if s.GetInSync() {
			sync = "yes"
		}
		t.rowWithNote(a.statusNote(s), r.nva, s.GetVersion(), a.age(s.GetSince()), sync, part(s.GetEstablished(), s.GetNeighbors()),
			decimal(s.GetPrefixes()), part(s.GetFibInstalled(), s.GetFibWanted()), part(s.GetTunnelsUp(), s.GetTunnels()))
	}
	t.end()
}

// part returns how many of a number are as they should be.
func part(n, of uint32) string { return fmt.Sprintf("%d/%d", n, of) }

// statusNote lists what is wrong with an NVA.
func (a *app) statusNote(s *nvadv1.Status) string {
	notes := []string{when(s.GetDrainingSince() != nil, fmt.Sprintf("draining for %s, by %s", a.age(s.GetDrainingSince()), s.GetDrainingReason()))}
	list := s.GetProblems()
	for _, p := range list[:min(len(list), maxProblems)] {
		notes = append(notes, p.GetText()+when(p.GetSince() != nil, " (for "+a.age(p.GetSince())+")"))
	}
	notes = append(notes, when(len(list) > maxProblems, fmt.Sprintf("and %d more", len(list)-maxProblems)))
	return joined("\n", notes...)
}

func (a *app) siteNeighbors(ctx context.Context, _ []string) error {
	ask := func(ctx context.Context, c *client) (*nvadv1.ListNeighborsResponse, error) {
		return c.read.ListNeighbors(ctx, &nvadv1.ListNeighborsRequest{})
	}
	return askSite(ctx, a, ask, func(replies []reply[*nvadv1.ListNeighborsResponse]) {
		if a.json() {
			writeReplies(a, "neighbors", replies, func(l *nvadv1.ListNeighborsResponse) []byte { return messages(l.GetNeighbors()) })
			return
		}
		for i, r := range replies {
			section(a, i, r, a.printNeighborList)
		}
	})
}

func (a *app) siteTunnels(ctx context.Context, _ []string) error {
	ask := func(ctx context.Context, c *client) (*nvadv1.ListTunnelsResponse, error) {
		return c.read.ListTunnels(ctx, &nvadv1.ListTunnelsRequest{})
	}
	return askSite(ctx, a, ask, func(replies []reply[*nvadv1.ListTunnelsResponse]) {
		if a.json() {
			writeReplies(a, "tunnels", replies, func(l *nvadv1.ListTunnelsResponse) []byte { return messages(l.GetTunnels()) })
			return
		}
		for i, r := range replies {
			section(a, i, r, func(l *nvadv1.ListTunnelsResponse) {
				if len(l.GetTunnels()) == 0 {
					line(a.Out, noTunnels)
				}
				a.printTunnels(l.GetTunnels())
			})
		}
	})
}
