package azure

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

var (
	instance0, instance1 = netip.MustParseAddr("10.0.210.4"), netip.MustParseAddr("10.0.210.5")
	summaryTime          = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
)

// summaryRow is the row of a prefix at an instance; cells are sent, learned, the NVA's NIC.
func summaryRow(prefix string, instance netip.Addr, sent, learned State, nic Cell, codes ...Code) Row {
	return Row{Prefix: netip.MustParsePrefix(prefix), Instance: instance, Sent: Cell{State: sent}, Learned: Cell{State: learned},
		NICs: []Cell{{State: Other, Via: "of a spoke"}, nic}, Codes: codes}
}

func summaryReport(rows ...Row) Report {
	return Report{Taken: summaryTime, NICs: []Column{{Name: "spoke"}, {Name: "nva", Own: true}}, Rows: rows}
}

// Prefixes with the same fate share one, those with findings come first, and what nvad
// did not send and nothing is wrong with is left out.
func TestSummary(t *testing.T) {
	fine, udr := Cell{State: Yes}, Cell{State: Other, Via: `user-defined route "to-fw"`}
	r := summaryReport(
		summaryRow("10.1.0.0/16", instance0, Yes, Yes, fine), summaryRow("10.1.0.0/16", instance1, Yes, Yes, fine),
		summaryRow("10.2.0.0/16", instance0, Yes, Yes, fine), summaryRow("10.2.0.0/16", instance1, Yes, Yes, fine),
		summaryRow("10.3.0.0/16", instance0, Yes, Yes, udr, UDRWins), summaryRow("10.3.0.0/16", instance1, Yes, No, udr, UDRWins, NotLearned),
		summaryRow("10.4.0.0/16", instance0, No, No, Cell{State: No}), summaryRow("10.4.0.0/16", instance1, No, No, Cell{State: No}),
		summaryRow("10.5.0.0/16", instance0, Yes, NotSeen, Cell{State: NotSeen}), summaryRow("10.5.0.0/16", instance1, Yes, NotSeen, Cell{State: NotSeen}),
	)
	r.Findings = []Finding{
		{Code: UDRWins, Reason: "the UDR", Prefixes: []netip.Prefix{netip.MustParsePrefix("10.3.0.0/16")}, PrefixCount: 1},
		{Code: UDRWins, Reason: "another UDR", Prefixes: []netip.Prefix{netip.MustParsePrefix("10.9.0.0/16")}, PrefixCount: 1},
		{Code: NotLearned, Reason: "who knows", Instances: []netip.Addr{instance1}},
		{Code: IPForwardingOff, Reason: "without a prefix"},
		{Code: NoAdvertise, Severity: Info, Reason: "perhaps intended"},
	}
	r.NotJudged = []NotJudged{{Effect: "of the gateway"}}
	p := r.Summary()
	if !p.Taken.Equal(summaryTime) || p.Findings != 4 || p.NotRead != 1 || p.LeftOut != 0 || len(p.Fates) != 3 {
		t.Fatalf("got %+v", p)
	}
	for i, want := range []string{
		`[10.3.0.0/16] [10.0.210.4] [10.0.210.5] its effective routes lead elsewhere: user-defined route "to-fw" [{udr-wins the UDR} {not-learned who knows}]`,
		"[10.1.0.0/16 10.2.0.0/16] [10.0.210.4 10.0.210.5] [] its effective routes lead where nvad said []",
		"[10.5.0.0/16] [] []  []", // what was not read is not told
	} {
		f := p.Fates[i]
		if got := fmt.Sprint(f.Prefixes, f.Learned, f.Unlearned, " ", f.Effective, " ", f.Findings); got != want {
			t.Errorf("%d: got\n%s, want\n%s", i, got, want)
		}
	}
}

// A summary is within nvad's bounds, whatever Azure said; what is left out is counted, and
// never what has findings while something without stays.
func TestSummaryIsBounded(t *testing.T) {
	var rows []Row
	for i := range MaxPolled + 500 {
		prefix := fmt.Sprintf("10.%d.%d.0/24", i>>8, i&0xff)
		codes := []Code{NotLearned}[:i/(MaxPolled+400)] // the last hundred
		for n := range 20 {
			rows = append(rows, summaryRow(prefix, netip.AddrFrom4([4]byte{10, 0, 210, byte(n)}), Yes, Yes, Cell{State: Yes}, codes...))
		}
	}
	r := summaryReport(rows...)
	for range 20 {
		r.Findings = append(r.Findings, Finding{Code: NotLearned, Reason: strings.Repeat("ü", 2000) + fmt.Sprint(len(r.Findings)), Instances: []netip.Addr{}})
	}
	for i := range r.Findings {
		r.Findings[i].Reason = fmt.Sprint(i) + r.Findings[i].Reason
	}
	p := r.Summary()
	total := 0
	for _, f := range p.Fates {
		total += len(f.Prefixes)
		if len(f.Learned) > MaxPollTexts || len(f.Findings) > MaxPollTexts || len(f.Prefixes) == 0 {
			t.Fatalf("%d instances, %d findings, %d prefixes", len(f.Learned), len(f.Findings), len(f.Prefixes))
		}
		for _, c := range f.Findings {
			if len(c.Code)+len(c.Reason) > MaxPollText || !utf8.ValidString(c.Reason) {
				t.Errorf("%d octets: %q", len(c.Reason), c.Reason)
			}
		}
	}
	if total != MaxPolled || p.LeftOut != 500 {
		t.Errorf("%d prefixes, %d left out", total, p.LeftOut)
	}
	if i := slices.IndexFunc(p.Fates, func(f Fate) bool { return len(f.Findings) > 0 }); i != 0 || len(p.Fates[0].Prefixes) != 100 {
		t.Errorf("fate %d has the findings", i)
	}
}

// A report about nothing has a summary, too.
func TestSummaryOfNothing(t *testing.T) {
	r := Report{Rows: []Row{{Prefix: netip.MustParsePrefix("10.1.0.0/16"), Sent: Cell{State: Yes}}}}
	if p := r.Summary(); len(p.Fates) != 1 || p.Fates[0].Effective != "" {
		t.Errorf("no NIC could be read: %+v", p)
	}
	if p := (&Report{}).Summary(); len(p.Fates) != 0 {
		t.Errorf("got %+v", p)
	}
}
