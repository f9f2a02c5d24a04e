package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"github.com/nvad/nvad/pkg/config/tomlfile"
)

var identityTable = tomlfile.Single[Config, Config]{Of: func(c *Config) *Config { return c }, Fields: identityFields}

// identityFields are the keys above the first table.
func identityFields(c *Config) []tomlfile.Field {
	return []tomlfile.Field{
		{Key: "asn", Value: asn(&c.ASN), Example: "65001", Shown: true, Impact: Restart,
			Doc: "Autonomous system number (ASN) of this NVA. Required if there are neighbors."},
		{Key: "router-id", Value: tomlfile.Address(&c.RouterID, checkRouterID), Example: `"10.0.0.4"`, Impact: Restart,
			Doc: "BGP identifier of this NVA, written as an IPv4 address: usually one of its own, but any except 0.0.0.0 that no " +
				"neighbor uses is valid (RFC 6286). Default: local of the first tunnel that sets it; otherwise the first address " +
				"of the first NIC that a tunnel names as its device, or of the device with the default route."},
	}
}

// asn returns a Value for an ASN that a BGP speaker can have.
func asn(p *uint32) tomlfile.Value { return tomlfile.Parsed(p, "ASN", parseASN, formatASN) }

func parseASN(c tomlfile.Cell) (uint32, bool) {
	n, ok := c.Val.(int64)
	switch {
	case !ok || n < 1 || n > tomlfile.MaxUint32:
		c.Want("an ASN from 1 to 4294967295")
	case n == 23456 || n == 65535 || n == tomlfile.MaxUint32:
		c.Fail("AS %d is reserved and can't be used by a router; use another ASN", n)
	default:
		return uint32(n), true
	}
	return 0, false
}

func formatASN(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

// Values of Settings.RemoteType.
const (
	External = "external"
	Internal = "internal"
)

// remoteASN returns a Value for an ASN, which it stores in p, or for a word that stands
// for one, which it stores in word.
func remoteASN(p *uint32, word *string) tomlfile.Value {
	set := func(c tomlfile.Cell) {
		if s, ok := c.Val.(string); ok {
			if s != External && s != Internal {
				c.Want(`an ASN from 1 to 4294967295, "external" or "internal"`)
				return
			}
			*p, *word = 0, s
		} else if n, ok := parseASN(c); ok {
			*p, *word = n, ""
		}
	}
	return tomlfile.Custom(`ASN, "external" or "internal"`, set, func() string {
		if *word != "" {
			return tomlfile.Quote(*word)
		}
		return formatASN(*p)
	})
}

// asnList returns a Value for a list of ASNs, which may repeat.
func asnList(p *[]uint32) tomlfile.Value {
	return tomlfile.List[uint32]{
		Kind: "list of ASNs", Want: "a list of ASNs", Parse: parseASN, TOML: formatASN, NotEmpty: true, Repeats: true,
	}.At(p)
}

// checkRouterID accepts any identifier but 0 (RFC 6286 2.1), even one that is no host's
// address. It refuses addresses that several machines have, since two routers with
// the same identifier do not peer.
func checkRouterID(a netip.Addr) error {
	switch {
	case !a.Is4():
		return fmt.Errorf("want an IPv4 address, got %q", a)
	case slices.Contains(platform, a):
		return fmt.Errorf("%s is the same on every Azure VM; use an address of this NVA", a)
	case a.IsLoopback():
		return fmt.Errorf("%s is the same on every machine; use an address of this NVA", a)
	case a.IsUnspecified():
		return fmt.Errorf("0.0.0.0 is not a valid BGP identifier (RFC 6286); use an address of this NVA")
	}
	return nil
}

// platform lists the addresses through which every Azure VM reaches the platform: the
// wire server and the metadata service.
var platform = []netip.Addr{netip.MustParseAddr("168.63.129.16"), netip.MustParseAddr("169.254.169.254")}

// identity requires the ASN only if there are neighbors. It refuses a file without
// any key: such a file was truncated, or is the wrong one, and loading it would stop
// everything that runs.
func (v *checker) identity() {
	if v.src.Empty() {
		v.doc.Errors = append(v.doc.Errors, &Error{File: v.src.File, Line: 1, Msg: "the file contains no key: it is empty, or the wrong file"})
	}
	if len(v.cfg.Neighbors)+len(v.cfg.Ranges) > 0 && !v.has("asn") {
		v.fail("asn", "required key is missing: BGP neighbors need an ASN")
	}
}
