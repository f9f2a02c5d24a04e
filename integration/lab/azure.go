package lab

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"strings"
	"text/template"
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
	for _, s := range l.Speakers() {
		if err := l.awaitEmulator(ctx, s.Name); err != nil {
			return err
		}
	}
	return nil
}

// startEcho starts the services of a host, if it has any, beside the host's other processes.
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

// startEmulator starts one emulated part and passes its configuration as a file.
func (l *Lab) startEmulator(role, node string, config any) error {
	return l.startEmulatorIn(node, role, node, config)
}

// startEmulatorIn is startEmulator for a part with a name that runs in the namespace of a node.
func (l *Lab) startEmulatorIn(node, role, name string, config any) error {
	data, err := json.MarshalIndent(config, "", "  ")
	if err != nil {
		return err
	}
	file := l.path("conf", name+".json")
	if err := os.WriteFile(file, data, 0o644); err != nil {
		return err
	}
	return l.spawn(name, node, l.Options.Emulator, "run", role, file)
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
		VNet:      v.Name,
		Prefix:    v.Prefix,
		Ports:     map[netip.Addr]string{},
		Dampening: max(0, cmp.Or(l.Options.Dampening, sdn.DefaultDampening)),
		Socket:    l.socket(routerNode(v.Name)),
	}
	for _, m := range v.VMs {
		c.Ports[m.Address] = port(m.Name)
	}
	for _, hop := range l.Topology.circuitHops(v.Circuit) {
		c.Ports[hop] = port(gatewayNode(v.Name))
	}
	if v.onInternet() {
		c.Ports[sdn.InternetHop] = internetNode
	}
	maps.Copy(c.Ports, l.Topology.remotePorts(v))
	for i, table := range v.UserRoutes {
		c.RouteTables = append(c.RouteTables, sdn.RouteTable{
			Subnet: v.Subnet(table.Subnet), Kernel: userTable + i, Routes: table.Routes, NoPropagation: table.NoPropagation,
			NoPeeringRoutes: table.NoPeeringRoutes,
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

// fabrics returns the sockets of the SDN agents of a VNet and of its spokes, and the spokes'
// prefixes.
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
		RouteLimit:     cmp.Or(l.Options.RouteLimit, routeserver.DefaultRouteLimit),
		Dial:           l.Options.RouteServerDials,
		Socket:         l.socket(rsNode(v.Name, i)),
	}
	c.Fabrics, c.Spokes = l.fabrics(v)
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

		OnPremisesLimit: cmp.Or(l.Options.OnPremisesLimit, gateway.DefaultOnPremisesLimit),
		Socket:          l.socket(gatewayNode(v.Name)),
	}
	c.Fabrics, c.Spokes = l.fabrics(v)
	return c
}

// circuitLink is one link of an MSEE. Links are in the order in which plan numbers them: the
// gateways in the order of their VNets, then the site.
type circuitLink struct {
	Name   string
	Local  string
	Remote string
	ASN    uint32
	// Site marks the link that leads out of Azure.
	Site bool
}

func (l *Lab) circuitLinks(i int, c Circuit) []circuitLink {
	var links []circuitLink
	add := func(name string, asn uint32, site bool) {
		ends := circuitNet(i+1, len(links))
		links = append(links, circuitLink{
			Name: strings.ReplaceAll(name, "-", "_"), Local: ends[0], Remote: ends[1], ASN: asn, Site: site,
		})
	}
	for _, v := range l.Topology.VNets {
		if v.Circuit == c.Name {
			add(gatewayNode(v.Name), routeserver.ASN, false)
		}
	}
	if c.Site != nil {
		add(siteNode(c.Name), c.Site.ASN, true)
	}
	if e := c.Edge; e != nil {
		links = append(links, circuitLink{
			Name: e.Name, Local: e.MSEE.String(), Remote: e.Address.String(), ASN: e.ASN, Site: true,
		})
	}
	return links
}

// mseeAddress returns the address of the MSEE that a VNet's gateway peers with.
func (l *Lab) mseeAddress(v VNet) netip.Addr {
	for i, c := range l.Topology.Circuits {
		for _, link := range l.circuitLinks(i, c) {
			if link.Name == strings.ReplaceAll(gatewayNode(v.Name), "-", "_") {
				return netip.MustParseAddr(link.Local)
			}
		}
	}
	return netip.Addr{}
}

// The MSEE removes Azure's own AS number from what it passes from one VNet to another, because
// that VNet's gateway would drop it as a loop. It removes all private AS numbers from what it
// passes to a site. A site's numbers stay on the way to Azure.
var mseeTemplate = template.Must(template.New("msee").Parse(`log stderr { warning, error, fatal };
router id {{(index .Links 0).Local}};
protocol device {}
protocol kernel { merge paths on; ipv4 { import none; export all; }; }
filter to_vnet { bgp_path.delete({{.Azure}}); accept; }
filter to_site { bgp_path.delete([64512..65534, 4200000000..4294967294]); accept; }
{{range .Links}}
protocol bgp {{.Name}} {
  local {{.Local}} as {{$.MSEE}};
  neighbor {{.Remote}} as {{.ASN}};
  connect delay time 1; connect retry time 1; error wait time 1, 1;
  ipv4 { {{if not .Site}}receive limit {{$.Limit}} action restart; {{end}}import all; export filter {{if .Site}}to_site{{else}}to_vnet{{end}}; next hop self; };
}
{{end}}`))

// The site's own packets have the address within its prefix as their source.
var siteTemplate = template.Must(template.New("site").Parse(`log stderr { warning, error, fatal };
router id {{.Link.Remote}};
filter from_site {
  if source != RTS_BGP then reject;
  krt_prefsrc = {{.Site.Address}};
  accept;
}
protocol device {}
protocol kernel { ipv4 { import none; export filter from_site; }; }
protocol static { ipv4; route {{.Site.Prefix}} blackhole; }
protocol bgp msee {
  local {{.Link.Remote}} as {{.Site.ASN}};
  neighbor {{.Link.Local}} as {{.MSEE}};
  connect delay time 1; connect retry time 1; error wait time 1, 1;
  ipv4 { import all; export all; };
}
`))

// startCircuit starts the MSEE of a circuit and the router of its site. Both are BIRD: they
// are plain routers, and a third implementation beside nvad and the emulator.
func (l *Lab) startCircuit(i int, c Circuit) error {
	links := l.circuitLinks(i, c)
	msee := map[string]any{"Links": links, "Azure": routeserver.ASN, "MSEE": gateway.MSEEASN, "Limit": cmp.Or(l.Options.CircuitLimit, gateway.DefaultCircuitLimit)}
	if err := l.startBIRD(mseeNode(c.Name), mseeTemplate, msee); err != nil {
		return err
	}
	if c.Edge != nil {
		if err := l.startEcho(internetNode, c.Edge.Internet, 80); err != nil {
			return err
		}
	}
	if c.Site == nil {
		return nil
	}
	site := map[string]any{"Link": links[len(links)-1], "Site": c.Site, "MSEE": gateway.MSEEASN}
	return l.startBIRD(siteNode(c.Name), siteTemplate, site)
}

func (l *Lab) startBIRD(node string, config *template.Template, data any) error {
	var text strings.Builder
	if err := config.Execute(&text, data); err != nil {
		return err
	}
	file := l.path("conf", node+".conf")
	if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil {
		return err
	}
	return l.spawn(node, node, "bird", "-f", "-c", file, "-s", l.socket(node))
}
