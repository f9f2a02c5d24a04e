package config

import (
	"fmt"
	"net/netip"
	"strconv"

	"github.com/nvad/nvad/pkg/config/tomlfile"
)

var identityTable = tomlfile.Single[Config, Config]{Of: func(c *Config) *Config { return c }, Fields: identityFields}

// identityFields are the keys above the first table.
var identityFields = []tomlfile.Field[Config]{
	{
		Key: "asn", Example: "65001", Shown: true, Impact: Restart,
		Doc:  "Autonomous system number of this NVA. Required if there are neighbors.",
		Bind: func(c *Config) tomlfile.Value { return asn(&c.ASN) },
	},
	{
		Key: "router-id", Example: `"10.0.0.4"`, Impact: Restart,
		Doc: "BGP identifier, written as an IPv4 address: as a rule one of this NVA, but any except 0.0.0.0 will do (RFC 6286), unique among its neighbors. Default: local of the first tunnel that gives it, " +
			"or else the first address of the first tunnel's device, or of the device that the default route leads through.",
		Bind: func(c *Config) tomlfile.Value { return tomlfile.Address(&c.RouterID, checkRouterID) },
	},
}

// asn returns an ASN that a BGP speaker can have.
func asn(p *uint32) tomlfile.Value { return tomlfile.Parsed(p, "ASN", parseASN, formatASN) }

func parseASN(c tomlfile.Cell) (uint32, bool) {
	n, ok := c.Val.(int64)
	switch {
	case !ok || n < 1 || n > tomlfile.MaxUint32:
		c.Want("an ASN from 1 to 4294967295")
	case n == 23456 || n == 65535 || n == tomlfile.MaxUint32:
		c.Fail("AS %d is reserved and belongs to nobody", n)
	default:
		return uint32(n), true
	}
	return 0, false
}

func formatASN(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

// asnList returns a list of ASNs, which may repeat.
func asnList(p *[]uint32) tomlfile.Value {
	return tomlfile.List[uint32]{
		Kind: "list of ASNs", Want: "a list of ASNs", Parse: parseASN, TOML: formatASN, NotEmpty: true, Repeats: true,
	}.At(p)
}

// checkRouterID takes any identifier but 0 (RFC 6286 2.1), also one that no host has
// as its address, and refuses what can't tell this NVA from another one.
func checkRouterID(a netip.Addr) error {
	switch {
	case !a.Is4():
		return fmt.Errorf("want an IPv4 address, got %q", a)
	case a == imds || a == wireServer:
		return fmt.Errorf("%s is the same on every Azure VM; use an address of this NVA", a)
	case a.IsLoopback():
		return fmt.Errorf("%s is the same on every machine; use an address of this NVA", a)
	case a.IsUnspecified():
		return fmt.Errorf("0 is not a BGP identifier (RFC 6286)")
	}
	return nil
}

// Addresses that every Azure VM reaches outside of its VNet.
var (
	imds       = netip.MustParseAddr("169.254.169.254")
	wireServer = netip.MustParseAddr("168.63.129.16")
)

// identity looks for the ASN, which only neighbors ask for. A file that says
// nothing at all was cut off, or is another one than was meant: it would take
// away everything that runs.
func (v *checker) identity() {
	if v.src.Empty() {
		v.doc.Errors = append(v.doc.Errors, &Error{File: v.src.File, Line: 1, Msg: "the file says nothing"})
	}
	if len(v.cfg.Neighbors) > 0 && !v.has("asn") {
		v.fail("asn", "required key is missing: neighbors need it")
	}
}
