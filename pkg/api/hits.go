package api

import (
	"google.golang.org/grpc"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// ListPolicyHits implements nvadv1.NvadServer.
func (s *readServer) ListPolicyHits(req *nvadv1.ListPolicyHitsRequest, stream grpc.ServerStreamingServer[nvadv1.ListPolicyHitsResponse]) error {
	addr, err := parseNeighbor(req.GetAddress())
	if err != nil {
		return statusOf(err)
	}
	policies, err := s.reader.PolicyHits(stream.Context(), addr)
	if err != nil {
		return statusOf(err)
	}
	b := batch[nvadv1.PolicyHits]{send: func(rules []*nvadv1.PolicyHits) error {
		return stream.Send(&nvadv1.ListPolicyHitsResponse{Rules: rules})
	}}
	for _, p := range policies {
		direction := "in"
		if p.Export {
			direction = "out"
		}
		for _, r := range p.Rules {
			if err := b.add(&nvadv1.PolicyHits{Direction: direction, Rule: printable(r.Rule), Hits: r.Hits}); err != nil {
				return err
			}
		}
	}
	return b.flush()
}
