package config

import (
	"time"

	"github.com/nvad/nvad/pkg/route"
)

func (v *checker) neighbor(i int) {
	n := &v.cfg.Neighbors[i]
	key := v.src.elem("neighbor", i, n.Address)
	if n.Address.IsValid() {
		v.distinct("neighbor", "address", i, n.Address, func(j int) bool { return v.cfg.Neighbors[j].Address == n.Address })
		v.neighborAddress(key, n)
	}
	v.remoteASN(key, n)
	v.timers(key, n)
	v.security(key, n)
	v.kind(key, n)
	v.defaultOriginate(key, n)
	v.azureASN(key, n)
}

// fault reports a key of n where it is given: at the neighbor or at its group.
// The keys are tried in turn.
func (v *checker) fault(key string, n *Neighbor, keys []string, format string, args ...any) {
	var places string
	for _, k := range keys {
		places += " " + key + "." + k
	}
	group := " peer-group." + n.PeerGroup + "."
	for _, k := range keys {
		places += group + k
	}
	places += group + "preset"
	v.fail(places, format, args...)
}

// remoteASN may be the group's; a group that does not exist has its own error.
func (v *checker) remoteASN(key string, n *Neighbor) {
	group, exists := v.cfg.Groups[n.PeerGroup]
	given := v.has(key+".remote-asn") || v.has("peer-group."+n.PeerGroup+".remote-asn") || group.Preset != ""
	if !given && (exists || n.PeerGroup == "") {
		v.fail(key+".remote-asn", "required key is missing in the neighbor and its peer-group")
	}
}

func (v *checker) neighborAddress(key string, n *Neighbor) {
	if n.Address.Is6() && n.Address.IsLinkLocalUnicast() {
		v.fail(key+".address", "%s is a link-local address, which needs a device to go with it, and nvad has no key for that; use another address", n.Address)
	}
	if n.Address == v.cfg.RouterID {
		v.fail(key+".address", "%s is this NVA's own router-id", n.Address)
	}
	if n.Address == n.LocalAddress {
		v.fail(key+".address", "%s is local-address too", n.Address)
	}
	for _, t := range v.cfg.Tunnels {
		for _, p := range t.Addresses {
			if p.Addr() == n.Address {
				v.fail(key+".address", "%s is this NVA's own address on %s", n.Address, t.Name)
			}
		}
	}
	if l := n.LocalAddress; l.IsValid() && l.Is4() != n.Address.Is4() {
		v.fault(key, n, []string{"local-address"}, "%s is not of the address family of neighbor %s", l, n.Address)
	}
	if n.Address.Is6() && !n.Families.Has(route.IPv6) {
		v.fault(key, n, []string{"families"}, "neighbor %s needs \"ipv6\": IPv4 routes alone have no next hop over IPv6", n.Address)
	}
}

func (v *checker) timers(key string, n *Neighbor) {
	if n.HoldTime > 0 && n.Keepalive >= n.HoldTime {
		v.fault(key, n, []string{"keepalive", "hold-time"}, "keepalive (%d s) must be shorter than hold-time (%d s)",
			n.Keepalive/time.Second, n.HoldTime/time.Second)
	}
}

func (v *checker) security(key string, n *Neighbor) {
	if n.TTLSecurity > 0 && n.EBGPMultihop > 1 {
		v.fault(key, n, []string{"ttl-security", "ebgp-multihop"}, "ttl-security and ebgp-multihop exclude each other")
	}
	if n.Password != "" && n.PasswordFile != "" {
		v.fault(key, n, []string{"password-file", "password"}, "password and password-file exclude each other")
	}
}

// kind reports keys that only eBGP or only iBGP has.
func (v *checker) kind(key string, n *Neighbor) {
	own := n.OwnASN(v.cfg)
	if n.RemoteASN == 0 || own == 0 {
		return
	}
	ibgp := n.RemoteASN == own
	switch {
	case ibgp && n.Role != "":
		v.fault(key, n, []string{"role"}, "an iBGP neighbor has no role (RFC 9234)")
	case !ibgp && n.RouteReflectorClient:
		v.fault(key, n, []string{"route-reflector-client"}, "only an iBGP neighbor can be a client; AS %d is not %d", n.RemoteASN, own)
	}
}
