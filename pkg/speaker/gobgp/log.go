package gobgp

import (
	"context"
	"log/slog"
)

// Keys of log attributes, the same in every package of nvad.
const (
	keyNeighbor = "neighbor"
	keyState    = "state"
	keyReason   = "reason"
)

// engineLog brings GoBGP's log into nvad's form. Most of what GoBGP warns of is
// ordinary life here (it is handed sockets whose options are already set, and
// peers are replaced after each session), so all but errors go to debug level.
type engineLog struct{ slog.Handler }

var engineKeys = map[string]string{
	"Key": keyNeighbor, "State": keyState, "Error": keyReason, "Err": keyReason, "Reason": keyReason,
}

// Enabled implements [slog.Handler].
func (h engineLog) Enabled(ctx context.Context, level slog.Level) bool {
	return h.Handler.Enabled(ctx, engineLevel(level))
}

func engineLevel(level slog.Level) slog.Level {
	if level >= slog.LevelError {
		return slog.LevelWarn
	}
	return min(level, slog.LevelDebug)
}

// Handle implements [slog.Handler].
func (h engineLog) Handle(ctx context.Context, r slog.Record) error {
	out := slog.NewRecord(r.Time, engineLevel(r.Level), "session engine: "+r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		if a, ok := engineAttr(a); ok {
			out.AddAttrs(a)
		}
		return true
	})
	return h.Handler.Handle(ctx, out)
}

// WithAttrs implements [slog.Handler].
func (h engineLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	kept := make([]slog.Attr, 0, len(attrs))
	for _, a := range attrs {
		if a, ok := engineAttr(a); ok {
			kept = append(kept, a)
		}
	}
	return engineLog{h.Handler.WithAttrs(kept)}
}

// WithGroup implements [slog.Handler].
func (h engineLog) WithGroup(name string) slog.Handler { return engineLog{h.Handler.WithGroup(name)} }

func engineAttr(a slog.Attr) (slog.Attr, bool) {
	if a.Key == "Topic" {
		return a, false
	}
	if k, ok := engineKeys[a.Key]; ok {
		a.Key = k
	}
	return a, true
}
