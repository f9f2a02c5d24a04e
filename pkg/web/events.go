package web

import (
	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

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
