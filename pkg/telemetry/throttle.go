package telemetry

import (
	"slices"
	"sync"
	"time"
)

// mostTexts is the number of different texts about one subject that [Throttle.First] lets
// through: some texts are a neighbor's own words.
const mostTexts = 8

// Throttle keeps the log readable while one condition lasts: an address that cannot be
// listened on is tried every few seconds and deserves one line, not one for each attempt.
// Callers name the subject, such as an address or a tunnel. The zero value is ready, and
// goroutines may share it. Use one Throttle for the lines of one place in the code.
//
// [Limits] come on top of it: they bound the lines of whoever asks no Throttle.
type Throttle struct {
	mu       sync.Mutex
	subjects map[string]*subject
}

type subject struct {
	texts  []string  // First: those that were logged; Changed: the present state alone
	logged time.Time // Every: the last line
	events int       // Every: since then
}

func (t *Throttle) subject(name string) *subject {
	s := t.subjects[name]
	if s == nil {
		s = &subject{}
		if t.subjects == nil {
			t.subjects = map[string]*subject{}
		}
		t.subjects[name] = s
	}
	return s
}

// Changed records the state of a subject and reports whether it differs from the one
// before, which it returns. A subject begins with the state "" and is forgotten when it
// returns to it.
func (t *Throttle) Changed(name, state string) (was string, changed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.subjects[name]; s != nil {
		was = s.texts[0]
	}
	switch {
	case was == state:
		return was, false
	case state == "":
		delete(t.subjects, name)
	default:
		t.subject(name).texts = []string{state}
	}
	return was, true
}

// First reports whether text is new about a subject. After eight different texts nothing is new
// any more. When an outage is over, replace the Throttle by a new one.
func (t *Throttle) First(name, text string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.subject(name)
	if len(s.texts) == mostTexts || slices.Contains(s.texts, text) {
		return false
	}
	s.texts = append(s.texts, text)
	return true
}

// Every counts an event and reports whether a line is due, at most one in each interval.
// It returns how many events that line stands for.
func (t *Throttle) Every(name string, interval time.Duration) (events int, due bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.subject(name)
	s.events++
	if time.Since(s.logged) < interval {
		return 0, false
	}
	events, s.events, s.logged = s.events, 0, time.Now()
	return events, true
}
