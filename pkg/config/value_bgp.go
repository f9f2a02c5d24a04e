package config

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

// asn is an ASN that a BGP speaker can have.
type asn struct{ p *uint32 }

func (v asn) set(c cell) {
	n, ok := c.val.(int64)
	switch {
	case !ok || n < 1 || n > maxUint32:
		c.want("an ASN from 1 to 4294967295")
	case n == 23456 || n == 65535 || n == maxUint32:
		c.fail("AS %d is reserved and belongs to nobody", n)
	default:
		*v.p = uint32(n)
	}
}

func (asn) kind() string { return "ASN" }

func (v asn) toml() string { return strconv.FormatUint(uint64(*v.p), 10) }

// secret is a TCP-MD5 key. Its messages do not show it.
type secret struct{ p *string }

// maxPassword is TCP_MD5SIG_MAXKEYLEN of Linux.
const maxPassword = 80

func (v secret) set(c cell) {
	s, ok := c.val.(string)
	if !ok {
		c.fail("want a string")
		return
	}
	if err := CheckPassword(s); err != nil {
		c.fail("%v", err)
		return
	}
	*v.p = s
}

// CheckPassword refuses what can't be a TCP-MD5 key. The error does not show it.
func CheckPassword(s string) error {
	switch {
	case s == "":
		return errors.New("the password is empty")
	case len(s) > maxPassword:
		return fmt.Errorf("the password has %d bytes; TCP-MD5 takes at most %d", len(s), maxPassword)
	}
	return nil
}

func (secret) kind() string { return "string" }

func (v secret) toml() string { return quote(*v.p) }

// hidden stands for a secret where it is not to be seen.
const hidden = `"<hidden>"`

// families is a set of address families.
type families struct{ p *route.Family }

var familyNames = []string{"ipv4", "ipv6"}

func (v families) set(c cell) {
	const what = `a list of "ipv4" and "ipv6"`
	cells, ok := c.items(what)
	if !ok {
		return
	}
	var set route.Family
	for _, item := range cells {
		var name string
		oneOf(&name, familyNames...).set(item)
		switch name {
		case "ipv4":
			set |= route.IPv4
		case "ipv6":
			set |= route.IPv6
		}
	}
	if len(cells) == 0 {
		c.fail("want %s, got an empty one", what)
	}
	*v.p = set
}

func (families) kind() string { return "list of words" }

func (v families) toml() string {
	var names []string
	for i, f := range []route.Family{route.IPv4, route.IPv6} {
		if v.p.Has(f) {
			names = append(names, familyNames[i])
		}
	}
	return list(names, quote)
}

// nextHopSelf is false, true or "force".
type nextHopSelf struct{ s *Settings }

func (v nextHopSelf) set(c cell) {
	switch c.val {
	case true, false:
		v.s.NextHopSelf, v.s.NextHopSelfForce = c.val.(bool), false
	case "force":
		v.s.NextHopSelf, v.s.NextHopSelfForce = true, true
	default:
		c.want(`true, false or "force"`)
	}
}

func (nextHopSelf) kind() string { return `true, false or "force"` }

func (v nextHopSelf) toml() string {
	if v.s.NextHopSelfForce {
		return `"force"`
	}
	return strconv.FormatBool(v.s.NextHopSelf)
}

// removePrivateAS is false, true or "replace".
type removePrivateAS struct{ s *Settings }

func (v removePrivateAS) set(c cell) {
	switch c.val {
	case true, false:
		v.s.RemovePrivateAS, v.s.ReplacePrivateAS = c.val.(bool), false
	case "replace":
		v.s.RemovePrivateAS, v.s.ReplacePrivateAS = true, true
	default:
		c.want(`true, false or "replace"`)
	}
}

func (removePrivateAS) kind() string { return `true, false or "replace"` }

func (v removePrivateAS) toml() string {
	if v.s.ReplacePrivateAS {
		return `"replace"`
	}
	return strconv.FormatBool(v.s.RemovePrivateAS)
}

// bogons is one set of ASNs or a list of them.
type bogons struct{ p *policy.Bogons }

func (v bogons) set(c cell) {
	cells := []cell{c}
	if _, single := c.val.(string); !single {
		var ok bool
		if cells, ok = c.items(`"reserved", "private" or a list of them`); !ok {
			return
		}
	}
	if len(cells) == 0 {
		c.fail("the list is empty")
	}
	var set policy.Bogons
	for _, item := range cells {
		var name string
		oneOf(&name, "reserved", "private").set(item)
		switch name {
		case "reserved":
			set |= policy.Reserved
		case "private":
			set |= policy.Private
		}
	}
	*v.p = set
}

func (bogons) kind() string { return "word or list of words" }

func (v bogons) toml() string {
	switch *v.p {
	case policy.Reserved:
		return `"reserved"`
	case policy.Private:
		return `"private"`
	case policy.Reserved | policy.Private:
		return `["reserved", "private"]`
	}
	return "[]"
}

// chain is import or export: a word, or a table of lists.
type chain struct{ p *policy.Chain }

var chainFields = []field[policy.Chain]{
	{key: "deny-asns", example: `"reserved"`, doc: `Deny paths with an ASN that is "reserved", "private", or in either of a list of both.`,
		bind: func(c *policy.Chain) value { return bogons{&c.DenyASNs} }},
	{key: "prefix-list", example: `"rs-hub00"`, doc: "Deny prefixes that are not in this list.",
		bind: func(c *policy.Chain) value { return text{&c.PrefixList, checkName} }},
	{key: "as-path-list", example: `"azure-asns"`, doc: "Deny paths that are not in this list.",
		bind: func(c *policy.Chain) value { return text{&c.ASPathList, checkName} }},
	{key: "route-map", example: `"to-azure"`, doc: "Run this route-map.",
		bind: func(c *policy.Chain) value { return text{&c.RouteMap, checkName} }},
}

func (v chain) set(c cell) {
	switch val := c.val.(type) {
	case string:
		var word string
		oneOf(&word, "accept", "deny").set(c)
		*v.p = policy.Chain{Accept: word == "accept"}
	case map[string]any:
		t, _ := c.table()
		out := policy.Chain{Accept: true}
		readFields(t, &out, chainFields)
		t.done()
		if len(val) == 0 {
			c.fail(`want a list or a route-map; "accept" passes everything`)
		}
		*v.p = out
	default:
		c.want(`"accept", "deny" or a table`)
	}
}

func (chain) kind() string { return "word or table" }

func (v chain) toml() string {
	switch *v.p {
	case policy.Chain{}:
		return `"deny"`
	case policy.Chain{Accept: true}:
		return `"accept"`
	}
	return inline(v.p, chainFields)
}

// inline is a table on one line, of the keys that differ from those of a
// zero T.
func inline[T any](v *T, fields []field[T]) string {
	var zero T
	var parts []string
	for _, f := range fields {
		if s := f.bind(v).toml(); s != f.bind(&zero).toml() {
			parts = append(parts, f.key+" = "+s)
		}
	}
	if len(parts) == 0 {
		return "{}"
	}
	return "{ " + strings.Join(parts, ", ") + " }"
}

// sysctls is a table of strings by the name of the sysctl.
type sysctls struct{ p *map[string]string }

func (v sysctls) set(c cell) {
	t, ok := c.table()
	if !ok {
		return
	}
	out := map[string]string{}
	t.each(func(name string, c cell) {
		if strings.Contains(name, "..") || strings.ContainsAny(name, " \t\n") || !strings.Contains(name, ".") {
			c.fail("%s is not the name of a sysctl (quote it: \"net.ipv4.conf.all.rp_filter\")", show(name))
			return
		}
		switch val := c.val.(type) {
		case string:
			out[name] = val
		case int64:
			out[name] = strconv.FormatInt(val, 10)
		default:
			c.want("a string or a number")
		}
	})
	if len(out) > 0 {
		*v.p = out
	}
}

func (sysctls) kind() string { return "table of values" }

func (v sysctls) toml() string {
	var parts []string
	for _, name := range sortedKeys(*v.p) {
		parts = append(parts, tomlKey(name)+" = "+quote((*v.p)[name]))
	}
	if len(parts) == 0 {
		return "{}"
	}
	return "{ " + strings.Join(parts, ", ") + " }"
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
