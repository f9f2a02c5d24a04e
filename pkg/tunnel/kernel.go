package tunnel

import (
	"fmt"
	"net"
	"net/netip"
)

// Alias is the ifalias of every link that nvad made.
const Alias = "nvad"

// Kernel is what the package needs of the kernel. Deleting what is not there is
// success, as is adding what is there.
type Kernel interface {
	// Links reads every link, its addresses and, of VXLAN devices, the
	// forwarding entries.
	Links() ([]Link, error)
	// PortRange is the namespace's range of local ports, from which VXLAN
	// devices without a range of their own take UDP source ports.
	PortRange() (low, high uint16, err error)
	// PathMTU is what the kernel knows to be the largest packet that reaches an
	// address whole: of its route, or learned on the way; 0 if it knows nothing but
	// the links.
	PathMTU(remote netip.Addr) (int, error)
	// Do carries out one operation.
	Do(Op) error
}

// Link is what the kernel says of one link.
type Link struct {
	Index     int
	Name      string
	Up        bool // administratively
	Carrier   bool
	MTU       int
	MAC       net.HardwareAddr
	Alias     string
	Addresses []netip.Prefix // permanent ones, with the host's bits
	VXLAN     *VXLAN         // nil if it is something else
	FDB       []Remote       // of VXLAN: which destinations are behind which remote
	Stats     Stats
}

// VXLAN is the attributes of a VXLAN device (IFLA_VXLAN_*, linux/if_link.h).
type VXLAN struct {
	VNI      uint32
	Device   int        // link index of the underlay; 0: by route
	Local    netip.Addr // invalid: the kernel chooses
	Remote   netip.Addr // one unicast remote, or the multicast group; invalid: only FDB
	Port     uint16     // UDP destination
	PortLow  uint16     // UDP source ports; 0 0: the namespace's range
	PortHigh uint16
	TTL      uint8 // 0: auto
	Learning bool
}

// Segment is the VXLAN network that a device belongs to. Two devices of a
// namespace never share one.
type Segment struct {
	Port uint16
	VNI  uint32
}

// Remote is a forwarding entry: a MAC address, the address of the remote that it is
// behind, and the link that leads there.
type Remote struct {
	MAC     [6]byte // zero: every destination that has no entry of its own
	Addr    netip.Addr
	Device  int  // link index; 0: by route
	Learned bool // from what arrived, not put there
}

// Stats are a link's counters.
type Stats struct {
	RxPackets, TxPackets uint64
	RxBytes, TxBytes     uint64
	RxErrors, TxErrors   uint64
	RxDropped, TxDropped uint64
}

// OpKind is what an [Op] does.
type OpKind uint8

// Kinds of operation.
const (
	Create        OpKind = iota // a device of Name with VXLAN, MTU and MAC, down
	Delete                      // the link
	SetVXLAN                    // change Remote, Local, TTL and Learning in place
	SetAlias                    // to [Alias]
	SetMTU                      // to MTU
	SetMAC                      // to MAC
	SetUp                       // administratively
	AddAddress                  // Address
	DeleteAddress               // Address
	AddRemote                   // the forwarding entry Remote
	DeleteRemote                // the forwarding entry Remote
	Announce                    // gratuitous ARP or unsolicited NA for Address with MAC
)

// Op is one operation on the link of that name.
type Op struct {
	Kind    OpKind
	Name    string
	Index   int // of the link; of Create, the one to have if it is free, or 0
	VXLAN   VXLAN
	MTU     int
	MAC     net.HardwareAddr
	Address netip.Prefix
	Remote  Remote
}

var opNames = [...]string{
	"create", "delete", "change", "set alias", "set mtu", "set mac", "set up",
	"add address", "delete address", "add remote", "delete remote", "announce",
}

// String is the operation in words, as in errors and logs.
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
