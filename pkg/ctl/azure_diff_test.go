package ctl

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/azure"
)

var (
	yes   = azure.Cell{State: azure.Yes}
	no    = azure.Cell{State: azure.No}
	other = func(via string) azure.Cell { return azure.Cell{State: azure.Other, Via: via} }
)

// badReport is a comparison in which much is wrong, made by hand.
func badReport() *azure.Report {
	row := func(instance, prefix string, sent, learned, back azure.Cell, nics ...azure.Cell) azure.Row {
		return azure.Row{Instance: netip.MustParseAddr(instance), Prefix: netip.MustParsePrefix(prefix), Sent: sent, Learned: learned, Back: back, NICs: nics}
	}
	with := func(r azure.Row, note string, codes ...azure.Code) azure.Row {
		r.Note, r.Codes = note, codes
		return r
	}
	good := row("10.0.210.4", "192.168.100.0/24", yes, yes, no, yes, azure.Cell{State: azure.NotSeen})
	good.InOrder = true
	return &azure.Report{
		Taken: time.Date(2026, 8, 6, 9, 58, 30, 0, time.UTC),
		NICs:  []azure.Column{{Name: "nic-hub00", Own: true}, {Name: "nic-of-a-spoke-with-a-long-name"}},
		Rows: []azure.Row{
			with(row("10.0.210.4", "10.0.7.0/24", yes, yes, no, no, no), "", azure.PrefixInVNetSpace),
			with(row("10.0.210.4", "10.10.0.0/16", yes, yes, no, yes, other("10.0.0.6")), "", azure.UDRWins, azure.PeeringNoForwardedTraffic),
			good,
			with(row("10.0.210.5", "10.10.0.0/16", no, yes, no, yes, other("default (VirtualAppliance)")),
				"nvad has withdrawn it, and Azure has not removed it yet", azure.InstancesDiffer),
		},
		Findings: []azure.Finding{
			{Code: azure.PrefixInVNetSpace, Severity: azure.Error, Name: "vnet-hub00", Prefixes: []netip.Prefix{netip.MustParsePrefix("10.0.7.0/24")}, PrefixCount: 4,
				Reason: "VNet vnet-hub00 has the space 10.0.0.0/16, and its system routes win over a route to a part of it.",
				Mend:   []azure.Step{{In: azure.InFile, Text: "[prefix-list]\nto-azure = [\"deny 10.0.0.0/16 le 32\", \"permit any\"]"}}},
			{Code: azure.PeeringNoForwardedTraffic, Severity: azure.Error, Name: "vnet-spoke01/to-hub00", Instances: []netip.Addr{netip.MustParseAddr("10.0.210.4")},
				Reason: "Peering to-hub00 of vnet-spoke01 drops traffic that hub00 only forwards.",
				Mend: []azure.Step{
					{In: azure.InShell, Text: "az network vnet peering update --resource-group rg-spoke --vnet-name vnet-spoke01 --name to-hub00 --set allowForwardedTraffic=true"},
					{In: azure.InShell, Text: "az network vnet peering sync -g rg-spoke --vnet-name vnet-spoke01 -n to-hub00"},
					{In: azure.InWords, Text: "If somebody else owns the spoke, ask that person: nobody else may change this side of the peering."},
				}},
			{Code: azure.RoutesPerPeerLimit, Severity: azure.Warning, Reason: "nvad sends 2100 routes, and Route Server counts them twice when they are all sent again."},
		},
		NotJudged: []azure.NotJudged{{Effect: "Whether the spoke follows nvad's routes is not judged.",
			Missing: azure.Missing{ID: "/x/nic-spoke01", What: azure.WhatEffectiveRoutes, Reason: "the effective routes of NIC nic-spoke01: the VM is not running"}}},
	}
}

// printed returns what print prints in 80 columns.
func printed(print func(*app)) string {
	var out bytes.Buffer
	print(&app{Env: Env{Out: &out, Width: defaultWidth}})
	return out.String()
}

func TestAzureReport(t *testing.T) {
	many, fine := badReport(), badReport()
	many.NICs = append(many.NICs, azure.Column{Name: "nic-third"})
	for i := range many.Rows {
		many.Rows[i].NICs = append(many.Rows[i].NICs, yes)
	}
	long := badReport()
	for len(long.Rows) < 60 {
		long.Rows = append(long.Rows, long.Rows[0])
	}
	fine.Rows, fine.Findings, fine.NotJudged = fine.Rows[2:3], nil, nil
	for name, print := range map[string]func(*app){
		"azure-report":      func(a *app) { a.printReport(badReport(), false) },
		"azure-report-all":  func(a *app) { a.printReport(badReport(), true) },
		"azure-report-nics": func(a *app) { a.printReport(many, false) },
		"azure-report-long": func(a *app) { a.printReport(long, false) },
		"azure-report-fine": func(a *app) { a.printReport(fine, false) },
		"azure-report-none": func(a *app) { a.printReport(&azure.Report{Taken: fine.Taken}, true) },
		"azure-claims": func(a *app) {
			a.printClaims([]azure.Claim{
				{ID: "asn", Sentence: "Route Server has AS 65515 and two instances.", Result: azure.Holds, Evidence: "AS 65515, 2 instances"},
				{ID: "space", Sentence: "A prefix that equals the VNet's space, or is longer, is not injected, because the system routes win over it.", Result: azure.DoesNotHold, Evidence: "1 of 3 such prefixes is in effective routes"},
				{ID: "dampening", Sentence: "Communities are propagated as they are.", Result: azure.NotObserved},
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			out := printed(print)
			fits(t, out)
			golden(t, name+".txt", out)
		})
	}
	if err := verdictOf(badReport()); err == nil || err.Error() != "Azure does not do all that nvad wants: 2 errors, 1 warning" {
		t.Error(err)
	}
	hint := &azure.Report{Findings: []azure.Finding{{Severity: azure.Info}}}
	if err := verdictOf(hint); err != nil {
		t.Error(err)
	}
}

// TestAzureNeedsBothSides: without nvad there is nothing to compare, unless the file has its
// side too.
func TestAzureNeedsBothSides(t *testing.T) {
	f := newFakeAzure(t)
	const missing = "nvad's side is missing: nvad is not running (no socket at /nonexistent)"
	wantError(t, f.run(t.Context(), "/nonexistent", "azure", "diff"), missing)
	wantError(t, f.run(t.Context(), "/nonexistent", "azure", "diff", "--from-snapshot", azureHub00), missing)

	socket := serve(t, hub00())
	file := write(t, "both.json", f.run(t.Context(), socket, "azure", "snapshot", "--routes").out)
	online := f.run(t.Context(), socket, "azure", "diff", "-o", "json")
	offline := f.run(t.Context(), "/nonexistent", "azure", "diff", "-o", "json", "--from-snapshot", file)
	if online != offline || online.out == "" {
		t.Errorf("with Azure and nvad: %+v\nfrom the file: %+v", online, offline)
	}
	f.err = errors.New("no identity")
	wantError(t, f.run(t.Context(), socket, "azure", "diff"), "no identity")
	wantError(t, f.run(t.Context(), socket, "azure", "diff", "--address", "10.0.0.9:8443", "--cert", "a", "--key", "b", "--ca", "c"),
		"--address: which machine of Azure is that? give its resource ID with --vm")
}

// TestAzureVerify: the report is written also if nvad does not run. Nobody can tell from it
// whose Azure it is.
func TestAzureVerify(t *testing.T) {
	f := newFakeAzure(t)
	for socket, warning := range map[string]string{
		serve(t, hub00()): "", "/nonexistent": "Warning: nvad's side is missing: nvad is not running (no socket at /nonexistent).\n",
	} {
		file := filepath.Join(t.TempDir(), "verify.json")
		r := f.run(t.Context(), socket, "azure", "verify", "--report", file)
		if !strings.HasPrefix(r.err, warning) {
			t.Errorf("%s: %+v", socket, r)
		}
		fits(t, r.out)
		report, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if j := f.run(t.Context(), socket, "azure", "verify", "-o", "json"); j.out != string(report) || j.code != r.code {
			t.Errorf("the JSON is not the report: %+v", j)
		}
		for _, word := range []string{f.snapshot.VM.Subscription, "/subscriptions/", "hub00", "spoke01", "rg-nva", "rg-spoke", "nic-", "nva1", "owner"} {
			if strings.Contains(strings.ToLower(string(report)+r.out), word) {
				t.Errorf("the report has %q:\n%s", word, report)
			}
		}
	}
	if r := f.run(t.Context(), "/nonexistent", "azure", "verify", "--report", "/nonexistent/verify.json"); r.code != 1 || r.out != "" || !strings.Contains(r.err, "no such file or directory") {
		t.Errorf("%+v", r)
	}
	if err := refuted([]azure.Claim{{Result: azure.DoesNotHold}, {Result: azure.Holds}}); err == nil ||
		err.Error() != "1 claim that nvad relies on does not hold: please send us the file of --report" {
		t.Error(err)
	}
}

// TestShellLines: a command that is broken into lines does the same as before.
func TestShellLines(t *testing.T) {
	for _, command := range []string{
		"printf '<%s>' a",
		"printf '<%s>' --resource-group rg-nva --name 'a name with spaces that is quite long' --set x=1 -n y --yes -z",
		`printf '<%s>' --name 'it'\''s a name with an apostrophe' -n "and a \" quote in it, too" x\ y z`,
		`printf '<%s>' --routes "[{'a': 1}, {'b': \"2\"}]" /subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg-nva/providers/x`,
	} {
		lines := shellLines(command, 40)
		want, err1 := exec.Command("sh", "-c", command).Output()
		got, err2 := exec.Command("sh", "-c", strings.Join(lines, "\n    ")).Output()
		if err1 != nil || err2 != nil || string(got) != string(want) {
			t.Errorf("%q\ngot  %s, %v\nwant %s, %v", lines, got, err2, want, err1)
		}
		if len(command) > 40 && len(lines) < 2 {
			t.Errorf("one line: %q", lines)
		}
	}
}

// TestAzureDiff: what is wrong with hub00 in the snapshot, with both halves as they are read.
func TestAzureDiff(t *testing.T) {
	f := newFakeAzure(t)
	socket := serve(t, hub00())
	table := f.run(t.Context(), socket, "azure", "diff", "--all")
	structured := f.run(t.Context(), socket, "azure", "diff", "-o", "json")
	if table.code != 1 || structured.code != 1 || table.err != structured.err || !strings.HasPrefix(table.err, "nvactl: Azure does not do all that nvad wants: ") {
		t.Errorf("table: exit code %d, %s; JSON: exit code %d, %s", table.code, table.err, structured.code, structured.err)
	}
	var r azure.Report
	if err := json.Unmarshal([]byte(structured.out), &r); err != nil || len(r.Rows) == 0 {
		t.Errorf("%v: %+v", err, r)
	}
	for _, code := range []azure.Code{azure.IPForwardingOff, azure.NSGDropsVXLAN, azure.NotLearned} {
		if !slices.ContainsFunc(r.Findings, func(f azure.Finding) bool { return f.Code == code }) || !strings.Contains(table.out, ": "+string(code)) {
			t.Errorf("%s is missing:\n%s", code, table.out)
		}
	}
	for _, row := range r.Rows {
		if !strings.Contains(table.out, row.Instance.String()+"  "+row.Prefix.String()) {
			t.Errorf("no row for %s at %s:\n%s", row.Prefix, row.Instance, table.out)
		}
	}
	t.Log(table.out)
}
