package survey

import (
	"context"
	"strings"

	"golang.org/x/sync/errgroup"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// Take asks an NVA for its present state. It fails if the daemon does not answer one of the
// questions, except those about the journal, which not every daemon keeps.
func Take(ctx context.Context, c nvadv1.NvadClient) (*NVA, error) {
	var (
		status    *nvadv1.Status
		links     *nvadv1.ListLinksResponse
		neighbors *nvadv1.ListNeighborsResponse
		tunnels   *nvadv1.ListTunnelsResponse
		behind    []Behind
		vnets     []string
		hops      []NextHop
	)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) { status, err = c.GetStatus(ctx, &nvadv1.GetStatusRequest{}); return })
	g.Go(func() (err error) { links, err = c.ListLinks(ctx, &nvadv1.ListLinksRequest{}); return })
	g.Go(func() (err error) { neighbors, err = c.ListNeighbors(ctx, &nvadv1.ListNeighborsRequest{}); return })
	g.Go(func() (err error) { tunnels, err = c.ListTunnels(ctx, &nvadv1.ListTunnelsRequest{}); return })
	g.Go(func() (err error) { behind, err = behindServers(ctx, c); return })
	g.Go(func() (err error) { vnets, err = configuredVNets(ctx, c); return })
	g.Go(func() error { hops = pastNextHops(ctx, c); return nil })
	if err := g.Wait(); err != nil {
		return nil, err
	}
	n := Unknown()
	n.Behind, n.VNets, n.NextHops = filled(behind), filled(vnets), filled(hops)
	n.summarize(status)
	for _, l := range links.GetLinks() {
		n.Links = append(n.Links, Link{l.GetName(), l.GetUp(), l.GetMtu(), filled(l.GetAddresses())})
	}
	for _, t := range tunnels.GetTunnels() {
		n.Tunnels = append(n.Tunnels, tunnelOf(t))
	}
	through := tunnelsTo(n.Tunnels)
	for _, v := range neighbors.GetNeighbors() {
		n.Neighbors = append(n.Neighbors, neighborOf(v, through))
	}
	n.Problems = problems(status, n.Neighbors)
	return n, nil
}

func (n *NVA) summarize(s *nvadv1.Status) {
	n.Host, n.Version, n.ASN, n.RouterID, n.Since = s.GetHost(), s.GetVersion(), s.GetAsn(), s.GetRouterId(), Moment(s.GetSince())
	n.InSync, n.WaitingFor = s.GetInSync(), filled(s.GetWaitingFor())
	n.Established, n.Configured, n.TunnelsUp, n.TunnelCount = s.GetEstablished(), s.GetNeighbors(), s.GetTunnelsUp(), s.GetTunnels()
	n.Prefixes, n.Paths, n.FIBWanted, n.Installed = s.GetPrefixes(), s.GetPaths(), s.GetFibWanted(), s.GetFibInstalled()
	if s.GetDrainingSince() != nil {
		n.Draining = &Drain{Moment(s.GetDrainingSince()), s.GetDrainingReason()}
	}
	if m := s.GetMemory(); m != nil {
		n.Memory = &Memory{m.GetInUse(), m.GetBudget()}
	}
	if c := s.GetConfig(); c != nil {
		n.Config = &Config{c.GetVersion(), Moment(c.GetSince()), c.GetFile(), c.GetFileState(), Moment(c.GetDeadline()), c.GetFallback()}
	}
	if a := s.GetAzure(); a != nil {
		n.Azure = &Azure{Moment(a.GetTaken()), a.GetStale(), a.GetPrefixes(), a.GetFindings(), a.GetError()}
	}
}

// routeServerASN is the ASN of every Route Server and gateway in Azure.
const routeServerASN = 65515

const established = "Established"

func neighborOf(v *nvadv1.Neighbor, through map[string]string) Neighbor {
	return Neighbor{
		Address: v.GetAddress(), ASN: v.GetRemoteAsn(), LocalASN: v.GetLocalAsn(), LocalAddress: v.GetLocalAddress(), Description: v.GetDescription(),
		PeerGroup: v.GetPeerGroup(), Domain: v.GetDomain(), RouteServer: v.GetRemoteAsn() == routeServerASN, ListenRange: v.GetListenRange(),
		State: v.GetState(), Up: v.GetState() == established, Shutdown: v.GetShutdown(), Since: Moment(v.GetSince()), Reason: v.GetReason(),
		Received: v.GetReceived(), Accepted: v.GetAccepted(), Rejected: v.GetRejected(), Stale: v.GetStale(), Advertised: v.GetAdvertised(),
		MaxPrefix: v.GetMaxPrefix(), Flaps: v.GetFlaps(), BFD: v.GetBfd().GetState(), Warnings: filled(v.GetWarnings()),
		Tunnel: through[v.GetAddress()],
	}
}

// tunnelsTo returns the names of tunnels by the neighbors that are behind them.
func tunnelsTo(tunnels []Tunnel) map[string]string {
	through := map[string]string{}
	for _, t := range tunnels {
		for _, p := range t.Peers {
			if through[p.Neighbor] == "" {
				through[p.Neighbor] = t.Name
			}
		}
	}
	return through
}

func tunnelOf(t *nvadv1.Tunnel) Tunnel {
	out := Tunnel{
		Name: t.GetName(), Kind: "vxlan", VNI: t.GetVni(), State: t.GetState(), Up: t.GetState() == "up", Reason: t.GetReason(), Local: t.GetLocal(),
		Remotes: filled(t.GetRemotes()), Device: t.GetDevice(), Port: t.GetPort(), MTU: t.GetMtu(), Addresses: filled(t.GetAddresses()),
		RxBytes: t.GetRxBytes(), TxBytes: t.GetTxBytes(), Warning: t.GetMtuWarning(), Peers: []Peer{},
	}
	if w := t.GetWireguard(); w != nil {
		out.Kind, out.LastHandshake = "wireguard", Moment(w.GetLastHandshake())
		if len(out.Remotes) == 0 && w.GetEndpoint() != "" {
			out.Remotes = []string{host(w.GetEndpoint())}
		}
	}
	for _, p := range t.GetPeers() {
		out.Peers = append(out.Peers, Peer{p.GetRemote(), p.GetNeighbor(), p.GetUp(), p.GetBy(), p.GetReason()})
	}
	return out
}

// host returns an endpoint without its port.
func host(endpoint string) string {
	if i := strings.LastIndexByte(endpoint, ':'); i >= 0 {
		endpoint = endpoint[:i]
	}
	return strings.Trim(endpoint, "[]")
}
