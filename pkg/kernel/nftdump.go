package kernel

import (
	"encoding/binary"
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

// rules reads the comments and counters of the table's rules by chain. It does not
// decode the rules: package nftables, which could, knows only some expressions.
func (n *NFT) rules() (map[string]nat.FoundChain, error) {
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
	rules := make(map[string]nat.FoundChain)
	for _, m := range answers {
		if m.Header.Flags&netlink.DumpInterrupted != 0 {
			return nil, errTorn
		}
		if table, chain, mark, hits := ruleOf(m.Data); table == nat.Table {
			c := rules[chain]
			c.Marks, c.Hits = append(c.Marks, mark), append(c.Hits, hits)
			rules[chain] = c
		}
	}
	return rules, nil
}

// ruleOf reads a message about a rule.
func ruleOf(b []byte) (table, chain, mark string, hits nat.Hits) {
	attrs(b[min(nfgenmsg, len(b)):], func(kind uint16, value []byte) {
		switch kind {
		case unix.NFTA_RULE_TABLE:
			table = unix.ByteSliceToString(value)
		case unix.NFTA_RULE_CHAIN:
			chain = unix.ByteSliceToString(value)
		case unix.NFTA_RULE_USERDATA:
			mark = comment(value)
		case unix.NFTA_RULE_EXPRESSIONS:
			attrs(value, func(_ uint16, one []byte) { counter(one, &hits) })
		}
	})
	return table, chain, mark, hits
}

// counter reads an expression into hits if it is a counter.
func counter(b []byte, hits *nat.Hits) {
	name := ""
	attrs(b, func(kind uint16, value []byte) {
		switch {
		case kind == unix.NFTA_EXPR_NAME:
			name = unix.ByteSliceToString(value)
		case kind == unix.NFTA_EXPR_DATA && name == "counter":
			attrs(value, func(kind uint16, n []byte) {
				switch {
				case len(n) != 8:
				case kind == unix.NFTA_COUNTER_PACKETS:
					hits.Packets = binary.BigEndian.Uint64(n)
				case kind == unix.NFTA_COUNTER_BYTES:
					hits.Bytes = binary.BigEndian.Uint64(n)
				}
			})
		}
	})
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
