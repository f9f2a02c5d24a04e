package frrconf

import (
	"cmp"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/nvad/nvad/pkg/policy"
)

// release is a version of FRR, whose defaults FRR keeps for files that it wrote. Quagga,
// from which FRR came, is before all of them.
type release struct{ major, minor int }

// assumed is the release for a file that shows none: the one whose behaviour nvad follows.
var assumed = release{8, 4}

// beforePolicy stands for Quagga and the releases before RFC 8212.
var beforePolicy = release{7, 3}

// CheckVersion refuses text that is no version for an [Input].
func CheckVersion(s string) error {
	if _, ok := parseRelease(s); !ok {
		return fmt.Errorf("%q is not a version of FRR (want one like 8.4, or quagga)", s)
	}
	return nil
}

func parseRelease(s string) (release, bool) {
	if strings.EqualFold(s, "quagga") {
		return release{}, true
	}
	m := releaseText.FindStringSubmatch(s)
	if m == nil {
		return release{}, false
	}
	major, err1 := strconv.Atoi(m[1])
	minor, err2 := strconv.Atoi(cmp.Or(m[2], "0"))
	return release{major, minor}, err1 == nil && err2 == nil
}

// releaseText matches a version; distributions add to it ("4.0+cl3u10", "10.3-1~deb12u1").
var releaseText = regexp.MustCompile(`^([0-9]+)(?:\.([0-9]+))?(?:[.+~-].*)?$`)

// before reports whether r is older than major.minor.
func (r release) before(major, minor int) bool {
	return cmp.Or(cmp.Compare(r.major, major), cmp.Compare(r.minor, minor)) < 0
}

func (r release) String() string {
	if r == (release{}) {
		return "Quagga"
	}
	return fmt.Sprintf("FRR %d.%d", r.major, r.minor)
}

// origin is the release that a file was written for, and how that is known.
type origin struct {
	release
	line string // of the file, that shows it is old; empty: none does
	told bool   // by the file's own "frr version", or by the caller
}

// oldCommands are commands of Quagga and of old releases of FRR, which FRR 8 refuses, and the
// hostnames of their sample files, one for each daemon.
var oldCommands = []rule{
	on("ip as-path access-list REST", nil), on("ip community-list REST", nil), on("ip extcommunity-list REST", nil),
	on("ip large-community-list REST", nil), on("bgp multiple-instance", nil), on("bgp config-type REST", nil),
	on("no bgp config-type REST", nil), on("router zebra", nil), on("hostname bgpd|zebra", nil),
}

// originOf finds out which release a file was written for.
func originOf(lines []*line, told string) origin {
	o := origin{release: assumed}
	saved := "" // by "write", with which every FRR also writes its version
	for _, l := range lines {
		if len(l.words) == 3 && l.words[0] == "frr" && l.words[1] == "version" {
			if r, ok := parseRelease(l.words[2]); ok {
				return origin{release: r, told: true}
			}
		}
		if strings.HasPrefix(l.text, "! Zebra configuration saved from vty") {
			saved = fmt.Sprintf("line %d", l.number)
		}
		old := slices.ContainsFunc(oldCommands, func(r rule) bool { _, ok := r.match(l.words); return ok })
		if o.line == "" && (old || strings.Contains(strings.ToLower(l.text), "quagga")) {
			o.line = fmt.Sprintf("line %d", l.number)
		}
	}
	if r, ok := parseRelease(told); ok {
		return origin{release: r, told: true}
	}
	if len(lines) > 0 && (strings.Contains(lines[0].file, "quagga") || filepath.Base(lines[0].file) == "bgpd.conf") {
		saved = "the file's name"
	}
	if o.line = cmp.Or(o.line, saved); o.line != "" {
		o.release = beforePolicy
	}
	return o
}

// applyDefaults sets the defaults of the release for whose defaults the file was written.
func (c *converter) applyDefaults() {
	if c.origin.before(7, 4) {
		c.bgp.requirePolicy, c.bgp.checkNetworks = false, false
	}
	c.bgp.enforceFirstAS = !c.origin.before(9, 1)
}

// finishVersion names the release that was assumed, and what would be different with
// another one.
func (c *converter) finishVersion() {
	if c.origin.told || !c.bgp.entered {
		return
	}
	because := ""
	if c.origin.line != "" {
		because = " because of " + c.origin.line
	}
	head := fmt.Sprintf(`the file has no "frr version", so %s is assumed%s: `, c.assumption(), because)
	const other = "; name another release with --frr-version"
	note := meaningless("%s", head+"its defaults make no difference here"+other)
	if effect := c.assumedEffect(); effect != "" {
		note = attention("%s", head+effect+other)
	}
	c.general = slices.Insert(c.general, 0, note)
}

func (c *converter) assumption() string {
	if c.origin.release == beforePolicy {
		return "Quagga or FRR before 7.4"
	}
	return c.origin.String()
}

// assumedEffect says what the defaults of the assumed release do, in the places where the
// file does not say it.
func (c *converter) assumedEffect() string {
	old := c.origin.before(7, 4)
	var effects []string
	if open := c.withoutPolicy(); len(open) > 0 && !c.bgp.policyTold {
		what := "exchange no routes in directions without policy, where Quagga and FRR before 7.4 exchange all"
		if old {
			what = "exchange all routes in directions without policy, where FRR since 7.4 exchanges none"
		}
		effects = append(effects, "eBGP neighbors ("+strings.Join(open, ", ")+") "+what)
	}
	if len(c.networks) > 0 && !c.bgp.networksTold {
		what := "networks are originated only while there is a route to them, where Quagga and FRR before 7.4 originate them always"
		if old {
			what = "networks are originated without a route to them, where FRR since 7.4 needs one"
		}
		effects = append(effects, what)
	}
	return strings.Join(effects, "; ")
}

// withoutPolicy returns the eBGP neighbors that have no policy in some direction.
func (c *converter) withoutPolicy() []string {
	var out []string
	for _, n := range c.allNeighbors() {
		none := func(p policy.Chain) bool { return p == policy.Chain{} || p == policy.Chain{Accept: true} }
		if n.RemoteASN != n.OwnASN(c.cfg) && (none(n.Import) || none(n.Export)) {
			out = append(out, label(&n))
		}
	}
	return out
}
