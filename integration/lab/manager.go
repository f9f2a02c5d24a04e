package lab

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/nvad/nvad/integration/lab/emulator/arm"
	"github.com/nvad/nvad/integration/lab/emulator/arm/rules"
	"github.com/nvad/nvad/integration/lab/emulator/metadata"
	"github.com/nvad/nvad/integration/lab/emulator/routeserver"
	"github.com/nvad/nvad/integration/lab/emulator/rpc"
)

// managerAddress is where every VNet reaches Resource Manager and the login service.
const managerAddress = "192.0.2.20"

// managerNode is the name of Resource Manager's process.
const managerNode = "arm"

// ManagerConfig configures the process of Resource Manager.
type ManagerConfig struct {
	// Prefix is that of the lab whose Azure it manages.
	Prefix string
}

// ManagerSocket returns the path of the socket on which Resource Manager is looked at and
// changed; see [arm.Server.Control].
func (l *Lab) ManagerSocket() string { return l.socket(managerNode) }

// Certificate returns the file of the authority that VMs have to trust to reach Resource
// Manager.
func (l *Lab) Certificate() string { return l.path("conf", "azure-ca.pem") }

// HostsFile returns the text of the file in which VMs find the addresses of Resource Manager
// and the login service.
func (l *Lab) HostsFile() string {
	return "127.0.0.1 localhost\n::1 localhost\n" + managerAddress + " " + strings.Join(arm.Hosts(), " ") + "\n"
}

// startManager starts Resource Manager and the metadata services, which are one process, and
// lets VMs find them.
func (l *Lab) startManager(ctx context.Context) error {
	if !l.Options.Manager || len(l.Topology.VNets) == 0 {
		return nil
	}
	for _, m := range l.Topology.virtualMachines() {
		if err := write(filepath.Join(l.etc(m.Name), "hosts"), l.HostsFile(), 0o644); err != nil {
			return err
		}
	}
	config := ManagerConfig{Prefix: l.Options.Prefix}
	if err := l.startEmulatorIn(routerNode(l.Topology.VNets[0].Name), "arm", managerNode, config); err != nil {
		return err
	}
	return l.awaitEmulator(ctx, managerNode)
}

// etc returns the directory whose files ip netns exec shows in /etc to a VM's processes.
func (l *Lab) etc(vm string) string { return filepath.Join("/etc/netns", l.Namespace(vm)) }

// removeEtc removes what startManager has left outside the state directory.
func (l *Lab) removeEtc() error {
	for _, m := range l.Topology.virtualMachines() {
		if err := os.RemoveAll(l.etc(m.Name)); err != nil {
			return err
		}
	}
	return nil
}

// virtualMachines lists the VMs of all VNets.
func (t Topology) virtualMachines() []VM {
	var list []VM
	for _, v := range t.VNets {
		list = append(list, v.VMs...)
	}
	return list
}

// InAzure reports whether a host is a VM in a VNet.
func (l *Lab) InAzure(host string) bool {
	return slices.ContainsFunc(l.Topology.virtualMachines(), func(m VM) bool { return m.Name == host })
}

// RunManager is Resource Manager, and the metadata service of every VNet, of a lab that is
// up, until ctx is done. It runs in one of the lab's namespaces and listens in others.
func RunManager(ctx context.Context, c ManagerConfig) error {
	l, err := Open(c.Prefix)
	if err != nil {
		return err
	}
	macs, err := l.macs()
	if err != nil {
		return err
	}
	state := l.Topology.state(macs)
	server := arm.New(state, armRoutes{l, state})
	if err := l.permit(server, state); err != nil {
		return err
	}
	authority, err := arm.NewAuthority()
	if err != nil {
		return err
	}
	if err := os.WriteFile(l.Certificate(), authority.PEM, 0o644); err != nil {
		return err
	}
	tasks, ctx := errgroup.WithContext(ctx)
	for _, v := range l.Topology.VNets {
		if err := l.serveVNet(ctx, tasks, v, server, authority); err != nil {
			return err
		}
	}
	tasks.Go(func() error { return l.followConnections(ctx, state) })
	tasks.Go(func() error { return l.followRouteTables(ctx, state) })
	tasks.Go(func() error { return rpc.Serve(ctx, l.ManagerSocket(), server.Control()) })
	return tasks.Wait()
}

// permit lets the VMs' identities do what the lab's role says.
func (l *Lab) permit(server *arm.Server, state *arm.State) error {
	if l.Options.Role == "" {
		server.Be(arm.Behaviour{Anyone: true})
		return nil
	}
	role, err := arm.ReadRole(l.Options.Role)
	if err != nil {
		return err
	}
	group, _, _ := strings.Cut(vnetID(""), "/providers/")
	for _, m := range l.Topology.virtualMachines() {
		for _, identity := range state.Identities(arm.ID(arm.TypeVM, m.Name)) {
			state.Assign(identity.Object, role, group)
		}
	}
	return nil
}

// serveVNet opens the addresses of Resource Manager and the metadata service in a VNet.
func (l *Lab) serveVNet(ctx context.Context, tasks *errgroup.Group, v VNet, server *arm.Server, authority *arm.Authority) error {
	var manager net.Listener
	err := l.Within(routerNode(v.Name), func() (err error) {
		manager, err = net.Listen("tcp4", managerAddress+":443")
		return err
	})
	if err != nil {
		return fmt.Errorf("resource manager in %s: %w", v.Name, err)
	}
	instance, err := metadata.Listen(func(do func() error) error { return l.Within(routerNode(v.Name), do) })
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { _, _ = manager.Close(), instance.Close() })
	var vms []metadata.VM
	for _, m := range v.VMs {
		if vm, ok := server.State.Machine(arm.ID(arm.TypeVM, m.Name), ""); ok {
			vms = append(vms, vm)
		}
	}
	tasks.Go(func() error { return server.Serve(manager, authority) })
	tasks.Go(func() error { return metadata.New(vms...).Serve(instance) })
	return nil
}

// macs returns the MACs that the VMs have.
func (l *Lab) macs() (map[string]net.HardwareAddr, error) {
	macs := map[string]net.HardwareAddr{}
	for _, m := range l.Topology.virtualMachines() {
		err := l.Within(m.Name, func() error {
			link, err := net.InterfaceByName("eth0")
			if err == nil {
				macs[m.Name] = link.HardwareAddr
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("eth0 of %s: %w", m.Name, err)
		}
	}
	return macs, nil
}

// connectionPause is how often the connections of Route Servers are looked at.
const connectionPause = 100 * time.Millisecond

// followConnections makes the emulated Route Servers peer with whom their connections name.
func (l *Lab) followConnections(ctx context.Context, state *arm.State) error {
	have := map[string][]rules.Peer{}
	network := rules.Read(state)
	for _, v := range l.Topology.VNets {
		have[v.Name] = connected(network, v.Name)
	}
	for {
		network = rules.Read(state)
		for _, v := range l.Topology.VNets {
			peers := connected(network, v.Name)
			if slices.Equal(have[v.Name], peers) {
				continue
			}
			if err := l.connect(ctx, v, peers); err != nil {
				slog.Error("could not change the peers", "vnet", v.Name, "error", err)
				continue
			}
			have[v.Name] = peers
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(connectionPause):
		}
	}
}

func (l *Lab) connect(ctx context.Context, v VNet, peers []rules.Peer) error {
	nvas := []routeserver.NVA{}
	for _, p := range peers {
		nvas = append(nvas, routeserver.NVA{Address: p.Address, ASN: p.ASN})
	}
	for i := range v.RouteServers() {
		if err := rpc.Send(ctx, l.socket(rsNode(v.Name, i)), "POST", "/nvas", nvas); err != nil {
			return err
		}
	}
	return nil
}
