package tunnel

import (
	"net"
	"net/netip"
	"time"
)

// Entry is an entry of a device's forwarding database: behind which remote a MAC
// address is.
type Entry struct {
	MAC       net.HardwareAddr // all zeros: every one that is not known
	Remote    netip.Addr       // or the multicast group
	Permanent bool             // put there, not learned from what arrived
	Age       time.Duration    // since it was last used or heard of
	Addresses []netip.Addr     // that the neighbor tables have for MAC on the device
}
