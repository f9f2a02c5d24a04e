package arm

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nvad/nvad/pkg/imds"
)

// nowhere fails as the metadata service does outside Azure.
func nowhere(context.Context) (*imds.Instance, error) {
	return nil, errors.New("metadata service: no answer from 169.254.169.254")
}

// bare takes all identities from the test's environment but the managed one.
func bare(t *testing.T) {
	t.Helper()
	for _, name := range []string{"AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_FEDERATED_TOKEN_FILE", "IDENTITY_ENDPOINT", "IDENTITY_HEADER", "IMDS_ENDPOINT", "MSI_ENDPOINT"} {
		t.Setenv(name, "")
	}
	t.Setenv("PATH", t.TempDir())
}

// login puts a command az into the PATH that is logged in.
func login(t *testing.T) {
	t.Helper()
	script := "#!/bin/sh\necho \"$*\" >> \"$(dirname \"$0\")/calls\"\necho '{\"accessToken\":\"secret\",\"expires_on\":4102444800,\"tenant\":\"t\",\"tokenType\":\"Bearer\"}'\n"
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "az"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":/usr/bin:/bin")
}

// notAssigned is the metadata service's answer for a VM without an identity.
func notAssigned(*http.Request) *http.Response {
	return answer(400, `{"error":"invalid_request","error_description":"Identity not found"}`)
}

func TestManagedIdentity(t *testing.T) {
	bare(t)
	w := newWorld(t)
	id := fmt.Sprint("a1b2", time.Now().UnixNano()) // of whom the SDK has kept no token
	var asked []string
	w.token = func(req *http.Request) *http.Response {
		asked = append(asked, req.URL.RawQuery)
		return answer(200, `{"access_token":"secret","expires_on":"4102444800","resource":"x","token_type":"Bearer"}`)
	}
	c, err := newClient(t.Context(), Options{Transport: w, ClientID: id}, here)
	if err != nil || c.identity.name != "the managed identity "+id {
		t.Fatal(err)
	}
	if len(asked) != 1 || !strings.Contains(asked[0], "client_id="+id) || !strings.Contains(asked[0], "resource=https%3A%2F%2Fmanagement.core.windows.net") {
		t.Errorf("%q", asked)
	}
	// All clients share the token.
	if _, err := c.Snapshot(t.Context(), Ask{}); err != nil || len(asked) != 1 {
		t.Errorf("%v, %q", err, asked)
	}
}

// TestOrder: without a name, the first identity that there is.
func TestOrder(t *testing.T) {
	bare(t)
	w := newWorld(t)
	w.token = notAssigned
	login(t)
	c, err := newClient(t.Context(), Options{Transport: w}, nowhere)
	if err != nil || c.identity.name != "the login of the Azure CLI" || c.cloud.name != "AzurePublicCloud" {
		t.Fatal(err)
	}
	if _, err := c.Snapshot(t.Context(), Ask{VM: vm1}); err != nil {
		t.Error(err)
	}
	calls, err := os.ReadFile(filepath.Join(filepath.SplitList(os.Getenv("PATH"))[0], "calls"))
	if err != nil || strings.Count(string(calls), "\n") != 1 || !strings.Contains(string(calls), "https://management.core.windows.net") {
		t.Errorf("az was called with %q, %v", calls, err)
	}
	w.token = nil
	if c, err = newClient(t.Context(), Options{Transport: w}, here); err != nil || c.identity.name != "the managed identity of this VM" {
		t.Error(err)
	}
}

// TestWorkloadIdentity comes before the others: its environment announces it.
func TestWorkloadIdentity(t *testing.T) {
	bare(t)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("assertion"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AZURE_CLIENT_ID", "wl")
	t.Setenv("AZURE_TENANT_ID", "tenant")
	t.Setenv("AZURE_FEDERATED_TOKEN_FILE", file)
	w := newWorld(t)
	entra := transportFunc(func(req *http.Request) (*http.Response, error) {
		if req.URL.Host != "login.microsoftonline.com" {
			return w.Do(req)
		}
		resp := answer(200, `{"token_type":"Bearer","expires_in":86399,"access_token":"secret"}`)
		if strings.Contains(req.URL.Path, "openid-configuration") {
			resp = answer(200, `{"token_endpoint":"https://login.microsoftonline.com/tenant/oauth2/v2.0/token","authorization_endpoint":"https://login.microsoftonline.com/tenant/oauth2/v2.0/authorize","issuer":"https://login.microsoftonline.com/tenant/v2.0"}`)
		} else if strings.Contains(req.URL.Path, "discovery/instance") {
			resp = answer(200, `{"tenant_discovery_endpoint":"https://login.microsoftonline.com/tenant/v2.0/.well-known/openid-configuration","metadata":[{"preferred_network":"login.microsoftonline.com","preferred_cache":"login.windows.net","aliases":["login.microsoftonline.com","login.windows.net"]}]}`)
		}
		resp.Request = req
		return resp, nil
	})
	c, err := newClient(t.Context(), Options{Transport: entra}, here)
	if err != nil || c.identity.name != "the workload identity wl" {
		t.Fatal(err)
	}
	if _, err := c.Snapshot(t.Context(), Ask{}); err != nil {
		t.Error(err)
	}
}

type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) Do(req *http.Request) (*http.Response, error) { return f(req) }

// TestNoIdentity: the error gives the reason of each kind, in one line, and what to do.
func TestNoIdentity(t *testing.T) {
	bare(t)
	w := newWorld(t)
	w.token = notAssigned
	_, err := newClient(t.Context(), Options{Transport: w}, here)
	none, ok := errors.AsType[*NoIdentityError](err)
	if !ok {
		t.Fatal(err)
	}
	for _, want := range []string{
		"no identity gives a token for AzurePublicCloud: workload: the environment lacks AZURE_CLIENT_ID, AZURE_TENANT_ID, AZURE_FEDERATED_TOKEN_FILE; managed: ",
		"Identity not found", "cli: there is no command az", "az vm identity assign", "az login",
	} {
		if !strings.Contains(none.Error(), want) {
			t.Errorf("%q lacks %q", none, want)
		}
	}
	if strings.ContainsAny(none.Error(), "\n{") {
		t.Error(none)
	}
	if _, err := newClient(t.Context(), Options{Transport: w, Identity: "own"}, here); err == nil || !strings.Contains(err.Error(), `identity "own": want managed, workload or cli`) {
		t.Error(err)
	}
	if _, err := newClient(t.Context(), Options{Transport: w, Identity: cli}, here); err == nil || strings.Contains(err.Error(), "workload") {
		t.Error(err)
	}
}

// TestNoMetadataService: outside Azure the probe ends soon, and the next identity is tried.
func TestNoMetadataService(t *testing.T) {
	bare(t)
	synctest.Test(t, func(t *testing.T) {
		deaf := transportFunc(func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, req.Context().Err()
		})
		ctx, cancel := context.WithTimeout(t.Context(), 2*probeTimeout)
		defer cancel()
		_, err := newClient(ctx, Options{Transport: deaf}, nowhere)
		if _, ok := errors.AsType[*NoIdentityError](err); !ok || ctx.Err() != nil {
			t.Errorf("%v, %v", err, ctx.Err())
		}
	})
}

// TestClouds: each cloud has its own endpoints, and the metadata service names it.
func TestClouds(t *testing.T) {
	bare(t)
	for name, want := range map[string]string{
		"AzurePublicCloud": "https://management.azure.com", "AZUREUSGOVERNMENTCLOUD": "https://management.usgovcloudapi.net",
		"azurechinacloud": "https://management.chinacloudapi.cn",
	} {
		for _, given := range []bool{true, false} {
			w := newWorld(t)
			o := Options{Transport: w, Identity: managed}
			machine := func(context.Context) (*imds.Instance, error) { return &imds.Instance{Environment: name}, nil }
			if given {
				o.Cloud, machine = name, nowhere
			}
			c, err := newClient(t.Context(), o, machine)
			if err != nil || c.raw.Endpoint() != want || !strings.EqualFold(c.cloud.name, name) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	silent := func(context.Context) (*imds.Instance, error) { return &imds.Instance{}, nil }
	if c, err := newClient(t.Context(), Options{Transport: newWorld(t), Identity: managed}, silent); err != nil || c.cloud.name != "AzurePublicCloud" {
		t.Error(err)
	}
	if _, err := newClient(t.Context(), Options{Cloud: "AzureGermanCloud"}, here); err == nil ||
		!strings.Contains(err.Error(), `cloud "AzureGermanCloud" is not known: want one of AzurePublicCloud, AzureUSGovernmentCloud, AzureChinaCloud`) {
		t.Error(err)
	}
}

// TestWrongCloud: the VM's identity gives no token for another cloud, and the error says
// which one the VM is in.
func TestWrongCloud(t *testing.T) {
	bare(t)
	w := newWorld(t)
	w.token = func(*http.Request) *http.Response {
		return answer(400, `{"error":"invalid_resource","error_description":"AADSTS500011: The resource principal named https://management.core.usgovcloudapi.net was not found in the tenant."}`)
	}
	_, err := newClient(t.Context(), Options{Transport: w, Identity: managed, Cloud: "AzureUSGovernmentCloud"}, here)
	if err == nil || !strings.Contains(err.Error(), "this VM is in AzurePublicCloud: is AzureUSGovernmentCloud the right cloud?") || !strings.Contains(err.Error(), "AADSTS500011") {
		t.Error(err)
	}
}

func TestNotAzure(t *testing.T) {
	w := newWorld(t)
	c, err := newClient(t.Context(), Options{Transport: w, Identity: managed}, nowhere)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Snapshot(t.Context(), Ask{})
	if _, ok := errors.AsType[*NotAzureError](err); !ok || !strings.Contains(fmt.Sprint(err), "name the VM by its resource ID") {
		t.Error(err)
	}
}
