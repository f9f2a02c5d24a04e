package docs

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"mvdan.cc/sh/v3/syntax"

	"github.com/nvad/nvad/cmd/nvad/command"
	"github.com/nvad/nvad/integration/lab"
	"github.com/nvad/nvad/pkg/ctl"
)

// TestMentions: the commands, flags, targets and tests that sentences mention exist.
func TestMentions(t *testing.T) {
	count := 0
	for _, p := range readPages(t) {
		for _, text := range p.mentioned() {
			file, err := syntax.NewParser().Parse(strings.NewReader(text), p.name)
			if err != nil {
				t.Errorf("%s: `%s`: %v", p.name, text, err)
				continue
			}
			for _, call := range callsOf(file) {
				count++
				if err := exists(call); err != nil {
					t.Errorf("%s: `%s`: %v", p.name, text, err)
				}
			}
		}
	}
	if count < 30 {
		t.Errorf("found %d mentions of commands: are they looked for where they are?", count)
	}
}

// exists returns what is wrong with a command. It accepts every program that is not part of
// this module.
func exists(call []string) error {
	args := call[1:]
	switch call[0] {
	case "nvad":
		return accepts(command.New(), args)
	case "nvactl":
		return accepts(ctl.NewCommand(ctl.Env{Out: io.Discard, Err: io.Discard, Getenv: os.Getenv, Now: time.Now, Width: 80}), args)
	case "make":
		return target(args)
	case "go":
		return goTest(args)
	}
	return nil
}

// accepts returns an error unless a program has the command and the flags.
func accepts(root *cobra.Command, args []string) error {
	c, rest, err := root.Find(args)
	if err != nil {
		return err
	}
	for _, arg := range rest {
		name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		switch {
		case strings.HasPrefix(arg, "--") && c.Flag(name) == nil:
			return fmt.Errorf("%s has no flag %s", c.CommandPath(), arg)
		case !strings.HasPrefix(arg, "-") && !c.Runnable():
			return fmt.Errorf("%s has no command %s", c.CommandPath(), arg)
		}
	}
	return nil
}

// target returns an error unless the Makefile has the targets.
func target(args []string) error {
	makefile, err := below("Makefile")
	if err != nil {
		return err
	}
	data, err := os.ReadFile(makefile)
	if err != nil {
		return err
	}
	for _, arg := range args {
		if !strings.Contains(arg, "=") && !strings.Contains(string(data), "\n"+arg+": ") {
			return fmt.Errorf("no target %s", arg)
		}
	}
	return nil
}

// goTest returns an error unless a package has the tests that -run or -bench select.
func goTest(args []string) error {
	i := slices.IndexFunc(args, func(arg string) bool { return strings.HasPrefix(arg, "./") })
	if i < 0 || args[0] != "test" {
		return nil
	}
	dir, err := below(strings.TrimSuffix(args[i], "/..."))
	if err != nil {
		return err
	}
	files, err := testsIn(dir, strings.HasSuffix(args[i], "/..."))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("%s has no tests", args[i])
	}
	for i, arg := range args[:len(args)-1] {
		none := args[i+1] == "^$"
		if arg != "-run" && arg != "-bench" || none {
			continue
		}
		if err := hasTest(files, args[i+1]); err != nil {
			return err
		}
	}
	return nil
}

// testsIn lists the files with tests in a directory, and in those below it if asked.
func testsIn(dir string, below bool) ([]string, error) {
	if !below {
		return filepath.Glob(filepath.Join(dir, "*_test.go"))
	}
	var files []string
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, "_test.go") {
			files = append(files, path)
		}
		return err
	})
	return files, err
}

var function = regexp.MustCompile(`(?m)^func ((?:Test|Benchmark|Fuzz)\w*)\(`)

// hasTest looks for a test that the pattern of -run or -bench selects.
func hasTest(files []string, pattern string) error {
	top, _, _ := strings.Cut(pattern, "/")
	chosen, err := regexp.Compile(top)
	if err != nil {
		return err
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for _, m := range function.FindAllSubmatch(data, -1) {
			if chosen.Match(m[1]) {
				return nil
			}
		}
	}
	return fmt.Errorf("no test matches %s", pattern)
}

// below returns the path of a file or directory in the module's root.
func below(name string) (string, error) {
	root, err := lab.ModuleRoot()
	return filepath.Join(root, name), err
}
