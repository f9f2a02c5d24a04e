package twohubs

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nvad/nvad/integration/lab"
)

// kernelRoute is a route of the main table, in the same form however its next hop is stored.
type kernelRoute struct {
	Dst, Gateway, Dev, Proto string
	Metric                   int
}

// rawRoute is a route or a next-hop object in ip's JSON.
type rawRoute struct {
	ID       int `json:"id"`
	Nhid     int
	Dst      string
	Gateway  string
	Dev      string
	Protocol string
	Metric   int
	Group    []struct{ ID int }
	Nexthops []struct{ Gateway, Dev string }
}

// kernelRoutes reads the main table of a node and resolves next-hop objects where the kernel
// does not. A route with several next hops is represented by the first.
func kernelRoutes(t *testing.T, l *lab.Lab, node string) []kernelRoute {
	t.Helper()
	objects := map[int]rawRoute{}
	for _, o := range ipJSON(t, l, node, "nexthop") {
		objects[o.ID] = o
	}
	var routes []kernelRoute
	for _, r := range ipJSON(t, l, node, "route") {
		hop := r
		switch o := objects[r.Nhid]; {
		case len(r.Nexthops) > 0:
			hop.Gateway, hop.Dev = r.Nexthops[0].Gateway, r.Nexthops[0].Dev
		case r.Dev == "" && len(o.Group) > 0:
			hop = objects[o.Group[0].ID]
		case r.Dev == "":
			hop = o
		}
		routes = append(routes, kernelRoute{r.Dst, hop.Gateway, hop.Dev, r.Protocol, r.Metric})
	}
	return routes
}

func ipJSON(t *testing.T, l *lab.Lab, node, object string) []rawRoute {
	t.Helper()
	out, err := l.Command(node, "ip", "-j", "-4", object, "show").Output()
	if err != nil {
		t.Fatalf("ip %s on %s: %v", object, node, err)
	}
	var list []rawRoute
	if err := json.Unmarshal(out, &list); err != nil {
		t.Fatalf("ip %s on %s: %v", object, node, err)
	}
	return list
}

var (
	objectID = regexp.MustCompile(`\b(nhid|id|group) [0-9/,]+`)
	spaces   = regexp.MustCompile(`\s+`)
)

// snapshot returns the state of an NVA's kernel that has to be the same after a failure:
// routes and links, without the numbers that the kernel chose, and nvad's next-hop objects.
// Other daemons leave some of their objects behind when they are killed.
func snapshot(t *testing.T, l *lab.Lab, node string, kind lab.Kind) []string {
	t.Helper()
	commands := []string{"ip -d -4 route show", "ip -br -4 address show"}
	if kind == lab.Nvad {
		commands = append(commands, "ip -4 nexthop show")
	}
	var state []string
	for _, command := range commands {
		out := l.Exec(t, node, strings.Fields(command)...)
		for _, line := range lines(out) {
			line = objectID.ReplaceAllString(line, "$1 N")
			state = append(state, spaces.ReplaceAllString(line, " "))
		}
	}
	slices.Sort(state)
	return state
}

// same returns an error that shows how a node's state differs from an earlier one.
func same(t *testing.T, l *lab.Lab, node string, kind lab.Kind, before []string) error {
	t.Helper()
	after := snapshot(t, l, node, kind)
	if slices.Equal(before, after) {
		return nil
	}
	return fmt.Errorf("state of %s was\n%s\nis\n%s", node, strings.Join(before, "\n"), strings.Join(after, "\n"))
}

// longest returns the route with the longest prefix for an address, or the zero value if there
// is none.
func longest(routes []kernelRoute, a netip.Addr) (best kernelRoute) {
	bits := -1
	for _, r := range routes {
		dst, err := netip.ParsePrefix(r.Dst)
		if host, herr := netip.ParseAddr(r.Dst); herr == nil {
			dst, err = netip.PrefixFrom(host, host.BitLen()), nil
		}
		if r.Dst == "default" {
			dst, err = netip.PrefixFrom(netip.IPv4Unspecified(), 0), nil
		}
		if err == nil && dst.Contains(a) && dst.Bits() > bits {
			best, bits = r, dst.Bits()
		}
	}
	return best
}
