package kernel

import (
	"net"
	"net/netip"

	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/nvad/nvad/pkg/nat"
)

// Registers that rules use: one for what is compared or the address, two more for
// ports.
const (
	mainRegister = unix.NFT_REG_1
	lowRegister  = unix.NFT_REG_2
	highRegister = unix.NFT_REG_3
)

// expressions are a rule in the kernel's terms. nat.encoding counts their forms.
func expressions(r nat.Rule) []expr.Any {
	var list []expr.Any
	if r.In != "" {
		list = append(list, meta(expr.MetaKeyIIFNAME), equals(deviceName(r.In)))
	}
	if r.Out != "" {
		list = append(list, meta(expr.MetaKeyOIFNAME), equals(deviceName(r.Out)))
	}
	if a := ruleFamily(r); a.IsValid() {
		list = append(list, meta(expr.MetaKeyNFPROTO), equals([]byte{protocolFamily(a)}))
	}
	source := expr.CmpOpEq
	if r.OtherSource {
		source = expr.CmpOpNeq
	}
	list = append(list, within(r.Source, source, 12, 8)...)
	list = append(list, within(r.Destination, expr.CmpOpEq, 16, 24)...)
	if r.OwnSource {
		list = append(list, &expr.Fib{Register: mainRegister, ResultADDRTYPE: true, FlagSADDR: true},
			equals(binaryutil.NativeEndian.PutUint32(unix.RTN_LOCAL)))
	}
	if r.Protocol != nat.AnyProtocol {
		list = append(list, meta(expr.MetaKeyL4PROTO), equals([]byte{byte(r.Protocol)}))
	}
	list = append(list, ports(r.Ports)...)
	list = append(list, encapsulated(r.Guard)...)
	if r.Do != nat.ClampSize {
		list = append(list, &expr.Counter{})
	}
	return append(list, action(r)...)
}

// ruleFamily is an address of the family that a rule is about; invalid: any.
func ruleFamily(r nat.Rule) netip.Addr {
	for _, a := range []netip.Addr{r.Source.Addr(), r.Destination.Addr(), r.To.Addr} {
		if a.IsValid() {
			return a
		}
	}
	return netip.Addr{}
}

func protocolFamily(a netip.Addr) byte {
	if a.Is4() {
		return unix.NFPROTO_IPV4
	}
	return unix.NFPROTO_IPV6
}

func meta(key expr.MetaKey) expr.Any { return &expr.Meta{Key: key, Register: mainRegister} }

func equals(data []byte) expr.Any { return compare(expr.CmpOpEq, data) }

func compare(op expr.CmpOp, data []byte) expr.Any {
	return &expr.Cmp{Op: op, Register: mainRegister, Data: data}
}

func deviceName(s string) []byte {
	b := make([]byte, unix.IFNAMSIZ)
	copy(b, s)
	return b
}

// encapsulated matches what is within a VXLAN packet.
func encapsulated(g nat.Guard) []expr.Any {
	const vniOffset, vniSize = 12, 3 // after the UDP header and 4 octets of flags (RFC 7348 section 5)
	var list []expr.Any
	if g.Fragment {
		const header, present = unix.IPPROTO_FRAGMENT, 1 // NFT_EXTHDR_F_PRESENT
		list = append(list, meta(expr.MetaKeyNFPROTO), equals([]byte{unix.NFPROTO_IPV6}),
			&expr.Exthdr{DestRegister: mainRegister, Type: header, Len: 1, Flags: present, Op: expr.ExthdrOpIpv6}, equals([]byte{1}))
	}
	if g.VNI != 0 {
		list = append(list, load(expr.PayloadBaseTransportHeader, vniOffset, vniSize), equals(binaryutil.BigEndian.PutUint32(g.VNI)[1:]))
	}
	for _, o := range g.Inner {
		op := expr.CmpOpEq
		if o.Not {
			op = expr.CmpOpNeq
		}
		list = append(list, load(expr.PayloadBaseTransportHeader, uint32(o.At), uint32(len(o.Data))), compare(op, []byte(o.Data)))
	}
	return list
}

// within matches an address of the IP header, which stands at one of two places.
func within(p netip.Prefix, op expr.CmpOp, at4, at6 uint32) []expr.Any {
	if !p.IsValid() || p.Bits() == 0 {
		return nil
	}
	at, size := at4, net.IPv4len
	if p.Addr().Is6() {
		at, size = at6, net.IPv6len
	}
	list := []expr.Any{load(expr.PayloadBaseNetworkHeader, at, uint32(size))}
	if !p.IsSingleIP() {
		list = append(list, masked(net.CIDRMask(p.Bits(), 8*size)))
	}
	return append(list, compare(op, p.Masked().Addr().AsSlice()))
}

func load(base expr.PayloadBase, offset, size uint32) expr.Any {
	return &expr.Payload{OperationType: expr.PayloadLoad, DestRegister: mainRegister, Base: base, Offset: offset, Len: size}
}

func masked(mask []byte) expr.Any {
	return &expr.Bitwise{
		SourceRegister: mainRegister, DestRegister: mainRegister, Len: uint32(len(mask)), Mask: mask, Xor: make([]byte, len(mask)),
	}
}

// ports matches the destination port of TCP or UDP.
func ports(p nat.Ports) []expr.Any {
	const offset = 2
	switch p.Count() {
	case 0:
		return nil
	case 1:
		return []expr.Any{load(expr.PayloadBaseTransportHeader, offset, 2), equals(port(p.Low))}
	}
	return []expr.Any{
		load(expr.PayloadBaseTransportHeader, offset, 2),
		compare(expr.CmpOpGte, port(p.Low)), compare(expr.CmpOpLte, port(p.High)),
	}
}

func port(n uint16) []byte { return binaryutil.BigEndian.PutUint16(n) }

func action(r nat.Rule) []expr.Any {
	switch r.Do {
	case nat.Jump:
		return []expr.Any{&expr.Verdict{Kind: expr.VerdictJump, Chain: r.Chain}}
	case nat.MasqueradeSource:
		return []expr.Any{&expr.Masq{}}
	case nat.SourceTo:
		return translate(expr.NATTypeSourceNAT, r.To)
	case nat.DestinationTo:
		return translate(expr.NATTypeDestNAT, r.To)
	case nat.ClampSize:
		return clamp(r.Size)
	case nat.Accept:
		return []expr.Any{&expr.Verdict{Kind: expr.VerdictAccept}}
	case nat.Drop:
		return []expr.Any{&expr.Verdict{Kind: expr.VerdictDrop}}
	}
	return []expr.Any{&expr.Verdict{Kind: expr.VerdictReturn}}
}

func translate(kind expr.NATType, to nat.Endpoint) []expr.Any {
	statement := &expr.NAT{Type: kind, Family: uint32(protocolFamily(to.Addr)), RegAddrMin: mainRegister}
	list := []expr.Any{&expr.Immediate{Register: mainRegister, Data: to.Addr.AsSlice()}}
	if n := to.Ports.Count(); n > 0 {
		statement.RegProtoMin = lowRegister
		list = append(list, &expr.Immediate{Register: lowRegister, Data: port(to.Ports.Low)})
		if n > 1 {
			statement.RegProtoMax = highRegister
			list = append(list, &expr.Immediate{Register: highRegister, Data: port(to.Ports.High)})
		}
	}
	return append(list, statement)
}

// clamp is `tcp flags & (syn | rst) == syn tcp option maxseg size set`. The kernel
// never raises the option, and of the route's MTU it takes the smaller of both
// directions'.
func clamp(size int) []expr.Any {
	const flagsOffset, syn, rst = 13, 0x02, 0x04
	const maxseg, sizeOffset = 2, 2 // RFC 9293 section 3.2
	list := []expr.Any{load(expr.PayloadBaseTransportHeader, flagsOffset, 1), masked([]byte{syn | rst}), equals([]byte{syn}), &expr.Counter{}}
	if size > 0 {
		list = append(list, &expr.Immediate{Register: mainRegister, Data: port(uint16(size))})
	} else {
		list = append(list, &expr.Rt{Register: mainRegister, Key: expr.RtTCPMSS},
			&expr.Byteorder{SourceRegister: mainRegister, DestRegister: mainRegister, Op: expr.ByteorderHton, Len: 2, Size: 2})
	}
	return append(list, &expr.Exthdr{
		SourceRegister: mainRegister, Type: maxseg, Offset: sizeOffset, Len: 2, Op: expr.ExthdrOpTcpopt,
	})
}
