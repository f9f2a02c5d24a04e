package tomlfile

import "testing"

func TestDidYouMean(t *testing.T) {
	keys := []string{"hold-time", "keepalive", "import", "as-path-list", "asn"}
	for word, want := range map[string]string{
		"hold-tiem": "hold-time", "holdtime": "hold-time", "Import": "import",
		"as-path": "as-path-list", "ASN": "asn", "bgp": "", "description": "", "": "",
	} {
		if want != "" {
			want = ` (did you mean "` + want + `"?)`
		}
		if got := DidYouMean(word, keys); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
}
