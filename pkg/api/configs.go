package api

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/history"
	"github.com/nvad/nvad/pkg/rib"
	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// GetConfig implements nvadv1.NvadServer.
func (s *readServer) GetConfig(ctx context.Context, req *nvadv1.GetConfigRequest) (*nvadv1.Config, error) {
	toml, err := s.reader.Config(ctx, int(req.GetVersion()), req.GetExpanded())
	return &nvadv1.Config{Toml: toml}, err
}

// ListConfigs implements nvadv1.NvadServer.
func (s *readServer) ListConfigs(ctx context.Context, _ *nvadv1.ListConfigsRequest) (*nvadv1.ListConfigsResponse, error) {
	r, err := s.reader.Configs(ctx)
	return &nvadv1.ListConfigsResponse{Versions: convert(r.Entries, func(e history.Entry) *nvadv1.ConfigVersion {
		return &nvadv1.ConfigVersion{
			Version: uint32(e.Version), Time: stamp(e.Time), Cause: e.Cause, By: e.By,
			Origin: uint32(e.Origin), Result: e.Result, Judge: e.Judge, Running: e.Version == r.Running,
		}
	})}, err
}

// PreviewReload implements nvadv1.NvadServer.
func (s *readServer) PreviewReload(ctx context.Context, req *nvadv1.PreviewReloadRequest) (*nvadv1.PreviewReloadResponse, error) {
	p, err := s.reader.Preview(ctx, req.GetEffect())
	if err != nil {
		return nil, err
	}
	return &nvadv1.PreviewReloadResponse{
		Changes: changeMessages(p.Changes), Refused: p.Refused,
		Warnings: convert(p.Warnings, warningMessage), NewWarnings: uint32(p.New),
		Effect: effectMessage(p.Effect, req.GetAll()),
	}, nil
}

// Reload implements nvadv1.NvadControlServer.
func (s *controlServer) Reload(ctx context.Context, req *nvadv1.ReloadRequest) (*nvadv1.ReloadResponse, error) {
	r, err := s.controller.Reload(ctx, time.Duration(req.GetConfirmSeconds())*time.Second)
	if err != nil {
		return nil, err
	}
	deadline, fallback := pendingMessage(r.Pending)
	return &nvadv1.ReloadResponse{
		Changes: changeMessages(r.Changes), Version: uint32(r.Version), Deadline: deadline, Fallback: fallback,
		Warnings: convert(r.Warnings, warningMessage), NewWarnings: uint32(r.New),
		Effect: effectMessage(r.Effect, req.GetAll()),
	}, nil
}

// Confirm implements nvadv1.NvadControlServer.
func (s *controlServer) Confirm(ctx context.Context, _ *nvadv1.ConfirmRequest) (*nvadv1.ConfirmResponse, error) {
	version, err := s.controller.Confirm(ctx)
	return &nvadv1.ConfirmResponse{Version: uint32(version)}, err
}

// Rollback implements nvadv1.NvadControlServer.
func (s *controlServer) Rollback(ctx context.Context, req *nvadv1.RollbackRequest) (*nvadv1.RollbackResponse, error) {
	r, err := s.controller.Rollback(ctx, int(req.GetVersion()))
	return &nvadv1.RollbackResponse{Changes: changeMessages(r.Changes), To: uint32(r.To), Version: uint32(r.Version)}, err
}

// FetchConfig implements nvadv1.NvadControlServer.
func (s *controlServer) FetchConfig(ctx context.Context, req *nvadv1.FetchConfigRequest) (*nvadv1.ConfigFile, error) {
	path, text, err := s.controller.FetchConfig(ctx, int(req.GetVersion()))
	return &nvadv1.ConfigFile{Path: path, Text: text}, err
}

// changeMessages lists changes, the most disruptive first.
func changeMessages(changes []config.Change) []*nvadv1.Change {
	return convert(config.ByImpact(changes), func(c config.Change) *nvadv1.Change {
		return &nvadv1.Change{What: c.Object + ": " + c.What, Impact: c.Impact.String()}
	})
}

func configStateMessage(s ConfigState) *nvadv1.ConfigState {
	running, _ := s.Find(s.Running)
	m := &nvadv1.ConfigState{Version: uint32(s.Running), Since: stamp(running.Time), File: s.File, FileState: s.FileState}
	m.Deadline, m.Fallback = pendingMessage(s.Pending)
	return m
}

func pendingMessage(p *history.Pending) (deadline *timestamppb.Timestamp, fallback uint32) {
	if p == nil {
		return nil, 0
	}
	return stamp(p.Deadline), uint32(p.Fallback)
}

// fewRoutes is how many routes of each group of an effect are listed, unless all are
// asked for.
const fewRoutes = 10

func effectMessage(e *Effect, all bool) *nvadv1.Effect {
	if e == nil {
		return nil
	}
	out := &nvadv1.Effect{Unlisted: uint32(e.Unlisted), Partial: e.Partial, Unknown: printable(e.Unknown)}
	for _, a := range e.Resets {
		out.Resets = append(out.Resets, a.String())
	}
	for i := range e.Groups {
		g := &e.Groups[i]
		routes := g.Routes
		if !all {
			routes = routes[:min(len(routes), fewRoutes)]
		}
		out.Groups = append(out.Groups, &nvadv1.EffectGroup{
			Stage: g.Stage.String(), Neighbor: text(g.Neighbor), Before: uint32(g.Before),
			Added: uint32(g.Added), Removed: uint32(g.Removed), Changed: uint32(g.Changed),
			Heavy: g.Heavy(), Routes: convert(routes, routeEffectMessage),
		})
	}
	return out
}

func routeEffectMessage(r rib.RouteEffect) *nvadv1.RouteEffect {
	return &nvadv1.RouteEffect{Prefix: r.Prefix.String(), Difference: r.Difference.String(), Reason: printable(r.Reason)}
}
