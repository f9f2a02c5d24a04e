package lab

import (
	"cmp"
	"net/netip"
	"os"
	"strings"
	"text/template"

	"github.com/nvad/nvad/integration/lab/emulator/gateway"
	"github.com/nvad/nvad/integration/lab/emulator/routeserver"
)

// circuitLink is one link of an MSEE, in the order that plan numbers them:
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

// mseeAddress is the address of the MSEE that a VNet's gateway peers with.
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

// The MSEE takes Azure's own AS number out of what it passes from one VNet to
// another, whose gateway would drop it as a loop, and all private ones out of
// what it passes to a site. Numbers of a site stay on the way to Azure.
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

// The site's own packets come from the address that is within its prefix.
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

// startCircuit starts the MSEE of a circuit and the router of its site. Both
// are BIRD: they are plain routers, and a third implementation beside nvad and
// the emulator.
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
