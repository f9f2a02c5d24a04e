package arm_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"

	"github.com/nvad/nvad/integration/lab/emulator/arm"
)

func TestIPForwardingIsSwitched(t *testing.T) {
	b := newBed(t)
	client := b.network().NewInterfacesClient()
	nic, err := client.Get(t.Context(), arm.Group, "vm-hub00-nic", nil)
	check(t, err)
	nic.Properties.EnableIPForwarding = to.Ptr(false)
	// What a client can't write stays as it is.
	nic.Properties.MacAddress, nic.Properties.VirtualMachine = to.Ptr("FF-FF-FF-FF-FF-FF"), nil
	p, err := client.BeginCreateOrUpdate(t.Context(), arm.Group, "vm-hub00-nic", nic.Interface, nil)
	check(t, err)
	_, err = p.PollUntilDone(t.Context(), nil)
	check(t, err)
	got, ok := arm.Get[armnetwork.Interface](b.state, b.hub.NIC)
	if !ok || *got.Properties.EnableIPForwarding || *got.Properties.MacAddress == "FF-FF-FF-FF-FF-FF" || got.Properties.VirtualMachine == nil || *got.Etag == *nic.Etag {
		t.Errorf("NIC %+v", got.Properties)
	}
}

func TestWritesOfSomebodyElseInBetween(t *testing.T) {
	b := newBed(t)
	client := b.network().NewInterfacesClient()
	nic, err := client.Get(t.Context(), arm.Group, "vm-hub00-nic", nil)
	check(t, err)
	write := func(header, tag string) error {
		ctx := policy.WithHTTPHeader(t.Context(), http.Header{header: {tag}})
		_, err := client.BeginCreateOrUpdate(ctx, arm.Group, "vm-hub00-nic", nic.Interface, nil)
		return err
	}
	check(t, write("If-Match", *nic.Etag))
	refused(t, write("If-Match", *nic.Etag), 412, "PreconditionFailed", "")
	refused(t, write("If-None-Match", "*"), 412, "PreconditionFailed", "")
	check(t, write("If-Match", "*"))
	now, err := client.Get(t.Context(), arm.Group, "vm-hub00-nic", nil)
	check(t, err)
	arm.Change(b.state, b.hub.NIC, func(*armnetwork.Interface) {})
	refused(t, write("If-Match", *now.Etag), 412, "PreconditionFailed", "")
	now, err = client.Get(t.Context(), arm.Group, "vm-hub00-nic", nil)
	check(t, err)
	check(t, write("If-Match", *now.Etag))
	b.state.Delete(b.hub.NIC)
	refused(t, write("If-Match", "*"), 412, "PreconditionFailed", "")
	refused(t, write("If-Match", *now.Etag), 412, "PreconditionFailed", "")
	check(t, write("If-None-Match", "*"))
}

func TestPeersThatARouteServerCantHave(t *testing.T) {
	for name, c := range map[string]struct {
		ip   string
		asn  int64
		code string
	}{
		"fine":                      {"10.0.0.5", 65002, ""},
		"public ASN":                {"10.0.0.5", 64495, ""},
		"in a peered VNet":          {"10.1.0.4", 65002, ""},
		"with the hub's other peer": {"10.0.0.4", 65002, "HubBgpConnectionPeerIpAlreadyUsed"},
		"32 bits":                   {"10.0.0.5", 4200000000, "HubBgpConnectionPeerAsnInvalid"},
		"no AS":                     {"10.0.0.5", 0, "HubBgpConnectionPeerAsnInvalid"},
		"Route Server's own AS":     {"10.0.0.5", 65515, "HubBgpConnectionPeerAsnInvalid"},
		"ExpressRoute's AS":         {"10.0.0.5", 12076, "HubBgpConnectionPeerAsnInvalid"},
		"for documentation":         {"10.0.0.5", 64500, "HubBgpConnectionPeerAsnInvalid"},
		"AS_TRANS":                  {"10.0.0.5", 23456, "HubBgpConnectionPeerAsnInvalid"},
		"no address":                {"vm-hub00", 65002, "HubBgpConnectionPeerIpInvalid"},
		"IPv6":                      {"fd00::4", 65002, "HubBgpConnectionPeerIpInvalid"},
		"out of reach":              {"192.168.0.4", 65002, "HubBgpConnectionPeerIpNotReachable"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			b.state.Peer(b.hub.VNet, b.state.Site("", "").VNet("vnet-spoke", []string{"10.1.0.0/16"}), false)
			client := b.network().NewVirtualHubBgpConnectionClient()
			_, err := client.BeginCreateOrUpdate(t.Context(), arm.Group, "rs-hub00", "peer", connection(c.ip, c.asn), nil)
			if c.code == "" {
				check(t, err)
				return
			}
			refused(t, err, 400, c.code, "")
			if _, ok := arm.Get[armnetwork.BgpConnection](b.state, b.hub.RouteServer+"/bgpConnections/peer"); ok {
				t.Error("it is there nevertheless")
			}
		})
	}
}

func TestARouteServerHasEightPeers(t *testing.T) {
	b := newBed(t)
	client := b.network().NewVirtualHubBgpConnectionClient()
	for i := range 7 {
		_, err := client.BeginCreateOrUpdate(t.Context(), arm.Group, "rs-hub00", fmt.Sprint("peer", i), connection(fmt.Sprint("10.0.0.", 10+i), 65002), nil)
		check(t, err)
	}
	_, err := client.BeginCreateOrUpdate(t.Context(), arm.Group, "rs-hub00", "ninth", connection("10.0.0.30", 65002), nil)
	refused(t, err, 400, "HubBgpConnectionLimitReached", "has 8 BGP connections")
	_, err = client.BeginCreateOrUpdate(t.Context(), arm.Group, "rs-hub00", "peer0", connection("10.0.0.31", 65003), nil)
	check(t, err)
	hub, err := b.network().NewVirtualHubsClient().Get(t.Context(), arm.Group, "rs-hub00", nil)
	check(t, err)
	if len(hub.Properties.BgpConnections) != 8 {
		t.Errorf("connections %v", hub.Properties.BgpConnections)
	}
}

// Azure leaves the state of a connection out even though the session is up.
func TestTheStateOfAConnection(t *testing.T) {
	b := newBed(t)
	arm.Change(b.state, b.hub.Connection, func(c *armnetwork.BgpConnection) {
		c.Properties.ConnectionState = to.Ptr(armnetwork.HubBgpConnectionStatusConnected)
	})
	state := func() *armnetwork.HubBgpConnectionStatus {
		c, err := b.network().NewVirtualHubBgpConnectionClient().Get(t.Context(), arm.Group, "rs-hub00", "vm-hub00", nil)
		check(t, err)
		return c.Properties.ConnectionState
	}
	if got := state(); got != nil {
		t.Errorf("state %v", *got)
	}
	b.server.Be(arm.Behaviour{Anyone: true, ConnectionState: true})
	if got := state(); got == nil || *got != armnetwork.HubBgpConnectionStatusConnected {
		t.Errorf("state %v", got)
	}
}

func ecmp(hops ...string) string {
	data, _ := json.Marshal(map[string]any{"properties": map[string]any{
		"addressPrefix": "10.110.0.0/16", "nextHopType": arm.NextHopECMP, "nextHop": map[string]any{"nextHopIpAddresses": hops},
	}})
	return string(data)
}

func TestECMPRoutes(t *testing.T) {
	b := newBed(t)
	table := b.state.Site("", "").RouteTable("rt", true, arm.UserRoute{Name: "far", Prefix: "10.110.0.0/16", Hops: []string{"10.0.0.4", "10.0.0.5"}})
	base := "https://management.azure.com" + table
	hops := func(id, version string) string {
		_, r := b.raw("GET", "https://management.azure.com"+id+"?api-version="+version, "ok", "")
		properties, _ := r.object["properties"].(map[string]any)
		if routes, ok := properties["routes"].([]any); ok {
			properties = routes[0].(map[string]any)["properties"].(map[string]any)
		}
		data, err := json.Marshal(properties["nextHop"])
		check(t, err)
		return fmt.Sprint(properties["nextHopType"], " ", properties["nextHopIpAddress"], " ", string(data))
	}
	both := `VirtualApplianceEcmp <nil> {"nextHopIpAddresses":["10.0.0.4","10.0.0.5"]}`
	for _, id := range []string{table, table + "/routes/far"} {
		if got := hops(id, "2025-07-01"); got != both {
			t.Errorf("%s: %s", id, got)
		}
		if got := hops(id, "2025-05-01"); got != "VirtualApplianceEcmp <nil> null" {
			t.Errorf("%s, as older clients see it: %s", id, got)
		}
	}
	put := func(body, version string) (int, reply) {
		return b.raw("PUT", base+"/routes/far?api-version="+version, "ok", body)
	}
	if status, r := put(ecmp("10.0.0.4", "10.0.0.5", "10.0.0.6"), "2025-07-01"); status != 200 || len(b.state.Hops(table+"/routes/FAR")) != 3 {
		t.Errorf("%d %v, %v", status, r.object, b.state.Hops(table+"/routes/far"))
	}
	if status, _ := put(`{"properties":{"addressPrefix":"10.110.0.0/16","nextHopType":"VirtualAppliance","nextHopIpAddress":"10.0.0.4"}}`, "2025-07-01"); status != 200 {
		t.Error(status)
	}
	if got := hops(table+"/routes/far", "2025-07-01"); got != "VirtualAppliance 10.0.0.4 null" || len(b.state.Hops(table+"/routes/far")) != 0 {
		t.Errorf("with one next hop: %s", got)
	}
	whole := `{"location":"japaneast","properties":{"routes":[{"name":"far","properties":{"addressPrefix":"10.110.0.0/16","nextHopType":"VirtualApplianceEcmp","nextHop":{"nextHopIpAddresses":["10.0.0.4","10.0.0.5"]}}}]}}`
	if status, r := b.raw("PUT", base+"?api-version=2025-07-01", "ok", whole); status != 200 || hops(table, "2025-07-01") != both {
		t.Errorf("a whole table: %d %+v", status, r.Error)
	}
}

func TestRoutesThatAreWrong(t *testing.T) {
	b := newBed(t)
	table := b.state.Site("", "").RouteTable("rt", true)
	many := make([]string, 65)
	for i := range many {
		many[i] = fmt.Sprint("10.0.1.", i)
	}
	for body, version := range map[string]string{
		ecmp("10.0.0.4"):             "2025-07-01",
		ecmp():                       "2025-07-01",
		ecmp(many...):                "2025-07-01",
		ecmp("10.0.0.4", "vm-hub00"): "2025-07-01",
		ecmp("10.0.0.4", "10.0.0.5"): "2025-05-01",
		`{"properties":{"addressPrefix":"10.110.0.0/16","nextHopType":"VirtualAppliance","nextHopIpAddress":"10.0.0.4","nextHop":{"nextHopIpAddresses":["10.0.0.4","10.0.0.5"]}}}`: "2025-07-01",
		`{"properties":{"addressPrefix":"10.110.0.0/16","nextHopType":"VirtualAppliance"}}`:                                                                                        "2025-07-01",
		`{"properties":{"addressPrefix":"10.110.0.0/16","nextHopType":"Internet","nextHopIpAddress":"10.0.0.4"}}`:                                                                  "2025-07-01",
		`{"properties":{}}`:                "2025-07-01",
		`{}`:                               "2025-07-01",
		`{"properties":[]}`:                "2025-07-01",
		`{"properties":{"address`:          "2025-07-01",
		`{"properties":{"nextHopType":7}}`: "2025-07-01",
	} {
		status, r := b.raw("PUT", "https://management.azure.com"+table+"/routes/far?api-version="+version, "ok", body)
		if status != 400 || r.Error.Code == "" || r.Error.Message == "" {
			t.Errorf("%s: %d %+v", body, status, r.Error)
		}
	}
	if got, _ := arm.Get[armnetwork.RouteTable](b.state, table); len(got.Properties.Routes) != 0 {
		t.Errorf("routes %v", got.Properties.Routes)
	}
}

func TestPeeringsConnect(t *testing.T) {
	b := newBed(t)
	spoke := b.state.Site("", "").VNet("vnet-spoke", []string{"10.1.0.0/16"}, arm.Subnet{Name: "default", Prefix: "10.1.0.0/24"})
	client := b.network().NewVirtualNetworkPeeringsClient()
	put := func(vnet, name, remote string) *armnetwork.VirtualNetworkPeeringPropertiesFormat {
		p, err := client.BeginCreateOrUpdate(t.Context(), arm.Group, vnet, name, armnetwork.VirtualNetworkPeering{
			Properties: &armnetwork.VirtualNetworkPeeringPropertiesFormat{RemoteVirtualNetwork: &armnetwork.SubResource{ID: &remote}, AllowForwardedTraffic: to.Ptr(true)},
		}, nil)
		check(t, err)
		got, err := p.PollUntilDone(t.Context(), nil)
		check(t, err)
		return got.Properties
	}
	if p := put("vnet-hub00", "to-spoke", spoke); *p.PeeringState != armnetwork.VirtualNetworkPeeringStateInitiated || *p.RemoteAddressSpace.AddressPrefixes[0] != "10.1.0.0/16" {
		t.Errorf("one side: %+v", p)
	}
	if p := put("vnet-spoke", "to-hub", b.hub.VNet); *p.PeeringState != armnetwork.VirtualNetworkPeeringStateConnected {
		t.Errorf("both sides: %+v", p)
	}
	first, err := client.Get(t.Context(), arm.Group, "vnet-hub00", "to-spoke", nil)
	check(t, err)
	if *first.Properties.PeeringState != armnetwork.VirtualNetworkPeeringStateConnected || *first.Properties.PeeringSyncLevel != armnetwork.VirtualNetworkPeeringLevelFullyInSync {
		t.Errorf("the first side: %+v", first.Properties)
	}
}

func TestTagsAndInstanceView(t *testing.T) {
	b := newBed(t)
	client := b.compute().NewVirtualMachinesClient()
	p, err := client.BeginUpdate(t.Context(), arm.Group, "vm-hub00", armcompute.VirtualMachineUpdate{Tags: map[string]*string{"nvad": to.Ptr("site1")}}, nil)
	check(t, err)
	_, err = p.PollUntilDone(t.Context(), nil)
	check(t, err)
	vm, err := client.Get(t.Context(), arm.Group, "vm-hub00", &armcompute.VirtualMachinesClientGetOptions{Expand: to.Ptr(armcompute.InstanceViewTypesInstanceView)})
	check(t, err)
	if *vm.Tags["nvad"] != "site1" || vm.Properties.InstanceView == nil || vm.Properties.NetworkProfile == nil {
		t.Errorf("VM %+v", vm)
	}
	b.state.Power(b.hub.VM, false)
	view, err := client.InstanceView(t.Context(), arm.Group, "vm-hub00", nil)
	check(t, err)
	if !slices.ContainsFunc(view.Statuses, func(s *armcompute.InstanceViewStatus) bool { return *s.Code == "PowerState/deallocated" }) {
		t.Errorf("statuses %v", view.Statuses)
	}
}

func TestChangesShowLate(t *testing.T) {
	b := newBed(t)
	b.server.Be(arm.Behaviour{Anyone: true, Lag: 10 * time.Second})
	client := b.network().NewVirtualHubBgpConnectionClient()
	names := func() string {
		page, err := b.network().NewVirtualHubBgpConnectionsClient().NewListPager(arm.Group, "rs-hub00", nil).NextPage(t.Context())
		check(t, err)
		var list []string
		for _, c := range page.Value {
			list = append(list, *c.Name)
		}
		return strings.Join(list, " ")
	}
	_, err := client.BeginCreateOrUpdate(t.Context(), arm.Group, "rs-hub00", "vm-hub01", connection("10.0.0.5", 65002), nil)
	check(t, err)
	_, err = client.Get(t.Context(), arm.Group, "rs-hub00", "vm-hub01", nil)
	refused(t, err, 404, "ResourceNotFound", "")
	if got := names(); got != "vm-hub00" {
		t.Errorf("early: %s", got)
	}
	// What Azure refuses does not depend on what readers see.
	_, err = client.BeginCreateOrUpdate(t.Context(), arm.Group, "rs-hub00", "vm-hub02", connection("10.0.0.5", 65002), nil)
	refused(t, err, 400, "HubBgpConnectionPeerIpAlreadyUsed", "")
	_, err = client.BeginDelete(t.Context(), arm.Group, "rs-hub00", "vm-hub00", nil)
	check(t, err)
	_, err = client.Get(t.Context(), arm.Group, "rs-hub00", "vm-hub00", nil)
	check(t, err)
	b.ahead += 10 * time.Second
	if got := names(); got != "vm-hub01" {
		t.Errorf("late: %s", got)
	}
}

func TestPartsShowLateWithTheirWhole(t *testing.T) {
	b := newBed(t)
	table := b.state.Site("", "").RouteTable("rt", true, arm.UserRoute{Name: "far", Prefix: "10.110.0.0/16", Hops: []string{"10.0.0.4", "10.0.0.5"}})
	b.server.Be(arm.Behaviour{Anyone: true, Lag: 10 * time.Second})
	url := "https://management.azure.com" + table + "/routes/far?api-version=2025-07-01"
	hops := func() string {
		_, r := b.raw("GET", url, "ok", "")
		return fmt.Sprint(r.object["properties"].(map[string]any)["nextHop"])
	}
	before := hops()
	if status, r := b.raw("PUT", url, "ok", ecmp("10.0.0.4", "10.0.0.6")); status != 200 {
		t.Fatalf("%d %+v", status, r.Error)
	}
	if got := hops(); got != before {
		t.Errorf("early: %s", got)
	}
	// A second change within the time prolongs nothing.
	b.ahead += 5 * time.Second
	if status, r := b.raw("PUT", url, "ok", ecmp("10.0.0.4", "10.0.0.7")); status != 200 {
		t.Fatalf("%d %+v", status, r.Error)
	}
	b.ahead += 5 * time.Second
	if got := hops(); !strings.Contains(got, "10.0.0.7") {
		t.Errorf("late: %s", got)
	}
}

func TestRoutesShowLate(t *testing.T) {
	b := newBed(t)
	b.server.Be(arm.Behaviour{Anyone: true, RouteLag: 10 * time.Second})
	count := func() int {
		p, err := b.network().NewInterfacesClient().BeginGetEffectiveRouteTable(t.Context(), arm.Group, "vm-hub00-nic", nil)
		check(t, err)
		got, err := p.PollUntilDone(t.Context(), nil)
		check(t, err)
		return len(got.Value)
	}
	if got := count(); got != 0 {
		t.Errorf("at first: %d", got)
	}
	b.routes.effective = []*armnetwork.EffectiveRoute{{AddressPrefix: to.SliceOfPtrs("10.110.0.0/16")}}
	for range 2 {
		if got := count(); got != 0 {
			t.Errorf("early: %d", got)
		}
		b.ahead += 5 * time.Second
	}
	if got := count(); got != 1 {
		t.Errorf("late: %d", got)
	}
	b.routes.effective = nil
	b.ahead += time.Minute
	if got := count(); got != 1 {
		t.Errorf("the next change: %d", got)
	}
}
