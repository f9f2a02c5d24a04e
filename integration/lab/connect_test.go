package lab_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
)

// TestConnect: once a gateway is connected, its routes cross the circuit and arrive at every
// other VNet on it.
func TestConnect(t *testing.T) {
	l := lab.Up(t, lab.Options{Scenario: "two-hubs-communities"})
	l.AwaitSessions(t, 20*time.Second)
	known := func(prefix string) bool {
		_, ok := effective(t, l, "vm-hub110", prefix)
		return ok
	}
	lab.Eventually(t, 10*time.Second, func() error {
		if !known("10.10.0.0/16") {
			return fmt.Errorf("VNets of one circuit do not know each other")
		}
		return nil
	})
	if known("10.120.0.0/16") {
		t.Error("a VNet without a circuit is known behind it")
	}
	if err := l.Connect("hub120"); err != nil {
		t.Fatal(err)
	}
	lab.Eventually(t, 10*time.Second, func() error {
		if !known("10.120.0.0/16") {
			return fmt.Errorf("the connected VNet is not known")
		}
		return nil
	})
	l.AwaitAnswer(t, "vm-hub110", "10.120.0.4")
	if err := l.Connect("nowhere"); err == nil {
		t.Error("a VNet that does not exist could be connected")
	}
}
