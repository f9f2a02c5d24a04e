package arm

import (
	"math"
	"net/http"
	"strconv"
	"time"
)

// Throttle limits the requests of each identity.
type Throttle struct {
	// Requests are answered in each Window; none is throttled if it is zero.
	Requests int
	Window   time.Duration
}

// window is how much of its limit an identity has used.
type window struct {
	ends time.Time
	used int
}

// throttle refuses a request beyond the caller's limit. The text is Resource Manager's.
func (s *Server) throttle(who caller, t target, w http.Header) *Problem {
	s.mu.Lock()
	defer s.mu.Unlock()
	limit := s.behaviour.Throttle
	if limit.Requests == 0 {
		return nil
	}
	now := s.now()
	use := s.windows[who.object]
	if !now.Before(use.ends) {
		use = window{ends: now.Add(limit.Window)}
	}
	use.used++
	s.windows[who.object] = use
	if use.used <= limit.Requests {
		return nil
	}
	seconds := strconv.Itoa(int(math.Ceil(use.ends.Sub(now).Seconds())))
	w.Set("Retry-After", seconds)
	return problem(http.StatusTooManyRequests, "SubscriptionRequestsThrottled",
		"Number of 'read' requests for subscription '%s' actor '%s' exceeded. Please try again after '%s' seconds after additional tokens are available. Refer to https://aka.ms/arm-throttling for additional information.",
		t.subscription, who.object, seconds)
}
