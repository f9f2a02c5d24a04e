package gobgp

import (
	"flag"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain looks for goroutines that were left behind, but not after benchmarks: the plain
// GoBGP that is measured there leaves some. One goroutine is ignored: GoBGP leaves that of a
// queue if its timer ends a session in the moment in which the session ends anyway.
func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("test.bench"); f != nil && f.Value.String() != "" {
		os.Exit(m.Run())
	}
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/eapache/channels.(*InfiniteChannel).infiniteBuffer"))
}
