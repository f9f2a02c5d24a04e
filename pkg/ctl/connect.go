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
	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// patience is how long the daemon may take for an answer that is not a stream.
const patience = 30 * time.Second

// client is a connection to the daemon.
type client struct {
	*grpc.ClientConn
	read    nvadv1.NvadClient
	control nvadv1.NvadControlClient
}

// connect opens the daemon's socket, or its TCP port if there is an address. The
// first connection is made here and not by gRPC, whose errors do not tell a
// missing socket from a forbidden one.
func (a *app) connect(ctx context.Context) (*client, error) {
	if a.remote.address != "" {
		return a.remote.connect(ctx)
	}
	path := a.path()
	first, err := dialSocket(ctx, path)
	if err != nil {
		return nil, err
	}
	_ = first.Close()
	return newClient(insecure.NewCredentials(), func(ctx context.Context, _ string) (net.Conn, error) {
		return dialSocket(ctx, path)
	})
}

func newClient(creds credentials.TransportCredentials, dial func(context.Context, string) (net.Conn, error)) (*client, error) {
	conn, err := grpc.NewClient("passthrough:nvad", grpc.WithTransportCredentials(creds),
		grpc.WithContextDialer(dial), grpc.WithUnaryInterceptor(impatient))
	if err != nil {
		return nil, err
	}
	return &client{ClientConn: conn, read: nvadv1.NewNvadClient(conn), control: nvadv1.NewNvadControlClient(conn)}, nil
}

func impatient(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, call grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return call(ctx, method, req, reply, cc, opts...)
}

// errNotRunning is in the error of a command that found no daemon.
var errNotRunning = errors.New("nvad is not running")

// dialError says in one line why the socket cannot be opened.
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

// firstStep says how to begin on a machine that has no configuration. Not everybody
// may look whether there is one; who asked for another socket knows where it is.
func firstStep(socket, config string) string {
	if socket != DefaultSocket {
		return ""
	}
	switch _, err := os.Stat(config); {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Sprintf(": there is no %s yet, in Azure \"sudo nvad bootstrap\" writes it (see nvad bootstrap --help)", config)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf(": if there is no %s yet, in Azure \"sudo nvad bootstrap\" writes it (see nvad bootstrap --help)", config)
	}
	return ": sudo systemctl start nvad"
}

// whoMay names the group that may open the socket, if that can be seen.
func whoMay(path string) string {
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o060 != 0o060 {
		return " (try as root)"
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || st.Gid == 0 {
		return " (try as root)"
	}
	g, err := user.LookupGroupId(strconv.FormatUint(uint64(st.Gid), 10))
	if err != nil {
		return " (try as root)"
	}
	return fmt.Sprintf(" (it is for root and members of group %s)", g.Name)
}

// explain turns an error of a call into a text for a person.
func explain(err error) error {
	s, ok := status.FromError(err)
	if !ok {
		return err
	}
	switch s.Code() {
	case codes.Unavailable:
		return errors.New("the connection to nvad was lost before it had answered")
	case codes.Unimplemented:
		return errors.New("this nvad is of another version and does not know the request (see nvactl version)")
	case codes.DeadlineExceeded:
		return errors.New("nvad did not answer in time")
	case codes.Canceled:
		return errors.New("canceled")
	}
	return errors.New(s.Message())
}

// receive calls yield with every message of a stream.
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

// daemonUser is the user that the service runs as.
const daemonUser = "nvad"

// dialSocket connects to the daemon's socket and makes sure of who listens there. A
// socket at the right path need not be nvad's: NVAD_SOCKET or --socket may name one
// in a directory where somebody else was first, and what answers there is believed.
func dialSocket(ctx context.Context, path string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, dialError(path, err)
	}
	server, err := serverOf(conn)
	if err == nil && !mayServe(server.Uid) {
		err = fmt.Errorf("%s is not nvad's: %s listens there, and not root, %s or you; nothing was sent", path, nameOf(server.Uid), daemonUser)
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// serverOf is the process and the user who made the listening end of a connection,
// as the kernel has kept it.
func serverOf(conn net.Conn) (*unix.Ucred, error) {
	uc, ok := conn.(*net.UnixConn)
	if !ok {
		return nil, errors.New("not a unix socket: nobody knows who listens")
	}
	raw, err := uc.SyscallConn()
	if err != nil {
		return nil, err
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return nil, err
	}
	if credErr != nil {
		return nil, fmt.Errorf("who listens on the socket: %w", credErr)
	}
	return cred, nil
}

// mayServe reports whether nvad may run as that user: root, the user of the service,
// or the caller, who may do anyway what such a daemon could make nvactl do.
func mayServe(uid uint32) bool {
	if uid == 0 || int(uid) == os.Geteuid() {
		return true
	}
	u, err := user.Lookup(daemonUser)
	return err == nil && u.Uid == strconv.FormatUint(uint64(uid), 10)
}

// nameOf is a user in words.
func nameOf(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return "user " + u.Username
	}
	return "user " + id
}

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
