package arm

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"
)

// late is an answer that an action repeats until a moment.
type late struct {
	shown json.RawMessage
	next  time.Time // when it may change; zero: nothing has changed
}

// later returns what readers see of a route table in place of what it is: for RouteLag after
// the first question since it changed, what it was before.
func (s *Server) later(c *call, value any) (any, error) {
	data, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := strings.ToLower(c.id + "/" + c.target.rest + "?" + c.request.URL.Query().Get("peer"))
	l, known := s.answered[key]
	switch now := s.now(); {
	case s.behaviour.RouteLag <= 0, !known:
		l = late{shown: data}
	case bytes.Equal(l.shown, data):
		l.next = time.Time{}
	case l.next.IsZero():
		l.next = now.Add(s.behaviour.RouteLag)
	case !now.Before(l.next):
		l = late{shown: data}
	}
	s.answered[key] = l
	return l.shown, nil
}
