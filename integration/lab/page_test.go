package lab

import (
	"os"
	"testing"

	sitefile "github.com/nvad/nvad/pkg/site"
)

// TestSiteFile: nvactl reads the file of every scenario in which nvad runs, and it names all of
// them.
func TestSiteFile(t *testing.T) {
	for _, s := range Scenarios() {
		t.Run(s.Name, func(t *testing.T) {
			l, err := newLab(Options{Scenario: s.Name, Prefix: "site", NVAs: s.Defaults("/bin/nvad", "/configs")})
			if err != nil {
				t.Fatal(err)
			}
			l.dir = t.TempDir()
			if err := l.writeSite(); err != nil {
				t.Fatal(err)
			}
			want := 0
			for _, vm := range l.Topology.Hosts() {
				if l.Options.NVAs[vm.Name].Kind.IsNvad() {
					want++
				}
			}
			if _, err := os.Stat(l.SitePath()); want == 0 {
				if err == nil {
					t.Error("there is a file without an NVA")
				}
				return
			}
			got, err := sitefile.Read(l.SitePath())
			if err != nil || len(got.NVAs) != want {
				t.Errorf("%v, %v; want %d NVAs", got, err, want)
			}
		})
	}
}
