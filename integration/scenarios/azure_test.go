package scenarios

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/integration/lab/emulator/arm"
	"github.com/nvad/nvad/pkg/azure"
)

// TestAzureDiff: on an NVA of the two hubs that has forgotten one instance of Route Server,
// nvactl asks Azure with the VM's identity, names what is wrong, and is content once its mend
// is in nvad.toml.
func TestAzureDiff(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(configs(t, "hub00.toml"))
	if err != nil {
		t.Fatal(err)
	}
	const both, one = `neighbors = ["10.0.210.4", "10.0.210.5"]`, `neighbors = ["10.0.210.4"]`
	file := filepath.Join(t.TempDir(), "nvad.toml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(strings.Replace(string(text), both, one, 1))
	nvad := lab.Build(t, "./cmd/nvad")
	l := lab.Up(t, lab.Options{Manager: true, Nvactl: lab.Build(t, "./cmd/nvactl"), NVAs: map[string]lab.NVA{
		"vm-hub00": {Kind: lab.Nvad, Binary: nvad, Config: file},
		"vm-hub10": {Kind: lab.Nvad, Binary: nvad, Config: configs(t, "hub10.toml")},
	}})
	awaitDiff(t, l, "", 1, azure.InstanceWithoutPeer)
	r, err := azureDiff(t, l, "")
	if err != nil {
		t.Fatal(err)
	}
	found := r.Findings[0]
	i := slices.IndexFunc(found.Mend, func(s azure.Step) bool { return s.In == azure.InFile && strings.Contains(s.Text, both) })
	if i < 0 {
		t.Fatalf("nothing adds the instance in %+v", found.Mend)
	}
	write(string(text))
	nvactl(t, l, "reload")
	awaitDiff(t, l, "", 0)
	testUserRoute(t, l)
	if out := nvactl(t, l, "azure show"); !strings.Contains(out, "rs-hub00") || !strings.Contains(out, "10.0.210.5") {
		t.Errorf("nvactl azure show printed\n%s", out)
	}
}

// testUserRoute: a user-defined route takes the traffic of a VM away from the NVA, and nvactl
// names it beside the VM's NIC.
func testUserRoute(t *testing.T, l *lab.Lab) {
	const spoke = " --spoke vm-hub00-b-nic"
	awaitDiff(t, l, spoke, 0)
	l.AwaitFirstHop(t, "vm-hub00-b", "10.110.0.4", "10.0.0.4")
	table := arm.ID(arm.TypeRouteTable, "rt-hub00-default")
	l.ChangeAzure(t, func(s *arm.State) {
		s.UserRoute(table, arm.UserRoute{Name: "to-nowhere", Prefix: "10.110.0.0/16", Type: "None"})
	})
	awaitDiff(t, l, spoke, 1, azure.UDRWins)
	if out, err := l.Output("vm-hub00-b", "traceroute", "-n", "-q", "1", "-w", "0.5", "-m", "1", "10.110.0.4"); err != nil || strings.Contains(out, "10.0.0.4") {
		t.Errorf("the user-defined route takes nothing away: %v\n%s", err, out)
	}
	l.ChangeAzure(t, func(s *arm.State) { s.Delete(table + "/routes/to-nowhere") })
	awaitDiff(t, l, spoke, 0)
	l.AwaitFirstHop(t, "vm-hub00-b", "10.110.0.4", "10.0.0.4")
}

// azureDiff returns what nvactl azure diff finds on vm-hub00, whatever its exit code is.
func azureDiff(t *testing.T, l *lab.Lab, flags string) (azure.Report, error) {
	t.Helper()
	var r azure.Report
	out, err := l.Step(t.Context(), "vm-hub00# nvactl azure diff -o json"+flags)
	if e := json.NewDecoder(strings.NewReader(out)).Decode(&r); e != nil {
		return r, errors.Join(e, err)
	}
	return r, nil
}

// awaitDiff polls until nvactl azure diff has this exit code and finds exactly these codes,
// once what nvad sends has arrived in Azure.
func awaitDiff(t *testing.T, l *lab.Lab, flags string, code int, want ...azure.Code) {
	t.Helper()
	lab.Eventually(t, time.Minute, func() error {
		r, err := azureDiff(t, l, flags)
		if err != nil {
			return err
		}
		var got []azure.Code
		for _, f := range r.Findings {
			got = append(got, f.Code)
		}
		arrived := slices.ContainsFunc(r.Rows, func(row azure.Row) bool { return row.Sent.State == azure.Yes && row.Learned.State == azure.Yes })
		if !slices.Equal(got, want) || !arrived || len(r.NotJudged) > 0 {
			return fmt.Errorf("found %v, want %v; routes have arrived: %t; not judged: %v", got, want, arrived, r.NotJudged)
		}
		return nil
	})
	out, err := l.Step(t.Context(), "vm-hub00# nvactl azure diff"+flags)
	if exit := strings.Contains(fmt.Sprint(err), "exit status 1"); exit != (code == 1) {
		t.Errorf("want exit code %d, got %v\n%s", code, err, out)
	}
	t.Log(out)
}
