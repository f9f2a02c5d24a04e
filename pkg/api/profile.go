package api

import (
	"bufio"
	"runtime/pprof"

	"google.golang.org/grpc"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// profileChunk is the size of a message of a profile.
const profileChunk = 64 << 10

// GetProfile implements nvadv1.NvadControlServer. A profile has no data of what it
// counts, but taking one costs time: it is not for everybody.
func (s *controlServer) GetProfile(req *nvadv1.GetProfileRequest, stream grpc.ServerStreamingServer[nvadv1.GetProfileResponse]) error {
	p := pprof.Lookup(req.GetName())
	if p == nil {
		return statusOf(NotFound("there is no profile %q", req.GetName()))
	}
	w := bufio.NewWriterSize(chunkWriter(func(b []byte) error {
		return stream.Send(&nvadv1.GetProfileResponse{Data: b})
	}), profileChunk)
	if err := p.WriteTo(w, 0); err != nil {
		return statusOf(err)
	}
	return w.Flush()
}

// chunkWriter hands on copies of what is written.
type chunkWriter func([]byte) error

// Write implements io.Writer.
func (f chunkWriter) Write(p []byte) (int, error) { return len(p), f(append([]byte(nil), p...)) }
