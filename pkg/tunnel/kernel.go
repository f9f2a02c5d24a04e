package tunnel

import (
	"fmt"
	"net"
	"net/netip"
)

// Alias is the ifalias of every link that nvad made.
const Alias = "nvad"

// Kernel reads links and changes tunnel devices. Deleting something that does not exist succeeds,
// and so does adding something that exists.
type Kernel interface {
	// Links reads all links with their addresses, VXLAN devices with their
	// forwarding entries, and WireGuard devices with their keys and peers.
	Links() ([]Link, error)
	// PortRange returns the namespace's range of local ports. VXLAN devices without
	// their own range take UDP source ports from it.
	PortRange() (low, high uint16, err error)
	// Path returns how packets get to an address.
	Path(remote netip.Addr) (Path, error)
	// Do carries out one operation.
	Do(Op) error
}

// Path is how packets get to an address.
type Path struct {
	Link int // index
	MTU  int // size of the largest packet that arrives whole, by the route or as the kernel learned; 0: it knows only the links
}

// Link describes a link of the kernel.
type Link struct {
	Index     int
	Name      string
	Up        bool // administratively
	Carrier   bool
	MTU       int
	MAC       net.HardwareAddr
	Alias     string
	Addresses []netip.Prefix // permanent ones, with host bits
	VXLAN     *VXLAN         // nil if it is something else
	FDB       []Remote       // forwarding entries of a VXLAN device
	WireGuard *Device        // nil if it is something else
	Stats     Stats
}

// Own reports whether the link is a tunnel device that nvad made.
func (l *Link) Own() bool { return (l.VXLAN != nil || l.WireGuard != nil) && l.Alias == Alias }

// VXLAN has the attributes of a VXLAN device (IFLA_VXLAN_*, linux/if_link.h).
type VXLAN struct {
	VNI      uint32
	Device   int        // link index of the underlay; 0: by route
	Local    netip.Addr // invalid: the kernel chooses
	Remote   netip.Addr // a single unicast remote, or the multicast group; invalid: see FDB
	Port     uint16     // UDP destination
	PortLow  uint16     // UDP source ports; 0 0: the namespace's range
	PortHigh uint16
	TTL      uint8 // 0: auto
	Learning bool
}

// Segment identifies a VXLAN network. A namespace has at most one device for each.
type Segment struct {
	Port uint16
	VNI  uint32
}

// Remote is a forwarding entry: a MAC address, the address of the remote behind which it is, and
// the outer link that leads there.
type Remote struct {
	MAC     [6]byte // zero: every destination without its own entry
	Addr    netip.Addr
	Device  int  // link index; 0: by route
	Learned bool // from received packets, not configured
}

// Stats are a link's counters.
type Stats struct {
	RxPackets, TxPackets uint64
	RxBytes, TxBytes     uint64
	RxErrors, TxErrors   uint64
	RxDropped, TxDropped uint64
}

// OpKind says what an [Op] does.
type OpKind uint8

// Kinds of operation.
const (
	Create          OpKind = iota // a device with Name, VXLAN, MTU and MAC, down
	Delete                        // the link
	SetVXLAN                      // change Remote, Local, TTL and Learning in place
	SetAlias                      // to [Alias]
	SetMTU                        // to MTU
	SetMAC                        // to MAC
	SetUp                         // administratively
	AddAddress                    // Address
	DeleteAddress                 // Address
	AddRemote                     // the forwarding entry Remote
	DeleteRemote                  // the forwarding entry Remote
	Announce                      // gratuitous ARP or unsolicited NA for Address with MAC
	CreateWireGuard               // a device with Name and MTU, down, without keys
	SetWireGuard                  // keys, port and the only peer of WireGuard
)

// Op is one operation on the named link.
type Op struct {
	Kind    OpKind
	Name    string
	Index   int // of the link; for Create, the wanted one, or 0 for any
	VXLAN   VXLAN
	MTU     int
	MAC     net.HardwareAddr
	Address netip.Prefix
	Remote  Remote

	WireGuard WireGuard
}

var opNames = [...]string{
	"create", "delete", "change", "set alias", "set mtu", "set mac", "set up",
	"add address", "delete address", "add remote", "delete remote", "announce", "create wireguard", "set keys and peer",
}

// String returns the operation in words, for errors and logs.
func (o Op) String() string {
	s := o.Name + ": " + opNames[o.Kind]
	switch o.Kind {
	case SetMTU:
		return fmt.Sprintf("%s %d", s, o.MTU)
	case SetMAC:
		return s + " " + o.MAC.String()
	case AddAddress, DeleteAddress, Announce:
		return s + " " + o.Address.String()
	case AddRemote, DeleteRemote:
		if o.Remote.MAC != ([6]byte{}) {
			s += " " + net.HardwareAddr(o.Remote.MAC[:]).String() + " at"
		}
		return s + " " + o.Remote.Addr.String()
	}
	return s
}
