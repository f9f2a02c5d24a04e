package api

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	"github.com/nvad/nvad/pkg/telemetry"
	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// AdminGroup is the group whose members may change the daemon.
const AdminGroup = "nvad-admin"

// grace is how long calls that are under way may take once serving ends. A
// stream whose client reads slowly must not hold up the daemon's end.
const grace = 2 * time.Second

// Params are what a server is made of.
type Params struct {
	Reader     Reader
	Controller Controller
	Build      telemetry.BuildInfo
	AdminGroup string  // empty: [AdminGroup]
	Limits     *Limits // shared with other servers; nil: of this one alone
	// Starting is why calls can't be answered yet, but for those that tell of the start
	// or end it; nil, or an error of nil: all are answered.
	Starting func() error

	certificates *Certificates // nil: a unix socket
}

// NewServer returns a server with the services of nvad, health and reflection,
// for a unix socket.
func NewServer(p Params) *grpc.Server {
	return newServer(p, unixCredentials{}, lookupGroup)
}

// NewTLSServer returns the same for TCP. A caller needs a certificate that one
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
	auth := authorizer{group: p.AdminGroup, lookup: lookup, certificates: p.certificates}
	s := grpc.NewServer(append(bounds(),
		grpc.Creds(metered{creds, p.Limits}),
		grpc.ChainUnaryInterceptor(auth.unary, p.unaryOnceStarted, p.Limits.unary),
		grpc.ChainStreamInterceptor(auth.stream, p.streamOnceStarted, p.Limits.stream))...)
	nvadv1.RegisterNvadServer(s, &readServer{reader: p.Reader, build: p.Build})
	nvadv1.RegisterNvadControlServer(s, &controlServer{controller: p.Controller})
	grpc_health_v1.RegisterHealthServer(s, health.NewServer())
	reflection.Register(s)
	return s
}

// Bounds of one connection. A client that says nothing for a while is asked whether
// it is there: what it holds must not outlive it.
const (
	streams     = 16       // calls at once
	requestSize = 64 << 10 // octets of a request; the largest has a prefix and two addresses
	headerSize  = 8 << 10
	aliveTime   = 30 * time.Second // of silence, then it is asked
	answerTime  = 10 * time.Second // for the answer
	idleTime    = 5 * time.Minute  // without a call
	pingTime    = 10 * time.Second // between pings of the client's own, at least
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
	ended := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		select {
		case <-ctx.Done():
			t := time.AfterFunc(grace, s.Stop)
			defer t.Stop()
			s.GracefulStop()
		case <-ended:
		}
	}()
	err := s.Serve(l)
	close(ended)
	<-stopped
	if errors.Is(err, grpc.ErrServerStopped) {
		return nil
	}
	return err
}
