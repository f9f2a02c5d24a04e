package policy

import (
	"fmt"
	"net/netip"
	"strconv"

	"github.com/nvad/nvad/pkg/route"
)

// viewFields are the attributes that a clause can change, by the key that
// changes them.
var viewFields = []struct {
	name string
	text func(view) string
}{
	{"as-path", func(v view) string { return quotePath(v.attrs.ASPath) }},
	{"origin", func(v view) string { return v.attrs.Origin.String() }},
	{"next-hop", view.nextHop},
	{"med", func(v view) string { return optionalText(v.attrs.MED) }},
	{"local-pref", func(v view) string { return optionalText(v.attrs.LocalPref) }},
	{"communities", func(v view) string { return listText(standardKind, v.attrs) }},
	{"large-communities", func(v view) string { return listText(largeKind, v.attrs) }},
	{"ext-communities", func(v view) string { return listText(extKind, v.attrs) }},
	{"atomic-aggregate", func(v view) string { return boolText(v.attrs.AtomicAggregate) }},
	{"aggregator", func(v view) string { return aggregatorText(v.attrs.Aggregator) }},
	{"weight", func(v view) string { return strconv.FormatUint(uint64(v.out.Weight), 10) }},
	{"tag", func(v view) string { return strconv.FormatUint(uint64(v.out.Tag), 10) }},
	{"preferred-source", func(v view) string { return addrText(v.out.PreferredSource) }},
}

// quotePath sets an empty path apart from an absent attribute.
func quotePath(p route.ASPath) string { return strconv.Quote(p.String()) }

func (v view) nextHop() string {
	switch v.out.NextHop {
	case NextHopSelf:
		return "self"
	case NextHopUnchanged:
		return "unchanged"
	case NextHopPeer:
		return "peer"
	}
	return addrText(v.attrs.NextHop)
}

func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func optionalText(o route.Optional) string {
	if !o.Set {
		return ""
	}
	return strconv.FormatUint(uint64(o.Value), 10)
}

func boolText(b bool) string {
	if b {
		return "set"
	}
	return ""
}

func aggregatorText(a route.Aggregator) string {
	if !a.Address.IsValid() {
		return ""
	}
	return fmt.Sprintf("%d %s", a.ASN, a.Address)
}

func listText[T comparable](k *communityKind[T], a *route.Attrs) string {
	l := communityList[T]{communityKind: k}
	return string(l.appendText(nil, k.of(a)))
}
