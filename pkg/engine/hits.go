package engine

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/nvad/nvad/pkg/policy"
)

// PolicyHits is how often the rules of one of a neighbor's policies decided, since
// the policy came into force. What was evaluated again counts again.
type PolicyHits struct {
	Export bool
	Rules  []policy.RuleHits
}

// PolicyHits returns the hits of a neighbor's import and export policy. The engine
// copies counts; the rules are put into words by the caller. ErrNoNeighbor if it is
// not configured.
func (e *Engine) PolicyHits(ctx context.Context, addr netip.Addr) ([]PolicyHits, error) {
	var programs [2]*policy.Program
	var counts [2][]uint64
	err := e.with(ctx, addr, func(*neighbor) error {
		programs[0], programs[1] = e.rib.Policies(addr)
		for i, p := range programs {
			if p == nil {
				return fmt.Errorf("neighbor %s has no policy yet", addr)
			}
			counts[i] = p.Counts()
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return []PolicyHits{
		{Rules: programs[0].Hits(counts[0])}, {Export: true, Rules: programs[1].Hits(counts[1])},
	}, nil
}
