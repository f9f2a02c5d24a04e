package lab

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/nvad/nvad/integration/lab/emulator/arm"
	"github.com/nvad/nvad/integration/lab/emulator/arm/rules"
	"github.com/nvad/nvad/integration/lab/emulator/rpc"
	"github.com/nvad/nvad/integration/lab/emulator/sdn"
)

// followRouteTables makes the VNets forward by the route tables that Resource Manager has,
// for the subnets that the topology gave one.
func (l *Lab) followRouteTables(ctx context.Context, state *arm.State) error {
	have := l.tables(state)
	for {
		for key, table := range l.tables(state) {
			if sameTable(have[key], table) {
				continue
			}
			if err := rpc.Send(ctx, l.socket(routerNode(key.vnet)), "PUT", "/route-table", table); err != nil {
				slog.Error("could not change the route table", "vnet", key.vnet, "error", err)
				continue
			}
			have[key] = table
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(connectionPause):
		}
	}
}

// subnetKey names a subnet of the topology.
type subnetKey struct {
	vnet  string
	third byte
}

// tables reads the route tables of the subnets that have one in the topology.
func (l *Lab) tables(state *arm.State) map[subnetKey]sdn.RouteTable {
	n := rules.Read(state)
	out := map[subnetKey]sdn.RouteTable{}
	for _, v := range l.Topology.VNets {
		for _, t := range v.UserRoutes {
			table := sdn.RouteTable{Subnet: v.Subnet(t.Subnet)}
			for _, s := range n.VNets {
				for _, sub := range s.Subnets {
					if sameID(sub.ID, vnetID(v.Name)+"/subnets/"+subnetName(t.Subnet)) {
						table.Routes, table.NoPropagation = sub.User, sub.NoPropagation
					}
				}
			}
			out[subnetKey{v.Name, t.Subnet}] = table
		}
	}
	return out
}

func sameTable(a, b sdn.RouteTable) bool { return fmt.Sprint(a) == fmt.Sprint(b) }
