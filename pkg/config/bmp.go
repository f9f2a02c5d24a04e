package config

import (
	"net/netip"
	"time"

	"github.com/nvad/nvad/pkg/config/tomlfile"
)

// BMP is a monitoring station (RFC 7854).
type BMP struct {
	Address    netip.AddrPort
	Policy     BMPPolicy
	Statistics time.Duration // between Statistics Reports; 0: none
	Local      netip.Addr    // invalid: any
}

// BMPPolicy says which Adj-RIB-In a monitoring station is sent.
type BMPPolicy uint8

// Policies of monitoring stations.
const (
	BMPBoth BMPPolicy = iota
	BMPPre            // before import policy
	BMPPost           // after it
)

// mostStations bounds the memory that stations can take: each has a queue.
const mostStations = 4

func defaultBMP() BMP { return BMP{Statistics: time.Minute} }

var bmpTable = tomlfile.Array[Config, BMP]{
	Key: "bmp", ID: "address",
	Doc: "Monitoring stations, one table each, at most 4: they are sent what every neighbor announces, with the BGP Monitoring " +
		"Protocol (RFC 7854). The connection is plain TCP, without encryption.",
	New: defaultBMP, Of: func(c *Config) *[]BMP { return &c.BMP },
	Name: func(b *BMP) string { return b.Address.String() }, Fields: bmpFields,
}

func bmpFields(b *BMP) []tomlfile.Field {
	return []tomlfile.Field{
		{Key: "address", Value: stationAddress(&b.Address), Example: `"10.0.0.9:1790"`, Required: true, Shown: true,
			Doc: "Address and TCP port of the station. nvad connects to it, and tries again until it is there."},
		{Key: "policy", Value: tomlfile.WordFor(&b.Policy, []string{"pre", "post", "both"}, BMPPre, BMPPost, BMPBoth), Shown: true,
			Doc: "Which routes of a neighbor the station is sent: as received (\"pre\"), as import policy accepted and changed them " +
				"(\"post\"), or both, which a flag tells apart."},
		{Key: "statistics-interval", Value: tomlfile.Seconds(&b.Statistics, 0, 86400, nil),
			Doc: "Seconds between two statistics reports about each neighbor; 0 sends none."},
		{Key: "local-address", Value: tomlfile.Address(&b.Local, tomlfile.Unicast), Example: `"10.0.0.4"`,
			Doc: "Address of this NVA that the connection starts from. Default: the one that the route to the station selects."},
	}
}

// stationAddress returns a Value for an address with a port.
func stationAddress(p *netip.AddrPort) tomlfile.Value {
	const want = `an address with a port ("10.0.0.9:1790", "[2001:db8::9]:1790")`
	return tomlfile.Parsed(p, "address with a port", func(c tomlfile.Cell) (e netip.AddrPort, ok bool) {
		s, ok := c.Text(want)
		if !ok {
			return e, false
		}
		e, err := netip.ParseAddrPort(s)
		switch a := e.Addr(); {
		case err != nil || e.Port() == 0:
			c.Want(want)
			return e, false
		case a.Is4In6() || a.Zone() != "" || tomlfile.Unicast(a) != nil:
			c.Fail("%s can't be the address of a station; want %s", a, want)
			return e, false
		}
		return e, true
	}, func(e netip.AddrPort) string { return tomlfile.Quote(e.String()) })
}

// stations reports stations that are too many, or that can't be reached as configured.
func (v *checker) stations() {
	for i := range v.cfg.BMP {
		b := &v.cfg.BMP[i]
		if !b.Address.IsValid() {
			continue
		}
		key := v.src.Elem("bmp", i, b.Address)
		v.distinct("bmp", "address", i, b.Address, func(j int) bool { return v.cfg.BMP[j].Address == b.Address })
		if b.Local.IsValid() && b.Local.Is4() != b.Address.Addr().Is4() {
			v.fail(key+".local-address", "no connection leads from %s to %s, which is of the other address family", b.Local, b.Address.Addr())
		}
		if i == mostStations {
			v.fail(key+".address", "there are more than %d monitoring stations; remove the others", mostStations)
		}
	}
}
