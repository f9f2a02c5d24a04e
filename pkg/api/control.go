package api

import (
	"bufio"
	"cmp"
	"context"
	"io"
	"math"
	"runtime/pprof"
	"runtime/trace"
	"time"

	"google.golang.org/grpc"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// maxMessage is the longest shutdown communication (RFC 9003 2).
const maxMessage = 255

// controlServer serves the changing methods.
type controlServer struct {
	nvadv1.UnimplementedNvadControlServer
	controller Controller
}

// ResetNeighbor implements nvadv1.NvadControlServer.
func (s *controlServer) ResetNeighbor(ctx context.Context, req *nvadv1.ResetNeighborRequest) (*nvadv1.ResetNeighborResponse, error) {
	addr, err := parseNeighbor(req.GetAddress())
	if err != nil {
		return nil, err
	}
	kind, ok := resetKinds[req.GetKind()]
	if !ok {
		return nil, Invalid("unknown kind of reset %d", req.GetKind())
	}
	return &nvadv1.ResetNeighborResponse{}, s.controller.Reset(ctx, addr, kind)
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
		return nil, err
	}
	if err := checkMessage(req.GetMessage()); err != nil {
		return nil, err
	}
	err = s.controller.SetNeighborShutdown(ctx, addr, true, req.GetMessage())
	return &nvadv1.ShutdownNeighborResponse{}, err
}

// EnableNeighbor implements nvadv1.NvadControlServer.
func (s *controlServer) EnableNeighbor(ctx context.Context, req *nvadv1.EnableNeighborRequest) (*nvadv1.EnableNeighborResponse, error) {
	addr, err := parseNeighbor(req.GetAddress())
	if err != nil {
		return nil, err
	}
	err = s.controller.SetNeighborShutdown(ctx, addr, false, "")
	return &nvadv1.EnableNeighborResponse{}, err
}

// MakeTunnelKey implements nvadv1.NvadControlServer.
func (s *controlServer) MakeTunnelKey(ctx context.Context, req *nvadv1.MakeTunnelKeyRequest) (*nvadv1.MakeTunnelKeyResponse, error) {
	name, key, err := s.controller.MakeTunnelKey(ctx, req.GetTunnel())
	if err != nil {
		return nil, err
	}
	return &nvadv1.MakeTunnelKeyResponse{Name: name, PublicKey: key.String()}, nil
}

// Drain implements nvadv1.NvadControlServer.
func (s *controlServer) Drain(ctx context.Context, req *nvadv1.DrainRequest) (*nvadv1.DrainResponse, error) {
	if req.GetOff() {
		return &nvadv1.DrainResponse{}, s.controller.Undrain(ctx)
	}
	if n := len(req.GetReason()); n > maxMessage {
		return nil, Invalid("the reason has %d bytes, at most %d are allowed", n, maxMessage)
	}
	remaining, err := s.controller.Drain(ctx, req.GetReason())
	return &nvadv1.DrainResponse{RemainingSeconds: uint32(math.Ceil(remaining.Seconds()))}, err
}

// Shutdown implements nvadv1.NvadControlServer.
func (s *controlServer) Shutdown(ctx context.Context, req *nvadv1.ShutdownRequest) (*nvadv1.ShutdownResponse, error) {
	if err := checkMessage(req.GetMessage()); err != nil {
		return nil, err
	}
	err := s.controller.Shutdown(ctx, req.GetFlush(), req.GetMessage())
	return &nvadv1.ShutdownResponse{}, err
}

// SetLogLevel implements nvadv1.NvadControlServer.
func (s *controlServer) SetLogLevel(ctx context.Context, req *nvadv1.SetLogLevelRequest) (*nvadv1.SetLogLevelResponse, error) {
	switch req.GetLevel() {
	case "debug", "info", "warn", "error":
	default:
		return nil, Invalid("%q is not a log level (want debug, info, warn or error)", req.GetLevel())
	}
	return &nvadv1.SetLogLevelResponse{}, s.controller.SetLogLevel(ctx, req.GetLevel())
}

func checkMessage(s string) error {
	if len(s) > maxMessage {
		return Invalid("the message has %d bytes, RFC 9003 allows %d", len(s), maxMessage)
	}
	return nil
}

// profileChunk is the size of a message of a profile.
const profileChunk = 64 << 10

// GetProfile implements nvadv1.NvadControlServer. A profile shows no routes or
// configuration, but it costs time, so it is not for everybody.
func (s *controlServer) GetProfile(req *nvadv1.GetProfileRequest, stream grpc.ServerStreamingServer[nvadv1.GetProfileResponse]) error {
	write, err := profiler(stream.Context(), req)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(chunkWriter(func(b []byte) error {
		return stream.Send(&nvadv1.GetProfileResponse{Data: b})
	}), profileChunk)
	if err := write(w); err != nil {
		return err
	}
	return w.Flush()
}

// measured are the profiles that take time, by name.
var measured = map[string]*struct {
	start func(io.Writer) error
	stop  func()
}{
	"cpu":   {pprof.StartCPUProfile, pprof.StopCPUProfile},
	"trace": {trace.Start, trace.Stop},
}

// How long such a profile takes, in seconds.
const (
	profileSeconds    = 10
	profileSecondsMax = 300
)

// profiler returns the function that writes the requested profile.
func profiler(ctx context.Context, req *nvadv1.GetProfileRequest) (func(io.Writer) error, error) {
	measure := measured[req.GetName()]
	if measure == nil {
		p := pprof.Lookup(req.GetName())
		if p == nil {
			return nil, NotFound("there is no profile %q", req.GetName())
		}
		return func(w io.Writer) error { return p.WriteTo(w, 0) }, nil
	}
	seconds := cmp.Or(req.GetSeconds(), profileSeconds)
	if seconds > profileSecondsMax {
		return nil, Invalid("%d seconds are too many, want 1 to %d", seconds, profileSecondsMax)
	}
	return func(w io.Writer) error {
		if err := measure.start(w); err != nil {
			return err
		}
		defer measure.stop()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(seconds) * time.Second):
			return nil
		}
	}, nil
}

// chunkWriter passes on copies of what is written.
type chunkWriter func([]byte) error

// Write implements io.Writer.
func (f chunkWriter) Write(p []byte) (int, error) { return len(p), f(append([]byte(nil), p...)) }
