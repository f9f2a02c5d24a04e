package wireguard

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/nvad/nvad/pkg/tunnel"
)

// text writes a change in the form of WireGuard's cross-platform interface
// (https://www.wireguard.com/xplatform/).
func text(c Change) string {
	var b strings.Builder
	line := func(key, value string) { b.WriteString(key + "=" + value + "\n") }
	if c.Private != nil {
		line("private_key", octets(c.Private.Octets()))
	}
	if c.Port != nil {
		line("listen_port", strconv.Itoa(int(*c.Port)))
	}
	if c.NoMark {
		line("fwmark", "0")
	}
	for _, k := range c.Remove {
		line("public_key", octets(k))
		line("remove", "true")
	}
	line("public_key", octets(c.Peer.Public))
	line("preshared_key", octets(c.Peer.Preshared.Octets()))
	if c.Peer.Endpoint.IsValid() {
		line("endpoint", c.Peer.Endpoint.String())
	}
	line("persistent_keepalive_interval", strconv.Itoa(int(c.Peer.Keepalive/time.Second)))
	line("replace_allowed_ips", "true")
	for _, p := range c.Allowed {
		line("allowed_ip", p.String())
	}
	return b.String()
}

func octets(k [32]byte) string { return hex.EncodeToString(k[:]) }

// parse reads the state of a device. Errors do not quote values, which may be keys.
func parse(state string) (d tunnel.Device, err error) {
	var at time.Time
	var p *tunnel.PeerState
	for _, line := range strings.Split(strings.TrimSpace(state), "\n") {
		key, value, _ := strings.Cut(line, "=")
		if key == "public_key" {
			d.Peers = append(d.Peers, tunnel.PeerState{})
			p = &d.Peers[len(d.Peers)-1]
			at = time.Time{}
		}
		err := ofDevice(&d, key, value)
		if p != nil {
			err = peer(p, &at, key, value)
		}
		if err != nil {
			return d, fmt.Errorf("state of WireGuard: %s: %w", key, err)
		}
	}
	return d, nil
}

// ofDevice reads a line about the device itself.
func ofDevice(d *tunnel.Device, key, value string) (err error) {
	switch key {
	case "private_key":
		var k [32]byte
		k, err = key32(value)
		d.Private = tunnel.NewPrivate(k)
	case "listen_port":
		d.Port, err = number[uint16](value, 16)
	case "fwmark":
		d.Mark, err = number[uint32](value, 32)
	}
	return err
}

// peer reads a line about a peer. The time of a handshake is in two lines, seconds before
// nanoseconds; zero means none.
func peer(p *tunnel.PeerState, at *time.Time, key, value string) (err error) {
	switch key {
	case "public_key":
		var k [32]byte
		k, err = key32(value)
		p.Public = k
	case "preshared_key":
		var k [32]byte
		k, err = key32(value)
		p.Preshared = tunnel.NewShared(k)
	case "endpoint":
		p.Endpoint, err = netip.ParseAddrPort(value)
	case "persistent_keepalive_interval":
		var n uint16
		n, err = number[uint16](value, 16)
		p.Keepalive = time.Duration(n) * time.Second
	case "allowed_ip":
		var prefix netip.Prefix
		prefix, err = netip.ParsePrefix(value)
		p.AllowedIPs = append(p.AllowedIPs, prefix)
	case "rx_bytes":
		p.RxBytes, err = number[uint64](value, 64)
	case "tx_bytes":
		p.TxBytes, err = number[uint64](value, 64)
	case "last_handshake_time_sec":
		var n uint64
		if n, err = number[uint64](value, 63); n > 0 {
			*at = time.Unix(int64(n), 0)
			p.LastHandshake = *at
		}
	case "last_handshake_time_nsec":
		var n uint32
		if n, err = number[uint32](value, 32); !at.IsZero() {
			p.LastHandshake = at.Add(time.Duration(n))
		}
	}
	return err
}

func key32(s string) (k [32]byte, err error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(k) {
		return k, fmt.Errorf("no key of %d octets", len(k))
	}
	return [32]byte(b), nil
}

func number[N uint16 | uint32 | uint64](s string, bits int) (N, error) {
	n, err := strconv.ParseUint(s, 10, bits)
	return N(n), err
}
