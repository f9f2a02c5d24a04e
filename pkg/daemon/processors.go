package daemon

import (
	"os"
	"runtime"
)

// spareProcessor lets one more goroutine run than there are processors, unless the
// operator says how many do (GOMAXPROCS). A large table keeps them all busy, and
// what must not wait for its turn meanwhile is BFD, whose thread the kernel prefers.
func spareProcessor() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	}
}
