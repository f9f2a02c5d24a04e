package api

import (
	"context"
	"os/user"
	"strconv"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// readServices may be used by whoever could open the socket. Everything else
// changes something.
var readServices = []string{"/nvad.v1.Nvad/", "/grpc.health.v1.Health/", "/grpc.reflection."}

// authorizer lets root and one group change the daemon.
type authorizer struct {
	group string
	// lookup finds a group's id. It is asked for each call, so that a group made
	// after the daemon's start counts.
	lookup func(name string) (uint32, error)
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
	c, ok := callerOf(ctx)
	if !ok {
		return ""
	}
	return userName(c.uid)
}

func userName(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return "uid " + id
}
