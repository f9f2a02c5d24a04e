// Command docs generates documentation from the command lines of nvad and nvactl and from
// the keys of nvad.toml: man pages and shell completions for the package, docs/cli.md and
// docs/reference.md.
//
//	docs -package DIR    DIR/man and DIR/completions
//	docs -markdown FILE
//	docs -keys FILE      the keys within FILE; what is before and after them stays
//
// It runs in the root of the repository.
//
// The output is reproducible: dates come from SOURCE_DATE_EPOCH.
package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/cpuguy83/go-md2man/v2/md2man"
	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/nvad/nvad/cmd/nvad/command"
	"github.com/nvad/nvad/pkg/config"
	"github.com/nvad/nvad/pkg/ctl"
)

func main() {
	dir := flag.String("package", "", "write man pages and completions below `DIR`")
	markdown := flag.String("markdown", "", "write the reference of the command lines to `FILE`")
	keys := flag.String("keys", "", "write the reference of nvad.toml to `FILE`")
	flag.Parse()
	if err := write(*dir, *markdown, *keys); err != nil {
		fmt.Fprintln(os.Stderr, "docs:", err)
		os.Exit(1)
	}
}

func write(dir, markdown, keys string) error {
	var errs []error
	if dir != "" {
		errs = append(errs, manPages(dir), completions(dir))
	}
	if markdown != "" {
		errs = append(errs, os.WriteFile(markdown, reference(), 0o644))
	}
	if keys != "" {
		errs = append(errs, writeKeys(keys))
	}
	return errors.Join(errs...)
}

// writeKeys writes the keys in the reference of nvad.toml anew.
func writeKeys(file string) error {
	page, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return os.WriteFile(file, config.ReferencePage(page), 0o644)
}

// program is nvad or nvactl, with its section of the manual.
type program struct {
	root    *cobra.Command
	section string
}

func programs() []program {
	surroundings := ctl.Env{Out: io.Discard, Err: io.Discard, Getenv: func(string) string { return "" }, Now: time.Now, Width: 80}
	return []program{{command.New(), "8"}, {ctl.NewCommand(surroundings), "1"}}
}

// manPages writes a compressed page for each command, and one for nvad.toml.
func manPages(dir string) error {
	dir = filepath.Join(dir, "man")
	if err := fresh(dir); err != nil {
		return err
	}
	for _, p := range programs() {
		disableTag(p.root)
		header := &doc.GenManHeader{Section: p.section, Source: "nvad", Manual: "nvad"}
		if err := doc.GenManTree(p.root, header, dir); err != nil {
			return err
		}
	}
	page, err := filePage()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "nvad.toml.5"), page, 0o644); err != nil {
		return err
	}
	pages, err := filepath.Glob(filepath.Join(dir, "*.[158]"))
	if err != nil {
		return err
	}
	for _, page := range pages {
		if err := compress(page); err != nil {
			return err
		}
	}
	return nil
}

func compress(page string) error {
	data, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	return errors.Join(err, w.Close(), os.WriteFile(page+".gz", b.Bytes(), 0o644), os.Remove(page))
}

func completions(dir string) error {
	dir = filepath.Join(dir, "completions")
	if err := fresh(dir); err != nil {
		return err
	}
	for _, p := range programs() {
		file := func(shell string) string { return filepath.Join(dir, p.root.Name()+"."+shell) }
		if err := errors.Join(p.root.GenBashCompletionFileV2(file("bash"), true),
			p.root.GenZshCompletionFile(file("zsh")), p.root.GenFishCompletionFile(file("fish"), true)); err != nil {
			return err
		}
	}
	return nil
}

// fresh creates dir, or empties it.
func fresh(dir string) error {
	return errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755))
}

// referenceStart is the part of docs/cli.md before the commands: which of them to use for
// what. An apostrophe stands for a backtick.
var referenceStart = strings.ReplaceAll(`# Command line

All commands of nvad and nvactl, with their flags. The man pages have the same content; 'make docs' generates both from the programs.

| you want to | command |
|---|---|
| see whether all is well | ['nvactl status'](#nvactl-status), ['nvactl neighbors'](#nvactl-neighbors), ['nvactl tunnels'](#nvactl-tunnels), ['nvactl topology'](#nvactl-topology) |
| find out why a route is accepted, sent or installed, or not | ['nvactl explain'](#nvactl-explain), ['nvactl routes'](#nvactl-routes), ['nvactl policy hits'](#nvactl-policy-hits) |
| see routes: received, rejected, sent, in the kernel | ['nvactl routes received'](#nvactl-routes-received), ['nvactl routes rejected'](#nvactl-routes-rejected), ['nvactl routes advertised'](#nvactl-routes-advertised), ['nvactl routes fib'](#nvactl-routes-fib), ['nvactl routes lookup'](#nvactl-routes-lookup) |
| check a file, try a policy | ['nvad check'](#nvad-check), ['nvactl config check'](#nvactl-config-check), ['nvactl policy test'](#nvactl-policy-test), ['nvactl config diff'](#nvactl-config-diff) |
| change the configuration, keep it, or go back | ['nvactl reload'](#nvactl-reload), ['nvactl confirm'](#nvactl-confirm), ['nvactl rollback'](#nvactl-rollback), ['nvactl config history'](#nvactl-config-history), ['nvactl config restore'](#nvactl-config-restore) |
| act on a session | ['nvactl reset'](#nvactl-reset), ['nvactl shutdown'](#nvactl-shutdown), ['nvactl enable'](#nvactl-enable) |
| maintain or stop this NVA | ['nvactl drain'](#nvactl-drain), ['nvactl stop'](#nvactl-stop), ['nvad flush'](#nvad-flush) |
| find out what happened, follow what happens | ['nvactl events'](#nvactl-events), ['nvactl watch'](#nvactl-watch), ['nvactl log-level'](#nvactl-log-level) |
| come from FRR | ['nvactl config convert'](#nvactl-config-convert), ['nvactl show'](#nvactl-show) |
| set up an NVA in Azure | ['nvad bootstrap'](#nvad-bootstrap) |
| get help | ['nvactl tech-support'](#nvactl-tech-support), ['nvactl profile'](#nvactl-profile) |
`, "'", "`")

// reference returns docs/cli.md, with all commands of both programs.
func reference() []byte {
	var b bytes.Buffer
	b.WriteString(referenceStart)
	for _, p := range programs() {
		section(&b, p.root)
	}
	return b.Bytes()
}

// section writes a command and its subcommands.
func section(b *bytes.Buffer, c *cobra.Command) {
	if c.Hidden || c.Name() == "help" {
		return
	}
	fmt.Fprintf(b, "\n%s %s\n\n%s.\n", strings.Repeat("#", min(4, 2+depth(c))), c.CommandPath(), strings.TrimSuffix(upper(c.Short), "."))
	if c.Long != "" {
		fmt.Fprintf(b, "\n%s\n", strings.TrimSpace(c.Long))
	}
	if c.Runnable() {
		fmt.Fprintf(b, "\n    %s\n", c.UseLine())
	}
	if c.Example != "" {
		fmt.Fprintf(b, "\n```sh\n%s\n```\n", strings.TrimRight(dedent(c.Example), "\n"))
	}
	if flags := c.NonInheritedFlags(); flags.HasAvailableFlags() {
		fmt.Fprintf(b, "\n```\n%s```\n", flags.FlagUsages())
	}
	for _, sub := range c.Commands() {
		section(b, sub)
	}
}

func depth(c *cobra.Command) (n int) {
	c.VisitParents(func(*cobra.Command) { n++ })
	return n
}

func upper(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// dedent removes the two spaces by which cobra's help indents examples.
func dedent(s string) string {
	return strings.ReplaceAll(strings.TrimPrefix(s, "  "), "\n  ", "\n")
}

// disableTag keeps the date of the build out of the pages.
func disableTag(c *cobra.Command) {
	c.DisableAutoGenTag = true
	for _, sub := range c.Commands() {
		disableTag(sub)
	}
}

// filePageHead is the part of nvad.toml(5) before the reference of the keys.
const filePageHead = `% "NVAD.TOML" "5" "" "nvad" "nvad"

# NAME

nvad.toml - configuration of nvad(8)

# SYNOPSIS

**/etc/nvad/nvad.toml**

# DESCRIPTION

`

// filePageFoot is the part after it.
const filePageFoot = `

# FILES

**/usr/share/doc/nvad/configs** has examples; **reference.toml** there has every key with its default.
**/usr/share/doc/nvad/docs/policy.md** explains how lists and route-maps work together, and **recipes.md** there has complete files.

# SEE ALSO

**nvad(8)**, **nvad-check(8)**, **nvad-bootstrap(8)**, **nvactl(1)**, **nvactl-config-diff(1)**
`

var (
	introduction = regexp.MustCompile(`(?s)^# .*?\n\n.*?\n\n`) // the title, and the paragraph about where the page comes from
	remarks      = regexp.MustCompile(`<!-- .*? -->\n`)
	links        = regexp.MustCompile(`\[([^\]]+)\]\([^)]+\)`)
)

// filePage returns docs/reference.md, which it reads, as the manual page nvad.toml(5).
func filePage() ([]byte, error) {
	page, err := os.ReadFile("docs/reference.md")
	if err != nil {
		return nil, err
	}
	body := introduction.ReplaceAll(config.ReferencePage(page), nil)
	body = remarks.ReplaceAll(body, nil)
	body = links.ReplaceAll(body, []byte("$1"))
	body = bytes.ReplaceAll(body, []byte("\\\n"), []byte("  \n")) // the only line break that md2man supports
	return md2man.Render(bytes.Join([][]byte{[]byte(filePageHead), body, []byte(filePageFoot)}, nil)), nil
}
