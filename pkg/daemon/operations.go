package daemon

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/telemetry"
	"github.com/nvad/nvad/pkg/watch"
)

// mostWords bounds the octets of a text in an event: a configuration file can have any
// number of errors, and a description of a neighbor any length.
const mostWords = 1024

// operation publishes that somebody asked nvad to do something, and what came of it. An
// empty By stands for the caller of ctx.
func (d *daemon) operation(ctx context.Context, op watch.Operation, err error) {
	if op.By == "" {
		op.By = asker(ctx)
	}
	if err != nil {
		op.Detail, op.Error, op.Version = "", oneLine(err.Error()), 0
	}
	op.Target, op.Detail = oneLine(op.Target), oneLine(op.Detail)
	d.changes.Publish(watch.Event{At: time.Now(), Change: op})
}

// asker describes who asks for a change. A change without a caller comes from a signal.
func asker(ctx context.Context) string {
	if who := api.DescribeCaller(ctx); who != "" {
		return who
	}
	return "signal SIGHUP"
}

// oneLine returns a text as one line of bounded length.
func oneLine(s string) string {
	s = strings.ReplaceAll(strings.TrimSpace(s), "\n", "; ")
	if len(s) <= mostWords {
		return s
	}
	return strings.ToValidUTF8(s[:mostWords-len("…")], "") + "…"
}

// mostChanges is how many changes of a configuration an event names.
const mostChanges = 3

// changesText returns what changed in a configuration, the most disruptive first.
func changesText(changes []config.Change) string {
	if len(changes) == 0 {
		return "nothing changed"
	}
	var words []string
	for _, c := range config.ByImpact(changes) {
		if len(words) == mostChanges {
			words = append(words, fmt.Sprintf("and %d more", len(changes)-mostChanges))
			break
		}
		what, _, _ := strings.Cut(c.What, ", used by ") // the neighbors, which may be many
		words = append(words, c.Object+" "+what)
	}
	return strings.Join(words, "; ")
}

// life publishes that the daemon started or is stopping.
func (d *daemon) life(state string, cfg *config.Config) {
	d.changes.Publish(watch.Event{At: time.Now(), Change: watch.Life{
		State: state, Version: telemetry.Build().Version, ASN: cfg.ASN, RouterID: cfg.RouterID,
	}})
}
