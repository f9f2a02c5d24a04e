package command

import (
	"fmt"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/nvad/nvad/pkg/bootstrap"
)

// request parses flags as bootstrap does.
func request(t *testing.T, flags string) (bootstrap.Request, error) {
	t.Helper()
	var b bootstrapFlags
	cmd := &cobra.Command{}
	b.register(cmd)
	if err := cmd.ParseFlags(strings.Fields(flags)); err != nil {
		t.Fatal(err)
	}
	return b.request(cmd.Flags().Changed)
}

// TestFlagsOfAzure: what the operator gave is given, and the rest is left to Azure.
func TestFlagsOfAzure(t *testing.T) {
	for flags, want := range map[string]string{
		"--from-azure":                                      "asn 0 vni 0 servers [] name \"\" tag \"\"",
		"--from-azure --asn 65001 --vni 77":                 "asn 65001 vni 77 servers [] name \"\" tag \"\"",
		"--from-azure --route-server rs-hub00 --tag a=b":    "asn 0 vni 0 servers [] name \"rs-hub00\" tag \"a=b\"",
		"--from-azure --route-server none":                  "asn 0 vni 0 servers [] name \"none\" tag \"\"",
		"--from-azure --route-server 10.0.0.4,10.0.0.5":     "asn 0 vni 0 servers [10.0.0.4 10.0.0.5] name \"\" tag \"\"",
		"--from-azure --route-server 10.0.0.4":              "asn 0 vni 0 servers [10.0.0.4] name \"\" tag \"\"",
		"--from-azure --tag a --nvas 2 --route-server /x/y": "asn 0 vni 0 servers [] name \"/x/y\" tag \"a\"",
	} {
		r, err := request(t, flags)
		if err != nil {
			t.Errorf("%s: %v", flags, err)
			continue
		}
		got := fmt.Sprintf("asn %d vni %d servers %v name %q tag %q", r.ASN, r.VNI, r.RouteServers, r.Azure.RouteServer, r.Azure.Tag)
		if got != want {
			t.Errorf("%s: got %s, want %s", flags, got, want)
		}
	}
	if r, err := request(t, "--route-server 10.0.0.4,10.0.0.5"); err != nil || r.Azure != nil || r.ASN != bootstrap.DefaultASN || r.VNI != bootstrap.DefaultVNI {
		t.Errorf("without --from-azure: %+v, %v", r, err)
	}
}
