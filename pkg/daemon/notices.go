package daemon

import (
	"maps"
	"slices"
	"sync"

	"github.com/nvad/nvad/pkg/config"
)

// notices are what nvad does without for now, in words, by kind: see
// metrics.Degradations.
type notices struct {
	mu   sync.Mutex // guards text
	text map[string]string
}

// set says why, or that it is over with an empty text.
func (n *notices) set(kind, text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.text == nil {
		n.text = map[string]string{}
	}
	if n.text[kind] = text; text == "" {
		delete(n.text, kind)
	}
}

func (n *notices) all() map[string]string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return maps.Clone(n.text)
}

// degraded is all that this nvad does without for now, as warnings whose code is the
// kind, the same order each time.
func (d *daemon) degraded() []config.Warning {
	var out []config.Warning
	add := func(kind, text string) { out = append(out, config.Warning{Key: "nvad", Code: kind, Msg: text}) }
	all := d.notices.all()
	for _, kind := range slices.Sorted(maps.Keys(all)) {
		add(kind, all[kind])
	}
	if err := d.history.Behind(); err != nil {
		add("history", "the configurations of this run are not on disk, so that a restart does not know of them: "+err.Error()+" (tried again)")
	}
	for _, door := range d.doors {
		if err := door.shut(); err != nil {
			add("listen", door.name()+" is not served: "+err.Error()+" (tried again)")
		}
	}
	for _, err := range d.http.Missing() {
		add("listen", "HTTP is not served: "+err.Error()+" (tried again)")
	}
	if d.startup.isDone() {
		for _, err := range d.speaker.Missing() {
			add("listen", "neighbors can't connect, nvad can: "+err.Error()+" (tried again)")
		}
	}
	return out
}

// counted is how many warnings there are of each code.
func counted(list []config.Warning) map[string]int {
	out := map[string]int{}
	for _, w := range list {
		out[w.Code]++
	}
	return out
}
