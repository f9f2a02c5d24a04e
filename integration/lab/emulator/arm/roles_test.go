package arm_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armsubscriptions"

	"github.com/nvad/nvad/integration/lab/emulator/arm"
	"github.com/nvad/nvad/integration/lab/emulator/token"
)

const groupScope = "/subscriptions/" + arm.Subscription + "/resourceGroups/" + arm.Group

func TestARoleAllowsItsActionsAtItsScope(t *testing.T) {
	readNICs := arm.Role{Actions: []string{"Microsoft.Network/networkInterfaces/read"}}
	for name, c := range map[string]struct {
		role    arm.Role
		scope   string
		allowed bool
	}{
		"none":                    {arm.Role{}, groupScope, false},
		"at the resource":         {readNICs, arm.ID(arm.TypeNIC, "vm-hub00-nic"), true},
		"at the group":            {readNICs, groupScope, true},
		"in other case":           {arm.Role{Actions: []string{"microsoft.network/NETWORKINTERFACES/Read"}}, "/SUBSCRIPTIONS/" + arm.Subscription, true},
		"at another resource":     {readNICs, arm.ID(arm.TypeNIC, "vm-hub00"), false},
		"at another group":        {readNICs, groupScope + "2", false},
		"by a star":               {arm.Role{Actions: []string{"Microsoft.Network/*/read"}}, groupScope, true},
		"by a star of another":    {arm.Role{Actions: []string{"Microsoft.Compute/*"}}, groupScope, false},
		"not what is taken away":  {arm.Role{Actions: []string{"*"}, NotActions: []string{"*/networkInterfaces/read"}}, groupScope, false},
		"not what is longer":      {arm.Role{Actions: []string{"Microsoft.Network/networkInterfaces/read/more"}}, groupScope, false},
		"not what stands for dot": {arm.Role{Actions: []string{"Microsoft_Network/networkInterfaces/read"}}, groupScope, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			b.server.Be(arm.Behaviour{})
			b.state.Assign(b.claims.Object, c.role, c.scope)
			_, err := b.network().NewInterfacesClient().Get(t.Context(), arm.Group, "vm-hub00-nic", nil)
			if c.allowed {
				check(t, err)
				return
			}
			refused(t, err, 403, "AuthorizationFailed", "The client '"+b.claims.Client+"' with object id '"+b.claims.Object+
				"' does not have authorization to perform action 'Microsoft.Network/networkInterfaces/read' over scope '"+b.hub.NIC+"'")
		})
	}
}

// A role of one identity is no other's, and what the caller may not see is not said to be
// missing.
func TestARoleIsOneIdentitys(t *testing.T) {
	b := newBed(t)
	b.server.Be(arm.Behaviour{})
	b.state.Assign("33333333-3333-3333-3333-333333333333", arm.Role{Actions: []string{"*"}}, "/")
	_, err := b.network().NewInterfacesClient().Get(t.Context(), arm.Group, "nic-none", nil)
	refused(t, err, 403, "AuthorizationFailed", "nic-none")
	subscriptions, err := armsubscriptions.NewClientFactory(b, b.options())
	check(t, err)
	page, err := subscriptions.NewClient().NewListPager(nil).NextPage(t.Context())
	check(t, err)
	if len(page.Value) != 0 {
		t.Errorf("it sees %v", page.Value)
	}
	_, err = subscriptions.NewClient().Get(t.Context(), arm.Subscription, nil)
	refused(t, err, 403, "AuthorizationFailed", "Microsoft.Resources/subscriptions/read")
}

func TestListsOfASubscriptionNeedARoleThere(t *testing.T) {
	b := newBed(t)
	b.server.Be(arm.Behaviour{})
	b.state.Assign(b.claims.Object, arm.Role{Actions: []string{"*/read"}}, groupScope)
	hubs := b.network().NewVirtualHubsClient()
	_, err := hubs.NewListPager(nil).NextPage(t.Context())
	refused(t, err, 403, "AuthorizationFailed", "over scope '/subscriptions/"+arm.Subscription+"'")
	page, err := hubs.NewListByResourceGroupPager(arm.Group, nil).NextPage(t.Context())
	check(t, err)
	if len(page.Value) != 1 {
		t.Errorf("hubs %v", page.Value)
	}
}

func TestActionsNeedTheirOwnPermission(t *testing.T) {
	b := newBed(t)
	b.server.Be(arm.Behaviour{})
	b.state.Assign(b.claims.Object, arm.Role{Actions: []string{"*/read"}}, groupScope)
	_, err := b.network().NewInterfacesClient().BeginGetEffectiveRouteTable(t.Context(), arm.Group, "vm-hub00-nic", nil)
	refused(t, err, 403, "AuthorizationFailed", "'Microsoft.Network/networkInterfaces/effectiveRouteTable/action'")
	_, err = b.network().NewVirtualHubBgpConnectionsClient().BeginListLearnedRoutes(t.Context(), arm.Group, "rs-hub00", "vm-hub00", nil)
	refused(t, err, 403, "AuthorizationFailed", "'Microsoft.Network/virtualHubs/bgpConnections/learnedRoutes/action'")
	_, err = b.network().NewVirtualHubBgpConnectionClient().BeginDelete(t.Context(), arm.Group, "rs-hub00", "vm-hub00", nil)
	refused(t, err, 403, "AuthorizationFailed", "'Microsoft.Network/virtualHubs/bgpConnections/delete'")
}

// Writing a NIC takes the permission to use what it refers to, too.
func TestWritesNeedPermissionAtWhatTheyReferTo(t *testing.T) {
	b := newBed(t)
	b.server.Be(arm.Behaviour{})
	group := b.state.Site("", "").SecurityGroup("nsg-nva")
	arm.Change(b.state, b.hub.NIC, func(n *armnetwork.Interface) {
		n.Properties.NetworkSecurityGroup = &armnetwork.SecurityGroup{ID: &group}
	})
	b.state.Assign(b.claims.Object, arm.Role{Actions: []string{"Microsoft.Network/networkInterfaces/*"}}, groupScope)
	client := b.network().NewInterfacesClient()
	nic, err := client.Get(t.Context(), arm.Group, "vm-hub00-nic", nil)
	check(t, err)
	nic.Properties.EnableIPForwarding = to.Ptr(false)
	_, err = client.BeginCreateOrUpdate(t.Context(), arm.Group, "vm-hub00-nic", nic.Interface, nil)
	refused(t, err, 403, "LinkedAuthorizationFailed", "it does not have permission to perform action(s) 'Microsoft.Network/networkSecurityGroups/join/action' on the linked scope(s) '"+group+"'")
	b.state.Assign(b.claims.Object, arm.Role{Actions: []string{"Microsoft.Network/networkSecurityGroups/join/action"}}, group)
	_, err = client.BeginCreateOrUpdate(t.Context(), arm.Group, "vm-hub00-nic", nic.Interface, nil)
	refused(t, err, 403, "LinkedAuthorizationFailed", "'Microsoft.Network/virtualNetworks/subnets/join/action' on the linked scope(s) '"+b.hub.VNet+"/subnets/default'")
	b.state.Assign(b.claims.Object, arm.Role{Actions: []string{"Microsoft.Network/virtualNetworks/subnets/join/action"}}, groupScope)
	_, err = client.BeginCreateOrUpdate(t.Context(), arm.Group, "vm-hub00-nic", nic.Interface, nil)
	check(t, err)
}

func TestTokensThatDontCount(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*token.Claims)
		code   string
	}{
		"expired":          {func(c *token.Claims) { c.Expires = time.Now().Unix() - 1 }, "ExpiredAuthenticationToken"},
		"for others":       {func(c *token.Claims) { c.Audience = "https://vault.azure.net" }, "InvalidAuthenticationTokenAudience"},
		"of another cloud": {func(c *token.Claims) { c.Audience = arm.Clouds[2].Audience }, "InvalidAuthenticationTokenAudience"},
		"of strangers":     {func(c *token.Claims) { c.Tenant = "another" }, "InvalidAuthenticationTokenTenant"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			c.change(&b.claims)
			_, err := b.network().NewInterfacesClient().Get(t.Context(), arm.Group, "vm-hub00-nic", nil)
			refused(t, err, 401, c.code, "")
		})
	}
	for header, code := range map[string]string{
		"": "AuthenticationFailed", "Basic abc": "AuthenticationFailed", "Bearer nonsense": "InvalidAuthenticationToken",
		"Bearer " + token.Sign(token.Claims{}) + "A": "InvalidAuthenticationToken",
	} {
		b := newBed(t)
		status, body := b.raw("GET", "https://management.azure.com"+b.hub.NIC+"?api-version=2025-05-01", header, "")
		if status != 401 || body.Error.Code != code {
			t.Errorf("%q: %d %+v", header, status, body)
		}
	}
}

func TestRolesAreRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "role.json")
	for text, ok := range map[string]bool{
		`{"Name": "reader", "Actions": ["*/read"], "NotActions": [], "AssignableScopes": ["/"]}`: true,
		`{"Name": "nothing", "Actions": []}`:                                                     false, `[]`: false, `{`: false,
	} {
		check(t, os.WriteFile(file, []byte(text), 0o600))
		if _, err := arm.ReadRole(file); (err == nil) != ok {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := arm.ReadRole(file + ".none"); err == nil {
		t.Error("a file that isn't there")
	}
}
