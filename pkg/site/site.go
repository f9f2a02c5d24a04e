// Package site knows which NVAs belong together, and compares what they say. A tunnel
// that is up at one end and not at the other looks right at each of them: only both
// answers together show it.
//
// It promises that a file with a fault is refused with its line and key; that every
// finding has a stable code, and says what differs and what to do; and that an NVA that
// did not answer, or answered nonsense, hides nothing about the others. It owns no state
// and opens no connection: package ctl asks the NVAs and prints.
package site

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/nvad/nvad/pkg/config/tomlfile"
)

// Bounds of a file.
const (
	// MaxNVAs is the largest number of NVAs of a site. All of them are asked at once.
	MaxNVAs = 64
	// MaxSize is the largest file, in bytes.
	MaxSize = 256 << 10
)

// Site is the content of a file.
type Site struct {
	NVAs []NVA
}

// NVA names an NVA and says how to reach its daemon: by Socket, or by Address with
// certificates. Paths are absolute or relative to the working directory.
type NVA struct {
	Name    string
	Socket  string // path of a unix socket; empty: Address is set
	Address string // host:port; empty: Socket is set
	TLS     TLS    // for Address; all three are set
}

// Where returns the address or the path of the socket.
func (n *NVA) Where() string {
	if n.Address != "" {
		return n.Address
	}
	return n.Socket
}

// TLS has the paths of PEM files: the certificate to show, its key, and the CA of the
// daemon's certificate.
type TLS struct {
	Cert, Key, CA string
}

// contents are the tables of a file as they are written.
type contents struct {
	tls  TLS
	nvas []NVA
}

var sections = []tomlfile.Section[contents]{
	tomlfile.Single[contents, TLS]{Name: "tls",
		Of: func(c *contents) *TLS { return &c.tls }, Fields: tlsFields},
	tomlfile.Array[contents, NVA]{Key: "nva", ID: "name",
		Of: func(c *contents) *[]NVA { return &c.nvas }, Name: func(n *NVA) string { return n.Name }, Fields: nvaFields},
}

func tlsFields(t *TLS) []tomlfile.Field {
	return []tomlfile.Field{
		{Key: "cert", Value: tomlfile.Text(&t.Cert, tomlfile.NotEmpty)},
		{Key: "key", Value: tomlfile.Text(&t.Key, tomlfile.NotEmpty)},
		{Key: "ca", Value: tomlfile.Text(&t.CA, tomlfile.NotEmpty)},
	}
}

func nvaFields(n *NVA) []tomlfile.Field {
	return append([]tomlfile.Field{
		{Key: "name", Value: tomlfile.Text(&n.Name, checkName), Required: true},
		{Key: "socket", Value: tomlfile.Text(&n.Socket, tomlfile.NotEmpty)},
		{Key: "address", Value: tomlfile.Text(&n.Address, checkAddress)},
	}, tlsFields(&n.TLS)...)
}

var name = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,30}[A-Za-z0-9])?$`)

// checkName accepts what fits a column of a table and needs no quotes in a shell.
func checkName(s string) error {
	if !name.MatchString(s) {
		return fmt.Errorf("want at most 32 letters, digits, dots, hyphens and underscores, got %s", tomlfile.Show(s))
	}
	return nil
}

func checkAddress(s string) error {
	host, port, err := net.SplitHostPort(s)
	n, bad := strconv.ParseUint(port, 10, 16)
	if err != nil || host == "" || bad != nil || n == 0 {
		return fmt.Errorf("want HOST:PORT, got %s", tomlfile.Show(s))
	}
	return nil
}

// Read reads the file at path. The error is [tomlfile.Errors].
func Read(path string) (*Site, error) {
	data, err := tomlfile.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return parse(path, data)
}

// parse reads the text of the file at path, to whose directory its paths are relative.
func parse(path string, data []byte) (*Site, error) {
	if len(data) > MaxSize {
		return nil, tomlfile.Errors{{File: path, Msg: fmt.Sprintf("the file is larger than %d KiB", MaxSize>>10)}}
	}
	file, err := tomlfile.Parse(path, data, nil)
	if err != nil {
		return nil, err
	}
	var c contents
	for _, s := range sections {
		s.Read(file, &c)
	}
	file.Done()
	if file.Doc.Err() == nil {
		check(file.Doc, &c)
	}
	if err := file.Doc.Err(); err != nil {
		return nil, err
	}
	return c.site(filepath.Dir(path)), nil
}

// check reports the faults that concern more than one key.
func check(doc *tomlfile.Document, c *contents) {
	fail := func(key, format string, args ...any) {
		doc.Errors = append(doc.Errors, doc.Errorf(key, format, args...))
	}
	switch n := len(c.nvas); {
	case n == 0:
		fail("nva", "the file names no NVA; add a table [[nva]]")
	case n > MaxNVAs:
		fail("nva", "%d NVAs; a site has at most %d", n, MaxNVAs)
		return
	}
	names, places := map[string]bool{}, map[string]string{}
	for i := range c.nvas {
		n, key := &c.nvas[i], doc.Elem("nva", i, c.nvas[i].Name)
		if names[n.Name] {
			fail(key+".name", "two NVAs have the name %q", n.Name)
		}
		names[n.Name] = true
		if err := complete(n, c.tls); err != nil {
			fail(key+".address "+key, "%v", err)
		} else if other, taken := places[n.Where()]; taken {
			fail(key+".address "+key+".socket", "%s is %s already", n.Where(), other)
		} else {
			places[n.Where()] = n.Name
		}
	}
}

// complete reports what n lacks.
func complete(n *NVA, defaults TLS) error {
	t := n.TLS.or(defaults)
	switch {
	case n.Socket == "" && n.Address == "":
		return errors.New("the NVA has neither socket nor address")
	case n.Socket != "" && n.Address != "":
		return errors.New("the NVA has socket and address; remove one")
	case n.Socket != "" && n.TLS != TLS{}:
		return errors.New("cert, key and ca are for an address; the NVA has a socket")
	case n.Address != "" && (t.Cert == "" || t.Key == "" || t.CA == ""):
		return errors.New("an address needs cert, key and ca, here or in [tls]")
	}
	return nil
}

// or returns t with the paths of defaults where it has none.
func (t TLS) or(defaults TLS) TLS {
	for _, p := range []struct{ own, other *string }{{&t.Cert, &defaults.Cert}, {&t.Key, &defaults.Key}, {&t.CA, &defaults.CA}} {
		if *p.own == "" {
			*p.own = *p.other
		}
	}
	return t
}

// site returns the NVAs with every path resolved.
func (c *contents) site(dir string) *Site {
	at := func(path string) string {
		if path == "" || filepath.IsAbs(path) {
			return path
		}
		return filepath.Join(dir, path)
	}
	s := &Site{}
	for _, n := range c.nvas {
		if n.Address != "" {
			t := n.TLS.or(c.tls)
			n.TLS = TLS{at(t.Cert), at(t.Key), at(t.CA)}
		}
		n.Socket = at(n.Socket)
		s.NVAs = append(s.NVAs, n)
	}
	return s
}
