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
	"time"

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
func (s *Server) Serve(l net.Listener, a *Authority) error { return a.Serve(l, s) }

// Serve lets h answer over TLS on l, under the names of all clouds, until l is closed.
func (a *Authority) Serve(l net.Listener, h http.Handler) error {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
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

// In makes the server one of the cloud with that name, if it isn't empty.
func (s *Server) In(name string) error {
	c, ok := token.Find(name)
	if !ok {
		return fmt.Errorf("there is no cloud %q", name)
	}
	s.cloud = c
	return nil
}
