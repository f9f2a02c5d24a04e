package arm_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"

	"github.com/nvad/nvad/integration/lab/emulator/arm"
)

// variants calls with for body with each of its values replaced by something else, one at a
// time.
func variants(body any, with func(string)) {
	var walk func(v any, set func(any))
	send := func() {
		data, err := json.Marshal(body)
		if err == nil {
			with(string(data))
		}
	}
	walk = func(v any, set func(any)) {
		for _, other := range []any{nil, map[string]any{}, []any{nil}, "", 7} {
			set(other)
			send()
		}
		set(v)
		switch v := v.(type) {
		case map[string]any:
			for _, k := range slices.Sorted(maps.Keys(v)) {
				walk(v[k], func(other any) { v[k] = other })
			}
		case []any:
			for i := range v {
				walk(v[i], func(other any) { v[i] = other })
			}
		}
	}
	walk(body, func(other any) { body = other })
}

// Whatever a client writes, it gets an answer, and so do those who read afterwards.
func TestWrittenNonsenseBreaksNothing(t *testing.T) {
	b := newBed(t)
	site := b.state.Site("", "")
	group := site.SecurityGroup("nsg", arm.Rule{Name: "vxlan", Priority: 100, Inbound: true, Allow: true, Protocol: "Udp", Port: "4789"})
	table := site.RouteTable("rt", true, arm.UserRoute{Name: "far", Prefix: "10.110.0.0/16", Hops: []string{"10.0.0.4", "10.0.0.5"}}, arm.UserRoute{Name: "near", Prefix: "0.0.0.0/0", Hops: []string{"10.0.0.4"}})
	spoke := site.VNet("vnet-spoke", []string{"10.1.0.0/16"}, arm.Subnet{Name: "default", Prefix: "10.1.0.0/24", SecurityGroup: group, RouteTable: table})
	b.state.Peer(b.hub.VNet, spoke, true)
	gateway := site.Gateway("gw", b.hub.VNet, armnetwork.VirtualNetworkGatewayTypeExpressRoute, "10.0.200.4")
	pristine := b.state.Clone()
	for _, id := range []string{
		b.hub.NIC, spoke, b.hub.VNet + "/subnets/default", b.hub.VNet + "/virtualNetworkPeerings/to-vnet-spoke", table, table + "/routes/far", group,
		group + "/securityRules/vxlan", b.hub.RouteServer, b.hub.RouteServer + "/ipConfigurations/default", b.hub.Connection, gateway,
	} {
		t.Run(id[strings.LastIndex(id, "/providers/"):], func(t *testing.T) {
			b.t = t
			url := "https://management.azure.com" + id + "?api-version=2025-07-01"
			status, r := b.raw("GET", url, "ok", "")
			if status != 200 {
				t.Fatalf("%d %+v", status, r.Error)
			}
			if properties, ok := r.object["properties"].(map[string]any); ok {
				delete(properties, "defaultSecurityRules") // which nobody can write
			}
			n := 0
			variants(r.object, func(body string) {
				n++
				status, r := b.raw("PUT", url, "ok", body)
				if status >= 500 {
					t.Fatalf("%s: %d %+v", body, status, r.Error)
				}
				if status > 201 {
					return
				}
				b.readAll(t, body)
				data, err := json.Marshal(pristine)
				check(t, err)
				check(t, json.Unmarshal(data, b.state))
			})
			t.Log(n, "bodies")
		})
	}
}

// readAll reads what depends on several resources.
func (b *bed) readAll(t *testing.T, after string) {
	t.Helper()
	for _, path := range []string{
		"GET " + groupScope + "/providers/Microsoft.Network/virtualNetworks", "GET " + groupScope + "/providers/Microsoft.Network/virtualHubs",
		"GET " + groupScope + "/providers/Microsoft.Network/networkInterfaces", "GET " + groupScope + "/resources",
		"PUT " + b.hub.RouteServer + "/bgpConnections/another", "POST " + b.hub.NIC + "/effectiveRouteTable",
	} {
		method, path, _ := strings.Cut(path, " ")
		body := ""
		if method == "PUT" {
			body = `{"properties":{"peerIp":"10.0.0.9","peerAsn":65009}}`
		}
		if status, r := b.raw(method, "https://management.azure.com"+path+"?api-version=2025-05-01", "ok", body); status >= 500 {
			t.Fatalf("after %s: %s %s: %d %+v", after, method, path, status, r.Error)
		}
	}
	b.state.Machine(b.hub.VM, "")
}

func TestBodiesAreBounded(t *testing.T) {
	b := newBed(t)
	status, r := b.raw("PUT", "https://management.azure.com"+b.hub.NIC+"?api-version=2025-05-01", "ok", strings.Repeat(" ", 1<<20+1)+"{}")
	if status != 413 || r.Error.Code != "RequestContentTooLarge" {
		t.Errorf("%d %+v", status, r.Error)
	}
}

// slow is a network that answers when it is told to.
type slow struct {
	arm.NoRoutes
	asked, answer chan struct{}
}

func (s slow) Effective(context.Context, string) ([]*armnetwork.EffectiveRoute, error) {
	s.asked <- struct{}{}
	<-s.answer
	return nil, nil
}

// A client that goes away while the network is asked takes nobody with it.
func TestAClientThatGoesAway(t *testing.T) {
	b := newBed(t)
	network := slow{asked: make(chan struct{}), answer: make(chan struct{})}
	b.server.Routes = network
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() {
		_, err := b.network().NewInterfacesClient().BeginGetEffectiveRouteTable(ctx, arm.Group, "vm-hub00-nic", nil)
		gone <- err
	}()
	<-network.asked
	cancel()
	if err := <-gone; err == nil {
		t.Error("it got an answer")
	}
	close(network.answer)
	_, err := b.network().NewInterfacesClient().Get(t.Context(), arm.Group, "vm-hub00-nic", nil)
	check(t, err)
}

func TestHostsAndMethods(t *testing.T) {
	b := newBed(t)
	for _, c := range []struct {
		method, url string
		status      int
		code        string
	}{
		{"GET", "https://management.chinacloudapi.cn" + b.hub.NIC + "?api-version=2025-05-01", 404, "NotFound"},
		{"GET", "https://login.microsoftonline.com/", 404, "NotFound"},
		{"GET", "https://management.azure.com" + b.hub.NIC, 400, "MissingApiVersionParameter"},
		{"GET", "https://management.azure.com" + strings.Replace(b.hub.NIC, "/rg-nva/", "//", 1) + "?api-version=2025-05-01", 404, "NotFound"},
		{"GET", "https://management.azure.com" + b.hub.NIC + "%2F..?api-version=2025-05-01", 404, "NotFound"},
		{"TRACE", "https://management.azure.com" + b.hub.NIC + "?api-version=2025-05-01", 405, "MethodNotAllowed"},
		{"POST", "https://management.azure.com" + b.hub.NIC + "/nonsense?api-version=2025-05-01", 404, "InvalidResourceType"},
		{"PUT", "https://management.azure.com" + b.hub.VM + "?api-version=2025-05-01", 400, "InvalidRequestFormat"},
		{"DELETE", "https://management.azure.com" + groupScope + "?api-version=2025-05-01", 405, "MethodNotAllowed"},
	} {
		status, r := b.raw(c.method, c.url, "ok", "")
		if status != c.status || r.Error.Code != c.code || r.Error.Message == "" {
			t.Errorf("%s %s: %d %+v", c.method, c.url, status, r.Error)
		}
	}
}

func TestOtherClouds(t *testing.T) {
	for _, cloud := range arm.Clouds {
		b := newBed(t)
		check(t, b.server.In(cloud.Name))
		b.claims.Audience = cloud.Audience
		if status, r := b.raw("GET", "https://"+cloud.Host+b.hub.NIC+"?api-version=2025-05-01", "ok", ""); status != 200 {
			t.Errorf("%s: %d %+v", cloud.Name, status, r.Error)
		}
	}
	if err := newBed(t).server.In("AzureGermanCloud"); err == nil {
		t.Error("a cloud that there is none of")
	}
}

func TestOperationsAreForgotten(t *testing.T) {
	b := newBed(t)
	b.server.Be(arm.Behaviour{Anyone: true, ReadTime: time.Hour})
	var first string
	for i := range 1100 {
		_, r := b.raw("POST", fmt.Sprint("https://management.azure.com", b.hub.NIC, "/effectiveRouteTable?api-version=2025-05-01"), "ok", "")
		if i == 0 {
			first = r.header.Get("Location")
		}
	}
	if status, _ := b.raw("GET", first, "ok", ""); status != 404 {
		t.Errorf("the first of many: %d", status)
	}
}
