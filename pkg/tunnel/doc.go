// Package tunnel keeps the kernel's VXLAN devices (RFC 7348) equal to the ones
// that are wanted: attributes, addresses, MTU, and the default forwarding
// entries that lead to the remotes.
//
// Promise: a device that already is as wanted is left alone, so that a restart
// of nvad is not seen on the wire. What can be changed in place is; only what
// the kernel can't change makes a device anew. A device of the wanted name that
// is not nvad's is taken over if its attributes are those wanted, and is reported
// and left alone otherwise. Any other link is never touched.
//
// Ownership: nvad's devices carry the alias [Alias]. Everything on them but
// link-local and temporary addresses and learned entries is nvad's.
//
// State belongs to the one loop that calls it. The package knows no netlink.
package tunnel
