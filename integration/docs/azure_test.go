package docs

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/nvad/nvad/pkg/azure"
)

// TestAzurePage: docs/azure.md explains every code of nvactl azure diff, and no other.
func TestAzurePage(t *testing.T) {
	path, err := below("docs/azure.md")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var explained []azure.Code
	for _, row := range regexp.MustCompile(`(?m)^\|.* \| (.*) \|$`).FindAllSubmatch(page, -1) {
		for _, code := range regexp.MustCompile("`([a-z0-9]+(?:-[a-z0-9]+)+)`").FindAllSubmatch(row[1], -1) {
			explained = append(explained, azure.Code(code[1]))
		}
	}
	for _, c := range azure.Codes {
		if !slices.Contains(explained, c) {
			t.Errorf("docs/azure.md does not explain %s", c)
		}
	}
	for _, c := range explained {
		if !slices.Contains(azure.Codes, c) {
			t.Errorf("docs/azure.md explains %s, which is no code", c)
		}
	}
}
