package lab

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"time"

	"github.com/nvad/nvad/integration/lab/emulator/echo"
	"github.com/nvad/nvad/integration/lab/emulator/gateway"
	"github.com/nvad/nvad/integration/lab/emulator/routeserver"
	"github.com/nvad/nvad/integration/lab/emulator/rpc"
	"github.com/nvad/nvad/integration/lab/emulator/sdn"
)

// startAzure starts the emulated control planes and waits until each answers.
func (l *Lab) startAzure(ctx context.Context) error {
	for _, v := range l.Topology.VNets {
		if err := l.startEmulator("sdn", routerNode(v.Name), l.sdnConfig(v)); err != nil {
			return err
		}
	}
	for _, v := range l.Topology.VNets {
		if err := l.awaitEmulator(ctx, routerNode(v.Name)); err != nil {
			return err
		}
	}
	for _, v := range l.Topology.VNets {
		for i := range v.RouteServers() {
			if err := l.startEmulator("route-server", rsNode(v.Name, i), l.routeServerConfig(v, i)); err != nil {
				return err
			}
		}
		if v.Circuit == "" {
			continue
		}
		if err := l.startEmulator("gateway", gatewayNode(v.Name), l.gatewayConfig(v)); err != nil {
			return err
		}
	}
	for i, c := range l.Topology.Circuits {
		if err := l.startCircuit(i, c); err != nil {
			return err
		}
	}
	for _, v := range l.Topology.VNets {
		if !v.Internet.IsValid() {
			continue
		}
		if err := l.startEcho(internetNode, v.Internet, 80); err != nil {
			return err
		}
	}
	for _, host := range l.Topology.Hosts() {
		if err := l.startEcho(host.Name, host.Address, host.Services...); err != nil {
			return err
		}
	}
	return l.awaitSpeakers(ctx)
}

// startEcho starts the services of a host, if it has any, beside what else runs
// there.
func (l *Lab) startEcho(node string, addr netip.Addr, ports ...uint16) error {
	if len(ports) == 0 {
		return nil
	}
	var config echo.Config
	for _, port := range ports {
		config.Addresses = append(config.Addresses, netip.AddrPortFrom(addr, port))
	}
	return l.startEmulator("echo", node, config)
}

// startEmulator starts one emulated part, whose configuration is handed over
// as a file.
func (l *Lab) startEmulator(role, node string, config any) error {
	data, err := json.MarshalIndent(config, "", "  ")
	if err != nil {
		return err
	}
	file := l.path("conf", node+".json")
	if err := os.WriteFile(file, data, 0o644); err != nil {
		return err
	}
	return l.spawn(node, node, l.Options.Emulator, "run", role, file)
}

func (l *Lab) awaitSpeakers(ctx context.Context) error {
	for _, s := range l.Speakers() {
		if err := l.awaitEmulator(ctx, s.Name); err != nil {
			return err
		}
	}
	return nil
}

// awaitEmulator waits until an emulated part answers on its socket.
func (l *Lab) awaitEmulator(ctx context.Context, node string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		resp, err := rpc.Client(l.socket(node)).Get("http://lab/")
		if err == nil {
			return resp.Body.Close()
		}
		if _, running := l.process(node); !running {
			return fmt.Errorf("%s has died", node)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w", node, err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// probePort is where load balancers ask NVAs whether they should carry traffic.
const probePort = 8080

func (l *Lab) socket(node string) string { return l.path("sock", node) }

func (l *Lab) sdnConfig(v VNet) sdn.Config {
	c := sdn.Config{
		VNet:       v.Name,
		Prefix:     v.Prefix,
		Ports:      map[netip.Addr]string{},
		Preference: l.Options.Preference,
		Dampening:  max(0, cmp.Or(l.Options.Dampening, sdn.DefaultDampening)),
		Socket:     l.socket(routerNode(v.Name)),
	}
	for _, m := range v.VMs {
		c.Ports[m.Address] = port(m.Name)
	}
	for _, hop := range l.Topology.circuitHops(v.Circuit) {
		c.Ports[hop] = port(gatewayNode(v.Name))
	}
	if v.Internet.IsValid() {
		c.Ports[sdn.InternetHop] = internetNode
	}
	maps.Copy(c.Ports, l.Topology.remotePorts(v))
	for i, table := range v.UserRoutes {
		c.RouteTables = append(c.RouteTables, sdn.RouteTable{
			Subnet: v.Subnet(table.Subnet), Kernel: userTable + i, Routes: table.Routes,
		})
	}
	if v.LoadBalancer.IsValid() {
		b := sdn.LoadBalancer{Frontend: v.LoadBalancer, Probe: probePort}
		for _, m := range v.NVAs() {
			b.Backends = append(b.Backends, m.Address)
		}
		c.LoadBalancers = append(c.LoadBalancers, b)
	}
	for _, peer := range v.Peers {
		p, _ := l.Topology.vnet(peer)
		c.Peerings = append(c.Peerings, sdn.Peering{VNet: peer, Prefix: p.Prefix})
	}
	return c
}

// fabrics are the sockets of the SDN agents of a VNet and of its spokes, and the
// spokes' prefixes.
func (l *Lab) fabrics(v VNet) (sockets []string, spokes []netip.Prefix) {
	sockets = []string{l.socket(routerNode(v.Name))}
	for _, s := range l.Topology.spokes(v) {
		sockets = append(sockets, l.socket(routerNode(s.Name)))
		spokes = append(spokes, s.Prefix)
	}
	return sockets, spokes
}

func (l *Lab) routeServerConfig(v VNet, i int) routeserver.Config {
	c := routeserver.Config{
		Name:           rsNode(v.Name, i),
		Address:        v.RouteServers()[i],
		VNet:           v.Prefix,
		Subnet:         v.Subnet(subnetRouteServer),
		BranchToBranch: !l.Options.NoBranchToBranch,
		Preference:     l.Options.Preference,
		RouteLimit:     cmp.Or(l.Options.RouteLimit, routeserver.DefaultRouteLimit),
		Dial:           l.Options.RouteServerDials,
		Socket:         l.socket(rsNode(v.Name, i)),
	}
	c.Fabrics, _ = l.fabrics(v)
	for _, m := range l.Topology.peersOfRouteServer(v) {
		c.NVAs = append(c.NVAs, routeserver.NVA{Address: m.Address, ASN: m.ASN})
	}
	if v.Circuit != "" {
		c.Gateway = v.Gateway()
	}
	return c
}

func (l *Lab) gatewayConfig(v VNet) gateway.Config {
	c := gateway.Config{
		Name:         gatewayNode(v.Name),
		Address:      v.Gateway(),
		VNet:         v.Prefix,
		MSEE:         l.mseeAddress(v),
		RouteServers: v.RouteServers(),
		NextHops:     l.Topology.circuitHops(v.Circuit),
		Preference:   l.Options.Preference,

		OnPremisesLimit: cmp.Or(l.Options.OnPremisesLimit, gateway.DefaultOnPremisesLimit),
		Socket:          l.socket(gatewayNode(v.Name)),
	}
	c.Fabrics, c.Spokes = l.fabrics(v)
	return c
}
