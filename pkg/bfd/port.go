package bfd

import "net/netip"

// port is the loop's view of the network. Only the loop calls it.
type port interface {
	// open prepares to send for a session, and to receive on its UDP port. It fails
	// while the local address or the device does not exist.
	open(k Key, device string) (link, error)
	// ready tells that something may have been received; also once too often.
	ready() <-chan struct{}
	// receive passes on all that has been received, without waiting. The payload is
	// valid during the call.
	receive(func(datagram))
	// shield has the kernel drop what no rule lets through; no rules lift it.
	shield([]rule)
	// close ends reception.
	close()
}

// link sends the packets of one session.
type link interface {
	// send does not wait.
	send(payload []byte) error
	// device is the index of the device that the session is bound to, 0 without.
	device() int
	close()
}

// datagram is one received UDP payload.
type datagram struct {
	payload       []byte
	local, remote netip.Addr // without zone
	device        int        // index of the device it came in by
	hopLimit      int
	multihop      bool // by UDP port
}
