package ctl

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/user"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/nvad/nvad/pkg/api"
	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// patience bounds the time for an answer that is not a stream.
const patience = 30 * time.Second

// largestAnswer bounds an answer, in bytes. A configuration file may have 8 MiB, and
// the effect of a reload lists up to 50,000 routes.
const largestAnswer = 64 << 20

// client is a connection to the daemon.
type client struct {
	*grpc.ClientConn
	read    nvadv1.NvadClient
	control nvadv1.NvadControlClient
	most    int // bound of an answer, in bytes
}

// door is the way to a daemon: its TCP port, or its socket if remote has no address.
type door struct {
	socket string
	remote remote
	most   int // bound of an answer, in bytes
}

// connect connects to the one daemon that the command is for.
func (a *app) connect(ctx context.Context) (*client, error) {
	if a.site != "" {
		return nil, errOneNVA
	}
	return a.door().connect(ctx)
}

func (a *app) door() door { return door{a.path(), a.remote, largestAnswer} }

// connect makes a first connection itself, as the errors of gRPC do not tell a missing
// socket from a forbidden one.
func (d door) connect(ctx context.Context) (*client, error) {
	if d.remote.address != "" {
		return d.remote.connect(ctx, d.most)
	}
	first, err := dialSocket(ctx, d.socket)
	if err != nil {
		return nil, err
	}
	_ = first.Close()
	return newClient(insecure.NewCredentials(), d.most, func(ctx context.Context, _ string) (net.Conn, error) {
		return dialSocket(ctx, d.socket)
	})
}

func newClient(creds credentials.TransportCredentials, most int, dial func(context.Context, string) (net.Conn, error)) (*client, error) {
	conn, err := grpc.NewClient("passthrough:nvad", grpc.WithTransportCredentials(creds),
		grpc.WithContextDialer(dial), grpc.WithUnaryInterceptor(impatient),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(most)))
	if err != nil {
		return nil, err
	}
	return &client{ClientConn: conn, read: nvadv1.NewNvadClient(conn), control: nvadv1.NewNvadControlClient(conn), most: most}, nil
}

func impatient(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, call grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return call(ctx, method, req, reply, cc, opts...)
}

// errNotRunning is wrapped in the error of a command that found no daemon.
var errNotRunning = errors.New("nvad is not running")

// dialError explains in one line why the socket can't be opened.
func dialError(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w (no socket at %s)%s", errNotRunning, path, firstStep(path, defaultConfig))
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w (nobody answers on %s)", errNotRunning, path)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("no permission to open %s%s", path, whoMay(path))
	}
	return fmt.Errorf("cannot open %s: %w", path, err)
}

// firstStep tells how to begin on a machine without a configuration, as far as the
// caller may see whether there is one. Somebody who names another socket needs no
// advice.
func firstStep(socket, config string) string {
	if socket != DefaultSocket {
		return ""
	}
	whether := "there is"
	switch _, err := os.Stat(config); {
	case errors.Is(err, fs.ErrPermission):
		whether = "if there is"
	case !errors.Is(err, fs.ErrNotExist):
		return ": sudo systemctl start nvad"
	}
	return fmt.Sprintf(": %s no %s yet, in Azure \"sudo nvad bootstrap\" writes it (see nvad bootstrap --help)", whether, config)
}

// whoMay names the group that may open the socket, if the caller can see that.
func whoMay(path string) string {
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o060 == 0o060 {
		gid := info.Sys().(*syscall.Stat_t).Gid
		if g, err := user.LookupGroupId(strconv.FormatUint(uint64(gid), 10)); err == nil && gid != 0 {
			return fmt.Sprintf(" (it is for root and members of group %s)", g.Name)
		}
	}
	return " (try as root)"
}

// plainError turns the error of a call into a message for people.
func plainError(err error) error {
	s, ok := status.FromError(err)
	if !ok || err == nil {
		return err
	}
	switch s.Code() {
	case codes.Unavailable:
		return errors.New("the connection to nvad was lost before it answered")
	case codes.Unimplemented:
		return errors.New("nvad is of another version and does not know this request (see nvactl version)")
	case codes.DeadlineExceeded:
		return fmt.Errorf("nvad did not answer within %s", patience)
	case codes.Canceled:
		return errors.New("canceled")
	}
	return errors.New(s.Message())
}

// receive calls yield with every message of a stream. err is that of opening it.
func receive[T any](stream grpc.ServerStreamingClient[T], err error, yield func(*T) error) error {
	if err != nil {
		return err
	}
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := yield(m); err != nil {
			return err
		}
	}
}

// daemonUser is the user of the service.
const daemonUser = "nvad"

// dialSocket connects to the daemon's socket and checks who listens there. A socket at
// the right path need not be nvad's: if NVAD_SOCKET or --socket names a directory like
// /tmp, somebody else may have created it first, and nvactl would believe the answers.
func dialSocket(ctx context.Context, path string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, dialError(path, err)
	}
	server, err := api.PeerOf(conn)
	if err == nil && !mayServe(server.Uid) {
		err = fmt.Errorf("%s is not nvad's: %s listens there, and not root, %s or you; nothing was sent", path, nameOf(server.Uid), daemonUser)
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// mayServe reports whether nvad may run as that user: root, the user of the service, or
// the caller, who can do anything anyway that such a daemon could make nvactl do.
func mayServe(uid uint32) bool {
	if uid == 0 || int(uid) == os.Geteuid() {
		return true
	}
	u, err := user.Lookup(daemonUser)
	return err == nil && u.Uid == strconv.FormatUint(uint64(uid), 10)
}

// nameOf returns the name of a user.
func nameOf(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return "user " + u.Username
	}
	return "user " + id
}

// remote is the address of a daemon that is reached over TCP, and the certificate to
// show it.
type remote struct {
	address       string // host:port; empty: the socket
	cert, key, ca string // paths of PEM files
}

// remoteOf reads the remote from the environment.
func remoteOf(getenv func(string) string) remote {
	return remote{address: getenv("NVAD_ADDRESS"), cert: getenv("NVAD_CERT"), key: getenv("NVAD_KEY"), ca: getenv("NVAD_CA")}
}

func (r *remote) flags(cmd *cobra.Command) {
	f := cmd.PersistentFlags()
	f.StringVar(&r.address, "address", r.address, "`HOST:PORT` of a daemon elsewhere, over TLS")
	f.StringVar(&r.cert, "cert", r.cert, "`FILE` with your certificate, for --address")
	f.StringVar(&r.key, "key", r.key, "`FILE` with the key of your certificate")
	f.StringVar(&r.ca, "ca", r.ca, "`FILE` with the CA of the daemon's certificate")
}

// chooseDaemon decides which daemon to connect to, or which site. A flag takes
// precedence over the environment.
func (a *app) chooseDaemon(cmd *cobra.Command, _ []string) error {
	if err := a.chooseSite(cmd); err != nil || a.site != "" {
		return err
	}
	if a.socket != "" {
		if cmd.Flags().Changed("address") {
			return errors.New("use either --socket or --address")
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

// greeting bounds the time for the daemon to accept or refuse a certificate.
const greeting = 10 * time.Second

func (r remote) connect(ctx context.Context, most int) (*client, error) {
	config, err := r.config()
	if err != nil {
		return nil, err
	}
	if err := r.try(ctx, config); err != nil {
		return nil, fmt.Errorf("nvad at %s: %w", r.address, err)
	}
	var d net.Dialer
	return newClient(credentials.NewTLS(config), most, func(ctx context.Context, _ string) (net.Conn, error) {
		return d.DialContext(ctx, "tcp", r.address)
	})
}

func (r remote) config() (*tls.Config, error) {
	own, err := tls.LoadX509KeyPair(r.cert, r.key)
	if err != nil {
		return nil, fmt.Errorf("certificate %s with key %s: %w", r.cert, r.key, err)
	}
	data, err := os.ReadFile(r.ca)
	if err != nil {
		return nil, fmt.Errorf("CA: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("CA %s contains no certificate in PEM form", r.ca)
	}
	host, _, err := net.SplitHostPort(r.address)
	return &tls.Config{
		MinVersion: tls.VersionTLS13, ServerName: host, RootCAs: roots, NextProtos: []string{"h2"},
		// Send it even if it does not match the daemon's request, for a better error.
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &own, nil },
	}, err
}

// try connects once. In TLS 1.3 the daemon checks our certificate after the handshake
// is over for us: a refusal arrives instead of the first byte.
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

// verdict tells which side did not trust the other.
func verdict(err error) error {
	if cert, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fmt.Errorf("its certificate is not trusted: %w", cert.Err)
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "remote error" {
		return fmt.Errorf("it refused our certificate: %w", op.Err)
	}
	return err
}
