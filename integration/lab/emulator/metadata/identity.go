package metadata

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nvad/nvad/integration/lab/emulator/token"
)

// Identity is a managed identity of a VM.
type Identity struct {
	// System says that the identity is the VM's own, and not one that was assigned to it.
	System bool
	// Object and Client are its object ID and its client ID, Resource its resource ID: the
	// VM's if it is the VM's own.
	Object, Client, Resource string
}

// tokenLife is how long a token of a managed identity lasts.
const tokenLife = 24 * time.Hour

// TokensLast makes the tokens that are issued from then on last that long, which may be
// negative.
func (s *Server) TokensLast(life time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.life = life
}

// issue answers a request for an access token.
func (s *Server) issue(w http.ResponseWriter, req *http.Request, vm VM) {
	query := req.URL.Query()
	cloud, _ := token.Find(vm.Environment)
	who, problem := vm.identity(query)
	switch {
	case query.Get("resource") == "":
		deny(w, "invalid_request", "Required audience parameter not specified")
		return
	case problem != "":
		deny(w, "invalid_request", problem)
		return
	case !cloud.Manages(query.Get("resource")):
		deny(w, "invalid_resource", "AADSTS500011: The resource principal named "+query.Get("resource")+" was not found in the tenant named "+vm.Tenant+".")
		return
	}
	s.mu.Lock()
	begin, end := time.Now(), time.Now().Add(s.life)
	s.mu.Unlock()
	text := token.Sign(token.Claims{
		Audience: query.Get("resource"), Issuer: "https://sts.windows.net/" + vm.Tenant + "/", NotBefore: begin.Unix(), Expires: end.Unix(),
		Object: who.Object, Client: who.Client, Tenant: vm.Tenant, Resource: who.Resource,
	})
	send(w, map[string]string{
		"access_token": text, "client_id": who.Client, "token_type": "Bearer", "resource": query.Get("resource"),
		"expires_in": strconv.FormatInt(end.Unix()-begin.Unix(), 10), "expires_on": strconv.FormatInt(end.Unix(), 10),
		"ext_expires_in": strconv.FormatInt(end.Unix()-begin.Unix(), 10), "not_before": strconv.FormatInt(begin.Unix(), 10),
	})
}

// identity returns the identity that a request names: by one of its IDs, or without one the
// VM's own, or the only one.
func (vm VM) identity(query url.Values) (who Identity, problem string) {
	for name, field := range map[string]func(Identity) string{
		"client_id": func(i Identity) string { return i.Client }, "object_id": func(i Identity) string { return i.Object },
		"msi_res_id": func(i Identity) string { return i.Resource }, "mi_res_id": func(i Identity) string { return i.Resource },
	} {
		want := query.Get(name)
		if want == "" {
			continue
		}
		k := slices.IndexFunc(vm.Identities, func(i Identity) bool { return strings.EqualFold(field(i), want) })
		if k < 0 {
			return who, "Identity not found"
		}
		return vm.Identities[k], ""
	}
	k := slices.IndexFunc(vm.Identities, func(i Identity) bool { return i.System })
	switch {
	case k >= 0:
		return vm.Identities[k], ""
	case len(vm.Identities) == 1:
		return vm.Identities[0], ""
	case len(vm.Identities) > 1:
		return who, "Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token request"
	}
	return who, "Identity not found"
}

// deny refuses a token. The words for it are those of OAuth.
func deny(w http.ResponseWriter, code, text string) {
	sendStatus(w, http.StatusBadRequest, map[string]string{"error": code, "error_description": text})
}
