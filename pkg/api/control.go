package api

import (
	"context"
	"math"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// maxMessage is the longest shutdown communication (RFC 9003 2).
const maxMessage = 255

// controlServer answers the changing service.
type controlServer struct {
	nvadv1.UnimplementedNvadControlServer
	controller Controller
}

// ResetNeighbor implements nvadv1.NvadControlServer.
func (s *controlServer) ResetNeighbor(ctx context.Context, req *nvadv1.ResetNeighborRequest) (*nvadv1.ResetNeighborResponse, error) {
	addr, err := parseNeighbor(req.GetAddress())
	if err != nil {
		return nil, statusOf(err)
	}
	kind, ok := resetKinds[req.GetKind()]
	if !ok {
		return nil, statusOf(Invalid("unknown kind of reset %d", req.GetKind()))
	}
	return &nvadv1.ResetNeighborResponse{}, statusOf(s.controller.Reset(ctx, addr, kind))
}

var resetKinds = map[nvadv1.ResetKind]ResetKind{
	nvadv1.ResetKind_RESET_KIND_HARD:     ResetHard,
	nvadv1.ResetKind_RESET_KIND_SOFT_IN:  ResetSoftIn,
	nvadv1.ResetKind_RESET_KIND_SOFT_OUT: ResetSoftOut,
}

// ShutdownNeighbor implements nvadv1.NvadControlServer.
func (s *controlServer) ShutdownNeighbor(ctx context.Context, req *nvadv1.ShutdownNeighborRequest) (*nvadv1.ShutdownNeighborResponse, error) {
	addr, err := parseNeighbor(req.GetAddress())
	if err != nil {
		return nil, statusOf(err)
	}
	if err := checkMessage(req.GetMessage()); err != nil {
		return nil, statusOf(err)
	}
	err = s.controller.SetNeighborShutdown(ctx, addr, true, req.GetMessage())
	return &nvadv1.ShutdownNeighborResponse{}, statusOf(err)
}

// EnableNeighbor implements nvadv1.NvadControlServer.
func (s *controlServer) EnableNeighbor(ctx context.Context, req *nvadv1.EnableNeighborRequest) (*nvadv1.EnableNeighborResponse, error) {
	addr, err := parseNeighbor(req.GetAddress())
	if err != nil {
		return nil, statusOf(err)
	}
	err = s.controller.SetNeighborShutdown(ctx, addr, false, "")
	return &nvadv1.EnableNeighborResponse{}, statusOf(err)
}

// Drain implements nvadv1.NvadControlServer.
func (s *controlServer) Drain(ctx context.Context, req *nvadv1.DrainRequest) (*nvadv1.DrainResponse, error) {
	if req.GetOff() {
		return &nvadv1.DrainResponse{}, statusOf(s.controller.Undrain(ctx))
	}
	if n := len(req.GetReason()); n > maxMessage {
		return nil, statusOf(Invalid("the reason has %d bytes, at most %d are taken", n, maxMessage))
	}
	remaining, err := s.controller.Drain(ctx, req.GetReason())
	if err != nil {
		return nil, statusOf(err)
	}
	return &nvadv1.DrainResponse{RemainingSeconds: uint32(math.Ceil(remaining.Seconds()))}, nil
}

// Shutdown implements nvadv1.NvadControlServer.
func (s *controlServer) Shutdown(ctx context.Context, req *nvadv1.ShutdownRequest) (*nvadv1.ShutdownResponse, error) {
	if err := checkMessage(req.GetMessage()); err != nil {
		return nil, statusOf(err)
	}
	err := s.controller.Shutdown(ctx, ShutdownOptions{Flush: req.GetFlush(), Message: req.GetMessage()})
	return &nvadv1.ShutdownResponse{}, statusOf(err)
}

// SetLogLevel implements nvadv1.NvadControlServer.
func (s *controlServer) SetLogLevel(ctx context.Context, req *nvadv1.SetLogLevelRequest) (*nvadv1.SetLogLevelResponse, error) {
	switch req.GetLevel() {
	case "debug", "info", "warn", "error":
	default:
		return nil, statusOf(Invalid("%q is not a log level (want debug, info, warn or error)", req.GetLevel()))
	}
	return &nvadv1.SetLogLevelResponse{}, statusOf(s.controller.SetLogLevel(ctx, req.GetLevel()))
}

func checkMessage(s string) error {
	if len(s) > maxMessage {
		return Invalid("the message has %d bytes, RFC 9003 allows %d", len(s), maxMessage)
	}
	return nil
}
