package telemetry

import (
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestKeys reads every call of a logger in the source: its keys are those of Keys,
// and every one of Keys is in use and in the documentation.
func TestKeys(t *testing.T) {
	used := map[string]bool{"suppressed": true}
	calls := 0
	for _, root := range []string{"../../pkg", "../../cmd"} {
		err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
				calls += checkFile(t, path, used)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if calls < 30 {
		t.Errorf("only %d calls of a logger found", calls)
	}
	for key := range Keys {
		if !used[key] {
			t.Errorf("no event has key %q", key)
		}
	}
	checkDoc(t, "../../docs/logs.md")
}

var update = flag.Bool("update", false, "rewrite the keys in docs/logs.md")

// checkDoc holds the document's table of keys, which is its end, to Keys.
func checkDoc(t *testing.T, path string) {
	t.Helper()
	doc, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const head = "| key | meaning |\n|---|---|\n"
	text, _, _ := strings.Cut(string(doc), head)
	text += head
	for _, key := range slices.Sorted(maps.Keys(Keys)) {
		text += "| `" + key + "` | " + Keys[key] + " |\n"
	}
	if text == string(doc) {
		return
	}
	if !*update {
		t.Fatalf("%s has other keys: go test ./pkg/telemetry -update", path)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// checkFile checks the calls of a file, notes their keys and counts them.
func checkFile(t *testing.T, path string, used map[string]bool) (calls int) {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		first, ok := firstKey(call)
		if !ok {
			return true
		}
		calls++
		for i := first; i < len(call.Args); i += 2 {
			if key, ok := keyOf(call.Args[i]); !ok || Keys[key] == "" {
				t.Errorf("%s: key %q is not in telemetry.Keys", set.Position(call.Args[i].Pos()), key)
			} else {
				used[key] = true
			}
		}
		return true
	})
	return calls
}

// firstKey is where the keys begin in a call of a logger; false for other calls.
func firstKey(call *ast.CallExpr) (int, bool) {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || !strings.EqualFold(lastName(sel.X), "log") {
		return 0, false
	}
	switch sel.Sel.Name {
	case "Debug", "Info", "Warn", "Error":
		return 1, true
	case "With":
		return 0, true
	}
	return 0, false
}

func lastName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

// keyOf is the value of a literal, or of one of package gobgp's names for keys.
func keyOf(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		key, err := strconv.Unquote(e.Value)
		return key, err == nil
	case *ast.Ident:
		return strings.ToLower(strings.TrimPrefix(e.Name, "key")), strings.HasPrefix(e.Name, "key")
	}
	return "", false
}
