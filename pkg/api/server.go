// Package api serves the gRPC interface of proto/nvad/v1. A request becomes a question
// to a [Reader] or a command to a [Controller], and the answer a generated message.
// This is the only place where the answers of the state's owners become messages; see
// "How to add a field to an answer" in docs/architecture.md.
//
// It promises that only root, the members of one group and the certificates that the
// configuration names can change anything, while everybody who may open the socket or
// has a certificate can read. Every error has a fitting gRPC code and a text for
// people. Clients can neither exhaust memory nor block the daemon.
//
// The package owns no state and decides nothing about routes. Generated types do not
// leave it.
package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"

	"github.com/nvad/nvad/pkg/engine"
	"github.com/nvad/nvad/pkg/journal"
	"github.com/nvad/nvad/pkg/telemetry"
	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// AdminGroup is the group whose members may change the daemon.
const AdminGroup = "nvad-admin"

// grace is how long calls may take to finish once serving ends. A stream whose client
// reads slowly must not delay the end of the daemon.
const grace = 2 * time.Second

// Params are the parts that a server works with.
type Params struct {
	Reader     Reader
	Controller Controller
	Build      telemetry.BuildInfo
	AdminGroup string  // empty: [AdminGroup]
	Limits     *Limits // may be shared with other servers; nil: limits of its own
	// Starting says why most calls can't be answered yet. Calls that show the start or
	// stop it are answered all the same. Nil, or a nil error: all calls are answered.
	Starting func() error

	certificates *Certificates // nil: a unix socket
}

// NewServer returns a server with the services of nvad, health and reflection,
// for a unix socket.
func NewServer(p Params) *grpc.Server {
	return newServer(p, unixCredentials{}, lookupGroup)
}

// NewTLSServer returns the same server for TCP. A caller needs a certificate that one
// of the authorities of certs has signed.
func NewTLSServer(p Params, certs *Certificates) *grpc.Server {
	p.certificates = certs
	config := &tls.Config{MinVersion: tls.VersionTLS13, GetConfigForClient: certs.current}
	return newServer(p, credentials.NewTLS(config), lookupGroup)
}

func newServer(p Params, creds credentials.TransportCredentials, lookup func(string) (uint32, error)) *grpc.Server {
	if p.AdminGroup == "" {
		p.AdminGroup = AdminGroup
	}
	if p.Limits == nil {
		p.Limits = NewLimits()
	}
	g := gate{authorizer{group: p.AdminGroup, lookup: lookup, certificates: p.certificates}, p.Starting, p.Limits}
	s := grpc.NewServer(append(bounds(), grpc.Creds(metered{creds, p.Limits}), grpc.UnaryInterceptor(g.unary), grpc.StreamInterceptor(g.stream))...)
	nvadv1.RegisterNvadServer(s, &readServer{reader: p.Reader, build: p.Build, limits: p.Limits})
	nvadv1.RegisterNvadControlServer(s, &controlServer{controller: p.Controller})
	grpc_health_v1.RegisterHealthServer(s, health.NewServer())
	reflection.Register(s)
	return s
}

// Bounds of one connection. A client that stays silent is pinged, so that a dead one
// does not keep its resources.
const (
	streams     = 16       // calls at once
	requestSize = 64 << 10 // octets of a request; the largest has a prefix and two addresses
	headerSize  = 8 << 10
	aliveTime   = 30 * time.Second // of silence before a ping
	answerTime  = 10 * time.Second // to answer the ping
	idleTime    = 5 * time.Minute  // without a call
	pingTime    = 10 * time.Second // least time between the client's own pings
)

func bounds() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxConcurrentStreams(streams), grpc.MaxRecvMsgSize(requestSize), grpc.MaxHeaderListSize(headerSize),
		grpc.ConnectionTimeout(handshakeTime),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: idleTime, Time: aliveTime, Timeout: answerTime}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: pingTime}),
	}
}

// Serve answers calls on l until ctx ends. It closes l.
func Serve(ctx context.Context, l net.Listener, s *grpc.Server) error {
	stop := context.AfterFunc(ctx, func() {
		t := time.AfterFunc(grace, s.Stop)
		defer t.Stop()
		s.GracefulStop()
	})
	defer stop()
	// Once it is told to stop, Serve returns only when all calls are over.
	if err := s.Serve(l); !errors.Is(err, grpc.ErrServerStopped) {
		return err
	}
	return nil
}

// early reports whether a method is answered during the start. An operator can see what
// the start waits for, and stop nvad without waiting for it.
func early(method string) bool {
	switch method {
	case nvadv1.Nvad_GetStatus_FullMethodName, nvadv1.NvadControl_Shutdown_FullMethodName, nvadv1.NvadControl_SetLogLevel_FullMethodName:
		return true
	}
	return !strings.HasPrefix(method, "/nvad.") // gRPC's own
}

// gate lets a call pass to its handler if the caller may make it, nvad can answer it
// yet, and the limits of the caller allow one more. It gives every error that a call
// ends with its code.
type gate struct {
	authorizer
	starting func() error
	limits   *Limits
}

// enter lets a call pass, or says why not. The caller calls end when the call is over.
func (g gate) enter(ctx context.Context, method string) (end func(), err error) {
	if err := g.check(ctx, method); err != nil {
		return nil, err
	}
	if g.starting != nil && !early(method) {
		if err := g.starting(); err != nil {
			return nil, err
		}
	}
	return g.limits.begin(ctx, meterOf(ctx).who, classOf[method])
}

func (g gate) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	end, err := g.enter(ctx, info.FullMethod)
	if err != nil {
		return nil, statusOf(err)
	}
	defer end()
	answer, err := next(ctx, req)
	if err == nil {
		err = meterOf(ctx).send(messageSize(answer))
	}
	return answer, statusOf(err)
}

func (g gate) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	end, err := g.enter(ss.Context(), info.FullMethod)
	if err != nil {
		return statusOf(err)
	}
	defer end()
	return statusOf(next(srv, &paced{ServerStream: ss, meter: meterOf(ss.Context()), timeout: g.limits.sendTime}))
}

// callerError is an error that the caller can do something about. The caller gets its
// text unchanged.
type callerError struct {
	code codes.Code
	text string
}

func (e *callerError) Error() string { return e.text }

// NotFound returns the error for something that is not configured or not known.
func NotFound(format string, args ...any) error {
	return &callerError{codes.NotFound, fmt.Sprintf(format, args...)}
}

// Invalid returns the error for a request or a file that can never be right.
func Invalid(format string, args ...any) error {
	return &callerError{codes.InvalidArgument, fmt.Sprintf(format, args...)}
}

// Conflict returns the error for a request that the present state does not allow, such
// as the reset of a neighbor that is shut down.
func Conflict(format string, args ...any) error {
	return &callerError{codes.FailedPrecondition, fmt.Sprintf(format, args...)}
}

// statusOf gives err the fitting gRPC code.
func statusOf(err error) error {
	var ce *callerError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &ce):
		return status.Error(ce.code, err.Error())
	case errors.Is(err, journal.ErrNotKept):
		return status.Error(codes.OutOfRange, err.Error())
	case errors.Is(err, engine.ErrNoNeighbor), errors.Is(err, engine.ErrNoRoute):
		return status.Error(codes.NotFound, err.Error())
	case errors.Is(err, context.Canceled):
		return status.Error(codes.Canceled, "canceled")
	case errors.Is(err, context.DeadlineExceeded):
		return status.Error(codes.DeadlineExceeded, "nvad did not answer in time")
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	return status.Error(codes.Internal, err.Error())
}
