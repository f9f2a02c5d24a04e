package arm_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"

	"github.com/nvad/nvad/integration/lab/emulator/arm"
	"github.com/nvad/nvad/integration/lab/emulator/token"
	"github.com/nvad/nvad/pkg/azure"
	client "github.com/nvad/nvad/pkg/azure/arm"
)

// vm sends nvactl's requests from the hub's VM: the metadata service gives it tokens.
type vm struct{ *bed }

func (v vm) Do(req *http.Request) (*http.Response, error) {
	if req.URL.Host != "169.254.169.254" {
		return v.http.Do(req)
	}
	body, err := json.Marshal(map[string]string{
		"access_token": token.Sign(v.claims), "expires_on": fmt.Sprint(v.claims.Expires), "resource": arm.Clouds[0].Audience, "token_type": "Bearer",
	})
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(body)), Request: req,
	}, err
}

// nvactl returns the client of nvactl, with the role of a file of configs/azure at scope.
func (b *bed) nvactl(file, scope string) *client.Client {
	b.t.Helper()
	b.server.SetClock(time.Now)
	b.server.Be(arm.Behaviour{PageSize: 1, PollRole: scope != groupScope, ReadTime: time.Millisecond, WriteTime: time.Millisecond})
	role, err := arm.ReadRole("../../../../configs/azure/" + file)
	check(b.t, err)
	b.claims.Object = strings.ReplaceAll(b.t.Name(), "/", "-")
	b.state.Assign(b.claims.Object, role, scope)
	// The SDK keeps the tokens of each identity, and this one is new.
	c, err := client.New(b.t.Context(), client.Options{Cloud: "AzurePublicCloud", Identity: "managed", ClientID: b.claims.Object, Transport: vm{b}})
	check(b.t, err)
	return c
}

// TestReaderReadsAll: with the reader's role, nothing is missing in what nvactl reads.
func TestReaderReadsAll(t *testing.T) {
	b := newBed(t)
	b.routes.effective = []*armnetwork.EffectiveRoute{{}}
	b.routes.learned = map[string][]*armnetwork.PeerRoute{"RouteServiceRole_IN_0": {}, "RouteServiceRole_IN_1": {}}
	c := b.nvactl("role-reader.json", "/subscriptions/"+arm.Subscription)
	s, err := c.Snapshot(t.Context(), client.Ask{VM: b.hub.VM, Tag: "nvad", Routes: true})
	check(t, err)
	if len(s.Missing) > 0 || len(s.NICs) != 1 || len(s.VNets) != 1 || len(s.RouteServers) != 1 || len(s.RouteServers[0].Connections) != 1 || len(s.NICs[0].Routes) != 1 {
		t.Errorf("%+v", s)
	}
	_, err = c.Register(t.Context(), s.RouteServers[0], "another", netip.MustParseAddr("10.0.0.9"), 65009)
	denied, ok := errors.AsType[*client.PermissionError](err)
	if !ok || denied.Action != "Microsoft.Network/virtualHubs/bgpConnections/write" || denied.Role() != "role-operator.json" {
		t.Error(err)
	}
}

// TestReaderOfOneGroup: a role at the resource group only is enough for an NVA there.
func TestReaderOfOneGroup(t *testing.T) {
	b := newBed(t)
	s, err := b.nvactl("role-reader.json", groupScope).Snapshot(t.Context(), client.Ask{VM: b.hub.VM, Tag: "nvad", Routes: true})
	check(t, err)
	if len(s.Missing) > 0 || len(s.RouteServers) != 1 {
		t.Errorf("%+v", s)
	}
}

// TestOperatorChanges: with the operator's role, all that nvactl changes can be changed, and
// again changes nothing.
func TestOperatorChanges(t *testing.T) {
	b := newBed(t)
	site := b.state.Site("", "")
	group := site.SecurityGroup("nsg-nva")
	table := site.RouteTable("rt-nva", true, arm.UserRoute{Name: "spokes", Prefix: "10.8.0.0/16", Hops: []string{"10.0.0.4", "10.0.0.5"}})
	arm.Change(b.state, b.hub.NIC, func(n *armnetwork.Interface) {
		n.Properties.NetworkSecurityGroup, n.Properties.EnableIPForwarding = &armnetwork.SecurityGroup{ID: &group}, new(bool)
	})
	c := b.nvactl("role-operator.json", groupScope)
	s, err := c.Snapshot(t.Context(), client.Ask{VM: b.hub.VM})
	check(t, err)
	spokes := func(present bool) func() (bool, error) {
		return func() (bool, error) {
			return c.SetHop(t.Context(), azure.RouteTable{ID: table}, "spokes", netip.MustParseAddr("10.0.0.4"), present)
		}
	}
	for i, change := range []func() (bool, error){
		func() (bool, error) {
			return c.Register(t.Context(), s.RouteServers[0], "another", netip.MustParseAddr("10.0.0.9"), 65009)
		},
		func() (bool, error) { return c.ForwardAt(t.Context(), s.NICs[0]) },
		spokes(false),
		spokes(true),
	} {
		for _, first := range []bool{true, false} {
			if changed, err := change(); err != nil || changed != first {
				t.Errorf("change %d: %v, %v", i, changed, err)
			}
		}
	}
	nic, ok := arm.Get[armnetwork.Interface](b.state, b.hub.NIC)
	if !ok || !*nic.Properties.EnableIPForwarding || *nic.Properties.NetworkSecurityGroup.ID != group {
		t.Errorf("%+v", nic.Properties)
	}
	if hops := b.state.Hops(table + "/routes/spokes"); !slices.Equal(hops, []string{"10.0.0.5", "10.0.0.4"}) {
		t.Errorf("%q", hops)
	}
	s, err = c.Snapshot(t.Context(), client.Ask{VM: b.hub.VM})
	if check(t, err); !s.NICs[0].IPForwarding || len(s.RouteServers[0].Connections) != 2 {
		t.Errorf("%+v", s)
	}
}

// TestOperatorsTogether: NVAs that boot together register at the same time. Azure makes one peer
// after the other, and refuses the ninth.
func TestOperatorsTogether(t *testing.T) {
	b := newBed(t)
	c := b.nvactl("role-operator.json", groupScope)
	s, err := c.Snapshot(t.Context(), client.Ask{VM: b.hub.VM})
	check(t, err)
	b.server.Be(arm.Behaviour{WriteTime: 300 * time.Millisecond})
	done := make(chan error)
	for i := range 3 {
		c := b.nvactl("role-operator.json", groupScope)
		b.server.Be(arm.Behaviour{WriteTime: 300 * time.Millisecond})
		go func() {
			changed, err := c.Register(t.Context(), s.RouteServers[0], fmt.Sprint("nva", i), netip.AddrFrom4([4]byte{10, 0, 0, byte(20 + i)}), 65009)
			if err == nil && !changed {
				err = errors.New("nothing changed")
			}
			done <- err
		}()
	}
	for range 3 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	for i := range 4 {
		b.state.Connect(b.hub.RouteServer, fmt.Sprint("more", i), fmt.Sprint("10.0.0.", 30+i), 65009)
	}
	_, err = c.Register(t.Context(), s.RouteServers[0], "ninth", netip.MustParseAddr("10.0.0.99"), 65009)
	if err == nil || !strings.Contains(err.Error(), "has 8 peers, the most that Azure allows") {
		t.Error(err)
	}
}
