package wire

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/nvad/nvad/pkg/route"
	"github.com/nvad/nvad/pkg/speaker"
	"github.com/nvad/nvad/pkg/speaker/wire/wiretest"
)

const (
	badOrigin     = "40 01 01 03 "
	badAggregator = "c0 07 05 0000000000 "
	hexMPUnreach  = "80 0f 08 0002 01 20 20010db8 "
)

// reach is an MP_REACH_NLRI of 2001:db8::/32 with a next hop.
func reach(flags, hop string) string {
	hop = strings.ReplaceAll(hop, " ", "")
	n := len(hop) / 2
	return fmt.Sprintf("%s 0e %02x 0002 01 %02x %s 00 20 20010db8 ", flags, 10+n, n, hop)
}

// frameCases has UPDATEs with errors in their fields, or in MP_REACH_NLRI and
// MP_UNREACH_NLRI. When each arrives, 203.0.113.0/24 and 2001:db8::/32 are announced. want
// says of both whether the old route stays ("old"), is replaced ("new") or withdrawn ("-"),
// or names the NOTIFICATION; then it names the action.
var frameCases = []struct {
	name, withdrawn, attrs, nlri string
	want                         string
	class                        speaker.Class
	rule                         string
}{
	{"MP_REACH_NLRI", "", wiretest.HexOrigin + wiretest.HexPath + wiretest.HexMPReach, "", "old new", 0, ""},
	{"MP_REACH_NLRI with reserved flags", "", wiretest.HexOrigin + wiretest.HexPath + reach("8f", strings.Repeat("20", 16)), "", "old new", 0, ""},
	{"MP_REACH_NLRI, transitive", "", wiretest.HexOrigin + wiretest.HexPath + reach("c0", strings.Repeat("20", 16)), "", "old - treat-as-withdraw", speaker.WrongFlags, "RFC 7606 3 c"},
	{"MP_REACH_NLRI, well-known", "", wiretest.HexOrigin + wiretest.HexPath + reach("40", strings.Repeat("20", 16)), "", "old - treat-as-withdraw", speaker.WrongFlags, "RFC 7606 3 c"},
	{"MP_REACH_NLRI without flags", "", wiretest.HexOrigin + wiretest.HexPath + reach("00", strings.Repeat("20", 16)), "", "old - treat-as-withdraw", speaker.WrongFlags, "RFC 7606 3 c"},
	{"MP_REACH_NLRI, partial", "", wiretest.HexOrigin + wiretest.HexPath + reach("a0", strings.Repeat("20", 16)), "", "old - treat-as-withdraw", speaker.WrongFlags, "RFC 7606 3 c"},
	{"MP_REACH_NLRI with wrong flags beside NLRI", "", wiretest.HexBase + reach("c0", strings.Repeat("20", 16)), wiretest.HexNLRI, "- - treat-as-withdraw", speaker.WrongFlags, "RFC 7606 3 c"},
	{"MP_REACH_NLRI twice", "", wiretest.HexOrigin + wiretest.HexPath + wiretest.HexMPReach + wiretest.HexMPReach, "", "3/1 session-reset", speaker.Duplicate, "RFC 7606 3 g"},
	{"MP_REACH_NLRI of 4 octets", "", wiretest.HexOrigin + wiretest.HexPath + "80 0e 04 0002 01 00", "", "3/9 session-reset", speaker.WrongLength, "RFC 7606 7.11"},
	{"MP_REACH_NLRI of 0 octets", "", wiretest.HexOrigin + wiretest.HexPath + "80 0e 00", "", "3/9 session-reset", speaker.WrongLength, "RFC 7606 7.11"},
	{"next hop of 0 octets", "", wiretest.HexOrigin + wiretest.HexPath + reach("80", ""), "", "3/9 session-reset", speaker.WrongLength, "RFC 7606 7.11"},
	{"next hop of 4 octets", "", wiretest.HexOrigin + wiretest.HexPath + reach("80", "c0000201"), "", "3/9 session-reset", speaker.WrongLength, "RFC 7606 7.11"},
	{"next hop of 15 octets", "", wiretest.HexOrigin + wiretest.HexPath + reach("80", strings.Repeat("20", 15)), "", "3/9 session-reset", speaker.WrongLength, "RFC 7606 7.11"},
	{"next hop of 17 octets", "", wiretest.HexOrigin + wiretest.HexPath + reach("80", strings.Repeat("20", 17)), "", "3/9 session-reset", speaker.WrongLength, "RFC 7606 7.11"},
	{"next hop of 24 octets", "", wiretest.HexOrigin + wiretest.HexPath + reach("80", strings.Repeat("20", 24)), "", "3/9 session-reset", speaker.WrongLength, "RFC 7606 7.11"},
	{"next hop beyond the attribute", "", wiretest.HexOrigin + wiretest.HexPath + "80 0e 05 0002 01 ff 00", "", "3/9 session-reset", speaker.WrongLength, "RFC 7606 7.11"},
	{"global and link-local next hop", "", wiretest.HexOrigin + wiretest.HexPath + reach("80", strings.Repeat("20", 16)+"fe80"+strings.Repeat("00", 13)+"01"), "", "old new", 0, ""},
	{"next hop ::", "", wiretest.HexOrigin + wiretest.HexPath + reach("80", strings.Repeat("00", 16)), "", "old - treat-as-withdraw", speaker.WrongValue, "RFC 4271 6.3"},
	{"next hop ::1", "", wiretest.HexOrigin + wiretest.HexPath + reach("80", strings.Repeat("00", 15)+"01"), "", "old - treat-as-withdraw", speaker.WrongValue, "RFC 4271 6.3"},
	{"next hop ff02::1", "", wiretest.HexOrigin + wiretest.HexPath + reach("80", "ff02"+strings.Repeat("00", 13)+"01"), "", "old - treat-as-withdraw", speaker.WrongValue, "RFC 4271 6.3"},
	{"next hop fe80::1 alone", "", wiretest.HexOrigin + wiretest.HexPath + reach("80", "fe80"+strings.Repeat("00", 13)+"01"), "", "old - treat-as-withdraw", speaker.WrongValue, "RFC 4271 6.3"},
	{"next hop 127.0.0.1 of IPv4 in MP_REACH_NLRI", "", wiretest.HexOrigin + wiretest.HexPath + "80 0e 0d 0001 01 04 7f000001 00 18 cb0071", "", "- old treat-as-withdraw", speaker.WrongValue, "RFC 4271 6.3"},
	{"next hop 240.0.0.1 of IPv4 in MP_REACH_NLRI", "", wiretest.HexOrigin + wiretest.HexPath + "80 0e 0d 0001 01 04 f0000001 00 18 cb0071", "", "- old treat-as-withdraw", speaker.WrongValue, "RFC 4271 6.3"},
	{"IPv6 prefix of length 129", "", wiretest.HexOrigin + wiretest.HexPath + "80 0e 16 0002 01 10" + strings.Repeat("20", 16) + "00 81", "", "3/10 session-reset", speaker.WrongPrefix, "RFC 7606 5.3"},
	{"IPv6 prefix cut", "", wiretest.HexOrigin + wiretest.HexPath + "80 0e 17 0002 01 10" + strings.Repeat("20", 16) + "00 20 20", "", "3/10 session-reset", speaker.WrongPrefix, "RFC 7606 5.3"},
	{"IPv4 prefix of length 33", "", wiretest.HexBase, "21 cb00710000", "3/10 session-reset", speaker.WrongPrefix, "RFC 7606 5.3"},
	{"IPv4 prefix cut", "", wiretest.HexBase, "18 cb00", "3/10 session-reset", speaker.WrongPrefix, "RFC 7606 5.3"},
	{"withdrawn prefix cut", "18 cb00", "", "", "3/10 session-reset", speaker.WrongPrefix, "RFC 7606 5.3"},

	{"MP_UNREACH_NLRI", "", hexMPUnreach, "", "old -", 0, ""},
	{"MP_UNREACH_NLRI with reserved flags", "", "8f 0f 08 0002 01 20 20010db8", "", "old -", 0, ""},
	{"MP_UNREACH_NLRI, transitive", "", "c0 0f 08 0002 01 20 20010db8", "", "old - treat-as-withdraw", speaker.WrongFlags, "RFC 7606 3 c"},
	{"MP_UNREACH_NLRI, well-known, beside NLRI", "", wiretest.HexBase + "40 0f 08 0002 01 20 20010db8", wiretest.HexNLRI, "- - treat-as-withdraw", speaker.WrongFlags, "RFC 7606 3 c"},
	{"MP_UNREACH_NLRI twice", "", hexMPUnreach + hexMPUnreach, "", "3/1 session-reset", speaker.Duplicate, "RFC 7606 3 g"},
	{"MP_UNREACH_NLRI of 2 octets", "", "80 0f 02 0002", "", "3/9 session-reset", speaker.WrongLength, "RFC 7606 7.12"},
	{"MP_UNREACH_NLRI of 0 octets", "", "80 0f 00", "", "3/9 session-reset", speaker.WrongLength, "RFC 7606 7.12"},
	{"MP_UNREACH_NLRI, prefix cut", "", "80 0f 05 0002 01 20 20", "", "3/10 session-reset", speaker.WrongPrefix, "RFC 7606 5.3"},
	{"End-of-RIB with wrong flags", "", "c0 0f 03 0002 01", "", "old old treat-as-withdraw", speaker.WrongFlags, "RFC 7606 3 c"},

	{"malformed, both families", "", badOrigin + wiretest.HexPath + wiretest.HexNextHop + wiretest.HexMPReach, wiretest.HexNLRI, "- - treat-as-withdraw", speaker.WrongValue, "RFC 7606 7.1"},
	{"malformed, discarded, both families", "", wiretest.HexBase + badAggregator + wiretest.HexMPReach, wiretest.HexNLRI, "new new attribute-discard", speaker.WrongLength, "RFC 7606 7.7"},
	{"discard before withdraw", "", badAggregator + badOrigin + wiretest.HexPath + wiretest.HexNextHop, wiretest.HexNLRI, "- old treat-as-withdraw", speaker.WrongValue, "RFC 7606 7.1"},
	{"withdraw before reset", "", badOrigin + wiretest.HexPath + wiretest.HexNextHop + "40 63 00", wiretest.HexNLRI, "3/2 session-reset", speaker.UnknownWellKnown, "unrecognized"},
	{"malformed, one family withdrawn", wiretest.HexNLRI, badOrigin + wiretest.HexPath + wiretest.HexMPReach, "", "- - treat-as-withdraw", speaker.WrongValue, "RFC 7606 7.1"},
	{"malformed, only withdrawals", wiretest.HexNLRI, badOrigin, "", "3/1 session-reset", speaker.WrongValue, "RFC 7606 5.2"},
	{"malformed, MP_UNREACH_NLRI only", "", badOrigin + hexMPUnreach, "", "3/1 session-reset", speaker.WrongValue, "RFC 7606 5.2"},
	{"malformed, MP_REACH_NLRI without a prefix", "", badOrigin + wiretest.HexPath + "80 0e 15 0002 01 10" + strings.Repeat("20", 16) + "00", "", "3/1 session-reset", speaker.WrongValue, "RFC 7606 5.2"},
	{"malformed, no routes", "", badOrigin, "", "3/1 session-reset", speaker.WrongValue, "RFC 7606 5.2"},
	{"discarded, only withdrawals", wiretest.HexNLRI, badAggregator, "", "- old attribute-discard", speaker.WrongLength, "RFC 7606 7.7"},
	{"attribute beyond the attributes", "", wiretest.HexBase + "80 04 40 00000000", wiretest.HexNLRI, "- old treat-as-withdraw", speaker.WrongFrame, "RFC 7606 4"},
	{"header cut", "", wiretest.HexBase + "80 04", wiretest.HexNLRI, "- old treat-as-withdraw", speaker.WrongFrame, "RFC 7606 4"},
	{"header of extended length cut", "", wiretest.HexBase + "90 04 00", wiretest.HexNLRI, "- old treat-as-withdraw", speaker.WrongFrame, "RFC 7606 4"},
	{"header cut, only withdrawals", wiretest.HexNLRI, "80", "", "3/1 session-reset", speaker.WrongFrame, "RFC 7606 5.2"},
	{"header cut behind MP_REACH_NLRI", "", wiretest.HexOrigin + wiretest.HexPath + wiretest.HexMPReach + "80", "", "old - treat-as-withdraw", speaker.WrongFrame, "RFC 7606 4"},
}

// TestFrameErrors goes through the errors of an UPDATE that are not in the value of an
// attribute. No old route may stay that the UPDATE could have replaced.
func TestFrameErrors(t *testing.T) {
	for _, c := range frameCases {
		for _, k := range kinds {
			if k.twoOctet {
				continue // AS_PATH aside, both widths take the same way
			}
			t.Run(c.name+", "+k.String(), func(t *testing.T) {
				body := wiretest.UpdateBody(wiretest.Unhex(c.withdrawn), wiretest.Unhex(c.attrs), wiretest.Unhex(c.nlri))
				got, bad := remains(t, k, body)
				if bad != nil {
					got += " " + bad.Action.String()
					if bad.Class != c.class || !strings.Contains(bad.Text, c.rule) {
						t.Errorf("class %s, %q; want %s and %s", bad.Class, bad.Text, c.class, c.rule)
					}
				}
				if got != c.want {
					t.Errorf("%s, want %s", got, c.want)
				}
			})
		}
	}
}

// remains returns the state of a route of each family after body.
func remains(t *testing.T, k kind, body []byte) (string, *speaker.Malformed) {
	d := NewDecoder(DecoderOptions{Interner: route.NewInterner(), Families: route.IPv4 | route.IPv6, Internal: k.internal})
	prefixes := []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("2001:db8::/32")}
	state := map[netip.Prefix]string{}
	good := wiretest.UpdateBody(nil, wiretest.Unhex(wiretest.HexBase+wiretest.HexMPReach+"80 04 04 00003039"), wiretest.Unhex(wiretest.HexNLRI))
	var bad *speaker.Malformed
	for i, b := range [][]byte{good, body} {
		var err error
		bad, err = d.Update(b, func(ev speaker.Event) bool {
			u, ok := ev.(speaker.Update)
			if !ok {
				t.Errorf("%T", ev)
			}
			for _, p := range u.Withdrawn {
				state[p] = "-"
			}
			for _, p := range u.Announced {
				state[p] = []string{"old", "new"}[i]
			}
			return true
		})
		if f, ok := err.(*Fault); ok {
			return fmt.Sprintf("%d/%d", f.Code, f.Subcode), bad
		}
	}
	var out []string
	for p := range slices.Values(prefixes) {
		out = append(out, state[p])
	}
	return strings.Join(out, " "), bad
}
