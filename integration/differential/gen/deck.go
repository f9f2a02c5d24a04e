package gen

import "github.com/nvad/nvad/pkg/policy"

// scope is where a clause stands.
type scope struct {
	export   bool
	external bool // the session is eBGP
	anywhere bool // in a called route-map, which serves every session
}

// feature is one thing that a clause may say.
type feature struct {
	fits func(scope) bool // nil: everywhere
	// free reports whether the clause has room for it; nil: always.
	free func(*policy.Clause) bool
	draw func(*generator, *policy.Clause)
}

// deck deals features so that none comes a second time before all that fit
// have come once.
type deck struct {
	features []feature
	left     []int
}

// deal adds one feature to a clause, if one fits.
func (d *deck) deal(g *generator, c *policy.Clause, at scope) {
	for range 2 {
		for i, f := range d.left {
			if !d.features[f].goes(c, at) {
				continue
			}
			d.left = append(d.left[:i], d.left[i+1:]...)
			d.features[f].draw(g, c)
			return
		}
		d.left = append(d.left, g.Perm(len(d.features))...)
	}
}

func (f feature) goes(c *policy.Clause, at scope) bool {
	return (f.fits == nil || f.fits(at)) && (f.free == nil || f.free(c))
}

func onImport(at scope) bool { return !at.export && !at.anywhere }
func onExport(at scope) bool { return at.export && !at.anywhere }
func onEBGP(at scope) bool   { return at.external && !at.anywhere }
func inPlace(at scope) bool  { return !at.anywhere }
