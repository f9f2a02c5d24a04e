package arm_test

import (
	"context"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	azarm "github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armsubscriptions"

	"github.com/nvad/nvad/integration/lab/emulator/arm"
	"github.com/nvad/nvad/integration/lab/emulator/token"
)

// bed is a hub behind a real TLS server, and clients of Azure's SDK that ask it.
type bed struct {
	t      *testing.T
	state  *arm.State
	server *arm.Server
	http   *http.Client
	hub    arm.HubIDs
	claims token.Claims
}

func newBed(t *testing.T) *bed {
	t.Helper()
	b := &bed{t: t, state: arm.NewState()}
	b.hub = b.state.Site("", "").Hub("hub00", 0, 65001)
	b.server = arm.New(b.state, arm.NoRoutes{})
	b.server.Be(arm.Behaviour{Anyone: true})
	a, err := arm.NewAuthority()
	check(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	done := make(chan error, 1)
	go func() { done <- b.server.Serve(l, a) }()
	t.Cleanup(func() {
		b.http.CloseIdleConnections()
		check(t, l.Close())
		check(t, <-done)
	})
	b.http = a.Client(l.Addr())
	b.claims = token.Claims{
		Audience: arm.Clouds[0].Audience, Tenant: arm.Tenant, Object: "11111111-1111-1111-1111-111111111111",
		Client: "22222222-2222-2222-2222-222222222222", Expires: time.Now().Add(time.Hour).Unix(),
	}
	return b
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// GetToken is the credential of the bed's clients.
func (b *bed) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: token.Sign(b.claims), ExpiresOn: time.Now().Add(time.Hour)}, nil
}

func (b *bed) options() *azarm.ClientOptions {
	return &azarm.ClientOptions{ClientOptions: azcore.ClientOptions{
		Transport: b.http, Retry: policy.RetryOptions{MaxRetries: -1},
	}}
}

func (b *bed) network() *armnetwork.ClientFactory {
	b.t.Helper()
	f, err := armnetwork.NewClientFactory(arm.Subscription, b, b.options())
	check(b.t, err)
	return f
}

func (b *bed) compute() *armcompute.ClientFactory {
	b.t.Helper()
	f, err := armcompute.NewClientFactory(arm.Subscription, b, b.options())
	check(b.t, err)
	return f
}

func TestReadsAHub(t *testing.T) {
	b := newBed(t)
	ctx := t.Context()
	hub, err := b.network().NewVirtualHubsClient().Get(ctx, arm.Group, "rs-hub00", nil)
	check(t, err)
	if got := *hub.Properties.VirtualRouterIPs[1]; got != "10.0.210.5" || len(hub.Properties.BgpConnections) != 1 {
		t.Errorf("instance %s, connections %v", got, hub.Properties.BgpConnections)
	}
	peer, err := b.network().NewVirtualHubBgpConnectionClient().Get(ctx, arm.Group, "rs-hub00", "vm-hub00", nil)
	check(t, err)
	if *peer.Properties.PeerIP != "10.0.0.4" || *peer.Properties.PeerAsn != 65001 {
		t.Errorf("peer %v", peer.Properties)
	}
	nic, err := b.network().NewInterfacesClient().Get(ctx, "RG-NVA", "VM-HUB00-NIC", nil)
	check(t, err)
	if *nic.ID != b.hub.NIC || !*nic.Properties.EnableIPForwarding {
		t.Errorf("NIC %v", nic)
	}
	vm, err := b.compute().NewVirtualMachinesClient().Get(ctx, arm.Group, "vm-hub00", nil)
	check(t, err)
	if *vm.ID != b.hub.VM || vm.Properties.InstanceView != nil {
		t.Errorf("VM %v", vm)
	}
	subnet, err := b.network().NewSubnetsClient().Get(ctx, arm.Group, "vnet-hub00", "default", nil)
	check(t, err)
	if *subnet.Properties.AddressPrefix != "10.0.0.0/24" {
		t.Errorf("subnet %v", subnet.Properties)
	}
	subscriptions, err := armsubscriptions.NewClientFactory(b, b.options())
	check(t, err)
	page, err := subscriptions.NewClient().NewListPager(nil).NextPage(ctx)
	check(t, err)
	if len(page.Value) != 1 || *page.Value[0].SubscriptionID != arm.Subscription {
		t.Errorf("subscriptions %v", page.Value)
	}
}
