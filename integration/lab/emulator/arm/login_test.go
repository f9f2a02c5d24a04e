package arm_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/nvad/nvad/integration/lab/emulator/arm"
	"github.com/nvad/nvad/integration/lab/emulator/token"
)

// workload returns the token that the SDK gets for a workload with that client ID.
func (b *bed) workload(client string, assertion token.Claims) (azcore.AccessToken, error) {
	b.t.Helper()
	file := filepath.Join(b.t.TempDir(), "token")
	check(b.t, os.WriteFile(file, []byte(token.Sign(assertion)), 0o600))
	cred, err := azidentity.NewWorkloadIdentityCredential(&azidentity.WorkloadIdentityCredentialOptions{
		ClientID: client, TenantID: arm.Tenant, TokenFilePath: file,
		ClientOptions: azcore.ClientOptions{Transport: b.http, Cloud: cloud.AzurePublic, Retry: policy.RetryOptions{MaxRetries: -1}},
	})
	check(b.t, err)
	return cred.GetToken(b.t.Context(), policy.TokenRequestOptions{Scopes: []string{arm.Clouds[0].Audience + "/.default"}})
}

func TestWorkloadsLogIn(t *testing.T) {
	b := newBed(t)
	b.server.Be(arm.Behaviour{})
	own := b.state.Identities(b.hub.VM)[0]
	assertion := token.Claims{Audience: arm.ExchangeAudience, Expires: time.Now().Add(time.Hour).Unix()}
	got, err := b.workload(own.Client, assertion)
	check(t, err)
	claims, err := token.Parse(got.Token)
	check(t, err)
	if claims.Object != own.Object || claims.Client != own.Client || !claims.Valid(time.Now()) {
		t.Errorf("claims %+v", claims)
	}
	b.state.Assign(own.Object, arm.Role{Actions: []string{"*/read"}}, "/")
	if status, r := b.raw("GET", "https://management.azure.com"+b.hub.NIC+"?api-version=2025-05-01", "Bearer "+got.Token, ""); status != 200 {
		t.Errorf("%d %+v", status, r.Error)
	}
	stale := assertion
	stale.Expires = time.Now().Unix() - 1
	other := assertion
	other.Audience = "https://example.org"
	for name, c := range map[string]struct {
		client    string
		assertion token.Claims
		want      string
	}{
		"unknown": {"44444444-4444-4444-4444-444444444444", assertion, "AADSTS700016"},
		"expired": {own.Client, stale, "AADSTS700024"},
		"other":   {own.Client, other, "AADSTS700024"},
	} {
		if _, err := b.workload(c.client, c.assertion); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestControl(t *testing.T) {
	b := newBed(t)
	control := httptest.NewServer(b.server.Control())
	defer control.Close()
	put := func(path, body string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, control.URL+path, strings.NewReader(body))
		check(t, err)
		resp, err := control.Client().Do(req)
		check(t, err)
		check(t, resp.Body.Close())
		return resp.StatusCode
	}
	if got := put("/state", `{"resources":[{"id":"/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/nonsense/a"}]}`); got != 400 {
		t.Errorf("a wrong state: %d", got)
	}
	if _, err := b.network().NewInterfacesClient().Get(t.Context(), arm.Group, "vm-hub00-nic", nil); err != nil {
		t.Errorf("after a wrong state: %v", err)
	}
	if got := put("/behaviour", `{"Anyone": false}`); got != 200 {
		t.Errorf("behaviour: %d", got)
	}
	_, err := b.network().NewInterfacesClient().Get(t.Context(), arm.Group, "vm-hub00-nic", nil)
	refused(t, err, 403, "AuthorizationFailed", "")
	if got := put("/faults", `[{"Status": 503, "Code": "ServerBusy"}]`); got != 200 {
		t.Errorf("faults: %d", got)
	}
	_, err = b.network().NewInterfacesClient().Get(t.Context(), arm.Group, "vm-hub00-nic", nil)
	refused(t, err, 503, "ServerBusy", "")
	if got := b.server.Requests(); len(got) != 3 || got[0] != "GET "+b.hub.NIC {
		t.Errorf("requests %v", got)
	}
}
