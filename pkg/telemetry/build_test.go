package telemetry

import (
	"runtime/debug"
	"testing"
)

func TestBuildInfo(t *testing.T) {
	vcs := []debug.BuildSetting{
		{Key: "vcs.revision", Value: "4f2a9c1d0e7b8a6c5d4e3f2a1b0c9d8e7f6a5b4c"},
		{Key: "vcs.modified", Value: "true"},
	}
	for _, tt := range []struct {
		name            string
		main            string
		settings        []debug.BuildSetting
		version, commit string
		want            string
	}{
		{name: "release", main: "(devel)", settings: vcs, version: "v1.2.3", commit: "4f2a9c1",
			want: "v1.2.3 (4f2a9c1, go1.25.0)"},
		{name: "plain build", main: "(devel)", settings: vcs,
			want: "devel (4f2a9c1d0e7b+dirty, go1.25.0)"},
		{name: "module version", main: "v0.9.0", want: "v0.9.0 (go1.25.0)"},
		{name: "no information", want: "devel (go1.25.0)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			info := &debug.BuildInfo{GoVersion: "go1.25.0", Main: debug.Module{Version: tt.main}, Settings: tt.settings}
			if got := buildInfo(info, tt.version, tt.commit).String(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestBuildHasVersion(t *testing.T) {
	if b := Build(); b.Version == "" || b.GoVersion == "" {
		t.Errorf("incomplete build information: %+v", b)
	}
}
