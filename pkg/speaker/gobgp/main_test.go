package gobgp

import (
	"flag"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain looks for goroutines that were left behind, but not after
// benchmarks: the GoBGP that is measured there as it comes leaves some. Where
// GoBGP's state machine ends a session by a timer of its own, in the moment in
// which the session ends anyway, it leaves the goroutine of one queue.
func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("test.bench"); f != nil && f.Value.String() != "" {
		os.Exit(m.Run())
	}
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/eapache/channels.(*InfiniteChannel).infiniteBuffer"))
}
