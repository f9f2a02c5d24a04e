package wireguard

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/nvad/nvad/pkg/tunnel"
)

var (
	own    = tunnel.NewPrivate([32]byte{8})
	peerOf = tunnel.NewPrivate([32]byte{16}).Public()
	other  = tunnel.NewPrivate([32]byte{24}).Public()
	end    = netip.MustParseAddrPort("[2001:db8::1]:51820")
)

func want() tunnel.WireGuard {
	return tunnel.WireGuard{Private: own, Port: 51820, Peer: tunnel.Peer{Public: peerOf, Endpoint: end, Keepalive: 25 * time.Second}}
}

// What is right already is not given again: a new port costs sockets, a new key all sessions.
func TestChanges(t *testing.T) {
	have := tunnel.Device{Private: own, Port: 51820, Peers: []tunnel.PeerState{{Peer: want().Peer}}}
	c := Changes(have, want())
	if c.Private != nil || c.Port != nil || c.NoMark || len(c.Remove) > 0 || c.Peer != want().Peer {
		t.Errorf("%+v", c)
	}
	have = tunnel.Device{Private: tunnel.NewPrivate([32]byte{72}), Port: 4, Mark: 5, Peers: []tunnel.PeerState{{Peer: tunnel.Peer{Public: other}}}}
	c = Changes(have, want())
	if c.Private == nil || *c.Private != own || *c.Port != 51820 || !c.NoMark || !reflect.DeepEqual(c.Remove, []tunnel.Key{other}) {
		t.Errorf("%+v", c)
	}
	caller, last := want(), netip.MustParseAddrPort("192.0.2.9:1")
	caller.Peer.Endpoint, caller.Last = netip.AddrPort{}, last
	if c := Changes(tunnel.Device{}, caller); c.Peer.Endpoint != last {
		t.Errorf("calls %s, want %s", c.Peer.Endpoint, last)
	}
	if c := Changes(tunnel.Device{Peers: []tunnel.PeerState{{Peer: want().Peer}}}, caller); c.Peer.Endpoint.IsValid() {
		t.Errorf("moves a peer to where it was: %s", c.Peer.Endpoint)
	}
	any := want()
	any.Port = 0
	if c := Changes(have, any); c.Port != nil {
		t.Errorf("takes another port, although any will do: %d", *c.Port)
	}
}

func TestText(t *testing.T) {
	got := text(Changes(tunnel.Device{Mark: 1, Peers: []tunnel.PeerState{{Peer: tunnel.Peer{Public: other}}}}, want()))
	zeros := strings.Repeat("00", 31)
	for _, line := range []string{
		"private_key=08" + zeros[2:] + "40", "listen_port=51820", "fwmark=0", "public_key=" + octets(other) + "\nremove=true", "public_key=" + octets(peerOf),
		"preshared_key=00" + zeros, "endpoint=[2001:db8::1]:51820", "persistent_keepalive_interval=25", "replace_allowed_ips=true\nallowed_ip=0.0.0.0/0\nallowed_ip=::/0",
	} {
		if !strings.Contains(got, line+"\n") {
			t.Errorf("%q is missing in\n%s", line, got)
		}
	}
	unknown := want()
	unknown.Peer.Endpoint = netip.AddrPort{}
	if got := text(Changes(tunnel.Device{}, unknown)); strings.Contains(got, "endpoint") {
		t.Errorf("an endpoint that nobody knows:\n%s", got)
	}
}

func TestParse(t *testing.T) {
	got, err := parse(strings.Join([]string{
		"private_key=" + octets(own.Octets()), "listen_port=51820", "fwmark=7",
		"public_key=" + octets(peerOf), "preshared_key=" + octets(own.Octets()), "protocol_version=1", "endpoint=[2001:db8::1]:51820",
		"last_handshake_time_sec=1700000000", "last_handshake_time_nsec=5", "tx_bytes=11", "rx_bytes=12", "persistent_keepalive_interval=25",
		"allowed_ip=0.0.0.0/0", "allowed_ip=::/0",
		"public_key=" + octets(other), "last_handshake_time_sec=0", "last_handshake_time_nsec=0", "tx_bytes=0", "rx_bytes=0", "",
	}, "\n"))
	wanted := tunnel.Device{
		Private: own, Port: 51820, Mark: 7,
		Peers: []tunnel.PeerState{{
			Peer:       tunnel.Peer{Public: peerOf, Preshared: own, Endpoint: end, Keepalive: 25 * time.Second},
			AllowedIPs: tunnel.Everything(), LastHandshake: time.Unix(1_700_000_000, 5), TxBytes: 11, RxBytes: 12,
		}, {Peer: tunnel.Peer{Public: other}}},
	}
	if err != nil || !reflect.DeepEqual(got, wanted) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, wanted)
	}
	for _, bad := range []string{"private_key=beef", "public_key=x", "listen_port=65536", "public_key=" + octets(other) + "\nendpoint=beef"} {
		if _, err := parse(bad); err == nil || strings.Contains(err.Error(), "beef\"") && strings.Contains(bad, "private") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
