package frrconf

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/nvad/nvad/pkg/config"
)

// tunnel is a VXLAN device and the line that makes it.
type tunnel struct {
	config.Tunnel
	line *line
}

// kernelPort is what Linux takes for VXLAN if it is told no port; it is older
// than the assignment of 4789.
const kernelPort = 8472

// readScript reads the commands of a shell script. It follows no condition and
// no variable: a line that is no plain command is left over.
func (c *converter) readScript(lines []*line) {
	for _, l := range lines {
		if l.text == "" || l.text[0] == '#' {
			l.fate = empty
			continue
		}
		l.settle(c.shell(l))
	}
}

// withoutExcuses takes off what only keeps a failing command quiet.
var withoutExcuses = strings.NewReplacer(
	"2>/dev/null", "", "2> /dev/null", "", ">/dev/null", "", "> /dev/null", "", "2>&1", "",
	"|| true", "", "|| :", "",
)

// shell is one line of a script, which may have a few commands.
func (c *converter) shell(l *line) outcome {
	text, _, _ := strings.Cut(l.text, " #")
	text = withoutExcuses.Replace(text)
	if strings.ContainsAny(text, "$`|<>(){}\\\"'*") {
		return notPlain
	}
	result := carried
	for _, command := range strings.FieldsFunc(strings.ReplaceAll(text, "&&", ";"), func(r rune) bool { return r == ';' }) {
		if words := strings.Fields(command); len(words) > 0 {
			if o := c.command(l, words); o != carried {
				l.leave(o)
				result = o
			}
		}
	}
	return result
}

// harmless are commands that prepare what nvad does itself.
var harmless = []string{"modprobe", "set", "exit", "sleep", "echo", "true", ":"}

// structure are words of the shell that make a command depend on others.
var structure = []string{"if", "then", "else", "elif", "fi", "for", "while", "until", "do", "done", "case", "esac", "function"}

var notPlain = attention("this is more than a plain command")

// command is one command of a script.
func (c *converter) command(l *line, words []string) outcome {
	words = plain(words)
	if len(words) == 0 {
		return carried
	}
	switch name := words[0]; {
	case name == "ip" && len(words) > 2:
		return c.ipCommand(l, words[1:])
	case name == "bridge" && len(words) > 2 && words[1] == "fdb":
		return c.fdbCommand(words[2:])
	case name == "sysctl":
		return c.sysctlCommand(words[1:])
	case slices.Contains(structure, name):
		return notPlain
	case slices.Contains(harmless, name):
		return meaningless("nvad needs no %s", name)
	}
	return unsupported("the command %s", words[0])
}

// plain is a command without sudo and without the directory of the program.
func plain(words []string) []string {
	if len(words) > 0 && words[0] == "sudo" {
		words = words[1:]
	}
	if len(words) == 0 {
		return nil
	}
	words = slices.Clone(words)
	words[0] = words[0][strings.LastIndexByte(words[0], '/')+1:]
	return words
}

// aboutTunnels reports the commands of an interfaces file that are to be
// carried over.
func (c *converter) aboutTunnels(words []string) bool {
	words = plain(words)
	if len(words) == 0 || words[0] != "ip" && words[0] != "bridge" {
		return false
	}
	return slices.ContainsFunc(words, func(w string) bool { return w == "vxlan" || c.tunnel(w) != nil })
}

func (c *converter) ipCommand(l *line, words []string) outcome {
	for len(words) > 0 && strings.HasPrefix(words[0], "-") {
		words = words[1:]
	}
	if len(words) < 3 {
		return unsupported("this ip command")
	}
	object, verb, rest := words[0], words[1], words[2:]
	switch {
	case strings.HasPrefix("link", object) && slices.Contains([]string{"add", "a"}, verb):
		return c.linkAdd(l, rest)
	case strings.HasPrefix("link", object) && slices.Contains([]string{"set", "s"}, verb):
		return c.linkSet(rest)
	case strings.HasPrefix("link", object) && strings.HasPrefix("delete", verb):
		return meaningless("nvad brings a tunnel to its form whatever was there")
	case strings.HasPrefix("address", object) && slices.Contains([]string{"add", "a", "replace"}, verb):
		return c.addressAdd(l, rest)
	case strings.HasPrefix("route", object) && slices.Contains([]string{"add", "a", "replace"}, verb):
		return c.routeAdd(l, rest)
	}
	return unsupported("this ip command")
}

// linkAdd is "ip link add [dev] NAME [OPTIONS] type vxlan OPTIONS".
func (c *converter) linkAdd(l *line, words []string) outcome {
	t := &tunnel{line: l, Tunnel: config.Tunnel{Port: kernelPort, Learning: true}}
	kind := slices.Index(words, "type")
	if kind < 0 || kind+1 >= len(words) || words[kind+1] != "vxlan" {
		return unsupported("devices other than VXLAN")
	}
	before := words[:kind]
	if len(before) > 0 && (before[0] == "dev" || before[0] == "name") {
		before = before[1:]
	}
	if len(before) == 0 {
		return attention("the device has no name")
	}
	t.Name = before[0]
	if o := t.options(before[1:], linkOptions); o != carried {
		return o
	}
	if o := t.options(words[kind+2:], vxlanOptions); o != carried {
		return o
	}
	c.tunnels = append(c.tunnels, t)
	return carried
}

// linkSet is "ip link set [dev] NAME [up] [mtu N] [address MAC]", in any order.
func (c *converter) linkSet(words []string) outcome {
	words = slices.DeleteFunc(slices.Clone(words), func(w string) bool { return w == "dev" || w == "up" })
	if len(words) == 0 {
		return attention("no device is given")
	}
	i := slices.IndexFunc(words, func(w string) bool { return c.tunnel(w) != nil })
	if i < 0 {
		return unsupported("devices that nvad does not make")
	}
	return c.tunnel(words[i]).options(slices.Delete(words, i, i+1), linkOptions)
}

// tunnel is that of a name made so far, or nil.
func (c *converter) tunnel(name string) *tunnel {
	i := slices.IndexFunc(c.tunnels, func(t *tunnel) bool { return t.Name == name })
	if i < 0 {
		return nil
	}
	return c.tunnels[i]
}

// addressAdd is "ip address add ADDRESS dev NAME".
func (c *converter) addressAdd(l *line, words []string) outcome {
	device := after(words, "dev")
	p, err := netip.ParsePrefix(words[0])
	if a, aerr := netip.ParseAddr(words[0]); aerr == nil {
		p, err = netip.PrefixFrom(a, a.BitLen()), nil
	}
	if err != nil || device == "" {
		return attention("want ip address add ADDRESS/LENGTH dev NAME")
	}
	c.hosts.add(device, p)
	c.hosts.pending = append(c.hosts.pending, deviceAddress{l, device, p})
	return carried
}

// after is the word after key, or "".
func after(words []string, key string) string {
	if i := slices.Index(words, key); i >= 0 && i+1 < len(words) {
		return words[i+1]
	}
	return ""
}

// routeAdd is "ip route add PREFIX [via ADDRESS] [dev NAME] [src ADDRESS]
// [metric N]".
func (c *converter) routeAdd(l *line, words []string) outcome {
	s := &static{line: l}
	dest := words[0]
	if dest == "default" {
		dest = "0.0.0.0/0"
	}
	var err error
	if s.Prefix, err = netip.ParsePrefix(dest); err != nil {
		return unsupported("this kind of route")
	}
	s.Prefix = s.Prefix.Masked()
	for rest := words[1:]; len(rest) > 0; rest = rest[2:] {
		if len(rest) == 1 || !s.routeWord(rest[0], rest[1]) {
			return unsupported("%s of a route", rest[0])
		}
	}
	c.statics = append(c.statics, s)
	return carried
}

// routeWord is one pair of words of a route; false if nvad has no key for it.
func (s *static) routeWord(key, value string) bool {
	var err error
	switch key {
	case "via":
		s.Via, err = netip.ParseAddr(value)
	case "dev":
		s.Device = value
	case "src":
		s.Source, err = netip.ParseAddr(value)
	case "metric":
		n, ok := number(value)
		s.Metric = n
		return ok
	default:
		return false
	}
	return err == nil
}

// fdbCommand is "bridge fdb append 00:00:00:00:00:00 dev NAME dst ADDRESS",
// which adds a remote.
func (c *converter) fdbCommand(words []string) outcome {
	t := c.tunnel(after(words, "dev"))
	dst, err := netip.ParseAddr(after(words, "dst"))
	verb := words[0]
	switch {
	case t == nil:
		return unsupported("forwarding entries of devices that nvad does not make")
	case err != nil || verb != "append" && verb != "add":
		return unsupported("this bridge command")
	}
	if mac, err := net.ParseMAC(words[min(1, len(words)-1)]); err != nil || strings.Trim(mac.String(), "0:") != "" {
		return meaningless("nvad keeps the entries of single addresses itself")
	}
	t.addRemote(dst)
	return carried
}

func (t *tunnel) addRemote(a netip.Addr) {
	if !slices.Contains(t.Remotes, a) {
		t.Remotes = append(t.Remotes, a)
	}
}

// sysctlCommand is "sysctl -w NAME=VALUE".
func (c *converter) sysctlCommand(words []string) outcome {
	words = slices.DeleteFunc(slices.Clone(words), func(w string) bool { return strings.HasPrefix(w, "-") })
	for _, w := range words {
		name, value, ok := strings.Cut(w, "=")
		if !ok || !strings.Contains(name, ".") || strings.Contains(name, "..") {
			return unsupported("sysctl %s", w)
		}
		c.sysctl(name, value)
	}
	return carried
}

// finishTunnels gives the tunnels their addresses and puts them into the
// result.
func (c *converter) finishTunnels() {
	for _, a := range c.hosts.pending {
		if t := c.tunnel(a.device); t != nil {
			if !slices.Contains(t.Addresses, a.address) {
				t.Addresses = append(t.Addresses, a.address)
			}
			continue
		}
		a.line.drop(unsupported("addresses of devices that nvad does not make; leave them to the system"))
	}
	for _, t := range c.tunnels {
		c.cfg.Tunnels = append(c.cfg.Tunnels, t.Tunnel)
	}
}

// option reads one word of a link, with the value after it if it has one.
type option struct {
	value bool
	read  func(t *tunnel, value string) bool
}

// linkOptions are those of any device.
var linkOptions = map[string]option{
	"mtu": {true, func(t *tunnel, v string) bool { return atoi(v, &t.MTU) }},
}

// vxlanOptions are those of a VXLAN device. What is not here, nvad can't make.
var vxlanOptions = map[string]option{
	"id":         {true, readVNI},
	"vni":        {true, readVNI},
	"dev":        {true, func(t *tunnel, v string) bool { t.Device = v; return true }},
	"local":      {true, func(t *tunnel, v string) bool { return readAddress(v, &t.Local) }},
	"group":      {true, readRemote},
	"remote":     {true, readRemote},
	"dstport":    {true, readPort},
	"port":       {true, readPort},
	"ttl":        {true, readTTL},
	"hoplimit":   {true, readTTL},
	"learning":   {false, func(t *tunnel, _ string) bool { t.Learning = true; return true }},
	"nolearning": {false, func(t *tunnel, _ string) bool { t.Learning = false; return true }},
}

// options reads words into t. One that nvad has no key for is left over
// without the device: it would be another tunnel.
func (t *tunnel) options(words []string, known map[string]option) outcome {
	for i := 0; i < len(words); i++ {
		opt, ok := known[words[i]]
		switch {
		case !ok:
			return unsupported("%s of a VXLAN device", words[i])
		case opt.value && i+1 == len(words):
			return attention("%s has no value", words[i])
		}
		name, value := words[i], ""
		if opt.value {
			i++
			value = words[i]
		}
		if !opt.read(t, value) {
			return attention("%s is no value of %s", value, name)
		}
	}
	return carried
}

func atoi(s string, p *int) bool {
	n, err := strconv.Atoi(s)
	*p = n
	return err == nil && n >= 0
}

func readAddress(s string, p *netip.Addr) bool {
	a, err := netip.ParseAddr(s)
	*p = a
	return err == nil
}

// readRemote is an address, or a group if it is multicast: ip takes either
// word for either.
func readRemote(t *tunnel, v string) bool {
	var a netip.Addr
	if !readAddress(v, &a) {
		return false
	}
	if a.IsMulticast() {
		t.Group = a
	} else {
		t.addRemote(a)
	}
	return true
}

func readVNI(t *tunnel, v string) bool {
	n, ok := number(v)
	t.VNI = n
	return ok
}

func readPort(t *tunnel, v string) bool {
	n, err := strconv.ParseUint(v, 10, 16)
	if t.Port = uint16(n); n == 0 {
		t.Port = kernelPort
	}
	return err == nil
}

func readTTL(t *tunnel, v string) bool {
	if v == "auto" || v == "inherit" {
		return true
	}
	return atoi(v, &t.TTL)
}
