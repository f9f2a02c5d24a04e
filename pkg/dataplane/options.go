package dataplane

import (
	"context"
	"log/slog"
	"time"

	"github.com/nvad/nvad/pkg/fib"
	"github.com/nvad/nvad/pkg/nat"
	"github.com/nvad/nvad/pkg/nic"
	"github.com/nvad/nvad/pkg/tunnel"
	"github.com/nvad/nvad/pkg/watch"
)

// Sysctls reads and writes settings by their names in sysctl(8)'s form.
type Sysctls interface {
	Get(name string) (string, error)
	Set(name, value string) error
}

// Events tells what other programs change. Watch calls fn until ctx ends; what
// happens from the moment the value was made counts.
type Events interface {
	Watch(ctx context.Context, fn func([]fib.Event)) error
}

// Options are what a [Dataplane] is made of. The first six are needed.
type Options struct {
	FIB     fib.Kernel
	Tunnels tunnel.Kernel
	NAT     nat.Kernel
	NICs    nic.Kernel
	Sysctls Sysctls
	Events  Events

	Log       *slog.Logger    // nil: none
	Protocols fib.Protocols   // zero: fib.DefaultProtocols
	Plain     bool            // routes without next-hop objects
	Adopt     bool            // take over routes of nvad's protocols whoever installed them
	Scan      time.Duration   // between full compares; 0: DefaultScan
	OnFacts   func(fib.Facts) // called from a goroutine of its own, with the latest only

	Watch *watch.Hub // told what changes in the kernel; nil: nobody

	// StateFile remembers across restarts which routes without next-hop object
	// are nvad's; it is believed only if Namespace is still the same. Empty:
	// such routes are not recognised.
	StateFile string
	// SysctlFile remembers in the same way what sysctls were before nvad set them.
	// Empty: it is forgotten at the end.
	SysctlFile string
	Namespace  string // identifies boot and network namespace
}

// DefaultScan is the time between two full compares.
const DefaultScan = 30 * time.Second

// Wanted is what the configuration asks for, but for routes.
type Wanted struct {
	Tunnels      []tunnel.Tunnel
	NAT          nat.Rules
	NICs         []nic.NIC
	Sysctls      map[string]string
	Protected    []fib.Protected
	AllowDefault bool // routes of class BGP may be a default route
	Displace     bool // see fib.FIB.SetDisplace
}

// Counters are totals since the start.
type Counters struct {
	fib.Counters
	TunnelRepairs uint64
	NATRepairs    uint64
	NICRepairs    uint64
	SysctlRepairs uint64
	Events        uint64 // of the kernel
	LostEvents    uint64 // times that events were lost
}
