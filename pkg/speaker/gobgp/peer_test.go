package gobgp

import (
	"io"
	"net"
	"sync"
	"testing"

	"github.com/nvad/nvad/pkg/speaker"
)

// A neighbor that is shut down with a message (RFC 9003) receives the message, also if the
// new configuration, which only disables the neighbor, follows at once.
func TestPartingTellsTheMessage(t *testing.T) {
	ours, theirs := net.Pipe()
	go func() { _, _ = io.Copy(io.Discard, theirs) }()
	var background sync.WaitGroup
	s := &session{tap: newTap(ours, tapOptions{counters: new(counters), background: &background})}
	p := &peer{resets: make(chan resetOrder, 1), current: s}
	p.resets <- resetOrder{notification: speaker.Notification{Code: speaker.CodeCease, Subcode: speaker.CeaseShutdown, Message: "back at noon"}}
	p.part(farewellOrder{notification: speaker.Cease(speaker.CeaseShutdown)})
	<-s.tap.done
	if n := s.tap.cause.notification; n == nil || n.Message != "back at noon" {
		t.Errorf("sent %+v", n)
	}
	background.Wait()
	_ = theirs.Close()
}
