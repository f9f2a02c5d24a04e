package api

import (
	"bufio"
	"cmp"
	"context"
	"io"
	"runtime/pprof"
	"time"

	"google.golang.org/grpc"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// profileChunk is the size of a message of a profile.
const profileChunk = 64 << 10

// GetProfile implements nvadv1.NvadControlServer. A profile has no data of what it
// counts, but taking one costs time: it is not for everybody.
func (s *controlServer) GetProfile(req *nvadv1.GetProfileRequest, stream grpc.ServerStreamingServer[nvadv1.GetProfileResponse]) error {
	write, err := profiler(stream.Context(), req)
	if err != nil {
		return statusOf(err)
	}
	w := bufio.NewWriterSize(chunkWriter(func(b []byte) error {
		return stream.Send(&nvadv1.GetProfileResponse{Data: b})
	}), profileChunk)
	if err := write(w); err != nil {
		return statusOf(err)
	}
	return w.Flush()
}

// How long the processor is measured, in seconds.
const (
	profileSeconds    = 10
	profileSecondsMax = 300
)

// profiler is what writes the profile that is asked for.
func profiler(ctx context.Context, req *nvadv1.GetProfileRequest) (func(io.Writer) error, error) {
	if req.GetName() != "cpu" {
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
	return func(w io.Writer) error { return profileCPU(ctx, w, time.Duration(seconds)*time.Second) }, nil
}

func profileCPU(ctx context.Context, w io.Writer, d time.Duration) error {
	if err := pprof.StartCPUProfile(w); err != nil {
		return err
	}
	defer pprof.StopCPUProfile()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// chunkWriter hands on copies of what is written.
type chunkWriter func([]byte) error

// Write implements io.Writer.
func (f chunkWriter) Write(p []byte) (int, error) { return len(p), f(append([]byte(nil), p...)) }
