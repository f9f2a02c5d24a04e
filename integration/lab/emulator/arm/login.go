package arm

import (
	"net/http"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"

	"github.com/nvad/nvad/integration/lab/emulator/token"
)

// ExchangeAudience is the audience of the token that a workload shows to the login service.
const ExchangeAudience = "api://AzureADTokenExchange"

// login answers a request to the login service: who asks with the token of a workload gets
// one for Resource Manager. The identity is one that a VM of the State has.
func (s *Server) login(w http.ResponseWriter, req *http.Request) {
	base := "https://" + s.cloud.Login
	switch path := strings.ToLower(req.URL.Path); {
	case path == "/common/discovery/instance":
		writeJSON(w, http.StatusOK, map[string]any{
			"api-version": "1.1", "tenant_discovery_endpoint": base + "/" + Tenant + "/v2.0/.well-known/openid-configuration",
			"metadata": []map[string]any{{"preferred_network": s.cloud.Login, "preferred_cache": s.cloud.Login, "aliases": []string{s.cloud.Login}}},
		})
	case strings.HasSuffix(path, "/.well-known/openid-configuration"):
		writeJSON(w, http.StatusOK, map[string]any{
			"issuer": base + "/" + Tenant + "/v2.0", "token_endpoint": base + "/" + Tenant + "/oauth2/v2.0/token",
			"authorization_endpoint": base + "/" + Tenant + "/oauth2/v2.0/authorize",
		})
	case path == "/"+Tenant+"/oauth2/v2.0/token" && req.Method == http.MethodPost:
		s.exchange(w, req)
	default:
		problem(http.StatusNotFound, "NotFound", "There is no %s here.", req.URL.Path).write(w)
	}
}

func (s *Server) exchange(w http.ResponseWriter, req *http.Request) {
	deny := func(status int, code, text string) {
		writeJSON(w, status, map[string]string{"error": code, "error_description": text})
	}
	if err := req.ParseForm(); err != nil {
		deny(http.StatusBadRequest, "invalid_request", "AADSTS900144: "+err.Error())
		return
	}
	client := req.PostForm.Get("client_id")
	object, known := s.State.client(client)
	workload, err := token.Parse(req.PostForm.Get("client_assertion"))
	scope, _, _ := strings.Cut(req.PostForm.Get("scope"), " ")
	audience := strings.TrimSuffix(scope, "/.default")
	now := s.now()
	switch {
	case !known:
		deny(http.StatusBadRequest, "unauthorized_client", "AADSTS700016: Application with identifier '"+client+"' was not found in the directory '"+Tenant+"'.")
	case err != nil || workload.Audience != ExchangeAudience || !workload.Valid(now):
		deny(http.StatusUnauthorized, "invalid_client", "AADSTS700024: Client assertion is not within its valid time range, or is not one of a trusted issuer.")
	case !s.cloud.Manages(audience):
		deny(http.StatusBadRequest, "invalid_resource", "AADSTS500011: The resource principal named "+audience+" was not found in the tenant named "+Tenant+".")
	default:
		life := time.Hour
		writeJSON(w, http.StatusOK, map[string]any{
			"token_type": "Bearer", "expires_in": int(life.Seconds()), "ext_expires_in": int(life.Seconds()),
			"access_token": token.Sign(token.Claims{
				Audience: audience, Issuer: "https://sts.windows.net/" + Tenant + "/", NotBefore: now.Unix(), Expires: now.Add(life).Unix(),
				Object: object, Client: client, Tenant: Tenant,
			}),
		})
	}
}

// client returns the object ID of the identity with a client ID.
func (s *State) client(client string) (object string, ok bool) {
	for _, vm := range All[armcompute.VirtualMachine](s) {
		for _, i := range identities(vm) {
			if strings.EqualFold(i.Client, client) {
				return i.Object, true
			}
		}
	}
	return "", false
}
