package api

import (
	"context"
	"time"

	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// GetConfig implements nvadv1.NvadServer.
func (s *readServer) GetConfig(ctx context.Context, req *nvadv1.GetConfigRequest) (*nvadv1.Config, error) {
	toml, err := s.reader.Config(ctx, ConfigQuery{Version: int(req.GetVersion()), Expanded: req.GetExpanded()})
	if err != nil {
		return nil, statusOf(err)
	}
	return &nvadv1.Config{Toml: toml}, nil
}

// ListConfigs implements nvadv1.NvadServer.
func (s *readServer) ListConfigs(ctx context.Context, _ *nvadv1.ListConfigsRequest) (*nvadv1.ListConfigsResponse, error) {
	list, err := s.reader.Configs(ctx)
	if err != nil {
		return nil, statusOf(err)
	}
	return &nvadv1.ListConfigsResponse{Versions: convert(list, configVersionMessage)}, nil
}

// PreviewReload implements nvadv1.NvadServer.
func (s *readServer) PreviewReload(ctx context.Context, req *nvadv1.PreviewReloadRequest) (*nvadv1.PreviewReloadResponse, error) {
	p, err := s.reader.Preview(ctx, req.GetEffect())
	if err != nil {
		return nil, statusOf(err)
	}
	return &nvadv1.PreviewReloadResponse{
		Changes: convert(p.Changes, changeMessage), Refused: p.Refused,
		Warnings: convert(p.Warnings, warningMessage), NewWarnings: uint32(p.New),
		Effect: effectMessage(p.Effect, req.GetAll()),
	}, nil
}

// Reload implements nvadv1.NvadControlServer.
func (s *controlServer) Reload(ctx context.Context, req *nvadv1.ReloadRequest) (*nvadv1.ReloadResponse, error) {
	r, err := s.controller.Reload(ctx, ReloadOptions{Confirm: time.Duration(req.GetConfirmSeconds()) * time.Second})
	if err != nil {
		return nil, statusOf(err)
	}
	return &nvadv1.ReloadResponse{
		Changes: convert(r.Changes, changeMessage), Version: uint32(r.Version),
		Deadline: stamp(r.Deadline), Fallback: uint32(r.Fallback),
		Warnings: convert(r.Warnings, warningMessage), NewWarnings: uint32(r.New),
		Effect: effectMessage(r.Effect, req.GetAll()),
	}, nil
}

// Confirm implements nvadv1.NvadControlServer.
func (s *controlServer) Confirm(ctx context.Context, _ *nvadv1.ConfirmRequest) (*nvadv1.ConfirmResponse, error) {
	version, err := s.controller.Confirm(ctx)
	if err != nil {
		return nil, statusOf(err)
	}
	return &nvadv1.ConfirmResponse{Version: uint32(version)}, nil
}

// Rollback implements nvadv1.NvadControlServer.
func (s *controlServer) Rollback(ctx context.Context, req *nvadv1.RollbackRequest) (*nvadv1.RollbackResponse, error) {
	r, err := s.controller.Rollback(ctx, int(req.GetVersion()))
	if err != nil {
		return nil, statusOf(err)
	}
	return &nvadv1.RollbackResponse{Changes: convert(r.Changes, changeMessage), To: uint32(r.To), Version: uint32(r.Version)}, nil
}

// FetchConfig implements nvadv1.NvadControlServer.
func (s *controlServer) FetchConfig(ctx context.Context, req *nvadv1.FetchConfigRequest) (*nvadv1.ConfigFile, error) {
	path, text, err := s.controller.FetchConfig(ctx, int(req.GetVersion()))
	if err != nil {
		return nil, statusOf(err)
	}
	return &nvadv1.ConfigFile{Path: path, Text: text}, nil
}

func changeMessage(c Change) *nvadv1.Change {
	return &nvadv1.Change{What: c.What, Impact: c.Impact}
}

func configVersionMessage(v ConfigVersion) *nvadv1.ConfigVersion {
	return &nvadv1.ConfigVersion{
		Version: uint32(v.Version), Time: stamp(v.Time), Cause: v.Cause, By: v.By,
		Origin: uint32(v.Origin), Result: v.Result, Judge: v.Judge, Running: v.Running,
	}
}

func configStateMessage(s ConfigState) *nvadv1.ConfigState {
	return &nvadv1.ConfigState{
		Version: uint32(s.Version), Since: stamp(s.Since), File: s.File, FileState: s.FileState,
		Deadline: stamp(s.Deadline), Fallback: uint32(s.Fallback),
	}
}
