package ctl

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/nvad/nvad/pkg/azure"
	"github.com/nvad/nvad/pkg/azure/arm"
	"github.com/nvad/nvad/pkg/telemetry"
)

// verification is the report of "nvactl azure verify". Somebody may send it to us: it has
// no secret, no name and no ID of a resource.
type verification struct {
	Nvactl string        `json:"nvactl"` // version
	Taken  time.Time     `json:"taken"`
	Cloud  string        `json:"cloud"`
	Claims []azure.Claim `json:"claims"`
}

func (a *app) azureVerifyCommand(at *azureAccess) *cobra.Command {
	q := &azureQuestion{Ask: arm.Ask{Routes: true}}
	file := ""
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Check the claims about Azure on which nvad relies",
		Long: `Check each claim of docs/azure.md about Azure on which nvad relies: whether it
holds here, does not hold, or could not be seen. It only reads. The exit code is
1 if a claim does not hold.

--report writes the answer to a file that you can send us. It has no secrets, no
subscription IDs and no names.

Some claims are about spokes: give a spoke's NIC with --spoke, as NAME,
RESOURCEGROUP/NAME or resource ID.`,
		Example: `  nvactl azure verify
  nvactl azure verify --report verify.json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return failed(a.azureVerify(cmd.Context(), at, q, file))
		},
	}
	q.register(cmd)
	q.fromFile(cmd)
	cmd.Flags().StringVar(&file, "report", "", "also write the answer to `FILE`")
	return cmd
}

func (a *app) azureVerify(ctx context.Context, at *azureAccess, q *azureQuestion, file string) error {
	saved, err := a.snapshotOf(ctx, at, q)
	if err != nil {
		return err
	}
	self, err := a.selfBeside(ctx, &saved)
	if err != nil { // then the claims about nvad's own routes are not seen
		a.warn(err.Error())
	}
	v := verification{telemetry.Build().Version, saved.Taken, saved.Cloud, azure.Verify(saved.Snapshot, self)}
	if file != "" {
		if err := writeReport(file, v); err != nil {
			return err
		}
	}
	if a.json() {
		writeValue(a.Out, v)
	} else {
		a.printClaims(v.Claims)
	}
	return refuted(v.Claims)
}

// writeReport replaces the file.
func writeReport(file string, v verification) error {
	out, err := privateFile(file)
	if err != nil {
		return err
	}
	defer out.Cleanup()
	writeValue(out, v)
	return out.CloseAtomicallyReplace()
}

// results are the results of a claim in words.
var results = map[azure.Result]string{azure.Holds: "holds", azure.DoesNotHold: "does not hold", azure.NotObserved: "not seen"}

func (a *app) printClaims(list []azure.Claim) {
	t := a.newTable(column{head: "Result"}, column{head: "Claim", fit: wrapped})
	for _, c := range list {
		t.rowWithNote(c.Evidence, results[c.Result], c.Sentence)
	}
	t.end()
	n := claimsOf(list)
	line(a.Out, fmt.Sprintf("\n%s: %d hold, %d do not, %d not seen", count(len(list), "claim"), n[azure.Holds], n[azure.DoesNotHold], n[azure.NotObserved]))
}

func claimsOf(list []azure.Claim) map[azure.Result]int {
	n := map[azure.Result]int{}
	for _, c := range list {
		n[c.Result]++
	}
	return n
}

// refuted returns an error if Azure does something else than nvad relies on.
func refuted(list []azure.Claim) error {
	n := claimsOf(list)[azure.DoesNotHold]
	if n == 0 {
		return nil
	}
	return fmt.Errorf("%s that nvad relies on %s not hold: please send us the file of --report", count(n, "claim"), map[bool]string{true: "does", false: "do"}[n == 1])
}
