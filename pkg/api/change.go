package api

import (
	"context"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// ConfigReader tells about configurations, in force and not.
type ConfigReader interface {
	// Preview tells what a reload would do. A bad file is Invalid, as for
	// [Controller].Reload.
	Preview(ctx context.Context) (Preview, error)
}

// Preview is what a reload would do.
type Preview struct {
	Changes []Change
	Refused string // why the reload would be refused all the same; empty: it would not
}

// PreviewReload implements nvadv1.NvadServer.
func (s *readServer) PreviewReload(ctx context.Context, _ *nvadv1.PreviewReloadRequest) (*nvadv1.PreviewReloadResponse, error) {
	p, err := s.reader.Preview(ctx)
	if err != nil {
		return nil, statusOf(err)
	}
	return &nvadv1.PreviewReloadResponse{Changes: convert(p.Changes, changeMessage), Refused: p.Refused}, nil
}

func changeMessage(c Change) *nvadv1.Change {
	return &nvadv1.Change{What: c.What, Impact: c.Impact}
}
