package route

import "testing"

func TestParseASPath(t *testing.T) {
	for _, s := range []string{"", "65515 12076", "65515 {1,2}", "{1,2} 65515", "(65001 65002) 65515 [3,4]", "4294967295"} {
		p, err := ParseASPath(s)
		if err != nil || p.String() != s {
			t.Errorf("%q came back as %q, %v", s, p, err)
		}
	}
	for _, s := range []string{"x", "65515,12076", "{1", "{}", "4294967296", "1}", "-1"} {
		if p, err := ParseASPath(s); err == nil {
			t.Errorf("%q was read as %q", s, p)
		}
	}
	long, err := ParseASPath(NewASPath(1).Prepend(7, 300).String())
	if err != nil || len(long) != 2 || long.Len() != 301 {
		t.Errorf("a path of 301: %d segments, %v", len(long), err)
	}
}
