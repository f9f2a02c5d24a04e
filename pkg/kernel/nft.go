package kernel

import (
	"errors"
	"fmt"

	"github.com/google/nftables"
	"github.com/google/nftables/userdata"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/nvad/nvad/pkg/nat"
)

// NFT is nvad's nftables table in a namespace. It implements nat.Kernel. Sockets
// are opened for each use: a kernel without nftables is told when it is needed.
type NFT struct {
	ns   Namespace
	conn *nftables.Conn
}

// nftBuffer holds a table of some thousand rules, and an answer to each.
const nftBuffer = 16 << 20

// openNFT returns the table of a namespace.
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

// ownTable is the only table that is ever written or deleted.
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

// table returns nil if there is none.
func (n *NFT) table() (*nftables.Table, error) {
	list, err := n.conn.ListTablesOfFamily(nftables.TableFamilyINet)
	if err != nil {
		return nil, fmt.Errorf("tables: %w", err)
	}
	for _, t := range list {
		if t.Name == nat.Table {
			return t, nil
		}
	}
	return nil, nil
}

// Replace implements nat.Kernel.
func (n *NFT) Replace(chains []nat.Chain) error {
	table := ownTable()
	n.conn.AddTable(table) // so that there is one to delete
	n.conn.DelTable(table)
	n.conn.AddTable(table)
	for _, c := range chains {
		n.conn.AddChain(chainFor(table, c))
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

// bases are the chains of each hook without their names.
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

func chainFor(table *nftables.Table, c nat.Chain) *nftables.Chain {
	chain := bases[c.Hook]
	chain.Name, chain.Table = c.Name, table
	return &chain
}

// hookOf is that of a chain which accepts what no rule decides on.
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
