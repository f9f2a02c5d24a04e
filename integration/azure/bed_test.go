// Package azure tests what nvactl finds out from Azure: every reason that is known for which
// Azure silently does not do what an NVA asks is injected into a model of Azure behind a fake
// Resource Manager, alone and in pairs.
package azure

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	fake "github.com/nvad/nvad/integration/lab/emulator/arm"
	"github.com/nvad/nvad/integration/lab/emulator/token"
	"github.com/nvad/nvad/pkg/azure"
	"github.com/nvad/nvad/pkg/azure/arm"
)

// TestMain prepares what a process reads only once: where Azure is, whom to trust, and the
// login of the Azure CLI.
func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "nvad-azure")
	if err == nil {
		defer os.RemoveAll(dir)
		err = prepare(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// served is the Resource Manager that clients reach under Azure's names, and answered is when
// it gave its last answer, in nanoseconds.
var (
	served   atomic.Pointer[fake.Server]
	answered atomic.Int64
)

func prepare(dir string) error {
	authority, err := fake.NewAuthority()
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	front := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		served.Load().ServeHTTP(w, req)
		answered.Store(time.Now().UnixNano())
	})
	go func() { _ = authority.Serve(l, front) }()
	proxy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() { _ = http.Serve(proxy, tunnels(l.Addr())) }()
	claims := token.Claims{Audience: fake.Clouds[0].Audience, Tenant: fake.Tenant, Object: "operator", Client: "azure-cli", Expires: time.Now().Add(time.Hour).Unix()}
	az := fmt.Sprintf("#!/bin/sh\necho '{\"accessToken\": \"%s\", \"expires_on\": %d, \"tokenType\": \"Bearer\"}'\n", token.Sign(claims), claims.Expires)
	for name, text := range map[string]string{"az": az, "ca.pem": string(authority.PEM)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			return err
		}
	}
	for name, value := range map[string]string{
		"PATH": dir + ":" + os.Getenv("PATH"), "HTTPS_PROXY": "http://" + proxy.Addr().String(), "NO_PROXY": "", "SSL_CERT_FILE": filepath.Join(dir, "ca.pem"),
	} {
		if err := os.Setenv(name, value); err != nil {
			return err
		}
	}
	return nil
}

// tunnels is a proxy for which every host is at the address to.
func tunnels(to net.Addr) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method != http.MethodConnect {
			http.Error(w, "only CONNECT", http.StatusMethodNotAllowed)
			return
		}
		far, err := net.Dial(to.Network(), to.String())
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer far.Close()
		w.WriteHeader(http.StatusOK)
		near, buffered, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer near.Close()
		var both sync.WaitGroup
		both.Go(func() { _, _ = io.Copy(far, buffered) })
		both.Go(func() { _, _ = io.Copy(near, far) })
		both.Wait()
	})
}

// server is a Resource Manager of the world, in which everybody may do everything.
func (w *world) server() *fake.Server {
	s := fake.New(w.state, w.model())
	s.Be(fake.Behaviour{Anyone: true})
	return s
}

// asker compares worlds with their nvad as nvactl does, but without a process and a network.
// It is for one goroutine.
type asker struct {
	client *arm.Client
	server *fake.Server
}

func newAsker(t testing.TB) *asker {
	t.Helper()
	a := &asker{}
	var err error
	a.client, err = arm.New(t.Context(), arm.Options{Cloud: "AzurePublicCloud", Identity: "cli", Transport: a})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Do passes a request to the world's Resource Manager.
func (a *asker) Do(req *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	in := req.Clone(req.Context())
	in.Host, in.RemoteAddr = req.URL.Host, netip.AddrPortFrom(nvaAddress, 40000).String()
	if in.Body == nil {
		in.Body = http.NoBody
	}
	a.server.ServeHTTP(rec, in)
	resp := rec.Result()
	resp.Request = req
	return resp, nil
}

func (a *asker) diff(t testing.TB, w *world) azure.Report {
	t.Helper()
	moment := w.model().Moment()
	a.server = fake.New(w.state, moment)
	a.server.Be(fake.Behaviour{Anyone: true})
	s, err := a.client.Snapshot(t.Context(), w.ask())
	if err != nil {
		t.Fatal(err)
	}
	return azure.Diff(s, w.self(moment), azure.Options{})
}

// ask says what nvactl asks for in these tests.
func (w *world) ask() arm.Ask {
	return arm.Ask{VM: w.ids.vm, Spokes: []string{w.ids.spokeNIC}, Routes: true}
}
