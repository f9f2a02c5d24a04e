package rib

import (
	"slices"
	"testing"
)

// Equally good paths share traffic if they lead the same way. With multipath-relax, their
// AS_PATHs need only have the same length.
func TestMultipathRelax(t *testing.T) {
	const a, b = "10.0.210.4", "10.0.210.5"                          // eBGP, of AS 65515 and of another
	const c, d, prefix = "169.254.0.3", "169.254.0.9", "10.1.0.0/16" // iBGP
	for name, x := range map[string]struct {
		paths         map[string]string // AS_PATH by neighbor
		strict, relax []string          // neighbors whose paths forward
	}{
		"one AS":               {map[string]string{a: "65515 7", "10.0.210.6": "65515 8"}, []string{a, "10.0.210.6"}, []string{a, "10.0.210.6"}},
		"two ASes":             {map[string]string{a: "65515 7", b: "65516 7"}, []string{a}, []string{a, b}},
		"two ASes, one longer": {map[string]string{a: "65515 7", b: "65516 7 8"}, []string{a}, []string{a}},
		"iBGP, one AS_PATH":    {map[string]string{c: "65515 7", d: "65515 7"}, []string{c, d}, []string{c, d}},
		"iBGP, two AS_PATHs":   {map[string]string{c: "65515 7", d: "65516 7"}, []string{c}, []string{c, d}},
		"eBGP and iBGP":        {map[string]string{a: "65515 7", c: "65515 7"}, []string{a}, []string{a}},
	} {
		t.Run(name, func(t *testing.T) {
			bed := newBed(t)
			for n, path := range x.paths {
				asn := asPath(path)[0].ASNs[0]
				if n == c || n == d {
					asn = 65001
				}
				bed.peer(neighbor(n, asn), acceptAll, acceptAll)
				bed.up(n)
				bed.announce(n, path, prefix)
			}
			forwarding := func() (out []string) {
				bed.flush()
				bed.r.Lookup(pfx(prefix), func(p Path) {
					if p.Forwards {
						out = append(out, p.Neighbor.String())
					}
				})
				slices.Sort(out)
				return out
			}
			for _, relax := range []bool{false, true, false} {
				want := x.strict
				if relax {
					want = x.relax
				}
				bed.r.SetForwarding(Forwarding{MaxPaths: 16, MultipathRelax: relax})
				if got := forwarding(); !slices.Equal(got, want) {
					t.Errorf("relax %v: traffic goes through %v, want %v", relax, got, want)
				}
			}
		})
	}
}
