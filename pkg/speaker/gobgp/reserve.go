package gobgp

import (
	"cmp"
	"context"
	"errors"
	"net/netip"

	"github.com/nvad/nvad/pkg/speaker"
)

// Reserved are listening sockets that wait for their Speaker. Who connects to
// one waits too.
type Reserved struct{ listeners map[netip.Addr]*listener }

// Reserve opens the listening sockets that sessions with neighbors need, with
// their TCP-MD5 keys, so that a port which is taken is known before anything
// else is done. Port 0 means 179. The error names address and port.
func Reserve(ctx context.Context, neighbors []speaker.Neighbor, port uint16) (*Reserved, error) {
	wanted := map[netip.Addr]speaker.Neighbor{}
	for _, n := range neighbors {
		wanted[n.Address] = n
	}
	r := &Reserved{listeners: map[netip.Addr]*listener{}}
	for addr, keys := range wantedListeners(wanted) {
		l, err := openListener(ctx, addr, cmp.Or(port, defaultPort))
		if err == nil {
			r.listeners[addr] = l
			err = l.rekey(keys)
		}
		if err != nil {
			return nil, errors.Join(err, r.Close())
		}
	}
	return r, nil
}

// Close closes the sockets. After a Speaker was made with them, they are the
// Speaker's to close.
func (r *Reserved) Close() error {
	var errs []error
	for _, l := range r.listeners {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}
