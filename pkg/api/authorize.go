package api

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"github.com/nvad/nvad/pkg/config"
	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// readServices may be used by everybody who could connect. Everything else changes
// something.
var readServices = []string{"/nvad.v1.Nvad/", "/grpc.health.v1.Health/", "/grpc.reflection."}

// PollGroup is the group whose members may report polls of Azure, and change nothing else:
// what asks Azure handles answers from outside, and needs no power over the routes.
const PollGroup = "nvad-poll"

var pollMethods = []string{nvadv1.NvadControl_BeginAzurePoll_FullMethodName, nvadv1.NvadControl_ReportAzurePoll_FullMethodName}

// authorizer lets root and the members of one group change the daemon and, over TCP,
// the certificates that the configuration names.
type authorizer struct {
	group string
	// lookup finds the id of a group. It runs for each call, so that a group created
	// after the start of the daemon counts.
	lookup       func(name string) (uint32, error)
	certificates *Certificates // of TCP; nil: a unix socket
}

func lookupGroup(name string) (uint32, error) {
	g, err := user.LookupGroup(name)
	if err != nil {
		return 0, err
	}
	id, err := strconv.ParseUint(g.Gid, 10, 32)
	return uint32(id), err
}

func (a authorizer) check(ctx context.Context, method string) error {
	if slices.ContainsFunc(readServices, func(s string) bool { return strings.HasPrefix(method, s) }) {
		return nil
	}
	if cert := certificateOf(ctx); cert != nil && a.certificates != nil {
		return checkCertificate(cert, a.certificates.admins())
	}
	c, ok := callerOf(ctx)
	if !ok {
		return status.Error(codes.Unauthenticated, errNotUnix.Error())
	}
	if c.uid == 0 {
		return nil
	}
	for _, group := range a.groups(method) {
		if gid, err := a.lookup(group); err == nil && c.in(gid) {
			return nil
		}
	}
	return status.Errorf(codes.PermissionDenied,
		"changing nvad is for root and members of group %s (you are %s)", a.group, userName(c.uid))
}

// groups returns those whose members may call a method that changes something.
func (a authorizer) groups(method string) []string {
	if slices.Contains(pollMethods, method) {
		return []string{a.group, PollGroup}
	}
	return []string{a.group}
}

// certificateOf returns the verified certificate of a caller over TCP; nil if there is
// none.
func certificateOf(ctx context.Context) *x509.Certificate {
	info, ok := authOf(ctx).(credentials.TLSInfo)
	if !ok || len(info.State.VerifiedChains) == 0 {
		return nil
	}
	return info.State.VerifiedChains[0][0]
}

// subjectsOf names the owner of a certificate in the forms of the configuration.
func subjectsOf(cert *x509.Certificate) []string {
	out := []string{"CN=" + cert.Subject.CommonName}
	for _, unit := range cert.Subject.OrganizationalUnit {
		out = append(out, "OU="+unit)
	}
	return out
}

func checkCertificate(cert *x509.Certificate, admins []string) error {
	own := subjectsOf(cert)
	if slices.ContainsFunc(own, func(subject string) bool { return slices.Contains(admins, subject) }) {
		return nil
	}
	may := "no certificate: admins of [api] is empty"
	if len(admins) > 0 {
		may = "certificates with " + strings.Join(admins, " or ")
	}
	return status.Errorf(codes.PermissionDenied, "changing nvad over TCP is for %s (yours has %s)", may, strings.Join(own, ", "))
}

func userName(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return "uid " + id
}

// caller is the process at the other end of a unix socket, as it was when it connected.
type caller struct {
	credentials.CommonAuthInfo
	uid    uint32
	groups []uint32 // primary and supplementary
}

// AuthType implements credentials.AuthInfo.
func (caller) AuthType() string { return "unix" }

// in reports whether the caller is a member of the group with this id.
func (c caller) in(gid uint32) bool { return slices.Contains(c.groups, gid) }

// callerOf returns who made the call; false if that is not known.
func callerOf(ctx context.Context) (caller, bool) {
	c, ok := authOf(ctx).(caller)
	return c, ok
}

// unixCredentials asks the kernel who connected. Nothing is sent, so a client needs no
// credentials.
type unixCredentials struct{}

var errNotUnix = errors.New("not a unix socket: the caller is unknown")

// ServerHandshake implements credentials.TransportCredentials.
func (unixCredentials) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	c, err := whoConnected(conn)
	if err != nil {
		return nil, nil, err
	}
	return conn, c, nil
}

func whoConnected(conn net.Conn) (c caller, err error) {
	err = onSocket(conn, func(fd int) (err error) { c, err = readCaller(fd); return err })
	return c, err
}

// PeerOf returns the process and user at the other end of a unix socket, as recorded by
// the kernel: who connected, or who created the listening socket.
func PeerOf(conn net.Conn) (cred *unix.Ucred, err error) {
	err = onSocket(conn, func(fd int) (err error) { cred, err = peerCred(fd); return err })
	return cred, err
}

// onSocket calls do with the descriptor of a unix socket.
func onSocket(conn net.Conn, do func(fd int) error) error {
	if counted, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = counted.NetConn()
	}
	uc, ok := conn.(*net.UnixConn)
	if !ok {
		return errNotUnix
	}
	raw, err := uc.SyscallConn()
	if err != nil {
		return err
	}
	if controlErr := raw.Control(func(fd uintptr) { err = do(int(fd)) }); controlErr != nil {
		return controlErr
	}
	return err
}

// UserOf names the user at the other end of a unix socket, for a pool of connections.
// Connections of other kinds count as one user.
func UserOf(conn net.Conn) string {
	c, err := whoConnected(conn)
	if err != nil {
		return "unknown"
	}
	return callerKey(c)
}

// ClientHandshake implements credentials.TransportCredentials.
func (unixCredentials) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("credentials of a server")
}

// Info implements credentials.TransportCredentials.
func (unixCredentials) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "unix"}
}

// Clone implements credentials.TransportCredentials.
func (u unixCredentials) Clone() credentials.TransportCredentials { return u }

// OverrideServerName implements credentials.TransportCredentials.
func (unixCredentials) OverrideServerName(string) error { return nil }

// readCaller reads SO_PEERCRED, which has only the primary group, and SO_PEERGROUPS.
func readCaller(fd int) (caller, error) {
	cred, err := peerCred(fd)
	if err != nil {
		return caller{}, err
	}
	groups, err := peerGroups(fd)
	if err != nil {
		return caller{}, fmt.Errorf("SO_PEERGROUPS: %w", err)
	}
	return caller{
		CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity},
		uid:            cred.Uid,
		groups:         append(groups, cred.Gid),
	}, nil
}

func peerCred(fd int) (*unix.Ucred, error) {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return nil, fmt.Errorf("SO_PEERCRED: %w", err)
	}
	return cred, nil
}

// peerGroups returns the supplementary groups. If the buffer is too small, the kernel
// answers ERANGE and the size that it needs.
func peerGroups(fd int) ([]uint32, error) {
	groups := make([]uint32, 64)
	for {
		size := uint32(len(groups) * 4)
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&groups[0])), uintptr(unsafe.Pointer(&size)), 0)
		switch errno {
		case 0:
			return groups[:size/4], nil
		case unix.ERANGE:
			groups = make([]uint32, size/4)
		default:
			return nil, errno
		}
	}
}

// Certificates reads the certificates by which daemon and callers over TCP prove who they
// are, from the files of the configuration. A file that is replaced counts for the
// next connection. Its methods are safe for concurrent use.
type Certificates struct {
	mu    sync.Mutex // guards the rest
	files config.API
	seen  []fs.FileInfo
	inUse *tls.Config
}

// NewCertificates reads the files. The error names the file at fault.
func NewCertificates(files config.API) (*Certificates, error) {
	c := &Certificates{}
	return c, c.Set(files)
}

// Set reads other files in place of the present ones. An error leaves everything as it
// was.
func (c *Certificates) Set(files config.API) error {
	seen, err := stat(&files)
	if err != nil {
		return err
	}
	fresh, err := load(&files)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.files, c.seen, c.inUse = files, seen, fresh
	return nil
}

// admins returns the certificates that may change nvad.
func (c *Certificates) admins() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.files.Admins
}

// current returns the configuration for a new connection. If files can't be read, or do
// not fit together because they are being replaced one after the other, the previous
// ones stay in use.
func (c *Certificates) current(*tls.ClientHelloInfo) (*tls.Config, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now, err := stat(&c.files); err == nil && !slices.EqualFunc(now, c.seen, same) {
		if fresh, err := load(&c.files); err == nil {
			c.seen, c.inUse = now, fresh
		}
	}
	return c.inUse, nil
}

func stat(files *config.API) ([]fs.FileInfo, error) {
	var out []fs.FileInfo
	for _, path := range []string{files.Certificate, files.Key, files.ClientCA} {
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

func load(files *config.API) (*tls.Config, error) {
	own, err := tls.LoadX509KeyPair(files.Certificate, files.Key)
	if err != nil {
		return nil, fmt.Errorf("certificate %s with key %s: %w", files.Certificate, files.Key, err)
	}
	data, err := os.ReadFile(files.ClientCA)
	if err != nil {
		return nil, err
	}
	clients := x509.NewCertPool()
	if !clients.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("%s: holds no certificate in PEM form", files.ClientCA)
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{own}, NextProtos: []string{"h2"},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients,
	}, nil
}
