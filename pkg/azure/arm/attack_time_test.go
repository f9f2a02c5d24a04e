package arm_test

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab/emulator/arm"
	"github.com/nvad/nvad/pkg/azure"
	client "github.com/nvad/nvad/pkg/azure/arm"
)

// TestHaste: Azure asks to poll at once and for ever, and it is asked at a decent pace.
func TestHaste(t *testing.T) {
	var all sync.WaitGroup
	defer all.Wait()
	for name, attack := range map[string]func(http.ResponseWriter, *http.Request){
		"operation": func(w http.ResponseWriter, req *http.Request) {
			w.Header().Set("Location", "https://"+req.Host+req.URL.Path+"?api-version=1")
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(202)
		},
		"throttle": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(429)
		},
		"throttle since a time": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
			w.WriteHeader(429)
		},
	} {
		s := newSiege(t)
		s.attack = on("effectiveRouteTable", attack)
		all.Go(func() {
			_, _ = s.snapshot(time.Second)
			if n := s.asked.Load(); n > 30 {
				t.Errorf("%s: %d requests in a second", name, n)
			}
		})
	}
}

// TestPatience: what asks to wait a day, or for no time that there is, does not make anybody
// wait beyond the time that the operator allowed.
func TestPatience(t *testing.T) {
	var all sync.WaitGroup
	defer all.Wait()
	for _, wait := range []string{"86400", "-1", "99999999999999999999", "1e9", "soon", time.Now().Add(24 * time.Hour).UTC().Format(http.TimeFormat), time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat)} {
		for _, status := range []int{202, 408, 429, 500, 503} {
			s := newSiege(t)
			s.attack = on("effectiveRouteTable", func(w http.ResponseWriter, req *http.Request) {
				w.Header().Set("Retry-After", wait)
				w.Header().Set("Location", "https://"+req.Host+req.URL.Path+"?api-version=1")
				w.WriteHeader(status)
			})
			all.Go(func() {
				got, err := s.snapshot(2 * time.Second)
				if text := said(got, err); !strings.Contains(text, "time ran out") && !strings.Contains(text, "effective-routes") {
					t.Errorf("%d, %s: it says %s", status, wait, text)
				}
				if n := s.asked.Load(); n > 200 {
					t.Errorf("%d, %s: %d requests", status, wait, n)
				}
			})
		}
	}
}

// hostileWrites are answers to requests that change something.
var hostileWrites = map[string]func(http.ResponseWriter, *http.Request){
	"garbage": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201); fmt.Fprint(w, "<html>") },
	"never": func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Azure-AsyncOperation", "https://"+req.Host+"/never")
		w.WriteHeader(201)
		fmt.Fprint(w, `{"properties":{"provisioningState":"Updating"}}`)
	},
	"busy": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(409)
		fmt.Fprint(w, `{"error":{"code":"AnotherOperationInProgress","message":"Another operation is in progress."}}`)
	},
	"changed": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(412) },
	"away": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Azure-AsyncOperation", "https://example.com/steal")
		w.WriteHeader(201)
		fmt.Fprint(w, `{"properties":{}}`)
	},
	"failed": func(w http.ResponseWriter, req *http.Request) {
		w.WriteHeader(201)
		fmt.Fprint(w, `{"properties":{"provisioningState":"Failed"}}`)
	},
}

// TestHostileAnswersToWrites: no change is said to be made that was not, and none takes longer
// than it may.
func TestHostileAnswersToWrites(t *testing.T) {
	for name, attack := range hostileWrites {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSiege(t)
			state := s.server.State
			table := state.Site("", "").RouteTable("rt", true, arm.UserRoute{Name: "far", Prefix: "10.110.0.0/16", Hops: []string{"10.0.0.4", "10.0.0.5"}})
			got, err := s.snapshot(10 * time.Second)
			if err != nil {
				t.Fatal(err)
			}
			never := on("GET /never", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", "0")
				fmt.Fprint(w, `{"status":"InProgress"}`)
			})
			s.attack = func(w http.ResponseWriter, req *http.Request) bool { return on("PUT", attack)(w, req) || never(w, req) }
			for what, write := range map[string]func(context.Context, *client.Client) (bool, error){
				"register": func(ctx context.Context, c *client.Client) (bool, error) {
					return c.Register(ctx, got.RouteServers[0], "vm-hub01", netip.MustParseAddr("10.0.0.9"), 65002)
				},
				"hop": func(ctx context.Context, c *client.Client) (bool, error) {
					return c.SetHop(ctx, azure.RouteTable{ID: table, Name: "rt", ResourceGroup: arm.Group}, "far", netip.MustParseAddr("10.0.0.5"), false)
				},
			} {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				c, err := client.New(ctx, client.Options{Cloud: "AzurePublicCloud", Identity: "managed", Transport: s.http})
				if err != nil {
					t.Fatal(err)
				}
				s.asked.Store(0)
				begin := time.Now()
				changed, err := write(ctx, c)
				cancel()
				if err == nil || changed {
					t.Errorf("%s: changed %v, %v", what, changed, err)
				}
				if took := time.Since(begin); took > 3*time.Second || s.asked.Load() > 60 {
					t.Errorf("%s: %v, %d requests", what, took, s.asked.Load())
				}
			}
			if len(s.leaked) > 0 {
				t.Errorf("the token reached %v", s.leaked)
			}
		})
	}
}
