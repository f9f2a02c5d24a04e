package route

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

func TestSummaries(t *testing.T) {
	var all []string
	for i := range 256 {
		all = append(all, fmt.Sprintf("10.9.%d.0/24", i))
	}
	for name, tc := range map[string]struct{ list, want string }{
		"none":              {"", "[]"},
		"nothing adjacent":  {"10.0.0.0/24 10.0.2.0/24", "[]"},
		"not aligned":       {"10.0.1.0/24 10.0.2.0/24", "[]"},
		"two halves":        {"10.0.0.0/24 10.0.1.0/24", "[{10.0.0.0/23 2}]"},
		"twice the same":    {"10.0.0.0/24 10.0.0.0/24", "[]"},
		"of mixed lengths":  {"10.0.0.0/24 10.0.1.0/25 10.0.1.128/25", "[{10.0.0.0/23 3}]"},
		"three quarters":    {"10.0.0.0/24 10.0.1.0/24 10.0.2.0/24", "[{10.0.0.0/23 2}]"},
		"parts and whole":   {"10.0.0.0/23 10.0.0.0/24 10.0.1.0/24", "[{10.0.0.0/23 3}]"},
		"the largest first": {"10.0.0.0/24 10.0.1.0/24 " + strings.Join(all, " "), "[{10.9.0.0/16 256} {10.0.0.0/23 2}]"},
		"only so many":      {"10.0.0.0/24 10.0.1.0/24 10.1.0.0/24 10.1.1.0/24 10.2.0.0/24 10.2.1.0/24 10.3.0.0/24 10.3.1.0/24", "[{10.0.0.0/23 2} {10.1.0.0/23 2} {10.2.0.0/23 2}]"},
		"everything":        {"0.0.0.0/1 128.0.0.0/1", "[{0.0.0.0/0 2}]"},
		"IPv6":              {"fd00::/33 fd00:0:8000::/33", "[{fd00::/32 2}]"},
		"families apart":    {"0.0.0.0/1 8000::/1", "[]"},
	} {
		t.Run(name, func(t *testing.T) {
			var list []netip.Prefix
			for _, p := range strings.Fields(tc.list) {
				list = append(list, netip.MustParsePrefix(p))
			}
			if got := fmt.Sprint(Summaries(list, 3)); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}
