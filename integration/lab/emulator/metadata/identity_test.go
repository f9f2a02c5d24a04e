package metadata_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/nvad/nvad/integration/lab/emulator/metadata"
	"github.com/nvad/nvad/integration/lab/emulator/token"
)

const (
	tenant = "00000000-0000-0000-0000-0000000000aa"
	vmID   = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg-nva/providers/Microsoft.Compute/virtualMachines/vm-hub00"
)

var (
	own   = metadata.Identity{System: true, Object: "object-own", Client: "client-own", Resource: vmID}
	given = metadata.Identity{Object: "object-given", Client: "client-given", Resource: "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-given"}
	other = metadata.Identity{Object: "object-other", Client: "client-other", Resource: "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-other"}
)

// service runs a metadata service for one VM, and returns it and a client whose every
// connection leads there.
func service(t *testing.T, vm metadata.VM) (*metadata.Server, *http.Client) {
	t.Helper()
	vm.Name, vm.Tenant = "vm-hub00", tenant
	vm.NICs = []metadata.NIC{{MAC: net.HardwareAddr{0, 13, 58, 4, 117, 152}, Addresses: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, Subnet: netip.MustParsePrefix("127.0.0.0/24")}}
	s := metadata.New(vm)
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", srv.Listener.Addr().String())
	}
	return s, &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
}

// sdkToken asks for a token as Azure's SDK does.
func sdkToken(t *testing.T, client *http.Client, id azidentity.ManagedIDKind, audience string) (azcore.AccessToken, error) {
	t.Helper()
	cred, err := azidentity.NewManagedIdentityCredential(&azidentity.ManagedIdentityCredentialOptions{
		ID: id, ClientOptions: azcore.ClientOptions{Transport: client, Retry: policy.RetryOptions{MaxRetries: -1}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return cred.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{audience + "/.default"}})
}

// The SDK keeps tokens for the whole process, so each identity is asked for once.
func TestSDKGetsTokens(t *testing.T) {
	_, client := service(t, metadata.VM{Identities: []metadata.Identity{own, given, other}})
	for name, c := range map[string]struct {
		id   azidentity.ManagedIDKind
		want string
	}{
		"own":            {nil, own.Object},
		"by client ID":   {azidentity.ClientID(other.Client), other.Object},
		"by resource ID": {azidentity.ResourceID(given.Resource), given.Object},
		"by object ID":   {azidentity.ObjectID(given.Object), given.Object},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := sdkToken(t, client, c.id, token.Clouds[0].Audience)
			if err != nil {
				t.Fatal(err)
			}
			claims, err := token.Parse(got.Token)
			if err != nil {
				t.Fatal(err)
			}
			if claims.Object != c.want || claims.Tenant != tenant || !claims.Valid(time.Now()) {
				t.Errorf("claims %+v", claims)
			}
			if left := time.Until(got.ExpiresOn); left < 23*time.Hour || left > 24*time.Hour {
				t.Errorf("it lasts %v", left)
			}
		})
	}
	if _, err := sdkToken(t, client, azidentity.ClientID("client-none"), token.Clouds[0].Audience); err == nil || !strings.Contains(err.Error(), "Identity not found") {
		t.Errorf("an identity that there is none of: %v", err)
	}
}

func TestWhichIdentityGetsTheToken(t *testing.T) {
	public, china := token.Clouds[0].Audience, token.Clouds[2].Audience
	for name, c := range map[string]struct {
		vm       metadata.VM
		query    string
		audience string
		want     string
	}{
		"own before given":    {metadata.VM{Identities: []metadata.Identity{given, own}}, "", public, own.Object},
		"the only one":        {metadata.VM{Identities: []metadata.Identity{given}}, "", public, given.Object},
		"by ID, in any case":  {metadata.VM{Identities: []metadata.Identity{own, given}}, "&msi_res_id=" + strings.ToUpper(given.Resource), public, given.Object},
		"none":                {metadata.VM{}, "", public, "Identity not found"},
		"not this one":        {metadata.VM{Identities: []metadata.Identity{own}}, "&client_id=client-none", public, "Identity not found"},
		"which one":           {metadata.VM{Identities: []metadata.Identity{given, other}}, "", public, "Multiple user assigned identities exist"},
		"by the host's name":  {metadata.VM{Identities: []metadata.Identity{own}}, "", "https://management.azure.com", own.Object},
		"of China":            {metadata.VM{Environment: "AzureChinaCloud", Identities: []metadata.Identity{own}}, "", china, own.Object},
		"another cloud's":     {metadata.VM{Environment: "AzureChinaCloud", Identities: []metadata.Identity{own}}, "", public, "AADSTS500011"},
		"for somebody else's": {metadata.VM{Identities: []metadata.Identity{own}}, "", "https://example.org", "AADSTS500011"},
	} {
		t.Run(name, func(t *testing.T) {
			_, client := service(t, c.vm)
			got := ask(t, client, "?api-version=2018-02-01&resource="+c.audience+c.query, "true")
			if claims, err := token.Parse(got.AccessToken); err == nil && claims.Object == c.want {
				return
			}
			if got.status != http.StatusBadRequest || !strings.Contains(got.Description, c.want) {
				t.Errorf("got %+v, want %q", got, c.want)
			}
		})
	}
}

// answer is an answer to a request for a token.
type answer struct {
	status      int
	AccessToken string `json:"access_token"`
	Error       any    `json:"error"`
	Description string `json:"error_description"`
}

func ask(t *testing.T, client *http.Client, query, header string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://169.254.169.254/metadata/identity/oauth2/token"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Metadata", header)
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got := answer{status: resp.StatusCode}
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestTokenRequestsThatAreWrong(t *testing.T) {
	_, client := service(t, metadata.VM{Identities: []metadata.Identity{own}})
	for name, c := range map[string]struct {
		query  string
		header string
		want   string
	}{
		"no header":   {"?api-version=2018-02-01&resource=https://management.azure.com/", "", "metadata header not specified"},
		"no version":  {"?resource=https://management.azure.com/", "true", "api-version"},
		"no resource": {"?api-version=2018-02-01", "true", "Required audience parameter not specified"},
	} {
		t.Run(name, func(t *testing.T) {
			got := ask(t, client, c.query, c.header)
			if text := fmt.Sprint(got.Error, got.Description); got.status != http.StatusBadRequest || !strings.Contains(text, c.want) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestTokensExpire(t *testing.T) {
	s, client := service(t, metadata.VM{Identities: []metadata.Identity{own}})
	s.TokensLast(-time.Minute)
	got := ask(t, client, "?api-version=2018-02-01&resource="+token.Clouds[0].Audience, "true")
	if claims, err := token.Parse(got.AccessToken); err != nil || claims.Valid(time.Now()) {
		t.Errorf("claims %+v, %v", claims, err)
	}
}

func TestTokensThatAreNotOurs(t *testing.T) {
	good := token.Sign(token.Claims{Object: "o"})
	parts := strings.Split(good, ".")
	forged := parts[0] + "." + strings.Replace(parts[1], parts[1][:4], "AAAA", 1) + "." + parts[2]
	if _, err := token.Parse(forged); !errors.Is(err, token.ErrForeign) {
		t.Errorf("forged: %v", err)
	}
	for _, text := range []string{"", "a.b", "a.b.!", good + ".x"} {
		if _, err := token.Parse(text); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}

func TestInstanceNamesTheVM(t *testing.T) {
	_, client := service(t, metadata.VM{ID: vmID, Environment: "AzureUSGovernmentCloud", Tags: map[string]string{"role": "nva", "nvad": "site1"}})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://169.254.169.254/metadata/instance?api-version=2021-02-01", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Metadata", "true")
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got struct{ Compute map[string]any }
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"resourceId": vmID, "subscriptionId": "00000000-0000-0000-0000-000000000001", "resourceGroupName": "rg-nva",
		"azEnvironment": "AzureUSGovernmentCloud", "tags": "nvad:site1;role:nva",
	} {
		if got.Compute[name] != want {
			t.Errorf("%s is %v", name, got.Compute[name])
		}
	}
	if list, _ := got.Compute["tagsList"].([]any); len(list) != 2 {
		t.Errorf("tagsList is %v", got.Compute["tagsList"])
	}
}
