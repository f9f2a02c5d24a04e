package bootstrap

import (
	"context"
	"crypto/ecdh"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/nvad/nvad/pkg/azure"
	"github.com/nvad/nvad/pkg/tunnel"
)

// publish writes this NVA's public key to a tag of its VM. If it is there already it asks for
// nothing, so a second run needs no permission to write.
func (n nvactl) publish(ctx context.Context, vm azure.VM, own tunnel.Key) error {
	old, has := tag(vm, tagKey)
	switch {
	case old == own.String():
		return nil
	case n.dryRun:
		fmt.Fprintf(n.progress, "would register: public key %s, as tag %s of VM %s\n", own, tagKey, printable(vm.Name))
		return nil
	case has:
		fmt.Fprintf(n.progress, "note: tag %s of this VM, %s, is another key than this NVA's, and is replaced; run bootstrap again on the other NVAs\n", tagKey, printable(vm.Name))
	}
	out, err := n.run(ctx, "tag", tagKey+"="+own.String())
	if err == nil {
		_, err = n.progress.Write(out)
	}
	return err
}

// addEncrypted adds tunnels to those of the NVAs whose key can be used, and returns how many were
// left out. A peer that the operator gave takes precedence. If two tags have the same key, or lead
// to the same tunnel, neither is used, because nothing says which of them is right.
func addEncrypted(r *Request, nvas []Remote, vms map[netip.Addr]azure.VM) (left int) {
	leave := func(format string, args ...any) {
		r.notes = append(r.notes, fmt.Sprintf(format, args...))
		left++
	}
	own, given := r.Identity.Public, slices.Clone(r.Peers)
	var found []link
	for _, m := range nvas {
		text, has := tag(vms[m.Address], tagKey)
		key, err := usableKey(text)
		switch {
		case !has:
			leave("%s is left out: its VM has no tag %s yet; run bootstrap again when it has", m.label(), tagKey)
		case err != nil:
			leave("%s is left out: the tag %s of its VM is no public key: %v", m.label(), tagKey, err)
		case key == own:
			leave("%s is left out: the tag %s of its VM is this NVA's own key", m.label(), tagKey)
		default:
			found = append(found, linkTo(own, Peer{Public: key, Host: m.Address.String(), vm: m}))
		}
	}
	r.Peers = given
	for i, l := range found {
		if slices.ContainsFunc(given, func(p Peer) bool { return p.Public == l.Public }) {
			continue
		}
		if why := clash(l, given, slices.Delete(slices.Clone(found), i, i+1), own); why != "" {
			leave("%s is left out: %s", l.vm.label(), why)
			continue
		}
		r.Peers = append(r.Peers, l.Peer)
	}
	return left
}

// clash says why a tunnel can't be beside others, if it can't.
func clash(l link, given []Peer, found []link, own tunnel.Key) string {
	for _, p := range given {
		if p.Public != own && linkTo(own, p).number == l.number {
			return fmt.Sprintf("its tunnel would be %s, as the one of --peer %s; make its key anew", l.name(), p.Public)
		}
	}
	for _, o := range found {
		switch {
		case o.Public == l.Public:
			return fmt.Sprintf("the VM of %s has the same key in its tag %s", o.vm.label(), tagKey)
		case o.number == l.number:
			return fmt.Sprintf("its tunnel would be %s, as the one of %s; make the key of one of them anew", l.name(), o.vm.label())
		}
	}
	return ""
}

// usableKey reads a public key that somebody else wrote. It refuses keys for which everybody
// knows what both ends would agree on, and other ways to write a key, which would pass for a second NVA.
// Errors do not quote the text, which may be a private key.
func usableKey(text string) (tunnel.Key, error) {
	k, err := tunnel.ParseKey(text)
	if err != nil {
		return k, err
	}
	if !canonical(k) {
		return k, errors.New("it is not the usual form of its number")
	}
	private, err := ecdh.X25519().NewPrivateKey(slices.Repeat([]byte{1}, len(k)))
	if err != nil {
		return k, err
	}
	public, err := ecdh.X25519().NewPublicKey(k[:])
	if err != nil {
		return k, err
	}
	if _, err = private.ECDH(public); err != nil {
		return k, errors.New("it belongs to no private key (a point of low order)")
	}
	return k, nil
}

// canonical reports whether the number in k, least octet first, is less than 2^255-19.
func canonical(k tunnel.Key) bool {
	top, rest := len(k)-1, k[1:len(k)-1]
	return k[top] < 0x7f || k[top] == 0x7f && (k[0] < 0xed || slices.ContainsFunc(rest, func(b byte) bool { return b != 0xff }))
}
