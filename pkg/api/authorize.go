package api

import (
	"context"
	"crypto/x509"
	"os/user"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
)

// readServices may be used by whoever could open the socket. Everything else
// changes something.
var readServices = []string{"/nvad.v1.Nvad/", "/grpc.health.v1.Health/", "/grpc.reflection."}

// authorizer lets root and one group change the daemon, over TCP the
// certificates that the configuration names.
type authorizer struct {
	group string
	// lookup finds a group's id. It is asked for each call, so that a group made
	// after the daemon's start counts.
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

func (a authorizer) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if err := a.check(ctx, info.FullMethod); err != nil {
		return nil, err
	}
	return next(ctx, req)
}

func (a authorizer) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if err := a.check(ss.Context(), info.FullMethod); err != nil {
		return err
	}
	return next(srv, ss)
}

func (a authorizer) check(ctx context.Context, method string) error {
	for _, s := range readServices {
		if strings.HasPrefix(method, s) {
			return nil
		}
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
	if gid, err := a.lookup(a.group); err == nil && c.in(gid) {
		return nil
	}
	return status.Errorf(codes.PermissionDenied,
		"changing nvad is for root and members of group %s (you are %s)", a.group, userName(c.uid))
}

// CallerName is who made the call that ctx belongs to, for a log; empty if that
// is not known.
func CallerName(ctx context.Context) string {
	if cert := certificateOf(ctx); cert != nil {
		return strings.Join(subjectsOf(cert), ", ")
	}
	if c, ok := callerOf(ctx); ok {
		return userName(c.uid)
	}
	return ""
}

// certificateOf is the verified certificate of a caller over TCP; nil if there
// is none.
func certificateOf(ctx context.Context) *x509.Certificate {
	info, ok := authOf(ctx).(credentials.TLSInfo)
	if !ok || len(info.State.VerifiedChains) == 0 {
		return nil
	}
	return info.State.VerifiedChains[0][0]
}

// subjectsOf is what a certificate says of its owner, in the form of the
// configuration.
func subjectsOf(cert *x509.Certificate) []string {
	out := []string{"CN=" + cert.Subject.CommonName}
	for _, unit := range cert.Subject.OrganizationalUnit {
		out = append(out, "OU="+unit)
	}
	return out
}

func checkCertificate(cert *x509.Certificate, admins []string) error {
	own := subjectsOf(cert)
	for _, subject := range own {
		if slices.Contains(admins, subject) {
			return nil
		}
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
