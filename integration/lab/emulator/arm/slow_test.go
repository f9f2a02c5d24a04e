package arm_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"

	"github.com/nvad/nvad/integration/lab/emulator/arm"
)

// pollOnce asks once how far an operation is.
func pollOnce[T any](t *testing.T, p *runtime.Poller[T]) *http.Response {
	t.Helper()
	resp, err := p.Poll(t.Context())
	check(t, err)
	return resp
}

func TestEffectiveRoutesTakeTheirTime(t *testing.T) {
	b := newBed(t)
	b.server.Be(arm.Behaviour{Anyone: true, ReadTime: 10 * time.Second, RetryAfter: 7 * time.Second})
	b.routes.effective = []*armnetwork.EffectiveRoute{{
		AddressPrefix: to.SliceOfPtrs("10.110.0.0/16"), NextHopIPAddress: to.SliceOfPtrs("10.0.0.4"),
		NextHopType: to.Ptr(armnetwork.RouteNextHopTypeVirtualNetworkGateway), State: to.Ptr(armnetwork.EffectiveRouteStateActive),
	}}
	p, err := b.network().NewInterfacesClient().BeginGetEffectiveRouteTable(t.Context(), arm.Group, "vm-hub00-nic", nil)
	check(t, err)
	for range 2 {
		if resp := pollOnce(t, p); p.Done() || resp.Header.Get("Retry-After") != "7" {
			t.Fatalf("done %v, Retry-After %q", p.Done(), resp.Header.Get("Retry-After"))
		}
	}
	b.ahead += 10 * time.Second
	pollOnce(t, p)
	if !p.Done() {
		t.Fatal("not done when its time is over")
	}
	result, err := p.Result(t.Context())
	check(t, err)
	if len(result.Value) != 1 || *result.Value[0].AddressPrefix[0] != "10.110.0.0/16" {
		t.Errorf("routes %v", result.Value)
	}
}

// The form of an answer that takes its time.
func TestSlowAnswersSayWhereToPoll(t *testing.T) {
	b := newBed(t)
	b.server.Be(arm.Behaviour{Anyone: true, ReadTime: time.Second, RetryAfter: 1500 * time.Millisecond})
	status, r := b.raw("POST", "https://management.azure.com"+b.hub.Connection+"/learnedRoutes?api-version=2025-05-01", "ok", "")
	if status != 202 || r.header.Get("Location") == "" || r.header.Get("Azure-AsyncOperation") == "" || r.header.Get("Retry-After") != "2" {
		t.Fatalf("%d %v", status, r.header)
	}
	location, operation := r.header.Get("Location"), r.header.Get("Azure-AsyncOperation")
	if status, r = b.raw("GET", location, "ok", ""); status != 202 || r.header.Get("Location") != location {
		t.Errorf("early: %d %v", status, r.header)
	}
	if status, r = b.raw("GET", operation, "ok", ""); status != 200 || r.object["status"] != "InProgress" {
		t.Errorf("early: %d %v", status, r.object)
	}
	b.ahead += time.Second
	b.routes.learned = map[string][]*armnetwork.PeerRoute{"RouteServiceRole_IN_0": {{Network: to.Ptr("10.110.0.0/16"), AsPath: to.Ptr("65001-65001")}}, "RouteServiceRole_IN_1": {}}
	if status, r = b.raw("GET", operation, "ok", ""); status != 200 || r.object["status"] != "Succeeded" {
		t.Errorf("late: %d %v", status, r.object)
	}
	if status, r = b.raw("GET", location, "ok", ""); status != 200 || len(r.object) != 2 {
		t.Errorf("late: %d %v", status, r.object)
	}
	if status, _ = b.raw("GET", location, "", ""); status != 401 {
		t.Errorf("without a token: %d", status)
	}
	if status, r = b.raw("GET", location[:len(location)-40]+"00?api-version=2025-05-01", "ok", ""); status != 404 {
		t.Errorf("no such operation: %d %v", status, r.Error)
	}
}

func TestPollingMayNeedARole(t *testing.T) {
	b := newBed(t)
	b.server.Be(arm.Behaviour{ReadTime: time.Second, PollRole: true})
	b.state.Assign(b.claims.Object, arm.Role{Actions: []string{"Microsoft.Network/networkInterfaces/*"}}, "/subscriptions/"+arm.Subscription)
	p, err := b.network().NewInterfacesClient().BeginGetEffectiveRouteTable(t.Context(), arm.Group, "vm-hub00-nic", nil)
	check(t, err)
	_, err = p.Poll(t.Context())
	refused(t, err, 403, "AuthorizationFailed", "Microsoft.Network/locations/operations/read")
	b.state.Assign(b.claims.Object, arm.Role{Actions: []string{"Microsoft.Network/locations/*/read"}}, "/subscriptions/"+arm.Subscription)
	pollOnce(t, p)
}

// What Route Server learned is a map of its instances, in whatever way the SDK's fakes
// would write it.
func TestLearnedRoutesByInstance(t *testing.T) {
	b := newBed(t)
	b.routes.learned = map[string][]*armnetwork.PeerRoute{
		"RouteServiceRole_IN_0": {{Network: to.Ptr("10.110.0.0/16"), AsPath: to.Ptr("65001-65001"), NextHop: to.Ptr("10.0.0.4")}},
		"RouteServiceRole_IN_1": {},
	}
	p, err := b.network().NewVirtualHubBgpConnectionsClient().BeginListLearnedRoutes(t.Context(), arm.Group, "rs-hub00", "vm-hub00", nil)
	check(t, err)
	got, err := p.PollUntilDone(t.Context(), nil)
	check(t, err)
	if len(got.Value) != 2 || *got.Value["RouteServiceRole_IN_0"][0].AsPath != "65001-65001" || len(got.Value["RouteServiceRole_IN_1"]) != 0 {
		t.Errorf("learned %v", got.Value)
	}
}

func TestAStoppedVMHasNoEffectiveRoutes(t *testing.T) {
	b := newBed(t)
	b.state.Power(b.hub.VM, false)
	client := b.network().NewInterfacesClient()
	_, err := client.BeginGetEffectiveRouteTable(t.Context(), arm.Group, "vm-hub00-nic", nil)
	refused(t, err, 400, "NetworkInterfaceNotAttachedToRunningVirtualMachine", "running virtual machine")
	_, err = client.BeginListEffectiveNetworkSecurityGroups(t.Context(), arm.Group, "vm-hub00-nic", nil)
	refused(t, err, 400, "NetworkInterfaceNotAttachedToRunningVirtualMachine", "running virtual machine")
	b.state.Power(b.hub.VM, true)
	_, err = client.BeginGetEffectiveRouteTable(t.Context(), arm.Group, "vm-hub00-nic", nil)
	check(t, err)
}

func connection(ip string, asn int64) armnetwork.BgpConnection {
	return armnetwork.BgpConnection{Properties: &armnetwork.BgpConnectionProperties{PeerIP: &ip, PeerAsn: &asn}}
}

func TestWritesTakeTheirTime(t *testing.T) {
	b := newBed(t)
	b.server.Be(arm.Behaviour{Anyone: true, WriteTime: time.Minute})
	client := b.network().NewVirtualHubBgpConnectionClient()
	p, err := client.BeginCreateOrUpdate(t.Context(), arm.Group, "rs-hub00", "vm-hub01", connection("10.0.0.5", 65002), nil)
	check(t, err)
	_, err = client.Get(t.Context(), arm.Group, "rs-hub00", "vm-hub01", nil)
	refused(t, err, 404, "ResourceNotFound", "")
	// Two NVAs that start at the same time both want to become peers.
	_, err = client.BeginCreateOrUpdate(t.Context(), arm.Group, "rs-hub00", "vm-hub02", connection("10.0.0.6", 65002), nil)
	refused(t, err, 409, "AnotherOperationInProgress", "/operations/")
	if pollOnce(t, p); p.Done() {
		t.Fatal("done too early")
	}
	b.ahead += time.Minute
	if pollOnce(t, p); !p.Done() {
		t.Fatal("not done when its time is over")
	}
	got, err := p.Result(t.Context())
	check(t, err)
	if *got.Properties.PeerIP != "10.0.0.5" || *got.Properties.ProvisioningState != armnetwork.ProvisioningStateSucceeded || got.Properties.ConnectionState != nil {
		t.Errorf("connection %v", got.Properties)
	}
	_, err = client.BeginCreateOrUpdate(t.Context(), arm.Group, "rs-hub00", "vm-hub02", connection("10.0.0.6", 65002), nil)
	check(t, err)
}

func TestSlowWritesShowThatTheyAreUnderWay(t *testing.T) {
	b := newBed(t)
	b.server.Be(arm.Behaviour{Anyone: true, WriteTime: time.Minute})
	status, r := b.raw("PUT", "https://management.azure.com"+b.hub.RouteServer+"/bgpConnections/vm-hub01?api-version=2025-05-01", "ok", `{"properties":{"peerIp":"10.0.0.5","peerAsn":65002}}`)
	properties, _ := r.object["properties"].(map[string]any)
	if status != 201 || properties["provisioningState"] != "Updating" || r.header.Get("Azure-AsyncOperation") == "" {
		t.Errorf("%d %v %v", status, r.object, r.header)
	}
	// A resource has the state, not what is within it: the SDK waits for nothing that it
	// reads as done.
	nic, err := b.network().NewInterfacesClient().Get(t.Context(), arm.Group, "vm-hub00-nic", nil)
	check(t, err)
	p, err := b.network().NewInterfacesClient().BeginCreateOrUpdate(t.Context(), arm.Group, "vm-hub00-nic", nic.Interface, nil)
	if check(t, err); p.Done() {
		t.Error("the NIC is changed for a minute, and the client takes it for done")
	}
}

func TestDeletesTakeTheirTime(t *testing.T) {
	b := newBed(t)
	b.server.Be(arm.Behaviour{Anyone: true, WriteTime: time.Minute})
	client := b.network().NewVirtualHubBgpConnectionClient()
	p, err := client.BeginDelete(t.Context(), arm.Group, "rs-hub00", "vm-hub00", nil)
	check(t, err)
	_, err = client.Get(t.Context(), arm.Group, "rs-hub00", "vm-hub00", nil)
	check(t, err)
	b.ahead += time.Minute
	_, err = p.PollUntilDone(t.Context(), nil)
	check(t, err)
	_, err = client.Get(t.Context(), arm.Group, "rs-hub00", "vm-hub00", nil)
	refused(t, err, 404, "ResourceNotFound", "The Resource 'Microsoft.Network/virtualHubs/rs-hub00/bgpConnections/vm-hub00' under resource group 'rg-nva' was not found")
	p, err = client.BeginDelete(t.Context(), arm.Group, "rs-hub00", "vm-hub00", nil)
	check(t, err)
	if !p.Done() {
		t.Error("nothing takes as long as something")
	}
}

func TestAnOperationThatFails(t *testing.T) {
	b := newBed(t)
	b.server.Be(arm.Behaviour{Anyone: true, WriteTime: time.Minute})
	b.server.Fail(arm.Fault{Match: "PUT /", Times: 1, Status: 409, Code: "ReferencedResourceNotProvisioned", Message: "Try again later.", Operation: true})
	client := b.network().NewVirtualHubBgpConnectionClient()
	p, err := client.BeginCreateOrUpdate(t.Context(), arm.Group, "rs-hub00", "vm-hub01", connection("10.0.0.5", 65002), nil)
	check(t, err)
	b.ahead += time.Minute
	_, err = p.PollUntilDone(t.Context(), nil)
	if err == nil {
		t.Fatal("it succeeds")
	}
	refused(t, err, 200, "ReferencedResourceNotProvisioned", "Try again later.")
	_, err = client.Get(t.Context(), arm.Group, "rs-hub00", "vm-hub01", nil)
	refused(t, err, 404, "ResourceNotFound", "")
}

func TestThrottling(t *testing.T) {
	b := newBed(t)
	b.server.Be(arm.Behaviour{Anyone: true, Throttle: arm.Throttle{Requests: 3, Window: 10 * time.Second}})
	client := b.network().NewInterfacesClient()
	get := func() error {
		_, err := client.Get(t.Context(), arm.Group, "vm-hub00-nic", nil)
		return err
	}
	for range 3 {
		check(t, get())
	}
	b.ahead += 4500 * time.Millisecond
	refused(t, get(), 429, "SubscriptionRequestsThrottled", "Please try again after '6' seconds")
	_, r := b.raw("GET", "https://management.azure.com"+b.hub.NIC+"?api-version=2025-05-01", "ok", "")
	if r.header.Get("Retry-After") != "6" {
		t.Errorf("Retry-After %q", r.header.Get("Retry-After"))
	}
	other := *b
	other.claims.Object = "33333333-3333-3333-3333-333333333333"
	_, err := other.network().NewInterfacesClient().Get(t.Context(), arm.Group, "vm-hub00-nic", nil)
	check(t, err)
	b.ahead += 5500 * time.Millisecond
	check(t, get())
}

func TestFaults(t *testing.T) {
	b := newBed(t)
	client := b.network().NewInterfacesClient()
	get := func() error {
		_, err := client.Get(t.Context(), arm.Group, "vm-hub00-nic", nil)
		return err
	}
	b.server.Fail(arm.Fault{Match: "/VIRTUALHUBS/", Status: 500}, arm.Fault{Match: "networkinterfaces", Times: 2, Status: 503, Code: "ServerBusy", Message: "Busy.", RetryAfter: "3"})
	refused(t, get(), 503, "ServerBusy", "Busy.")
	refused(t, get(), 503, "ServerBusy", "Busy.")
	check(t, get())
	for range 3 {
		_, err := b.network().NewVirtualHubsClient().Get(t.Context(), arm.Group, "rs-hub00", nil)
		refused(t, err, 500, "InternalServerError", "")
	}
	b.server.Mend()
	_, err := b.network().NewVirtualHubsClient().Get(t.Context(), arm.Group, "rs-hub00", nil)
	check(t, err)
}
