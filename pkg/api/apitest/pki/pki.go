// Package pki makes certificates for tests. It keeps its state in the files it
// writes, and is of no use outside of tests: keys are neither protected nor
// meant to last.
package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Authority signs certificates.
type Authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	Path string // of its certificate
}

// New creates an authority with its files in dir.
func New(t *testing.T, dir, name string) *Authority {
	t.Helper()
	a := &Authority{t: t, dir: dir, Path: filepath.Join(dir, name+".crt")}
	a.key = newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	write(t, a.Path, "CERTIFICATE", der)
	return a
}

// Leaf describes a certificate to issue.
type Leaf struct {
	Name    string   // common name, and name of the files
	Units   []string // organisational units
	Address net.IP   // of a server; nil: a client
	Expired bool
}

// Issue creates a certificate and its key and returns their paths.
func (a *Authority) Issue(l Leaf) (cert, key string) {
	a.t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		a.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: l.Name, OrganizationalUnit: l.Units},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if l.Address != nil {
		template.IPAddresses, template.ExtKeyUsage = []net.IP{l.Address}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	if l.Expired {
		template.NotAfter = time.Now().Add(-time.Minute)
	}
	private := newKey(a.t)
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, private.Public(), a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, key = filepath.Join(a.dir, l.Name+".crt"), filepath.Join(a.dir, l.Name+".key")
	write(a.t, key, "PRIVATE KEY", secret)
	write(a.t, cert, "CERTIFICATE", der)
	return cert, key
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func write(t *testing.T, path, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}
