package config

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode"

	"github.com/nvad/nvad/pkg/config/tomlfile"
)

// sessionFields are the keys of the BGP session itself.
func sessionFields(s *Settings) []tomlfile.Field {
	return []tomlfile.Field{
		{Key: "remote-asn", Value: remoteASN(&s.RemoteASN, &s.RemoteType), Example: "65515", Shown: true, Impact: SessionReset,
			Doc: `ASN of the neighbor, or "internal" for the ASN that nvad itself uses towards it, or "external" for any other, ` +
				"which the neighbor chooses. Required in the neighbor or its peer-group."},
		{Key: "local-asn", Value: asn(&s.LocalASN), Example: "65002", Impact: SessionReset,
			Doc: "ASN to use towards this neighbor instead of asn."},
		{Key: "local-address", Value: source(&s.LocalAddress, &s.LocalInterface), Example: `"10.0.0.4"`, Impact: SessionReset,
			Doc: "Source address of the session, or the name of the interface that has it. Of the interface's addresses nvad takes one in " +
				"the neighbor's subnet, or else the first; if that changes, the session is opened again from the new one. " +
				"Default: chosen by the kernel."},
		{Key: "port", Value: tomlfile.Number(&s.Port, 1, tomlfile.MaxUint16), Impact: SessionReset,
			Doc: "TCP port of the neighbor."},
		{Key: "passive", Value: tomlfile.Bool(&s.Passive), Impact: SessionReset,
			Doc: "Wait for the neighbor to connect, instead of connecting to it."},
		{Key: "shutdown", Value: tomlfile.Bool(&s.Shutdown), Impact: SessionReset,
			Doc: "Keep the session down."},
		{Key: "ebgp-multihop", Value: tomlfile.Number(&s.EBGPMultihop, 1, 255), Example: "255", Shown: true, Impact: SessionReset,
			Doc: "TTL towards an eBGP neighbor that is not in a connected subnet. Route Server needs 2 or more."},
		{Key: "ttl-security", Value: tomlfile.Number(&s.TTLSecurity, 0, 254), Impact: SessionReset,
			Doc: "Drop packets from more than this many hops away (RFC 5082); 0 accepts any distance. Excludes ebgp-multihop."},
		{Key: "password", Value: tomlfile.Secret(&s.Password, CheckPassword), Example: `"secret"`, Impact: SessionReset,
			Doc: "TCP-MD5 key, 1 to 80 bytes, the same at both ends."},
		{Key: "password-file", Value: tomlfile.Text(&s.PasswordFile, tomlfile.NotEmpty), Example: `"bgp-key"`, Impact: SessionReset,
			Doc: "File with the TCP-MD5 key. A relative path is looked up in systemd's credentials directory."},
		{Key: "hold-time", Value: tomlfile.Seconds(&s.HoldTime, 0, tomlfile.MaxUint16, checkHoldTime), Impact: SessionReset,
			Doc: "Seconds without a message after which the session is closed; 0 never closes it. The shorter hold time of both " +
				"ends applies."},
		{Key: "keepalive", Value: tomlfile.Seconds(&s.Keepalive, 1, tomlfile.MaxUint16/3, nil), Example: "60", Impact: SessionReset,
			Doc: "Seconds between keepalive messages. Default: a third of hold-time."},
		{Key: "bfd", Value: bfd(&s.BFD), Example: "{ min-tx = 100, min-rx = 100 }",
			Doc: "Watch the neighbor with BFD (RFC 5880): true, or a table of min-tx and min-rx in milliseconds (300), multiplier " +
				"(3), min-ttl and key-file. When the neighbor stops answering, its routes are removed at once, whatever " +
				"graceful-restart says."},
		{Key: "families", Value: tomlfile.Words(&s.Families, false, "ipv4", "ipv6"), Example: `["ipv4"]`, Impact: SessionReset,
			Doc: `Address families: "ipv4", "ipv6" or both. Default: the family of the neighbor's address.`},
	}
}

// restartFields are the keys of graceful restart.
func restartFields(s *Settings) []tomlfile.Field {
	return []tomlfile.Field{
		{Key: "graceful-restart", Value: tomlfile.Bool(&s.GracefulRestart), Impact: SessionReset,
			Doc: "Negotiate graceful restart (RFC 4724), so that routes survive a restart of either side."},
		{Key: "restart-time", Value: tomlfile.Seconds(&s.RestartTime, 1, 4095, nil), Impact: SessionReset,
			Doc: "Seconds for which the neighbor is asked to keep routes while nvad restarts."},
		{Key: "stalepath-time", Value: tomlfile.Seconds(&s.StalePathTime, 1, 4095, nil),
			Doc: "Maximum time in seconds for which the routes of a restarting neighbor are kept until it announces them again. " +
				"The neighbor may ask for up to 4095, and until then traffic may go to a router that is gone. The default, three " +
				"times the usual restart time, is enough for a large table."},
	}
}

// maxPassword is the longest key that Linux accepts (TCP_MD5SIG_MAXKEYLEN).
const maxPassword = 80

// CheckPassword refuses text that can't be a TCP-MD5 key. The error does not quote it.
func CheckPassword(s string) error {
	switch {
	case s == "":
		return errors.New("the password is empty; TCP-MD5 needs 1 to 80 bytes")
	case len(s) > maxPassword:
		return fmt.Errorf("the password has %d bytes, but TCP-MD5 accepts at most %d", len(s), maxPassword)
	}
	return nil
}

// checkHoldTime follows RFC 4271 section 4.2.
func checkHoldTime(n int64) error {
	if n == 1 || n == 2 {
		return fmt.Errorf("want 0 or at least 3 seconds (RFC 4271), got %d", n)
	}
	return nil
}

func (v *checker) timers(i int, n *Neighbor) {
	if n.HoldTime > 0 && n.Keepalive >= n.HoldTime {
		v.fail(v.cfg.places(i, "keepalive", "hold-time"), "keepalive (%d s) must be shorter than hold-time (%d s)",
			n.Keepalive/time.Second, n.HoldTime/time.Second)
	}
}

func (v *checker) security(i int, n *Neighbor) {
	if n.TTLSecurity > 0 && n.EBGPMultihop > 1 {
		v.fail(v.cfg.places(i, "ttl-security", "ebgp-multihop"), "ttl-security and ebgp-multihop exclude each other; remove one")
	}
	if n.Password != "" && n.PasswordFile != "" {
		v.fail(v.cfg.places(i, "password-file", "password"), "password and password-file exclude each other; remove one")
	}
}

// source returns a Value for an address of this machine, which it stores in p, or for the
// name of an interface, which it stores in device. Names begin with a letter, so that a
// mistyped address is none.
func source(p *netip.Addr, device *string) tomlfile.Value {
	set := func(c tomlfile.Cell) {
		s, _ := c.Val.(string)
		if s != "" && unicode.IsLetter(rune(s[0])) && !strings.Contains(s, ":") {
			if err := tomlfile.Interface(s); err != nil {
				c.Fail("%v", err)
				return
			}
			*p, *device = netip.Addr{}, s
		} else if a, ok := tomlfile.ParseAddress(c, tomlfile.Unicast); ok {
			*p, *device = a, ""
		}
	}
	return tomlfile.Custom("address or interface", set, func() string {
		if *device != "" || !p.IsValid() {
			return tomlfile.Quote(*device)
		}
		return tomlfile.Quote(p.String())
	})
}
