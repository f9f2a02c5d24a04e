package arm

import "time"

// SetClock makes s live by another clock.
func (s *Server) SetClock(now func() time.Time) { s.now = now }
