package arm

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/nvad/nvad/integration/lab/emulator/rpc"
	"github.com/nvad/nvad/integration/lab/emulator/token"
)

// Authority is a certificate authority that clients must trust to reach the emulated Azure.
// Its certificate is given to them as SSL_CERT_FILE.
type Authority struct {
	PEM         []byte
	certificate tls.Certificate
}

// NewAuthority returns an authority with one certificate for all hosts of all clouds.
func NewAuthority() (*Authority, error) {
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "nvad lab"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0), KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: Clouds[0].Host}, DNSNames: Hosts(),
		NotBefore: root.NotBefore, NotAfter: root.NotAfter, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	leafKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	rootDER, err := x509.CreateCertificate(rand.Reader, root, root, &rootKey.PublicKey, rootKey)
	if err != nil {
		return nil, err
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, root, &leafKey.PublicKey, rootKey)
	if err != nil {
		return nil, err
	}
	return &Authority{
		PEM:         pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootDER}),
		certificate: tls.Certificate{Certificate: [][]byte{leafDER}, PrivateKey: leafKey},
	}, nil
}

// Hosts are the names under which Azure's clouds are reached.
func Hosts() []string {
	var hosts []string
	for _, c := range Clouds {
		hosts = append(hosts, c.Host, c.Login)
	}
	return hosts
}

// Serve answers over TLS on l until it is closed.
func (s *Server) Serve(l net.Listener, a *Authority) error {
	srv := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	secure := tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{a.certificate}, MinVersion: tls.VersionTLS12})
	if err := srv.Serve(secure); !errors.Is(err, net.ErrClosed) && !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Client returns a client that trusts a, and for which every host is at the address to.
func (a *Authority) Client(to net.Addr) *http.Client {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(a.PEM)
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, to.Network(), to.String())
	}
	return &http.Client{Transport: &http.Transport{DialContext: dial, TLSClientConfig: &tls.Config{RootCAs: pool}}}
}

// Config is what the lab passes to the emulator's process.
type Config struct {
	// Cloud is the cloud's name; empty: AzurePublicCloud.
	Cloud string
	// Listen are addresses with ports on which the hosts of Azure are reached.
	Listen []string
	// Certificate is the file that the authority's certificate is written to.
	Certificate string
	State       *State
	Behaviour   Behaviour
	// Socket is a unix socket for the lab and its tests; GET / answers once the emulator is
	// ready.
	Socket string
}

// Run is Resource Manager as its configuration says, until ctx is done.
func Run(ctx context.Context, c Config, routes Routes) error {
	if c.State == nil {
		c.State = NewState()
	}
	s := New(c.State, routes)
	if err := s.In(c.Cloud); err != nil {
		return err
	}
	s.Be(c.Behaviour)
	a, err := NewAuthority()
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.Certificate, a.PEM, 0o644); err != nil {
		return err
	}
	failed := make(chan error, len(c.Listen)+1)
	for _, address := range c.Listen {
		l, err := net.Listen("tcp", address)
		if err != nil {
			return fmt.Errorf("resource manager: %w", err)
		}
		defer context.AfterFunc(ctx, func() { _ = l.Close() })()
		go func() { failed <- s.Serve(l, a) }()
	}
	go func() { failed <- rpc.Serve(ctx, c.Socket, s.Control()) }()
	return <-failed
}

// In makes the server one of the cloud with that name, if it isn't empty.
func (s *Server) In(name string) error {
	c, ok := token.Find(name)
	if !ok {
		return fmt.Errorf("there is no cloud %q", name)
	}
	s.cloud = c
	return nil
}
