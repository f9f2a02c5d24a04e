package arm

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"

	"github.com/nvad/nvad/pkg/azure"
)

// Register makes peer a BGP peer of both instances of rs, and reports whether that
// changed anything. It changes no connection that has another address.
func (c *Client) Register(ctx context.Context, rs azure.RouteServer, name string, peer netip.Addr, asn uint32) (bool, error) {
	return c.again(ctx, func() (bool, error) {
		list, err := c.connections(ctx, place{rs.Subscription, rs.ResourceGroup, rs.Name})
		if err != nil {
			return false, err
		}
		name, done, err := connectionFor(rs, list, azure.Connection{Name: name, Peer: peer, ASN: asn})
		if err != nil || done {
			return false, err
		}
		return true, c.connect(ctx, rs, azure.Connection{Name: name, Peer: peer, ASN: asn})
	})
}

// connectionFor returns the name under which want is written, or that there is nothing to do,
// or why it can't be done.
func connectionFor(rs azure.RouteServer, list []azure.Connection, want azure.Connection) (name string, done bool, err error) {
	for _, conn := range list {
		switch {
		case conn.Peer == want.Peer && conn.ASN != want.ASN:
			return "", false, refuse("peer %s of Route Server %s has AS %d, not %d: set that AS in nvad.toml, or remove the peer and register again: "+
				"az network routeserver peering delete --name %s --routeserver %s --resource-group %s",
				want.Peer, rs.Name, conn.ASN, want.ASN, conn.Name, rs.Name, rs.ResourceGroup)
		case conn.Peer == want.Peer:
			return conn.Name, !conn.Failed(), nil
		}
	}
	for _, conn := range list {
		if strings.EqualFold(conn.Name, want.Name) {
			return "", false, refuse("peer %s of Route Server %s has the address %s, not %s: choose another name", conn.Name, rs.Name, conn.Peer, want.Peer)
		}
	}
	if len(list) >= azure.MaxPeers {
		return "", false, refuse("Route Server %s has %d peers, the most that Azure allows: remove one before %s can become one: "+
			"az network routeserver peering list --routeserver %s --resource-group %s", rs.Name, len(list), want.Peer, rs.Name, rs.ResourceGroup)
	}
	return want.Name, false, nil
}

// connect writes a connection.
func (c *Client) connect(ctx context.Context, rs azure.RouteServer, conn azure.Connection) error {
	f, err := c.network(rs.Subscription)
	if err != nil {
		return err
	}
	body := armnetwork.BgpConnection{
		Name:       &conn.Name,
		Properties: &armnetwork.BgpConnectionProperties{PeerIP: to.Ptr(conn.Peer.String()), PeerAsn: to.Ptr(int64(conn.ASN))},
	}
	_, err = wait(ctx, c, "Route Server "+rs.Name+" to take "+conn.Peer.String()+" as a peer",
		func() (*runtime.Poller[armnetwork.VirtualHubBgpConnectionClientCreateOrUpdateResponse], error) {
			return f.NewVirtualHubBgpConnectionClient().BeginCreateOrUpdate(ctx, rs.ResourceGroup, rs.Name, conn.Name, body, nil)
		})
	return err
}

// ForwardAt lets nic forward packets that are not its own, and reports whether that
// changed anything.
func (c *Client) ForwardAt(ctx context.Context, nic azure.NIC) (bool, error) {
	return c.again(ctx, func() (bool, error) {
		answer, at, err := c.getNIC(ctx, nic.ID)
		if err != nil || answer.Properties == nil || val(answer.Properties.EnableIPForwarding) {
			return false, err
		}
		answer.Properties.EnableIPForwarding = to.Ptr(true)
		f, err := c.network(at.subscription)
		if err != nil {
			return false, err
		}
		_, err = wait(ctx, c, "NIC "+at.name+" to forward packets",
			func() (*runtime.Poller[armnetwork.InterfacesClientCreateOrUpdateResponse], error) {
				// If somebody else writes the NIC in between, this would undo it. Only the write
				// itself is for that version, not the questions after it.
				ctx := ctx
				if etag := val(answer.Etag); etag != "" {
					ctx = policy.WithHTTPHeader(ctx, http.Header{"If-Match": {etag}})
				}
				return f.NewInterfacesClient().BeginCreateOrUpdate(ctx, at.group, at.name, answer, nil)
			})
		return true, err
	})
}

// The types of routes whose next hops SetHop changes. A route to several has 2 to 64.
const (
	oneHop      = "VirtualAppliance"
	severalHops = "VirtualApplianceEcmp"
)

// SetHop adds hop to the next hops of a user-defined route, or removes it, and reports whether
// that changed anything. A route to several next hops has the type VirtualApplianceEcmp, and
// the type VirtualAppliance while only one is left. It refuses to remove the last next hop.
func (c *Client) SetHop(ctx context.Context, table azure.RouteTable, route string, hop netip.Addr, present bool) (bool, error) {
	path, what := table.ID+"/routes/"+route, "route "+route+" of route table "+table.Name
	return c.again(ctx, func() (bool, error) {
		c.begin(what)
		var raw object
		resp, err := c.get(ctx, path, tableVersion, nil, &raw)
		if err != nil {
			return false, err
		}
		changed, err := setHop(raw, hop, present)
		if err != nil || !changed {
			return false, err
		}
		return true, c.putRoute(ctx, what, path, raw, etagOf(raw, resp))
	})
}

// again repeats a change from its beginning while Azure says that somebody else changes the
// same thing: two NVAs that boot together register at the same time.
func (c *Client) again(ctx context.Context, change func() (bool, error)) (bool, error) {
	for {
		changed, err := change()
		if err == nil {
			return changed, nil
		}
		pause, busy := occupied(err)
		if !busy {
			return false, c.explain(err)
		}
		c.progress(fmt.Sprintf("another change is under way: trying again in %v: %s", pause, c.step))
		if late := sleep(ctx, pause); late != nil {
			return false, fmt.Errorf("%w: Azure said last: %s", c.explain(late), oneLine(err))
		}
	}
}

// setHop changes a route as Azure gave it, and reports whether that changes anything. What
// it does not know stays as it is.
func setHop(raw object, hop netip.Addr, present bool) (bool, error) {
	var fields object
	var known routeProperties
	if err := json.Unmarshal(raw["properties"], &fields); err != nil {
		return false, fmt.Errorf("properties: %w", err)
	}
	if err := json.Unmarshal(raw["properties"], &known); err != nil {
		return false, fmt.Errorf("properties: %w", err)
	}
	if known.NextHopType != oneHop && known.NextHopType != severalHops {
		return false, fmt.Errorf("its next hop type is %s: want %s", known.NextHopType, severalHops)
	}
	hops := known.hops()
	at := slices.Index(hops, hop)
	switch {
	case present == (at >= 0):
		return false, nil
	case present && len(hops) >= azure.MaxHops:
		return false, fmt.Errorf("it has %d next hops, the most that Azure allows", len(hops))
	case present:
		hops = append(hops, hop)
	case len(hops) == 1:
		return false, fmt.Errorf("%s is its last next hop: without one, Azure drops what the route matches", hop)
	default:
		hops = slices.Delete(hops, at, at+1)
	}
	return true, setHops(raw, fields, hops)
}

func setHops(raw, fields object, hops []netip.Addr) error {
	delete(fields, "nextHop")
	delete(fields, "nextHopIpAddress")
	kind := oneHop
	var err error
	if len(hops) == 1 {
		fields["nextHopIpAddress"], err = json.Marshal(hops[0])
	} else {
		kind = severalHops
		fields["nextHop"], err = json.Marshal(map[string][]netip.Addr{"nextHopIpAddresses": hops})
	}
	if err != nil {
		return err
	}
	if fields["nextHopType"], err = json.Marshal(kind); err != nil {
		return err
	}
	raw["properties"], err = json.Marshal(fields)
	return err
}

// etagOf returns the version of a resource.
func etagOf(raw object, resp *http.Response) string {
	var etag string
	if json.Unmarshal(raw["etag"], &etag) == nil && etag != "" {
		return etag
	}
	return resp.Header.Get("ETag")
}

// putRoute writes a route and waits until Azure has done it.
func (c *Client) putRoute(ctx context.Context, what, path string, route object, etag string) error {
	_, err := wait(ctx, c, "the change of "+what, func() (*runtime.Poller[object], error) {
		var answer object
		resp, err := c.send(ctx, http.MethodPut, path, tableVersion, nil, route, etag, &answer)
		if err != nil {
			return nil, err
		}
		return runtime.NewPoller[object](resp, c.raw.Pipeline(), nil)
	})
	return err
}
