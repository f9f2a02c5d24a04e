package frrconf

import (
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/config"
)

// TestBFDProfiles checks the timers of a neighbor whose BFD the bfd block describes, in both
// orders of the blocks.
func TestBFDProfiles(t *testing.T) {
	const n, g = "neighbor 10.0.0.9 ", "neighbor G "
	const profile = "bfd\n profile P\n  detect-multiplier 5\n  receive-interval 100\n  transmit-interval 150\n exit\nexit\n"
	timers := func(multiplier int, rx, tx time.Duration) config.BFD {
		return config.BFD{Enabled: true, Multiplier: multiplier, MinRx: rx * time.Millisecond, MinTx: tx * time.Millisecond}
	}
	tests := []struct {
		block, lines string
		want         config.BFD
	}{
		{profile, n + "bfd profile P\n", timers(5, 100, 150)},
		{profile, n + "bfd\n" + n + "bfd profile P\n", timers(5, 100, 150)},
		{profile, n + "bfd profile P\n" + n + "bfd\n", timers(5, 100, 150)},
		{profile, n + "bfd 3 200 300\n" + n + "bfd profile P\n", timers(5, 200, 150)},
		{profile, n + "bfd profile P\n" + n + "bfd 3 200 300\n", timers(5, 200, 150)},
		{profile, n + "bfd profile P\nno " + n + "bfd profile P\n", timers(3, 300, 300)},
		{profile, n + "bfd profile P\nno " + n + "bfd\n", config.BFD{}},
		{profile, n + "bfd profile Q\n", timers(3, 300, 300)},
		{profile, "neighbor G peer-group\n" + g + "bfd profile P\n" + n + "peer-group G\n", timers(5, 100, 150)},
		{profile, "neighbor G peer-group\n" + n + "peer-group G\n" + g + "bfd\n" + n + "bfd profile P\n", timers(5, 100, 150)},
		{"bfd\n profile P\n  shutdown\n", n + "bfd profile P\n", config.BFD{}},
		{"bfd\n profile P\n  shutdown\n  no shutdown\n", n + "bfd profile P\n", timers(3, 300, 300)},
		{"bfd\n profile P\n  minimum-ttl 250\n", n + "ebgp-multihop 5\n" + n + "bfd profile P\n",
			config.BFD{Enabled: true, Multiplier: 3, MinRx: 300 * time.Millisecond, MinTx: 300 * time.Millisecond, MinTTL: 250}},
		{"bfd\n peer 10.0.0.9\n  receive-interval 50\n exit\nexit\n", n + "bfd\n", timers(3, 50, 300)},
		{profile + "bfd\n peer 10.0.0.9 multihop local-address 10.0.0.4 vrf default\n  profile P\n", n + "bfd\n", timers(5, 100, 150)},
	}
	for _, tt := range tests {
		for _, text := range []string{tt.block + bgpHead + tt.lines, bgpHead + tt.lines + "exit\n" + tt.block} {
			cfg, left := convert(t, text)
			if got := cfg.Neighbors[0].BFD; got != tt.want {
				t.Errorf("%s\n%+v, want %+v\n%s", text, got, tt.want, meaningful(left))
			}
		}
	}
}

// meaningful returns the leftovers of lines that have a meaning.
func meaningful(left []Leftover) string {
	var b strings.Builder
	for _, l := range left {
		if l.Kind != NoMeaning && l.File != "" {
			b.WriteString(l.String() + "\n")
		}
	}
	return b.String()
}

// TestBFDLeftOver checks what is told of a bfd block.
func TestBFDLeftOver(t *testing.T) {
	const unused = "a BFD session that no BGP neighbor asks for"
	for block, want := range map[string]string{
		" profile P\n  echo-mode\n  receive-interval 100\n":   "echo mode",
		" profile P\n  passive-mode\n":                        "waiting",
		" profile P\n  receive-interval 5\n":                  "5 is not a number",
		" peer 10.7.7.7\n  receive-interval 100\n":            unused,
		" peer 10.0.0.9\n  detect-multiplier 7\n":             unused, // the neighbor has no bfd
		" profile P\n  no echo-mode\n  no passive-mode\n":     "",
		" profile P\n  log-session-changes\n":                 "",
		" peer x\n  detect-multiplier 7\n":                    "x is not an address",
		" profile P\n  detect-multiplier 7\n !\n profile Q\n": "",
	} {
		_, left := convert(t, bgpHead+"exit\nbfd\n"+block)
		if got := meaningful(left); (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%s\n%q, want %q", block, got, want)
		}
	}
}
