package ctl

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/credentials"
)

// remote is a daemon that is reached over TCP, and who is asking.
type remote struct {
	address       string // host:port; empty: the socket
	cert, key, ca string // paths of PEM files
}

// remoteOf takes it from the environment.
func remoteOf(getenv func(string) string) remote {
	return remote{address: getenv("NVAD_ADDRESS"), cert: getenv("NVAD_CERT"), key: getenv("NVAD_KEY"), ca: getenv("NVAD_CA")}
}

func (r *remote) flags(cmd *cobra.Command) {
	f := cmd.PersistentFlags()
	f.StringVar(&r.address, "address", r.address, "`HOST:PORT` of a daemon elsewhere, over TLS")
	f.StringVar(&r.cert, "cert", r.cert, "`FILE` with the own certificate, for --address")
	f.StringVar(&r.key, "key", r.key, "`FILE` with its key")
	f.StringVar(&r.ca, "ca", r.ca, "`FILE` with the authority that signed the daemon's")
}

// chooseDaemon settles which daemon is meant: a flag counts more than the
// environment.
func (a *app) chooseDaemon(cmd *cobra.Command, _ []string) error {
	if a.socket != "" {
		if cmd.Flags().Changed("address") {
			return errors.New("either --socket or --address")
		}
		a.remote.address = ""
	}
	if a.remote.address == "" {
		return nil
	}
	if _, _, err := net.SplitHostPort(a.remote.address); err != nil {
		return fmt.Errorf("--address: want HOST:PORT, got %q", a.remote.address)
	}
	if a.remote.cert == "" || a.remote.key == "" || a.remote.ca == "" {
		return errors.New("--address needs --cert, --key and --ca")
	}
	return nil
}

// greeting is how long the daemon may take to accept or refuse a certificate.
const greeting = 10 * time.Second

func (r remote) connect(ctx context.Context) (*client, error) {
	config, err := r.config()
	if err != nil {
		return nil, err
	}
	if err := r.try(ctx, config); err != nil {
		return nil, fmt.Errorf("nvad at %s: %w", r.address, err)
	}
	var d net.Dialer
	return newClient(credentials.NewTLS(config), func(ctx context.Context, _ string) (net.Conn, error) {
		return d.DialContext(ctx, "tcp", r.address)
	})
}

func (r remote) config() (*tls.Config, error) {
	own, err := tls.LoadX509KeyPair(r.cert, r.key)
	if err != nil {
		return nil, fmt.Errorf("--cert %s with --key %s: %w", r.cert, r.key, err)
	}
	data, err := os.ReadFile(r.ca)
	if err != nil {
		return nil, fmt.Errorf("--ca: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("--ca %s holds no certificate in PEM form", r.ca)
	}
	host, _, err := net.SplitHostPort(r.address)
	return &tls.Config{
		MinVersion: tls.VersionTLS13, ServerName: host, RootCAs: roots, NextProtos: []string{"h2"},
		// Sent whatever the daemon asks for: it knows best why it does not like it.
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &own, nil },
	}, err
}

// try connects once. In TLS 1.3 the daemon judges the certificate after the
// handshake is over for us: its verdict comes with the first byte.
func (r remote) try(ctx context.Context, config *tls.Config) error {
	ctx, cancel := context.WithTimeout(ctx, greeting)
	defer cancel()
	d := tls.Dialer{Config: config}
	conn, err := d.DialContext(ctx, "tcp", r.address)
	if err != nil {
		return verdict(err)
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	_ = conn.SetReadDeadline(deadline)
	_, err = conn.Read(make([]byte, 1))
	return verdict(err)
}

// verdict says who did not trust whom.
func verdict(err error) error {
	var op *net.OpError
	var cert *tls.CertificateVerificationError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &cert):
		return fmt.Errorf("its certificate is not to be trusted: %w", cert.Err)
	case errors.As(err, &op) && op.Op == "remote error":
		return fmt.Errorf("it refused the certificate: %w", op.Err)
	}
	return err
}
