package config

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/nvad/nvad/pkg/config/tomlfile"
)

var tomlBlock = regexp.MustCompile("(?ms)^```toml\n(.*?)^```$")

// pageExamples is the TOML blocks of a page of the documentation, joined.
func pageExamples(t *testing.T, path string) string {
	t.Helper()
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, m := range tomlBlock.FindAllStringSubmatch(string(page), -1) {
		out.WriteString(m[1] + "\n")
	}
	return out.String()
}

// The examples of docs/policy.md are one valid file, and each clause of the
// language has one.
func TestPolicyPage(t *testing.T) {
	text := pageExamples(t, "../../docs/policy.md")
	cfg, err := Parse("policy.md", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range Warnings(cfg) {
		if w.Code != "unreached" { // the page's blocks show a clause each, without the conditions of a whole route-map
			t.Error(w)
		}
	}
	var keys []string
	keys = append(keys, fieldKeys(chainFields)...)
	keys = append(keys, fieldKeys(clauseFields)...)
	keys = append(keys, fieldKeys(matchFields)...)
	keys = append(keys, fieldKeys(setFields)...)
	for _, key := range keys {
		if !regexp.MustCompile(`(?m)(^|[{,] ?)` + key + ` = `).MatchString(text) {
			t.Errorf("no example of %s", key)
		}
	}
}

func fieldKeys[T any](fields []tomlfile.Field[T]) (keys []string) {
	for _, f := range fields {
		keys = append(keys, f.Key)
	}
	return keys
}
