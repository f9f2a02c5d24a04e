package arm

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
)

// TestErrors: what Azure says when the identity or the cloud is not the right one becomes a
// line that says what to do.
func TestErrors(t *testing.T) {
	for _, tt := range []struct {
		status           int
		code, text, want string
	}{
		{401, "InvalidAuthenticationTokenTenant", "The access token is from the wrong issuer 'https://sts.windows.net/a/'. It must match the tenant 'https://sts.windows.net/b/' associated with this subscription.",
			"the managed identity of this VM belongs to another tenant than the subscription: The access token is from the wrong issuer"},
		{401, "InvalidAuthenticationTokenAudience", "The access token has been obtained for wrong audience.", "Resource Manager of AzurePublicCloud rejects the token of the managed identity of this VM"},
		{404, "SubscriptionNotFound", "The subscription 'x' could not be found.", "The subscription 'x' could not be found; either the managed identity of this VM has no role in it, or it is not in AzurePublicCloud"},
		{403, "AuthorizationFailed", "In other words.", "lacks the permission Microsoft.Compute/virtualMachines/read for " + vm1},
		{404, "ResourceNotFound", "The Resource 'R' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix", "404 ResourceNotFound: The Resource 'R' was not found"},
		{403, "RequestDisallowedByPolicy", "Policy P forbids it.", "403 RequestDisallowedByPolicy: Policy P forbids it"},
		{400, "Strange", "\x1b[31m" + strings.Repeat("long ", 1000), "..."},
	} {
		w := newWorld(t)
		w.meet = func(*http.Request) *http.Response { return failure(tt.status, tt.code, tt.text) }
		_, err := w.client(Options{}).Snapshot(t.Context(), Ask{})
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "the VM itself can't be read") || strings.ContainsAny(err.Error(), "\n\x1b") || strings.Contains(err.Error(), "aka.ms") || len(err.Error()) > 1000 {
			t.Errorf("%s: %v", tt.code, err)
		}
	}
}

// TestNoJSON: what is not from Azure at all, a proxy's page say, gives an error too.
func TestNoJSON(t *testing.T) {
	for status, want := range map[int]string{200: "invalid character", 403: "403: Forbidden", 502: "502: Bad Gateway"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.meet = func(*http.Request) *http.Response { return answer(status, "<html>\nproxy</html>") }
			if _, err := w.client(Options{}).Snapshot(t.Context(), Ask{}); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%d: %v", status, err)
			}
		})
	}
}
