package arm_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab/emulator/arm"
	"github.com/nvad/nvad/integration/lab/emulator/metadata"
	"github.com/nvad/nvad/pkg/azure"
	client "github.com/nvad/nvad/pkg/azure/arm"
)

// siege is an emulated Azure behind real sockets, whose answers tests replace by hostile ones.
type siege struct {
	t      *testing.T
	hub    arm.HubIDs
	server *arm.Server
	http   *http.Client
	// attack may answer a request in the server's place.
	attack func(http.ResponseWriter, *http.Request) bool
	asked  atomic.Int64
	// tokens may answer for the metadata service.
	tokens func(http.ResponseWriter, *http.Request)

	mu     sync.Mutex
	leaked []string // tokens that reached another host, or this one in the clear
}

func newSiege(t *testing.T) *siege {
	t.Helper()
	s := &siege{t: t}
	state := arm.NewState()
	site := state.Site("", "")
	s.hub = site.Hub("hub00", 0, 65001)
	state.Peer(s.hub.VNet, site.VNet("vnet-spoke", []string{"10.1.0.0/16"}, arm.Subnet{Name: "default", Prefix: "10.1.0.0/24"}), true)
	s.server = arm.New(state, arm.NoRoutes{})
	s.server.Be(arm.Behaviour{Anyone: true})
	authority, err := arm.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	azureAt := listen(t, func(l net.Listener) { _ = authority.Serve(l, http.HandlerFunc(s.serve)) })
	vm, _ := state.Machine(s.hub.VM, "")
	vm.NICs[0].Addresses = []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	service := metadata.New(vm)
	metadataAt := listen(t, func(l net.Listener) {
		_ = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if s.tokens != nil {
				s.tokens(w, req)
				return
			}
			service.ServeHTTP(w, req)
		}))
	})
	elsewhere := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		s.note(req)
		fmt.Fprint(w, `{"status":"InProgress","value":[]}`)
	})
	other := httptest.NewTLSServer(elsewhere) // its certificate is example.com's
	t.Cleanup(other.Close)
	clear := httptest.NewServer(elsewhere)
	t.Cleanup(clear.Close)
	at := map[string]string{
		"management.azure.com:443": azureAt, "169.254.169.254:80": metadataAt, "example.com:443": other.Listener.Addr().String(),
		"management.azure.com:80": clear.Listener.Addr().String(), "example.com:80": clear.Listener.Addr().String(),
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority.PEM)
	pool.AddCert(other.Certificate())
	s.http = &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool},
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "tcp", at[address])
		},
	}}
	t.Cleanup(s.http.CloseIdleConnections)
	return s
}

func listen(t *testing.T, serve func(net.Listener)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		serve(l)
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return l.Addr().String()
}

func (s *siege) serve(w http.ResponseWriter, req *http.Request) {
	s.asked.Add(1)
	if s.attack == nil || !s.attack(w, req) {
		s.server.ServeHTTP(w, req)
	}
}

func (s *siege) note(req *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := req.Header.Get("Authorization"); h != "" {
		s.leaked = append(s.leaked, req.Method+" "+req.Host+req.URL.Path)
	}
}

// snapshot reads all there is within limit, and checks that the answer comes in time.
func (s *siege) snapshot(limit time.Duration) (azure.Snapshot, error) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), limit)
	defer cancel()
	c, err := client.New(ctx, client.Options{Cloud: "AzurePublicCloud", Identity: "managed", Transport: s.http})
	if err != nil {
		return azure.Snapshot{}, err
	}
	begin := time.Now()
	got, err := c.Snapshot(ctx, client.Ask{VM: s.hub.VM, Routes: true, Tag: "nvad"})
	if took := time.Since(begin); took > limit+2*time.Second {
		s.t.Errorf("it took %v, with %v allowed", took, limit)
	}
	return got, err
}

// said returns all that the client says is wrong.
func said(got azure.Snapshot, err error) string {
	text := fmt.Sprint(err)
	for _, m := range got.Missing {
		text += "\n" + string(m.What) + " " + m.ID + ": " + m.Reason
	}
	return text
}

// on returns an attack on the requests whose method and path have part in them.
func on(part string, attack func(http.ResponseWriter, *http.Request)) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, req *http.Request) bool {
		if !strings.Contains(strings.ToLower(req.Method+" "+req.URL.Path), strings.ToLower(part)) {
			return false
		}
		attack(w, req)
		return true
	}
}

// The parts of Azure that a Snapshot is made of.
var parts = []string{
	"GET /subscriptions/" + arm.Subscription + "/resourceGroups/rg-nva/providers/Microsoft.Compute/virtualMachines/vm-hub00",
	"networkInterfaces/vm-hub00-nic", "effectiveRouteTable", "effectiveNetworkSecurityGroups", "virtualNetworks/vnet-hub00", "/virtualHubs",
	"ipConfigurations", "bgpConnections", "learnedRoutes", "advertisedRoutes", "/resources", "GET /subscriptions",
}

func TestUndisturbed(t *testing.T) {
	s := newSiege(t)
	got, err := s.snapshot(10 * time.Second)
	if err != nil || len(got.Missing) > 0 || len(got.RouteServers) != 1 || len(got.RouteServers[0].Connections) != 1 || len(got.VNets) != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
}

// TestHostileAnswers: whatever Resource Manager answers, to whichever question, the client says in
// time what it could not read.
func TestHostileAnswers(t *testing.T) {
	write := func(status int, body string, headers ...string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i+1 < len(headers); i += 2 {
				w.Header().Set(headers[i], headers[i+1])
			}
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	for name, attack := range map[string]func(http.ResponseWriter, *http.Request){
		"empty":               write(200, ""),
		"null":                write(200, "null"),
		"a list":              write(200, "[]"),
		"a text":              write(200, `"x"`),
		"cut off":             write(200, `{"id":"`),
		"HTML":                write(200, "<html><body>Proxy login</body></html>", "Content-Type", "text/html"),
		"deep":                write(200, strings.Repeat(`{"properties":`, 20000)+"1"+strings.Repeat("}", 20000)),
		"no content":          write(204, ""),
		"a strange status":    write(299, "{}"),
		"teapot":              write(418, "short and stout"),
		"gone":                write(410, `{"error":"text where an object belongs"}`),
		"an error of nulls":   write(400, `{"error":{"code":null,"message":null,"details":null}}`),
		"a huge error":        write(400, `{"error":{"code":"`+strings.Repeat("A", 1<<20)+`","message":"`+strings.Repeat("B", 1<<20)+`"}}`),
		"an error of escapes": write(400, "{\"error\":{\"code\":\"X\",\"message\":\"\\u001b[2J\\u0007\\r\\nroot# \"}}"),
	} {
		t.Run(name, func(t *testing.T) {
			s := newSiege(t)
			for _, part := range parts {
				s.attack = on(part, attack)
				got, err := s.snapshot(5 * time.Second)
				text := said(got, err)
				if strings.ContainsAny(text, "\x1b\x07\r") {
					t.Errorf("%s: it passes on what steers a terminal: %q", part, text)
				}
				if len(text) > 20000 {
					t.Errorf("%s: it says %d octets", part, len(text))
				}
			}
		})
	}
}

// TestEndlessAnswers: an answer may be endless in octets, packed or not, or in time.
func TestEndlessAnswers(t *testing.T) {
	chunk := []byte(strings.Repeat(" ", 1<<20))
	flood := func(w http.ResponseWriter, req *http.Request) {
		for req.Context().Err() == nil {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}
	var small bytes.Buffer
	z := gzip.NewWriter(&small)
	_, _ = z.Write(chunk)
	_ = z.Close()
	packed := func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		for req.Context().Err() == nil {
			if _, err := w.Write(small.Bytes()); err != nil {
				return
			}
		}
	}
	drip := func(w http.ResponseWriter, req *http.Request) {
		for req.Context().Err() == nil {
			_, _ = w.Write([]byte(" "))
			w.(http.Flusher).Flush()
			select {
			case <-req.Context().Done():
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
	silence := func(_ http.ResponseWriter, req *http.Request) { <-req.Context().Done() }
	for name, c := range map[string]struct {
		attack func(http.ResponseWriter, *http.Request)
		limit  time.Duration
		want   string
	}{
		"flood":   {flood, 30 * time.Second, "more than 64 MiB"},
		"packed":  {packed, 30 * time.Second, "more than 64 MiB"},
		"drip":    {drip, 300 * time.Millisecond, "time ran out"},
		"silence": {silence, 300 * time.Millisecond, "time ran out"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, part := range []string{parts[0], "bgpConnections", "effectiveRouteTable"} {
				s := newSiege(t)
				s.attack = on(part, c.attack)
				before := heap()
				got, err := s.snapshot(c.limit)
				if text := said(got, err); !strings.Contains(text, c.want) {
					t.Errorf("%s: %s", part, text)
				}
				if grown := int64(heap()) - int64(before); grown > 200<<20 {
					t.Errorf("%s: the heap has grown by %d MiB", part, grown>>20)
				}
			}
		})
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestTheTokenStaysAtHome: no link, no redirect and no address to poll leads the token to
// another host, or over the wire in the clear.
func TestTheTokenStaysAtHome(t *testing.T) {
	for _, target := range []string{"https://example.com/steal", "http://example.com/steal", "http://management.azure.com/steal", "https://management.azure.com@example.com/steal", "//example.com/steal"} {
		for name, attack := range map[string]func(http.ResponseWriter, *http.Request){
			"redirect":  func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Location", target); w.WriteHeader(307) },
			"moved":     func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Location", target); w.WriteHeader(301) },
			"next page": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, `{"value":[],"nextLink":%q}`, target) },
			"operation": func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Azure-AsyncOperation", target)
				w.Header().Set("Location", target)
				w.WriteHeader(202)
			},
			"location": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Location", target); w.WriteHeader(202) },
		} {
			t.Run(name+" to "+target, func(t *testing.T) {
				s := newSiege(t)
				for _, part := range parts {
					s.attack = on(part, attack)
					got, err := s.snapshot(2 * time.Second)
					if err == nil && len(got.Missing) == 0 && (name == "redirect" || name == "moved") {
						t.Errorf("%s: nothing is missing", part)
					}
				}
				s.mu.Lock()
				defer s.mu.Unlock()
				if len(s.leaked) > 0 {
					t.Errorf("the token reached %v", s.leaked)
				}
			})
		}
	}
}
