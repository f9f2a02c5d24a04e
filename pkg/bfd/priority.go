package bfd

import (
	"log/slog"
	"runtime"

	"golang.org/x/sys/unix"
)

// priority is the nice value of the thread that owns the sessions.
const priority = -20

// hurry gives the calling goroutine a thread of its own, which ends with it, ahead
// of all others on this machine: it does next to nothing, but a peer that does not
// hear of it for a detection time takes the path for dead. Without the right to
// (CAP_SYS_NICE, or RLIMIT_NICE as in nvad.service) it stays as urgent as the rest.
func hurry(log *slog.Logger) {
	runtime.LockOSThread()
	if err := unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), priority); err != nil {
		log.Debug("BFD runs at ordinary priority", "reason", err)
	}
}
