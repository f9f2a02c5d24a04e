package telemetry

import (
	"runtime/debug"
	"sync"
)

// version and commit are set at link time by a release build:
//
//	-ldflags "-X github.com/nvad/nvad/pkg/telemetry.version=v1.2.3"
//
// A plain "go build" leaves them empty. Then the build information that Go embeds counts.
var version, commit string

// BuildInfo identifies a build.
type BuildInfo struct {
	Version   string // "v1.2.3", or "devel"
	Commit    string // VCS revision, "+dirty" if the tree had changes; may be empty
	GoVersion string
}

// Build returns the build information of the running program.
var Build = sync.OnceValue(func() BuildInfo {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return buildInfo(info, version, commit)
})

// buildInfo prefers values set at link time to those that Go embedded.
func buildInfo(info *debug.BuildInfo, version, commit string) BuildInfo {
	b := BuildInfo{Version: version, Commit: commit, GoVersion: info.GoVersion}
	if b.Version == "" {
		b.Version = info.Main.Version
	}
	if b.Version == "" || b.Version == "(devel)" {
		b.Version = "devel"
	}
	if b.Commit == "" {
		b.Commit = revision(info.Settings)
	}
	return b
}

func revision(settings []debug.BuildSetting) string {
	var rev, dirty string
	for _, s := range settings {
		switch {
		case s.Key == "vcs.revision":
			rev = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+dirty"
		}
	}
	if rev == "" {
		return ""
	}
	return rev[:min(12, len(rev))] + dirty
}

// String returns one line for people: "v1.2.3 (4f2a9c1d0e7b, go1.25.0)".
func (b BuildInfo) String() string {
	if b.Commit == "" {
		return b.Version + " (" + b.GoVersion + ")"
	}
	return b.Version + " (" + b.Commit + ", " + b.GoVersion + ")"
}
