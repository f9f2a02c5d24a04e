// Package frrconf converts a configuration of FRR, the shell script that creates its VXLAN
// tunnel, and files of wg-quick, to one of nvad.
//
// Promise: nvad with the result treats routes as FRR does with the original, even where
// nvad's defaults are stricter. The defaults are those of the release that wrote the file,
// the behaviour is that of FRR 8.4. Each line of the input is carried over, or has no
// content (a comment, the end of a block), or is returned as a [Leftover] with the
// reason. An unknown line is a leftover too, never an error.
//
// The package is pure: it turns bytes into values, and asks neither the kernel nor a
// running FRR.
package frrconf

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/nvad/nvad/pkg/config"
)

// Input holds the files to convert. Any of them may be absent.
type Input struct {
	FRR     []byte // frr.conf, or the output of "show running-config"
	FRRName string // name of the file in leftovers; "frr.conf" if empty

	// Interfaces is /etc/network/interfaces. The file stays in force: Convert reads
	// its addresses, and carries over only the commands that create a tunnel.
	Interfaces     []byte
	InterfacesName string // "interfaces" if empty

	// VXLANScript is the shell script with the ip and bridge commands.
	VXLANScript     []byte
	VXLANScriptName string // "vxlan" if empty

	WGQuick []File // of wg-quick, each of which is one device

	// FRRVersion is the release whose defaults apply if the configuration has no "frr
	// version": "8.4", or "quagga". If it is empty too, Convert derives it.
	FRRVersion string

	// RouterID is used if the configuration has none. FRR would use the highest
	// address of the machine, which the files may not show.
	RouterID netip.Addr
}

// Placeholders for values that an nvad.toml needs and the input does not have. They are
// from the ranges for documentation and private use, and Render marks them.
var placeholderRouterID = netip.MustParseAddr("192.0.2.1")

const placeholderASN = 64512

// Leftovers about the placeholders.
var (
	noASN      = outcome{Attention, "there is no router bgp: asn is a placeholder", fmt.Sprintf("asn = %d\n", placeholderASN)}
	noRouterID = outcome{Attention, "the configuration has no bgp router-id, and FRR takes the highest address of the machine: router-id is a placeholder",
		fmt.Sprintf("router-id = %q\n", placeholderRouterID)}
)

var errTooLarge = errors.New("the input is larger than 8 MiB")

const maxInput = 8 << 20

// Convert converts a configuration. The Config is complete, but [config] may refuse it: see
// Render. Leftovers are in the order of files and lines. The only error is an input that is
// too large for a configuration.
func Convert(in Input) (*config.Config, []Leftover, error) {
	size := len(in.FRR) + len(in.Interfaces) + len(in.VXLANScript)
	for _, f := range in.WGQuick {
		size += len(f.Data)
	}
	if size > maxInput {
		return nil, nil, errTooLarge
	}
	c := newConverter(in)
	c.readAll()
	c.finish()
	return c.cfg, c.leftovers(), nil
}

// converter holds the state of one conversion.
type converter struct {
	in      Input
	cfg     *config.Config
	mode    *mode
	lines   []*line
	general []outcome // leftovers that belong to no line
	origin  origin

	bgp      bgp
	policies policies
	statics  []*static
	networks []config.Network

	redistributions []*redistribution
	tunnels         []*tunnel
	wgQuicks        []*wgQuick
	hosts           hosts
	bfd             bfdBlock
	protocols       [families]map[string]protocolMap
}

func newConverter(in Input) *converter {
	return &converter{
		in:       in,
		cfg:      config.Default(),
		bgp:      newBGP(),
		policies: newPolicies(),
		hosts:    hosts{given: map[string][]netip.Prefix{}},
		bfd:      bfdBlock{profiles: map[string]*bfdProfile{}, peers: map[netip.Addr]*bfdProfile{}},
	}
}

// readAll reads the files. The order matters only for the leftovers.
func (c *converter) readAll() {
	c.readFRR(c.scan(c.in.FRRName, "frr.conf", c.in.FRR))
	c.readInterfaces(c.scan(c.in.InterfacesName, "interfaces", c.in.Interfaces))
	c.readScript(c.scan(c.in.VXLANScriptName, "vxlan", c.in.VXLANScript))
	for _, f := range c.in.WGQuick {
		c.readWGQuick(f.Name, c.scan(f.Name, "wg0.conf", f.Data))
	}
}

func (c *converter) scan(name, otherwise string, data []byte) []*line {
	if len(data) == 0 {
		return nil
	}
	if name == "" {
		name = otherwise
	}
	lines := scan(name, data)
	c.lines = append(c.lines, lines...)
	return lines
}

func (c *converter) readFRR(lines []*line) {
	c.origin = originOf(lines, c.in.FRRVersion)
	c.applyDefaults()
	top := &mode{rules: globalRules}
	c.mode = top
	for _, l := range lines {
		if c.readStructure(l, top) {
			l.fate = empty
			continue
		}
		if c.mode.skipped != carried {
			c.mode.nested = c.mode.nested || l.indent > 0
			l.settle(c.mode.skipped)
			continue
		}
		l.words = withoutDefaultVRF(l.words)
		m, do, args := c.mode.find(l.words)
		if m == nil {
			l.settle(unsupported("the command is unknown here"))
			continue
		}
		c.mode = m
		l.settle(do(c, l, args))
		if c.mode != m {
			c.mode.indent = l.indent
		}
	}
}

// withoutDefaultVRF returns a command without the words that name the default VRF, in which
// it is anyway. FRR writes them after some commands, and people after more.
func withoutDefaultVRF(words []string) []string {
	for i := 1; i+1 < len(words); i++ {
		switch {
		case words[i] == "description", words[i] == "remark":
			return words
		case (words[i] == "vrf" || words[i] == "nexthop-vrf") && words[i+1] == "default":
			return withoutDefaultVRF(slices.Delete(slices.Clone(words), i, i+2))
		}
	}
	return words
}

// readStructure handles the lines that only begin or end blocks, and reports whether l
// is one.
func (c *converter) readStructure(l *line, top *mode) bool {
	if l.blank() {
		return true
	}
	// In a file without the ends of blocks, indentation shows them.
	if c.mode.skipped != carried && c.mode.nested && l.indent == 0 {
		c.mode = top
	}
	switch l.text {
	case "end", "configure terminal", "configure", "conf t":
		c.mode = top
	case "write", "write memory", "wr", "wr mem": // typed in vtysh
	case "exit", "quit", "exit-address-family", "exit-vrf", "exit-vni":
		if c.mode.skipped == carried || l.indent <= c.mode.indent { // otherwise it ends a block within the skipped one
			c.mode = outer(c.mode, top)
		}
	default:
		return false
	}
	return true
}

func outer(m, top *mode) *mode {
	if m.parent == nil {
		return top
	}
	return m.parent
}

// finish completes the result with the parts that depend on later lines.
func (c *converter) finish() {
	c.finishWGQuick()
	if c.withoutFRR() {
		c.finishWithoutFRR()
		return
	}
	c.finishIdentity()
	c.finishTunnels()
	c.finishStatics()
	c.finishPolicies()
	c.finishProtocols()
	c.finishNetworks()
	c.finishNeighbors()
	c.finishBFD()
	c.finishRedistributions()
	c.finishPaths()
	c.finishVersion()
	c.resolveReferences()
	c.finishDefault()
	c.noteNextHops()
}

// withoutFRR reports whether there are only files of wg-quick. Then no default is FRR's.
func (c *converter) withoutFRR() bool {
	return len(c.in.WGQuick) > 0 && len(c.in.FRR)+len(c.in.Interfaces)+len(c.in.VXLANScript) == 0
}

func (c *converter) finishWithoutFRR() {
	sysctls := c.cfg.Kernel.Sysctls
	c.cfg = config.Default()
	c.cfg.ASN, c.cfg.RouterID, c.cfg.Kernel.Sysctls = placeholderASN, c.in.RouterID, sysctls
	c.note(noASN)
	c.finishTunnels()
	c.finishStatics()
}

// note adds a leftover that belongs to no line.
func (c *converter) note(o outcome) {
	if !slices.Contains(c.general, o) {
		c.general = append(c.general, o)
	}
}

func (c *converter) leftovers() []Leftover {
	var out []Leftover
	for _, o := range c.general {
		out = append(out, Leftover{Reason: o.reason, Kind: o.kind, placeholder: o.placeholder})
	}
	for _, l := range c.lines {
		out = append(out, l.leftovers()...)
	}
	return out
}

// Kind tells what to do about a line that was not carried over.
type Kind string

// Kinds of leftovers.
const (
	NoMeaning    Kind = "no meaning in nvad" // routes fare the same without it
	NotSupported Kind = "not supported"      // nvad does not do this
	Attention    Kind = "needs attention"    // somebody has to decide or check
)

// Leftover is a line, or a part of one, that was not carried over.
type Leftover struct {
	File   string `json:"file"` // empty if the leftover belongs to no line
	Line   int    `json:"line"` // from 1
	Kind   Kind   `json:"kind"`
	Reason string `json:"reason"`
	Text   string `json:"text"` // the line without the space around it; secrets are hidden

	placeholder string // the line of the result that has one
}

// String returns "file:line: kind: reason: text" in one line.
func (l Leftover) String() string {
	s := fmt.Sprintf("%s: %s", l.Kind, l.Reason)
	if l.Text != "" {
		s += ": " + printable(l.Text)
	}
	if l.File == "" {
		return s
	}
	return fmt.Sprintf("%s:%d: %s", l.File, l.Line, s)
}

// outcome is the result of a handler; zero if it carried over the whole line.
type outcome struct {
	kind        Kind
	reason      string
	placeholder string // the line of the result that has one
}

// carried is the outcome of a line that is carried over as a whole.
var carried = outcome{}

func meaningless(format string, args ...any) outcome {
	return outcome{kind: NoMeaning, reason: fmt.Sprintf(format, args...)}
}

func unsupported(format string, args ...any) outcome {
	return outcome{kind: NotSupported, reason: fmt.Sprintf(format, args...)}
}

func attention(format string, args ...any) outcome {
	return outcome{kind: Attention, reason: fmt.Sprintf(format, args...)}
}

// Render returns the nvad.toml of a conversion: comments with every leftover, those that
// need attention first, and the configuration. The error is not nil if nvad does not accept
// the file, with line and key: FRR accepted something that somebody has to decide.
func Render(cfg *config.Config, leftovers []Leftover) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("# Converted by nvactl config convert.\n")
	for _, kind := range []Kind{Attention, NotSupported, NoMeaning} {
		writeLeftovers(&b, kind, leftovers)
	}
	b.WriteByte('\n')
	for line := range strings.Lines(string(config.Print(cfg, false))) {
		b.WriteString(marked(line, leftovers))
	}
	if _, err := config.Parse("nvad.toml", b.Bytes()); err != nil {
		return b.Bytes(), fmt.Errorf("nvad does not accept the result; correct it first:\n%w", err)
	}
	return b.Bytes(), nil
}

func writeLeftovers(b *bytes.Buffer, kind Kind, leftovers []Leftover) {
	headed := false
	for _, l := range leftovers {
		if l.Kind != kind {
			continue
		}
		if !headed {
			fmt.Fprintf(b, "#\n# %s%s:\n", strings.ToUpper(string(kind)[:1]), string(kind)[1:])
			headed = true
		}
		if l.File != "" {
			fmt.Fprintf(b, "#   %s:%d: %s\n", printable(l.File), l.Line, printable(l.Text))
			fmt.Fprintf(b, "#     %s\n", printable(l.Reason))
			continue
		}
		fmt.Fprintf(b, "#   %s\n", printable(l.Reason))
	}
}

// marked returns a line of the configuration, with a comment if it has a placeholder.
func marked(line string, leftovers []Leftover) string {
	for _, l := range leftovers {
		if l.placeholder == line {
			return strings.TrimSuffix(line, "\n") + "  # placeholder: put in the real one\n"
		}
	}
	return line
}
