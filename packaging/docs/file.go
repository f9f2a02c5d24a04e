package main

import (
	"bytes"
	"os"
	"regexp"

	"github.com/cpuguy83/go-md2man/v2/md2man"

	"github.com/nvad/nvad/pkg/config"
)

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
