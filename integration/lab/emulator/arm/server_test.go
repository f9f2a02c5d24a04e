package arm_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
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
	routes *routes
	// ahead is how far the server's clock is ahead.
	ahead time.Duration
}

// routes is a network of which tests say everything.
type routes struct {
	arm.NoRoutes
	effective []*armnetwork.EffectiveRoute
	learned   map[string][]*armnetwork.PeerRoute
}

func (r *routes) Effective(context.Context, string) ([]*armnetwork.EffectiveRoute, error) {
	return r.effective, nil
}

func (r *routes) Learned(context.Context, string, string) (map[string][]*armnetwork.PeerRoute, error) {
	return r.learned, nil
}

func newBed(t *testing.T) *bed {
	t.Helper()
	b := &bed{t: t, state: arm.NewState(), routes: &routes{}}
	b.hub = b.state.Site("", "").Hub("hub00", 0, 65001)
	b.server = arm.New(b.state, b.routes)
	start := time.Now()
	b.server.SetClock(func() time.Time { return start.Add(b.ahead) })
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

// refused checks that err is Resource Manager's with that status and code, and a text in it.
func refused(t *testing.T, err error, status int, code, text string) {
	t.Helper()
	var e *azcore.ResponseError
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want %d %s", err, status, code)
	}
	if e.StatusCode != status || e.ErrorCode != code || !strings.Contains(e.Error(), text) {
		t.Fatalf("got %d %s: %v, want %d %s with %q", e.StatusCode, e.ErrorCode, e, status, code, text)
	}
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

// reply is an answer to a request that the SDK would not send, or would read otherwise.
type reply struct {
	Error    struct{ Code, Message string }
	Value    []map[string]any
	NextLink string
	header   http.Header
	object   map[string]any
}

// raw sends a request. An empty header stands for none, "ok" for a valid token.
func (b *bed) raw(method, url, authorization, body string, headers ...string) (int, reply) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, url, strings.NewReader(body))
	check(b.t, err)
	if authorization == "ok" {
		authorization = "Bearer " + token.Sign(b.claims)
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := b.http.Do(req)
	check(b.t, err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	check(b.t, err)
	r := reply{header: resp.Header}
	if len(data) > 0 {
		check(b.t, json.Unmarshal(data, &r))
		check(b.t, json.Unmarshal(data, &r.object))
	}
	return resp.StatusCode, r
}
