package arm_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	client "github.com/nvad/nvad/pkg/azure/arm"
)

// TestHostileTokens: whatever the metadata service answers to a question for a token, the client
// ends in time with an error, or with what Resource Manager says of such a token.
func TestHostileTokens(t *testing.T) {
	chunk := strings.Repeat(" ", 1<<20)
	answer := func(token, expires string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(map[string]string{
				"access_token": token, "expires_on": expires, "resource": "https://management.core.windows.net/", "token_type": "Bearer",
			})
		}
	}
	later := fmt.Sprint(time.Now().Add(time.Hour).Unix())
	for name, attack := range map[string]func(http.ResponseWriter, *http.Request){
		"nothing":       func(http.ResponseWriter, *http.Request) {},
		"null":          func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "null") },
		"HTML":          func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") },
		"no token":      answer("", later),
		"line breaks":   answer("a\r\nX-Injected: 1\r\n\r\n", later),
		"escapes":       answer("\x1b[2J", later),
		"a huge token":  answer(strings.Repeat("A", 1<<20), later),
		"expired":       answer("secret", "1"),
		"never expires": answer("secret", "99999999999999999999"),
		"no time":       answer("secret", "soon"),
		"away":          func(w http.ResponseWriter, req *http.Request) { http.Redirect(w, req, "http://example.com/", 307) },
		"busy": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "86400")
			w.WriteHeader(429)
		},
		"silence": func(_ http.ResponseWriter, req *http.Request) { <-req.Context().Done() },
		"flood": func(w http.ResponseWriter, req *http.Request) {
			for req.Context().Err() == nil {
				if _, err := w.Write([]byte(chunk)); err != nil {
					return
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSiege(t)
			s.tokens = attack
			limit := 2 * time.Second
			if name == "flood" {
				limit = 30 * time.Second
			}
			begin := time.Now()
			err := s.withToken(limit, t.Name())
			if err == nil {
				t.Fatal("it reads Azure")
			}
			if took := time.Since(begin); took > limit+2*time.Second {
				t.Errorf("it took %v", took)
			}
			if text := err.Error(); len(text) > 5000 || strings.ContainsAny(text, "\x1b\r\n") || strings.Contains(text, "secret") || strings.Contains(text, strings.Repeat("A", 1000)) {
				t.Errorf("it says %.2000q", text)
			}
			t.Logf("%.300s", err)
		})
	}
}

// withToken asks for a token of an identity, and reads the VM with it. The SDK keeps the tokens
// of each identity.
func (s *siege) withToken(limit time.Duration, identity string) error {
	ctx, cancel := context.WithTimeout(s.t.Context(), limit)
	defer cancel()
	c, err := client.New(ctx, client.Options{Cloud: "AzurePublicCloud", Identity: "managed", ClientID: identity, Transport: s.http})
	if err != nil {
		return err
	}
	_, err = c.Snapshot(ctx, client.Ask{VM: s.hub.VM})
	return err
}
