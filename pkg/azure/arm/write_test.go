package arm

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nvad/nvad/pkg/azure"
)

var hubServer = azure.RouteServer{ID: strings.ToLower(ars), Name: "ars-hub", ResourceGroup: "rg-net", Subscription: sub1}

// puts returns the requests that wrote something.
func (w *world) puts() []*sent {
	var out []*sent
	for _, s := range w.sent {
		if s.method == http.MethodPut {
			out = append(out, s)
		}
	}
	return out
}

func TestRegister(t *testing.T) {
	w := newWorld(t)
	c := w.client(Options{})
	for _, first := range []bool{true, false} {
		changed, err := c.Register(t.Context(), hubServer, "nva3", addr("10.0.0.9"), 65003)
		if err != nil || changed != first {
			t.Fatal(changed, err)
		}
	}
	puts := w.puts()
	if len(puts) != 1 || puts[0].path != ars+"/bgpConnections/nva3" {
		t.Fatalf("%+v", puts)
	}
	if diff := cmp.Diff(`{"name":"nva3","properties":{"peerAsn":65003,"peerIp":"10.0.0.9"}}`, string(puts[0].body)); diff != "" {
		t.Error(diff)
	}
}

func TestRegisterRefuses(t *testing.T) {
	for want, do := range map[string]func(w *world, c *Client) error{
		"peer 10.0.0.4 of Route Server ars-hub has AS 65001, not 65009: set that AS in nvad.toml, or remove the peer and register again: az network routeserver peering delete --name nva1 --routeserver ars-hub --resource-group rg-net": func(w *world, c *Client) error {
			_, err := c.Register(t.Context(), hubServer, "new", addr("10.0.0.4"), 65009)
			return err
		},
		"peer nva1 of Route Server ars-hub has the address 10.0.0.4, not 10.0.0.9: choose another name": func(w *world, c *Client) error {
			_, err := c.Register(t.Context(), hubServer, "NVA1", addr("10.0.0.9"), 65009)
			return err
		},
		"Route Server ars-hub has 8 peers, the most that Azure allows: remove one before 10.0.0.9 can become one": func(w *world, c *Client) error {
			path := strings.ToLower(ars + "/bgpConnections")
			for i := range 6 {
				w.lists[path] = append(w.lists[path], fmt.Sprintf(`{"id":"x%d","name":"x%[1]d","properties":{"peerIp":"10.3.0.%[1]d","peerAsn":65100}}`, i))
			}
			// Who is a peer already stays one.
			if changed, err := c.Register(t.Context(), hubServer, "nva1", addr("10.0.0.4"), 65001); changed || err != nil {
				t.Error(changed, err)
			}
			_, err := c.Register(t.Context(), hubServer, "new", addr("10.0.0.9"), 65009)
			return err
		},
	} {
		w := newWorld(t)
		if err := do(w, w.client(Options{})); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
		if len(w.puts()) > 0 {
			t.Errorf("%q was refused, and written", want)
		}
	}
}

// TestRegisterFailedOnce: Azure keeps a connection that it could not make. It is made again,
// under its name.
func TestRegisterFailedOnce(t *testing.T) {
	w := newWorld(t)
	w.list(ars+"/bgpConnections", `{"id":"{peer1}","name":"nva1","properties":{"peerIp":"10.0.0.4","peerAsn":65001,"provisioningState":"Failed"}}`)
	changed, err := w.client(Options{}).Register(t.Context(), hubServer, "other", addr("10.0.0.4"), 65001)
	if puts := w.puts(); !changed || err != nil || len(puts) != 1 || puts[0].path != peer1 {
		t.Errorf("%v, %v, %+v", changed, err, puts)
	}
}

// TestRegisterTogether: Azure makes one peer after the other. If two NVAs boot together, the
// second waits.
func TestRegisterTogether(t *testing.T) {
	for _, code := range busyCodes {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			left := 3
			w.meet = func(req *http.Request) *http.Response {
				if req.Method == http.MethodPut && left > 0 {
					left--
					return failure(409, code, "Another operation is in progress.")
				}
				return nil
			}
			changed, err := w.client(Options{}).Register(t.Context(), hubServer, "nva3", addr("10.0.0.9"), 65003)
			if !changed || err != nil || left != 0 {
				t.Errorf("%s: %v, %v", code, changed, err)
			}
		})
	}
}

// TestForwardAt: only IP forwarding changes; what else the NIC has stays.
func TestForwardAt(t *testing.T) {
	w := newWorld(t)
	c := w.client(Options{})
	for _, first := range []bool{true, false} {
		changed, err := c.ForwardAt(t.Context(), azure.NIC{ID: nic1})
		if err != nil || changed != first {
			t.Fatal(changed, err)
		}
	}
	puts := w.puts()
	if len(puts) != 1 || puts[0].ifMatch != `W/"a"` {
		t.Fatalf("%+v", puts)
	}
	before, after := newWorld(t).docs[strings.ToLower(nic1)], string(puts[0].body)
	if diff := cmp.Diff(tree(t, strings.Replace(before, `"enableIPForwarding":false`, `"enableIPForwarding":true`, 1)), tree(t, after)); diff != "" {
		t.Error(diff)
	}
}

func tree(t *testing.T, doc string) (out any) {
	t.Helper()
	if err := json.Unmarshal([]byte(doc), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestOvertaken: somebody else writes between reading and writing. Neither change is lost.
func TestOvertaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		path := strings.ToLower(nic1)
		overtake := func(old, by string) func(*http.Request) *http.Response {
			return func(req *http.Request) *http.Response {
				if req.Method == http.MethodPut {
					w.docs[path] = strings.NewReplacer(old, by, `W/\"a\"`, `W/\"b\"`).Replace(w.docs[path])
					w.meet = nil
				}
				return nil
			}
		}
		w.meet = overtake("00-0D-3A-04-75-98", "00-0D-3A-00-00-00")
		if changed, err := w.client(Options{}).ForwardAt(t.Context(), azure.NIC{ID: nic1}); !changed || err != nil {
			t.Fatal(changed, err)
		}
		if doc := w.docs[path]; !strings.Contains(doc, "00-0D-3A-00-00-00") || !strings.Contains(doc, `"enableIPForwarding":true`) {
			t.Error(doc)
		}
	})
}

const route = tableNVA + "/routes/both"

func (w *world) route(properties string) {
	w.set(route, `{"id":"`+route+`","name":"both","etag":"W/\"r\"","type":"Microsoft.Network/routeTables/routes","later":{"a":[1,2]},"properties":`+properties+`}`)
}

func TestSetHop(t *testing.T) {
	const two = `{"addressPrefix":"10.8.0.0/16","nextHopType":"VirtualApplianceEcmp","nextHop":{"nextHopIpAddresses":["10.0.0.4","10.0.0.6"]},"hasBgpOverride":false,"unknown":{"deep":12345678901234567890}}`
	const one = `{"addressPrefix":"10.8.0.0/16","nextHopType":"VirtualAppliance","nextHopIpAddress":"10.0.0.6","hasBgpOverride":false,"unknown":{"deep":12345678901234567890}}`
	many := strings.Replace(two, `"10.0.0.6"`, `"10.0.0.6","10.0.0.7"`, 1)
	for name, tt := range map[string]struct {
		before  string
		hop     string
		present bool
		after   string // empty: unchanged
	}{
		"one of two leaves":     {two, "10.0.0.4", false, one},
		"the second comes":      {one, "10.0.0.7", true, strings.Replace(strings.Replace(two, "10.0.0.6", "10.0.0.7", 1), "10.0.0.4", "10.0.0.6", 1)},
		"one of three leaves":   {many, "10.0.0.7", false, two},
		"the third comes":       {two, "10.0.0.7", true, many},
		"it is there already":   {two, "10.0.0.6", true, ""},
		"it is gone already":    {two, "10.0.0.9", false, ""},
		"the only one is there": {one, "10.0.0.6", true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.route(tt.before)
			changed, err := w.client(Options{}).SetHop(t.Context(), azure.RouteTable{ID: tableNVA, Name: "rt-nva"}, "both", addr(tt.hop), tt.present)
			puts := w.puts()
			if err != nil || changed != (tt.after != "") || len(puts) > 1 || changed != (len(puts) == 1) {
				t.Fatal(changed, err, len(puts))
			}
			if !changed {
				return
			}
			var got struct {
				Properties json.RawMessage
				Later      json.RawMessage
			}
			if err := json.Unmarshal(puts[0].body, &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tree(t, tt.after), tree(t, string(got.Properties))); diff != "" || string(got.Later) != `{"a":[1,2]}` {
				t.Error(diff, string(got.Later))
			}
			if !strings.Contains(string(got.Properties), "12345678901234567890") {
				t.Errorf("a number changed: %s", got.Properties)
			}
			if puts[0].ifMatch != `W/"r"` || puts[0].query != "api-version=2025-07-01" {
				t.Errorf("%+v", puts[0])
			}
		})
	}
}

func TestSetHopRefuses(t *testing.T) {
	var hops []string
	for i := range azure.MaxHops {
		hops = append(hops, fmt.Sprintf(`"10.1.0.%d"`, i))
	}
	for want, tt := range map[string]struct {
		before  string
		present bool
	}{
		"10.0.0.4 is its last next hop: without one, Azure drops what the route matches": {`{"nextHopType":"VirtualAppliance","nextHopIpAddress":"10.0.0.4"}`, false},
		"its next hop type is Internet: want VirtualApplianceEcmp":                       {`{"nextHopType":"Internet"}`, true},
		"it has 64 next hops, the most that Azure allows":                                {`{"nextHopType":"VirtualApplianceEcmp","nextHop":{"nextHopIpAddresses":[` + strings.Join(hops, ",") + `]}}`, true},
		"properties": {`"text"`, true},
	} {
		w := newWorld(t)
		w.route(tt.before)
		_, err := w.client(Options{}).SetHop(t.Context(), azure.RouteTable{ID: tableNVA, Name: "rt-nva"}, "both", addr("10.0.0.4"), tt.present)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "route both of route table rt-nva") || len(w.puts()) > 0 {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

// TestDrainTogether: two of three NVAs leave a route at the same time; one stays.
func TestDrainTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.route(`{"addressPrefix":"10.8.0.0/16","nextHopType":"VirtualApplianceEcmp","nextHop":{"nextHopIpAddresses":["10.0.0.4","10.0.0.6","10.0.0.8"]}}`)
		table := azure.RouteTable{ID: tableNVA, Name: "rt-nva"}
		done := make(chan error)
		for _, hop := range []string{"10.0.0.4", "10.0.0.6"} {
			c := w.client(Options{})
			go func() {
				_, err := c.SetHop(t.Context(), table, "both", addr(hop), false)
				done <- err
			}()
		}
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if doc := w.docs[strings.ToLower(route)]; !strings.Contains(doc, `"nextHopIpAddress":"10.0.0.8"`) || strings.Contains(doc, "10.0.0.4") || strings.Contains(doc, "10.0.0.6") {
			t.Error(doc)
		}
	})
}

// TestBusyUntilTheEnd: the error has Azure's last words.
func TestBusyUntilTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.meet = func(req *http.Request) *http.Response {
			if req.Method == http.MethodPut {
				return failure(409, "AnotherOperationInProgress", "Operation 77 is in progress.")
			}
			return nil
		}
		ctx, cancel := contextFor(t, time.Minute)
		defer cancel()
		started := time.Now()
		_, err := w.client(Options{}).ForwardAt(ctx, azure.NIC{ID: nic1})
		if err == nil || !strings.Contains(err.Error(), "Operation 77 is in progress") || !strings.Contains(err.Error(), "waiting for NIC nic-nva1 to forward packets") {
			t.Error(err)
		}
		if took := time.Since(started); took < 50*time.Second || took > time.Minute {
			t.Errorf("it took %v", took)
		}
	})
}

// TestLinkedPermission: to write a NIC, the identity needs permissions on what the NIC refers to.
func TestLinkedPermission(t *testing.T) {
	w := newWorld(t)
	subnet := hub + "/subnets/nva"
	w.meet = func(req *http.Request) *http.Response {
		if req.Method != http.MethodPut {
			return nil
		}
		return failure(403, "LinkedAuthorizationFailed", "The client 'a1' with object id 'b2' has permission to perform action 'Microsoft.Network/networkInterfaces/write' on scope '"+nic1+
			"'; however, it does not have permission to perform action(s) 'Microsoft.Network/virtualNetworks/subnets/join/action' on the linked scope(s) '"+subnet+"' (respectively) or the linked scope(s) are invalid.")
	}
	_, err := w.client(Options{}).ForwardAt(t.Context(), azure.NIC{ID: nic1})
	want := "lacks the permission Microsoft.Network/virtualNetworks/subnets/join/action for " + subnet + "; the role of configs/azure/role-operator.json has it"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Error(err)
	}
}

// TestWritePermissions: each change without its permission says which, and which role has it.
func TestWritePermissions(t *testing.T) {
	for action, do := range changes(t) {
		w := newWorld(t)
		w.route(`{"nextHopType":"VirtualApplianceEcmp","nextHop":{"nextHopIpAddresses":["10.0.0.4","10.0.0.6"]}}`)
		w.denied[strings.ToLower(action)] = true
		err := do(w.client(Options{}))
		if err == nil || !strings.Contains(err.Error(), action+" for ") || !strings.Contains(err.Error(), "role-operator.json") {
			t.Errorf("%s: %v", action, err)
		}
	}
}

// changes has a change for each action that writes.
func changes(t *testing.T) map[string]func(*Client) error {
	return map[string]func(*Client) error{
		"Microsoft.Network/virtualHubs/bgpConnections/write": func(c *Client) error {
			_, err := c.Register(t.Context(), hubServer, "nva3", addr("10.0.0.9"), 65003)
			return err
		},
		"Microsoft.Network/networkInterfaces/write": func(c *Client) error {
			_, err := c.ForwardAt(t.Context(), azure.NIC{ID: nic1})
			return err
		},
		"Microsoft.Resources/tags/write": func(c *Client) error {
			_, _, err := c.Tag(t.Context(), "", "nvad-key", "abc")
			return err
		},
		"Microsoft.Network/routeTables/routes/write": func(c *Client) error {
			_, err := c.SetHop(t.Context(), azure.RouteTable{ID: tableNVA, Name: "rt-nva"}, "both", addr("10.0.0.4"), false)
			return err
		},
	}
}

// TestConnectionOrder: whichever connection comes first in Azure's list, another AS is refused.
func TestConnectionOrder(t *testing.T) {
	list := []azure.Connection{{Name: "a", Peer: addr("10.0.0.1"), ASN: 1}, {Name: "b", Peer: addr("10.0.0.2"), ASN: 2}}
	for range 2 {
		slices.Reverse(list)
		if _, _, err := connectionFor(hubServer, list, azure.Connection{Name: "a", Peer: addr("10.0.0.2"), ASN: 3}); err == nil || !strings.Contains(err.Error(), "has AS 2, not 3") {
			t.Error(err)
		}
	}
}

// TestNamesInPaths: a name from the command line becomes no part of a query, and no other path.
func TestNamesInPaths(t *testing.T) {
	w := newWorld(t)
	_, err := w.client(Options{}).SetHop(t.Context(), azure.RouteTable{ID: tableNVA, Name: "rt-nva"}, "both?api-version=1#x%2f", addr("10.0.0.4"), true)
	if last := w.sent[len(w.sent)-1]; err == nil || last.path != tableNVA+"/routes/both?api-version=1#x%2f" || last.query != "api-version=2025-07-01" {
		t.Errorf("%+v, %v", last, err)
	}
}
