// Package drawing draws the NVAs of a site as SVG: each hub with what is behind its Route Server, the
// sessions of its NVAs, and the tunnels between NVAs.
//
// The page of nvactl web and nvactl topology draw the same things, so that both look alike and are
// read alike. The caller says what there is and in which state ([Site]); this package decides where
// everything goes.
//
// Promise: the same site at the same width gives the same bytes. The drawing is never wider than
// asked (at least [Narrowest] pixels), and its text keeps its size: if there is less room, there are fewer columns,
// and long text is cut. A state shows by a mark and a word, not by color alone. Any text can be
// drawn: it is escaped, and characters that are not visible are left out.
//
// It is pure: it owns no state and opens nothing.
package drawing

// State says whether a part works.
type State uint8

// States of a part.
const (
	Plain State = iota // neither up nor down
	Up
	Down
	Waiting // not up yet, or kept down on purpose
	Unknown // nobody answers
)

var classes = [...]string{Plain: "", Up: " up", Down: " down", Waiting: " idle", Unknown: " stale"}

// Part is one thing of the drawing that a reader may select.
type Part struct {
	Kind   string // "nva", "neighbor", "tunnel", "vnet", "expressroute" or "remote"
	NVA    string // name of the NVA that knows it
	Name   string // its name there
	Title  string
	Detail string
	Word   string // its state
	State  State
}

// Group is a Route Server with its instances, or other neighbors that belong together.
type Group struct {
	Title, Detail string
	Rows          []Part
}

// NVA is an NVA, with the neighbors that are behind none of the hub's groups.
type NVA struct {
	Part
	Lines []string
	Rows  []Part
}

// Hub is a hub: NVAs that have the same Route Server.
type Hub struct {
	Title  string
	Behind []Part
	Groups []Group
	NVAs   []NVA
}

// Tunnel connects two NVAs of the site, or one with a remote that is not in the site.
type Tunnel struct {
	Part
	From, To string // names of the NVAs; To is empty if Remote is there
	Remote   *Part
	Rows     []Part // sessions through the tunnel
}

// Site holds everything that a drawing shows.
type Site struct {
	Title   string // for screen readers and as title of the file
	Caption string // below the drawing; may be empty
	Hubs    []Hub
	Tunnels []Tunnel
}

// Options sets the width and the style of a drawing.
type Options struct {
	Width int // in CSS pixels; at least Narrowest
	// Page makes a drawing for the page of nvactl web: parts can be selected, and the style is
	// the page's. Otherwise the drawing is a file of its own with a style in it.
	Page bool
}

// Narrowest is the smallest width of a drawing, in CSS pixels.
const Narrowest = 320

// Bounds of a drawing. A site has no more, but a daemon may be an impostor.
const (
	mostRows    = 24 // of a box
	mostTunnels = 128
)

// Sizes in CSS pixels.
const (
	margin     = 12
	gutter     = 44 // between hubs, where the lines to tunnels are
	pad        = 12 // within a hub
	gap        = 10 // between boxes
	hubLeast   = 300
	hubMost    = 470
	tunnelMost = 420
	rowHeight  = 22
	headHeight = 44 // title and detail of a box
	lineHeight = 16
	stem       = 18 // length of a line from box to box within a hub
)
