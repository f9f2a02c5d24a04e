package docs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/nvad/nvad/integration/lab"
)

// TestWorkflows: the forge runs make targets and nothing else, so that whoever has no
// forge can run the same.
func TestWorkflows(t *testing.T) {
	root, err := lab.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(root, ".github/workflows/*.yml"))
	runs := 0
	for _, file := range files {
		var workflow struct {
			Jobs map[string]struct {
				Steps []struct{ Uses, Run string }
			}
		}
		readYAML(t, file, &workflow)
		for name, job := range workflow.Jobs {
			for _, step := range job.Steps {
				if step.Run == "" {
					continue
				}
				runs++
				words := strings.Fields(step.Run)
				if words[0] != "make" || strings.ContainsAny(step.Run, "\n;&|") {
					t.Errorf("%s, job %s runs %q: want a target of make", file, name, step.Run)
				} else if err := target(words[1:]); err != nil {
					t.Errorf("%s, job %s: %v", file, name, err)
				}
			}
		}
	}
	if runs < 3 {
		t.Errorf("found %d steps in %v", runs, files)
	}
}

// TestForms: the forge can read its issue forms and its configuration.
func TestForms(t *testing.T) {
	root, err := lab.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	forms, _ := filepath.Glob(filepath.Join(root, ".github/ISSUE_TEMPLATE/*.yml"))
	if len(forms) < 3 {
		t.Fatalf("found the forms %v", forms)
	}
	for _, file := range append(forms, filepath.Join(root, ".github/dependabot.yml")) {
		var form struct {
			Name, Description string
			Body              []struct {
				Type, ID   string
				Attributes map[string]string
			}
		}
		readYAML(t, file, &form)
		ids := map[string]bool{}
		for _, item := range form.Body {
			text := item.Attributes["label"] + item.Attributes["value"]
			if item.Type != "markdown" && (item.ID == "" || ids[item.ID]) || text == "" {
				t.Errorf("%s: an item of the form has no id or text of its own: %+v", file, item)
			}
			ids[item.ID] = true
		}
	}
}

func readYAML(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err == nil {
		err = yaml.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}
