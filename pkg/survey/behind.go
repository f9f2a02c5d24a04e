package survey

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/nvad/nvad/pkg/config"
	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// Bounds of what is looked at and kept of the networks behind Route Servers.
const (
	mostPaths    = 4096
	mostBehind   = 16 // networks of an NVA
	mostPrefixes = 8  // of a network
)

// expressRouteASN is the AS of Microsoft's edge routers: routes with it came over ExpressRoute.
const expressRouteASN = "12076"

// behindServers returns what the AS paths of Route Server's routes show. It reads a bounded
// number of paths, so that the picture of an NVA with a full table costs no more than
// that of a small one.
func behindServers(ctx context.Context, c nvadv1.NvadClient) ([]Behind, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.ListRoutes(ctx, &nvadv1.ListRoutesRequest{AsPath: fmt.Sprintf("^%d_", routeServerASN)})
	if err != nil {
		return nil, err
	}
	var list networks
	for read := 0; read < mostPaths; {
		r, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		for _, p := range r.GetPaths() {
			if p.GetValid() && !p.GetInternal() { // over iBGP, it is behind another NVA's Route Server
				list.add(p.GetPrefix(), p.GetAttributes().GetAsPath())
			}
		}
		read += len(r.GetPaths())
	}
	return list.found, nil
}

// networks collects prefixes by where they come from.
type networks struct {
	found []Behind
	last  map[string]string // last prefix of each network: paths of a prefix follow each other
}

func (l *networks) add(prefix, asPath string) {
	kind, name, ok := origin(asPath)
	if !ok || l.last[kind+name] == prefix {
		return
	}
	i := slices.IndexFunc(l.found, func(b Behind) bool { return b.Kind == kind && b.Name == name })
	if i < 0 {
		if len(l.found) == mostBehind {
			return
		}
		i = len(l.found)
		l.found = append(l.found, Behind{Kind: kind, Name: name, Prefixes: []string{}})
	}
	if l.last == nil {
		l.last = map[string]string{}
	}
	l.last[kind+name] = prefix
	b := &l.found[i]
	b.Total++
	if len(b.Prefixes) < mostPrefixes {
		b.Prefixes = append(b.Prefixes, prefix)
	}
}

// origin says where a route of Route Server comes from: "65515" is Azure itself, and behind
// 12076 is the network at the far end of a circuit.
func origin(asPath string) (kind, name string, ok bool) {
	path := strings.Fields(asPath)
	if len(path) == 1 {
		return "vnet", "VNets", true
	}
	if i := slices.Index(path, expressRouteASN); i >= 0 {
		switch far := path[len(path)-1]; far {
		case expressRouteASN:
			return "expressroute", "ExpressRoute", true
		case strconv.Itoa(routeServerASN):
			return "expressroute", "VNets of the circuit", true
		default:
			return "expressroute", "AS " + far, true
		}
	}
	return "", "", false
}

// configuredVNets returns the VNets that the running configuration names; none if the daemon
// is of another version and its configuration can't be parsed.
func configuredVNets(ctx context.Context, c nvadv1.NvadClient) (out []string, err error) {
	r, err := c.GetConfig(ctx, &nvadv1.GetConfigRequest{})
	if err != nil {
		return nil, err
	}
	cfg, err := config.Parse("configuration of the daemon", []byte(r.GetToml()))
	if err != nil {
		return nil, nil
	}
	for i := range cfg.Neighbors {
		for _, p := range cfg.Neighbors[i].VNet {
			if !slices.Contains(out, p.String()) {
				out = append(out, p.String())
			}
		}
	}
	return out, nil
}
