package tomlfile

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// shop is a made-up configuration, declared as package config declares nvad's.
type shop struct {
	till    till
	shelves []shelf
}

type till struct {
	open bool
	code string
}

type shelf struct {
	name string
	size int
	tags []string
}

var sections = []Section[shop]{
	Single[shop, till]{Name: "till", Of: func(s *shop) *till { return &s.till }, Fields: func(t *till) []Field {
		return []Field{
			{Key: "open", Value: Bool(&t.open), Doc: "Take money."},
			{Key: "code", Value: Secret(&t.code, NotEmpty), Doc: "Code of the lock.", Example: `"1234"`, Impact: Restart},
		}
	}},
	Array[shop, shelf]{Key: "shelf", ID: "name", Of: func(s *shop) *[]shelf { return &s.shelves },
		New: func() shelf { return shelf{size: 3} }, Name: func(s *shelf) string { return s.name }, Gone: SessionReset,
		Fields: func(s *shelf) []Field {
			return []Field{
				{Key: "name", Value: Text(&s.name, NotEmpty), Required: true, Doc: "Name."},
				{Key: "size", Value: Number(&s.size, 1, 9), Doc: "Boards."},
				{Key: "tags", Value: Names(&s.tags, Name), Doc: "Tags.", Example: `["new"]`},
			}
		}},
}

func readShop(text string) (*shop, error) {
	file, err := Parse("shop.toml", []byte(text), []string{"code"})
	if err != nil {
		return nil, err
	}
	s := &shop{}
	for _, section := range sections {
		section.Read(file, s)
	}
	file.Done()
	return s, file.Doc.Err()
}

// All faults are reported together, each with line and key, and none shows a secret.
func TestFaults(t *testing.T) {
	for text, want := range map[string]string{
		"till.code = secret\n": "shop.toml:1: till.code: TOML syntax: the value is not a string in quotes",
		"[till]\nopne = true\nopen = 1\n[[shelf]]\nname = \"a\"\nsize = 10\n[[shelf]]\ntags = [\"x\", \"x\"]\n": "" +
			"shop.toml:2: till.opne: unknown key (did you mean \"open\"?)\n" +
			"shop.toml:3: till.open: want true or false, got 1\n" +
			"shop.toml:6: shelf.a.size: want a number from 1 to 9, got 10\n" +
			"shop.toml:7: shelf[2].name: required key is missing\n" +
			"shop.toml:8: shelf[2].tags[2]: \"x\" is listed twice; remove one",
	} {
		_, err := readShop(text)
		if !errors.As(err, &Errors{}) || err.Error() != want {
			t.Errorf("got\n%v\nwant\n%s", err, want)
		}
	}
}

// A printed file reads back to the same values, without keys that have their default.
func TestSections(t *testing.T) {
	const text = "[till]\nopen = true\ncode = \"4711\"\n\n[[shelf]]\nname = \"a\"\n\n[[shelf]]\nname = \"b\"\nsize = 5\ntags = [\"new\"]\n"
	s, err := readShop(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, redact := range []bool{false, true} {
		p := &Printer{Redact: redact}
		for _, section := range sections {
			section.Print(p, s, &shop{})
		}
		want := text
		if redact {
			want = strings.Replace(text, `"4711"`, hidden, 1)
		}
		if diff := cmp.Diff(want, p.String()); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
	other, err := readShop("till.code = \"4712\"\n[[shelf]]\nname = \"a\"\nsize = 4\n[[shelf]]\nname = \"c\"\n")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, section := range sections {
		for _, c := range section.Diff(s, other) {
			got = append(got, c.String())
		}
	}
	want := []string{
		"till: open: true -> false (live)", "till: code: changed (restart)",
		"shelf a: size: 3 -> 4 (live)", "shelf c: added (live)", "shelf b: removed (session reset)",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// A reference shows the default of a key, or else its example.
func TestDescribe(t *testing.T) {
	var file, page strings.Builder
	for _, section := range sections {
		d := section.Describe(&shop{})
		d.WriteFile(&file)
		d.WritePage(&page, "")
	}
	for _, want := range []string{"# Boards.\n# size = 3\n", "# Tags.\n# tags = [\"new\"]\n"} {
		if !strings.Contains(file.String(), want) {
			t.Errorf("the file lacks %q:\n%s", want, &file)
		}
	}
	want := "- **`size`** · number 1-9 · default `3` · live\\\n  Boards.\n"
	if !strings.Contains(page.String(), want) || !strings.Contains(page.String(), Each(SessionReset)) {
		t.Errorf("the page lacks %q:\n%s", want, &page)
	}
}
