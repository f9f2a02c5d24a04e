package api_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/api/apitest"
	"github.com/nvad/nvad/pkg/api/apitest/pki"
	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/listen"
	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// A client without a certificate opens connections over TCP and stays silent. They end
// by themselves, and a client with a certificate is served meanwhile and afterwards, on
// its own connection.
func TestHandshakes(t *testing.T) {
	dir := t.TempDir()
	ca := pki.New(t, dir, "ca")
	cert, key := ca.Issue(pki.Leaf{Name: "nvad", Address: net.IPv4(127, 0, 0, 1)})
	mine, mineKey := ca.Issue(pki.Leaf{Name: "alice"})
	certs, err := api.NewCertificates(config.API{Certificate: cert, Key: key, ClientCA: ca.Path})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	d := apitest.Hub00()
	s := api.NewTLSServer(api.Params{Reader: d, Controller: d}, certs)
	pool := listen.NewPool(listen.Limits{Total: 8, Each: 4}, nil)
	go func() { ended <- api.Serve(ctx, pool.Listener(l), s) }()
	defer func() { stop(); <-ended }()

	pair, err := tls.LoadX509KeyPair(mine, mineKey)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	pem, err := os.ReadFile(ca.Path)
	if err != nil || !roots.AppendCertsFromPEM(pem) {
		t.Fatal(err)
	}
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{pair}, RootCAs: roots, ServerName: "127.0.0.1",
	})))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ask := func() {
		t.Helper()
		if _, err := nvadv1.NewNvadClient(conn).GetVersion(t.Context(), &nvadv1.GetVersionRequest{}); err != nil {
			t.Error(err)
		}
	}
	ask()
	var last net.Conn
	for range 100 {
		if last, err = net.Dial("tcp4", l.Addr().String()); err != nil {
			t.Fatal(err)
		}
		defer last.Close()
	}
	ask()
	begin := time.Now()
	_ = last.SetReadDeadline(begin.Add(20 * time.Second))
	if _, err := io.ReadAll(last); err != nil && os.IsTimeout(err) {
		t.Errorf("a handshake that does not begin may take %v", time.Since(begin))
	}
	ask()
}
