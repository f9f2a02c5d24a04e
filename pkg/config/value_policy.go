package config

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/nvad/nvad/pkg/policy"
	"github.com/nvad/nvad/pkg/route"
)

// asnList is a list of ASNs.
type asnList struct{ p *[]uint32 }

func (v asnList) set(c cell) {
	cells, ok := c.items("a list of ASNs")
	if !ok {
		return
	}
	out := make([]uint32, len(cells))
	for i, item := range cells {
		asn{&out[i]}.set(item)
	}
	if len(out) == 0 {
		c.fail("the list is empty")
		return
	}
	*v.p = out
}

func (asnList) kind() string { return "list of ASNs" }

func (v asnList) toml() string {
	return list(*v.p, func(n uint32) string { return strconv.FormatUint(uint64(n), 10) })
}

// pathReplace is "any", or ASNs as a list or as text with spaces between them.
type pathReplace struct{ p *string }

func (v pathReplace) set(c cell) {
	s, ok := c.val.(string)
	if !ok {
		var asns []uint32
		asnList{&asns}.set(c)
		if s = strings.Trim(fmt.Sprint(asns), "[]"); s == "" {
			return
		}
	}
	every, asns, err := policy.ParseASPathReplace(s)
	switch {
	case err != nil:
		c.want(`"any" or ASNs`)
	case every:
		*v.p = s
	default:
		*v.p = strings.Trim(fmt.Sprint(asns), "[]")
	}
}

func (pathReplace) kind() string { return "word or ASNs" }

func (v pathReplace) toml() string { return quote(*v.p) }

// exclude is as-path-exclude: "all" or a list.
type exclude struct{ s *policy.Set }

func (v exclude) set(c cell) {
	if c.val == "all" {
		v.s.ASPathExcludeAll = true
		return
	}
	asnList{&v.s.ASPathExclude}.set(c)
}

func (exclude) kind() string { return "word or list of ASNs" }

func (v exclude) toml() string {
	if v.s.ASPathExcludeAll {
		return `"all"`
	}
	return asnList{&v.s.ASPathExclude}.toml()
}

// communities is a list of them in text form, or "none" where that is
// allowed.
type communities struct {
	p     *[]string
	norm  func(string) (string, error)
	empty bool // "none" is allowed
}

func (v communities) set(c cell) {
	if c.val == "none" && v.empty {
		*v.p = []string{"none"}
		return
	}
	cells, ok := c.items("a list of communities")
	if !ok {
		return
	}
	var out []string
	for _, item := range cells {
		s, ok := item.text("a community")
		if !ok {
			continue
		}
		norm, err := v.norm(s)
		if err != nil {
			item.fail("%v", err)
		}
		out = append(out, norm)
	}
	if len(cells) == 0 {
		c.fail("the list is empty")
	}
	*v.p = out
}

func (communities) kind() string { return "list of communities" }

func (v communities) toml() string {
	if len(*v.p) == 1 && (*v.p)[0] == "none" {
		return `"none"`
	}
	return list(*v.p, quote)
}

// standard, large and extended are the one text form of a community.
func standard(s string) (string, error) {
	c, err := route.ParseCommunity(s)
	return c.String(), err
}

// standardOrAll is standard, and the word of lists for every route.
func standardOrAll(s string) (string, error) {
	if s == "internet" {
		return s, nil
	}
	return standard(s)
}

func large(s string) (string, error) {
	c, err := route.ParseLargeCommunity(s)
	return c.String(), err
}

func extended(s string) (string, error) {
	c, err := route.ParseExtCommunity(s)
	return c.String(), err
}
