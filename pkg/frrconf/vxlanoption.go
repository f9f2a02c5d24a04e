package frrconf

import (
	"net/netip"
	"strconv"
)

// option reads one word of a link, and the value after it if it has one.
type option struct {
	value bool
	read  func(t *tunnel, value string) bool
}

// linkOptions are the options of any device.
var linkOptions = map[string]option{
	"mtu": {true, func(t *tunnel, v string) bool { return atoi(v, &t.MTU) }},
}

// vxlanOptions are the options of a VXLAN device that nvad supports.
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

// options reads words into t. If nvad has no key for one, the device is left over as a
// whole: without the option it would be a different tunnel.
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

// readRemote reads an address, which is a group if it is multicast: ip accepts both words
// for both.
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
