package api

import (
	"context"
	"strings"

	"google.golang.org/grpc"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// early reports whether a method is answered while nvad starts: what the start waits
// for can be seen, and its end need not be waited for.
func early(method string) bool {
	switch method {
	case nvadv1.Nvad_GetStatus_FullMethodName, nvadv1.NvadControl_Shutdown_FullMethodName, nvadv1.NvadControl_SetLogLevel_FullMethodName:
		return true
	}
	return !strings.HasPrefix(method, "/nvad.") // gRPC's own
}

func (p *Params) started(method string) error {
	if p.Starting == nil || early(method) {
		return nil
	}
	return statusOf(p.Starting())
}

func (p *Params) unaryOnceStarted(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if err := p.started(info.FullMethod); err != nil {
		return nil, err
	}
	return next(ctx, req)
}

func (p *Params) streamOnceStarted(srv any, s grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if err := p.started(info.FullMethod); err != nil {
		return err
	}
	return next(srv, s)
}
