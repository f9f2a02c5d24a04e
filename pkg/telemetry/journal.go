package telemetry

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/coreos/go-systemd/v22/journal"
)

// journalHandler sends records to systemd's journal. Records that the journal's socket does
// not accept go to stream, which leads to the journal as well.
type journalHandler struct {
	level  slog.Leveler
	send   func(message string, p journal.Priority, fields map[string]string) error
	stream io.Writer
	attrs  []slog.Attr
}

// Enabled implements [slog.Handler].
func (h journalHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level.Level() }

// Handle implements [slog.Handler].
func (h journalHandler) Handle(_ context.Context, r slog.Record) error {
	fields := map[string]string{"SYSLOG_IDENTIFIER": "nvad"}
	add := func(a slog.Attr) bool {
		fields[fieldName(a.Key)] = a.Value.Resolve().String()
		return true
	}
	for _, a := range h.attrs {
		add(a)
	}
	r.Attrs(add)
	line := lineOf(r, h.attrs)
	if h.send(line, priorityOf(r.Level), fields) == nil {
		return nil
	}
	_, err := io.WriteString(h.stream, prefixOf(r.Level)+strings.ReplaceAll(line, "\n", " ")+"\n")
	return err
}

// WithAttrs implements [slog.Handler].
func (h journalHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	h.attrs = append(h.attrs[:len(h.attrs):len(h.attrs)], attrs...)
	return h
}

// WithGroup implements [slog.Handler]. The keys of nvad are not grouped.
func (h journalHandler) WithGroup(string) slog.Handler { return h }

// fieldName returns the journal's name for a key: capitals, digits and underscores.
func fieldName(key string) string {
	return "NVAD_" + strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, key)
}

// lineOf returns the record as text, without time and level: the journal adds those.
func lineOf(r slog.Record, attrs []slog.Attr) string {
	var b bytes.Buffer
	var h slog.Handler = slog.NewTextHandler(&b, &slog.HandlerOptions{Level: slog.Level(-1 << 10), ReplaceAttr: withoutBuiltin})
	bare := slog.NewRecord(r.Time, r.Level, "", 0)
	r.Attrs(func(a slog.Attr) bool { bare.AddAttrs(a); return true })
	_ = h.WithAttrs(attrs).Handle(context.Background(), bare) // a buffer takes everything
	return strings.TrimSuffix(r.Message+" "+strings.TrimSuffix(b.String(), "\n"), " ")
}

// withoutBuiltin drops slog's time, level and message, but keeps nvad's keys with the same name,
// such as the level of "log level changed".
func withoutBuiltin(_ []string, a slog.Attr) slog.Attr {
	switch a.Key {
	case slog.TimeKey:
		return slog.Attr{}
	case slog.MessageKey:
		if a.Value.String() == "" {
			return slog.Attr{}
		}
	case slog.LevelKey:
		if _, builtin := a.Value.Any().(slog.Level); builtin {
			return slog.Attr{}
		}
	}
	return a
}

func priorityOf(l slog.Level) journal.Priority {
	switch {
	case l >= slog.LevelError:
		return journal.PriErr
	case l >= slog.LevelWarn:
		return journal.PriWarning
	case l >= slog.LevelInfo:
		return journal.PriInfo
	}
	return journal.PriDebug
}

// prefixOf is the priority in front of a line in a stream to the journal (sd-daemon(3)).
func prefixOf(l slog.Level) string { return fmt.Sprintf("<%d>", priorityOf(l)) }
