package api

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
)

// TLSOptions say how callers over TCP prove who they are.
type TLSOptions struct {
	Certificate string   // path of the daemon's certificate and chain (PEM)
	Key         string   // path of its key (PEM)
	ClientCA    string   // path of the authorities that sign clients (PEM)
	Admins      []string // certificates that may change nvad: "CN=..." or "OU=..."
}

// Certificates reads the files of TLSOptions. A file that is replaced counts for the
// next connection. Its methods are safe for concurrent use.
type Certificates struct {
	mu      sync.Mutex // guards the rest
	options TLSOptions
	seen    []fs.FileInfo
	config  *tls.Config
}

// NewCertificates reads the files. The error names the file at fault.
func NewCertificates(o TLSOptions) (*Certificates, error) {
	c := &Certificates{}
	return c, c.Set(o)
}

// Set reads the files of o in place of the present ones. An error leaves everything as
// it was.
func (c *Certificates) Set(o TLSOptions) error {
	seen, err := o.stat()
	if err != nil {
		return err
	}
	config, err := o.load()
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.options, c.seen, c.config = o, seen, config
	return nil
}

// admins returns the certificates that may change nvad.
func (c *Certificates) admins() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.options.Admins
}

// current returns the configuration for a new connection. If files can't be read, or do
// not fit together because they are being replaced one after the other, the previous
// ones stay in use.
func (c *Certificates) current(*tls.ClientHelloInfo) (*tls.Config, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now, err := c.options.stat(); err == nil && !slices.EqualFunc(now, c.seen, same) {
		if config, err := c.options.load(); err == nil {
			c.seen, c.config = now, config
		}
	}
	return c.config, nil
}

func (o TLSOptions) stat() ([]fs.FileInfo, error) {
	var out []fs.FileInfo
	for _, path := range []string{o.Certificate, o.Key, o.ClientCA} {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		out = append(out, info)
	}
	return out, nil
}

func same(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

func (o TLSOptions) load() (*tls.Config, error) {
	own, err := tls.LoadX509KeyPair(o.Certificate, o.Key)
	if err != nil {
		return nil, fmt.Errorf("certificate %s with key %s: %w", o.Certificate, o.Key, err)
	}
	data, err := os.ReadFile(o.ClientCA)
	if err != nil {
		return nil, err
	}
	clients := x509.NewCertPool()
	if !clients.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("%s: holds no certificate in PEM form", o.ClientCA)
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{own}, NextProtos: []string{"h2"},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients,
	}, nil
}
