package kernel

import (
	"errors"
	"fmt"

	"github.com/google/nftables/userdata"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/nvad/nvad/pkg/nat"
)

// nfgenmsg is the size of the header before the attributes (linux/nfnetlink.h).
const nfgenmsg = 4

var errTorn = errors.New("changed while it was read")

// marks reads the comments of the table's rules by chain. It does not decode the
// rules: package nftables, which could, knows only some expressions.
func (n *NFT) marks() (map[string][]string, error) {
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, &netlink.Config{NetNS: n.ns.fd})
	if err != nil {
		return nil, fmt.Errorf("netfilter socket: %w", err)
	}
	defer conn.Close()
	attrs, err := netlink.MarshalAttributes([]netlink.Attribute{{Type: unix.NFTA_RULE_TABLE, Data: []byte(nat.Table + "\x00")}})
	if err != nil {
		return nil, err
	}
	answers, err := conn.Execute(netlink.Message{
		Header: netlink.Header{
			Type:  netlink.HeaderType(unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_GETRULE),
			Flags: netlink.Request | netlink.Dump,
		},
		Data: append([]byte{unix.NFPROTO_INET, unix.NFNETLINK_V0, 0, 0}, attrs...),
	})
	if err != nil {
		return nil, err
	}
	marks := make(map[string][]string)
	for _, m := range answers {
		if m.Header.Flags&netlink.DumpInterrupted != 0 {
			return nil, errTorn
		}
		if table, chain, mark := ruleOf(m.Data); table == nat.Table {
			marks[chain] = append(marks[chain], mark)
		}
	}
	return marks, nil
}

// ruleOf reads a message about a rule.
func ruleOf(b []byte) (table, chain, mark string) {
	attrs(b[min(nfgenmsg, len(b)):], func(kind uint16, value []byte) {
		switch kind {
		case unix.NFTA_RULE_TABLE:
			table = unix.ByteSliceToString(value)
		case unix.NFTA_RULE_CHAIN:
			chain = unix.ByteSliceToString(value)
		case unix.NFTA_RULE_USERDATA:
			mark = comment(value)
		}
	})
	return table, chain, mark
}

// comment is that of a rule's user data: entries of type, length and value.
func comment(b []byte) string {
	for len(b) >= 2 && 2+int(b[1]) <= len(b) {
		value := b[2 : 2+int(b[1])]
		if b[0] == byte(userdata.TypeComment) {
			return unix.ByteSliceToString(value)
		}
		b = b[2+len(value):]
	}
	return ""
}
