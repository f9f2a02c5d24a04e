package gobgp

import (
	"iter"
	"slices"

	"github.com/nvad/nvad/pkg/speaker"
)

// mostPrefixes is how many an event has at most. An UPDATE of 65 kB can name 32,000
// and more, which take 32 octets each once they are read; some hundred events wait
// for the engine.
const mostPrefixes = 512

// emit is push for what was read of an UPDATE.
func (s *session) emit(ev speaker.Event) bool {
	u, ok := ev.(speaker.Update)
	if !ok || len(u.Withdrawn)+len(u.Announced) <= mostPrefixes {
		return s.push(ev)
	}
	for piece := range split(u) {
		if !s.push(piece) {
			return false
		}
	}
	return true
}

// split is u as several events with few prefixes each, in its order. Each has
// prefixes of its own, so that none keeps all of them alive. What was malformed is
// told with those prefixes that are withdrawn for it, or else once.
func split(u speaker.Update) iter.Seq[speaker.Update] {
	return func(yield func(speaker.Update) bool) {
		treated := len(u.Withdrawn)
		if u.Err != nil {
			treated -= u.Err.Routes
		}
		for i := 0; i < len(u.Withdrawn); i += mostPrefixes {
			end := min(i+mostPrefixes, len(u.Withdrawn))
			piece := speaker.Update{From: u.From, Withdrawn: slices.Clone(u.Withdrawn[i:end])}
			if end > treated {
				bad := *u.Err
				bad.Routes = end - max(i, treated)
				piece.Err = &bad
			}
			if !yield(piece) {
				return
			}
		}
		rest := u.Err
		if treated < len(u.Withdrawn) {
			rest = nil
		}
		for announced := range slices.Chunk(u.Announced, mostPrefixes) {
			if !yield(speaker.Update{From: u.From, Attrs: u.Attrs, Announced: slices.Clone(announced), Err: rest}) {
				return
			}
			rest = nil
		}
		if rest != nil {
			yield(speaker.Update{From: u.From, Err: rest})
		}
	}
}
