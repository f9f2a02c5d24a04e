package bootstrap

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/nvad/nvad/pkg/azure"
)

// registration lists the changes to make in Azure. The zero value has none.
type registration struct {
	server azure.RouteServer
	name   string // of the connection
	peer   netip.Addr
	asn    uint32
	nic    azure.NIC
	// peers: make peer a BGP peer of server. forwards: let nic forward.
	peers, forwards bool
}

// plans compares Azure's state with what this NVA needs.
func plans(r Request, s azure.Snapshot, rs azure.RouteServer, own netip.Addr) (registration, error) {
	reg := registration{server: rs, name: s.VM.Name, peer: own, asn: r.ASN, peers: true}
	i := slices.IndexFunc(s.NICs, func(n azure.NIC) bool { return n.VM == s.VM.ID && slices.Contains(n.Addresses, own) })
	if i < 0 {
		return reg, lacking(s, unsettledf("Resource Manager does not show this VM's NIC with %s", own), azure.WhatNIC)
	}
	reg.nic = s.NICs[i]
	reg.forwards = !reg.nic.IPForwarding
	if err := lacking(s, nil, azure.WhatConnections); err != nil {
		return reg, err
	}
	for _, c := range rs.Connections {
		switch {
		case c.Peer == own && c.ASN != r.ASN:
			return reg, fmt.Errorf("%s is a peer of Route Server %s already, as %s with AS %d, and this NVA has AS %d; set --asn %d, or remove the peer: az network routeserver peering delete",
				own, printable(rs.Name), printable(c.Name), c.ASN, r.ASN, c.ASN)
		case c.Peer == own:
			reg.name, reg.peers = c.Name, c.Failed()
			return reg, nil
		}
	}
	for _, c := range rs.Connections {
		if strings.EqualFold(c.Name, reg.name) { // as Azure compares names
			return reg, fmt.Errorf("Route Server %s has a peer %s already, with the address %s and not this NVA's %s; if that NVA is gone, remove the peer: az network routeserver peering delete",
				printable(rs.Name), printable(c.Name), c.Peer, own)
		}
	}
	return reg, nil
}

// report prints the changes without making them.
func (r registration) report(out io.Writer) {
	if r.peers {
		fmt.Fprintf(out, "would register: %s, AS %d, as peer %s of Route Server %s, which makes it a BGP peer of both instances\n", r.peer, r.asn, printable(r.name), printable(r.server.Name))
	}
	if r.forwards {
		fmt.Fprintf(out, "would register: IP forwarding at NIC %s\n", printable(r.nic.Name))
	}
	if !r.peers && !r.forwards && r.peer.IsValid() {
		fmt.Fprintln(out, "nothing to register: Azure has this NVA as a BGP peer, and its NIC forwards")
	}
}

// register changes Azure as r says. If nothing is lacking it asks for nothing, so a second
// run needs no permission to write.
func (n nvactl) register(ctx context.Context, r registration) error {
	if !r.peers && !r.forwards {
		return nil
	}
	args := []string{"--route-server", r.server.ID, "--name", r.name, "--peer", r.peer.String(), "--asn", strconv.FormatUint(uint64(r.asn), 10)}
	return n.again(ctx, func() error {
		out, err := n.run(ctx, "register", args...)
		if err == nil {
			_, err = n.progress.Write(out)
		}
		return err
	})
}
