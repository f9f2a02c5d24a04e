package api

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// mostCaller bounds the octets by which a caller is named: whoever asks for a certificate
// chooses its subject.
const mostCaller = 256

// CallerName names for the log and the history who made the call of ctx; empty if that is
// not known.
func CallerName(ctx context.Context) string {
	if cert := certificateOf(ctx); cert != nil {
		return nameText(strings.Join(subjectsOf(cert), ", "))
	}
	if c, ok := callerOf(ctx); ok {
		return nameText(userName(c.uid))
	}
	return ""
}

// DescribeCaller returns who made the call of ctx in the words of an operation, such as
// "user alice (uid 1000)" or "certificate CN=ops"; empty if that is not known.
func DescribeCaller(ctx context.Context) string {
	name := CallerName(ctx)
	switch c, unix := callerOf(ctx); {
	case name == "":
		return ""
	case certificateOf(ctx) != nil:
		return "certificate " + name
	case unix && name != "uid "+strconv.FormatUint(uint64(c.uid), 10):
		return fmt.Sprintf("user %s (uid %d)", name, c.uid)
	}
	return name
}

// nameText makes a name printable and at most mostCaller octets long.
func nameText(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return utf8.RuneError
		}
		return r
	}, s)
	if len(s) <= mostCaller {
		return s
	}
	return strings.ToValidUTF8(s[:mostCaller-len("…")], "") + "…"
}
