package arm

import (
	"errors"
	"net/http"
	"strings"

	"github.com/nvad/nvad/integration/lab/emulator/token"
)

// caller is the identity that asks.
type caller struct {
	object, client string
}

// authenticate checks the token of a request. The texts are Resource Manager's.
func (s *Server) authenticate(req *http.Request) (caller, *Problem) {
	scheme, text, _ := strings.Cut(req.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || text == "" {
		return caller{}, problem(http.StatusUnauthorized, "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
	}
	claims, err := token.Parse(text)
	switch {
	case errors.Is(err, token.ErrForeign):
		return caller{}, problem(http.StatusUnauthorized, "InvalidAuthenticationToken", "The access token has been obtained for the wrong authority or signed by an unknown key.")
	case err != nil:
		return caller{}, problem(http.StatusUnauthorized, "InvalidAuthenticationToken", "The access token is invalid.")
	case !claims.Valid(s.now()):
		return caller{}, problem(http.StatusUnauthorized, "ExpiredAuthenticationToken", "The access token expiry UTC time is earlier than current UTC time.")
	case !s.cloud.Manages(claims.Audience):
		return caller{}, problem(http.StatusUnauthorized, "InvalidAuthenticationTokenAudience",
			"The access token has been obtained for wrong audience or resource '%s'. It should exactly match with one of the allowed audiences '%s','https://%s/'.",
			claims.Audience, s.cloud.Audience, s.cloud.Host)
	case claims.Tenant != Tenant:
		return caller{}, problem(http.StatusUnauthorized, "InvalidAuthenticationTokenTenant",
			"The access token is from the wrong issuer. It must match the tenant '%s' associated with this subscription.", Tenant)
	}
	return caller{object: claims.Object, client: claims.Client}, nil
}

// authorize checks that the caller may do something at a scope.
func (c *call) authorize(action, scope string) *Problem {
	if c.server.being().Anyone || c.server.State.allowed(c.caller.object, action, scope) {
		return nil
	}
	return problem(http.StatusForbidden, "AuthorizationFailed",
		"The client '%s' with object id '%s' does not have authorization to perform action '%s' over scope '%s' or the scope is invalid. If access was recently granted, please refresh your credentials.",
		c.caller.client, c.caller.object, action, scope)
}

func (c *call) visible(id string) bool {
	return c.server.being().Anyone || c.server.State.sees(c.caller.object, id)
}
