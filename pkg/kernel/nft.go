package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/userdata"
	"github.com/mdlayher/netlink" // the options of package nftables are about its connection
	"golang.org/x/sys/unix"

	"github.com/nvad/nvad/pkg/nat"
)

// NFT reads and writes nvad's nftables table in a namespace. It implements nat.Kernel. It
// opens sockets when they are used, so that a kernel without nftables fails only an NVA
// that needs NAT or tunnels.
type NFT struct {
	ns   Namespace
	conn *nftables.Conn
}

// nftBuffer has room for a table of some thousand rules, and for an answer to each.
const nftBuffer = 16 << 20

func openNFT(ns Namespace) (*NFT, error) {
	room := func(c *netlink.Conn) error {
		return errors.Join(c.SetReadBuffer(nftBuffer), c.SetWriteBuffer(nftBuffer))
	}
	conn, err := nftables.New(nftables.WithNetNSFd(ns.fd), nftables.WithSockOptions(room))
	if err != nil {
		return nil, fmt.Errorf("nftables: %w", err)
	}
	return &NFT{ns, conn}, nil
}

// ownTable returns the only table that nvad ever writes or deletes.
func ownTable() *nftables.Table {
	return &nftables.Table{Name: nat.Table, Family: nftables.TableFamilyINet}
}

// Read implements nat.Kernel.
func (n *NFT) Read() (*nat.Found, error) {
	table, err := n.table()
	if err != nil || table == nil {
		return nil, err
	}
	found := &nat.Found{Flags: table.Flags != 0}
	chains, err := n.conn.ListChainsOfTableFamily(nftables.TableFamilyINet)
	if err != nil {
		return nil, fmt.Errorf("chains: %w", err)
	}
	rules, err := n.rules()
	if err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	for _, c := range chains {
		if c.Table.Name == nat.Table {
			found.Chains = append(found.Chains, nat.FoundChain{Name: c.Name, Hook: hookOf(c), Marks: rules[c.Name].Marks, Hits: rules[c.Name].Hits})
		}
	}
	return found, nil
}

// table finds nvad's table; nil if there is none.
func (n *NFT) table() (*nftables.Table, error) {
	list, err := n.conn.ListTablesOfFamily(nftables.TableFamilyINet)
	if err != nil {
		return nil, fmt.Errorf("tables: %w", err)
	}
	if i := slices.IndexFunc(list, func(t *nftables.Table) bool { return t.Name == nat.Table }); i >= 0 {
		return list[i], nil
	}
	return nil, nil
}

// Replace implements nat.Kernel.
func (n *NFT) Replace(chains []nat.Chain) error {
	table := ownTable()
	n.conn.AddTable(table) // deleting one that is not there would fail
	n.conn.DelTable(table)
	n.conn.AddTable(table)
	for _, c := range chains {
		chain := bases[c.Hook]
		chain.Name, chain.Table = c.Name, table
		n.conn.AddChain(&chain)
	}
	for _, c := range chains {
		for _, r := range c.Rules {
			n.conn.AddRule(&nftables.Rule{
				Table: table, Chain: &nftables.Chain{Name: c.Name, Table: table}, Exprs: expressions(r),
				UserData: userdata.AppendString(nil, userdata.TypeComment, r.Mark()),
			})
		}
	}
	return n.conn.Flush()
}

// Delete implements nat.Kernel.
func (n *NFT) Delete() error {
	n.conn.DelTable(ownTable())
	if err := n.conn.Flush(); !errors.Is(err, unix.ENOENT) {
		return err
	}
	return nil
}

// bases has a chain without a name for each hook.
var bases = map[nat.Hook]nftables.Chain{
	nat.NoHook: {},
	nat.Prerouting: {
		Type: nftables.ChainTypeNAT, Hooknum: nftables.ChainHookPrerouting, Priority: nftables.ChainPriorityNATDest,
	},
	nat.Postrouting: {
		Type: nftables.ChainTypeNAT, Hooknum: nftables.ChainHookPostrouting, Priority: nftables.ChainPriorityNATSource,
	},
	nat.Forward: {
		Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookForward, Priority: nftables.ChainPriorityMangle,
	},
	nat.RawPrerouting: {
		Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookPrerouting, Priority: nftables.ChainPriorityRaw,
	},
	nat.RawInput: {
		Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookInput, Priority: nftables.ChainPriorityRaw,
	},
}

// hookOf returns the hook of a chain. A chain whose policy is not to accept is nobody's
// that nvad knows.
func hookOf(c *nftables.Chain) nat.Hook {
	if c.Policy != nil && *c.Policy != nftables.ChainPolicyAccept {
		return nat.OtherHook
	}
	for hook, base := range bases {
		if c.Type == base.Type && same(c.Hooknum, base.Hooknum) && same(c.Priority, base.Priority) {
			return hook
		}
	}
	return nat.OtherHook
}

func same[T comparable](a, b *T) bool {
	return a == b || a != nil && b != nil && *a == *b
}

// nfgenmsg is the size of the header before the attributes (linux/nfnetlink.h).
const nfgenmsg = 4

// rules reads the comments and counters of the table's rules, by chain. It skips the
// expressions: package nftables would decode them, but fails at those that it does not
// know, and the comments identify the rules.
func (n *NFT) rules() (map[string]nat.FoundChain, error) {
	s, err := dial(n.ns, unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, err
	}
	defer s.close()
	rules := make(map[string]nat.FoundChain)
	body := attr([]byte{unix.NFPROTO_INET, unix.NFNETLINK_V0, 0, 0}, unix.NFTA_RULE_TABLE, []byte(nat.Table+"\x00"))
	err = s.dump(unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_GETRULE, body, func(m message) {
		if table, chain, mark, hits := decodeNFTRule(m.body); table == nat.Table {
			c := rules[chain]
			c.Marks, c.Hits = append(c.Marks, mark), append(c.Hits, hits)
			rules[chain] = c
		}
	}, func() { clear(rules) })
	return rules, err
}

func decodeNFTRule(b []byte) (table, chain, mark string, hits nat.Hits) {
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

// comment returns the comment among a rule's user data: entries of type, length and
// value. userdata.Get would panic at a wrong length, which another program may have
// written.
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
