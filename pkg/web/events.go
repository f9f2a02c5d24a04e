package web

import (
	"time"

	"github.com/nvad/nvad/pkg/survey"
	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// timeOfEvent returns the time of an event, the zero time if it has none.
func timeOfEvent(e *nvadv1.WatchEvent) time.Time {
	if t := survey.Moment(e.GetTime()); t != nil {
		return *t
	}
	return time.Time{}
}

// kindOf returns the name of an event's kind.
func kindOf(e *nvadv1.WatchEvent) string {
	switch e.GetChange().(type) {
	case *nvadv1.WatchEvent_Neighbor:
		return "neighbors"
	case *nvadv1.WatchEvent_Route:
		return "routes"
	case *nvadv1.WatchEvent_Fib:
		return "fib"
	case *nvadv1.WatchEvent_Tunnel:
		return "tunnels"
	case *nvadv1.WatchEvent_NextHop:
		return "next_hops"
	case *nvadv1.WatchEvent_Repair:
		return "repairs"
	case *nvadv1.WatchEvent_Operation:
		return "operations"
	case *nvadv1.WatchEvent_Problem:
		return "problems"
	case *nvadv1.WatchEvent_Daemon:
		return "daemon"
	case *nvadv1.WatchEvent_Gap:
		return "gap"
	}
	return "other"
}
