// Package survey asks nvad what state it is in, and returns the answers as one value: an [NVA].
//
// A picture, a web page and a comparison of several NVAs need the same things of each of them:
// status, links, neighbors, tunnels, and what is wrong. [Take] asks for the present, [At] asks the
// journal for an earlier moment; both return the same type, so that whatever shows the one shows
// the other. [Picture] turns several of them into a drawing.
//
// Promise: only calls of the service Nvad are made, which change nothing. An answer is bounded,
// however large the tables of the daemon are. Texts are passed on as the daemon sent them: whoever
// shows them must escape them.
//
// An NVA belongs to the caller and is never changed after it was returned. Connections,
// deadlines and caches are the caller's.
package survey

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"
)

// NVA is the state of one NVA at one moment. Its JSON is what nvactl web serves.
type NVA struct {
	Host        string     `json:"host"`
	Version     string     `json:"version"`
	ASN         uint32     `json:"asn"`
	RouterID    string     `json:"router_id"`
	Since       *time.Time `json:"since"` // when the daemon started
	InSync      bool       `json:"in_sync"`
	WaitingFor  []string   `json:"waiting_for"`
	Established uint32     `json:"established"`
	Configured  uint32     `json:"neighbors_total"`
	TunnelsUp   uint32     `json:"tunnels_up"`
	TunnelCount uint32     `json:"tunnels_total"`
	Prefixes    uint32     `json:"prefixes"`
	Paths       uint32     `json:"paths"`
	FIBWanted   uint32     `json:"fib_wanted"`
	Installed   uint32     `json:"fib_installed"`
	Draining    *Drain     `json:"draining"`
	Memory      *Memory    `json:"memory"`
	Config      *Config    `json:"config"`
	Links       []Link     `json:"links"`
	VNets       []string   `json:"vnets"` // address spaces that the configuration names
	Behind      []Behind   `json:"behind"`
	Neighbors   []Neighbor `json:"neighbors"`
	Tunnels     []Tunnel   `json:"tunnels"`
	NextHops    []NextHop  `json:"next_hops"`
	Azure       *Azure     `json:"azure"`
	Problems    []Problem  `json:"problems"`
}

// Drain says since when and why an NVA drains.
type Drain struct {
	Since  *time.Time `json:"since"`
	Reason string     `json:"reason"`
}

// Memory is the daemon's memory, in bytes.
type Memory struct {
	InUse  uint64 `json:"in_use"`
	Budget uint64 `json:"budget"`
}

// Config compares the running configuration with the file.
type Config struct {
	Version   uint32     `json:"version"`
	Since     *time.Time `json:"since"`
	File      string     `json:"file"`
	FileState string     `json:"file_state"`
	Deadline  *time.Time `json:"deadline"` // when an unconfirmed change is undone
	Fallback  uint32     `json:"fallback"`
}

// Link is an interface of the kernel.
type Link struct {
	Name      string   `json:"name"`
	Up        bool     `json:"up"`
	MTU       uint32   `json:"mtu"`
	Addresses []string `json:"addresses"`
}

// Behind is something in Azure that the AS paths of Route Server's routes show: the VNets of
// this hub and its spokes, or a network behind ExpressRoute.
type Behind struct {
	Kind     string   `json:"kind"` // "vnet" or "expressroute"
	Name     string   `json:"name"`
	Prefixes []string `json:"prefixes"` // the first ones
	Total    int      `json:"total"`
}

// Neighbor is a BGP neighbor and its session.
type Neighbor struct {
	Address      string     `json:"address"`
	ASN          uint32     `json:"asn"`
	LocalASN     uint32     `json:"local_asn"`
	LocalAddress string     `json:"local_address"`
	Description  string     `json:"description"`
	PeerGroup    string     `json:"peer_group"`
	Domain       string     `json:"domain"`
	RouteServer  bool       `json:"route_server"`
	ListenRange  string     `json:"listen_range"`
	State        string     `json:"state"`
	Up           bool       `json:"up"`
	Shutdown     bool       `json:"shutdown"`
	Since        *time.Time `json:"since"`
	Reason       string     `json:"reason"`
	Received     uint32     `json:"received"`
	Accepted     uint32     `json:"accepted"`
	Rejected     uint32     `json:"rejected"`
	Stale        uint32     `json:"stale"`
	Advertised   uint32     `json:"advertised"`
	MaxPrefix    uint32     `json:"max_prefix"`
	Flaps        uint64     `json:"flaps"`
	BFD          string     `json:"bfd"` // state of the BFD session; empty if there is none
	Warnings     []string   `json:"warnings"`
	Tunnel       string     `json:"tunnel"` // name of the tunnel that the neighbor is behind
}

// Tunnel is a tunnel and its device.
type Tunnel struct {
	Name          string     `json:"name"`
	Kind          string     `json:"kind"` // "vxlan" or "wireguard"
	VNI           uint32     `json:"vni"`
	State         string     `json:"state"`
	Up            bool       `json:"up"`
	Reason        string     `json:"reason"`
	Local         string     `json:"local"`
	Remotes       []string   `json:"remotes"`
	Device        string     `json:"device"`
	Port          uint32     `json:"port"`
	MTU           uint32     `json:"mtu"`
	Addresses     []string   `json:"addresses"`
	RxBytes       uint64     `json:"rx_bytes"`
	TxBytes       uint64     `json:"tx_bytes"`
	LastHandshake *time.Time `json:"last_handshake"`
	Warning       string     `json:"warning"`
	Peers         []Peer     `json:"peers"`
}

// Peer is a neighbor or gateway at the far end of a tunnel.
type Peer struct {
	Remote   string `json:"remote"` // underlay address
	Neighbor string `json:"neighbor"`
	Up       bool   `json:"up"`
	By       string `json:"by"` // what shows it: "bfd" or "bgp"
	Reason   string `json:"reason"`
}

// NextHop is a next hop whose death or return is in the journal.
type NextHop struct {
	Address string     `json:"address"`
	Alive   bool       `json:"alive"`
	By      string     `json:"by"`
	Reason  string     `json:"reason"`
	Since   *time.Time `json:"since"`
}

// Azure summarizes the last poll of Azure.
type Azure struct {
	Taken    *time.Time `json:"taken"`
	Stale    bool       `json:"stale"`
	Prefixes uint32     `json:"prefixes"`
	Findings uint32     `json:"findings"`
	Error    string     `json:"error"`
}

// Problem is something wrong, and the command that mends it or shows more.
type Problem struct {
	Severity string     `json:"severity"` // "problem" or "warning"
	Kind     string     `json:"kind"`
	Name     string     `json:"name"`
	Text     string     `json:"text"`
	Since    *time.Time `json:"since"`
	Mend     string     `json:"mend"` // may be empty
}

// Unknown returns the state of an NVA of which nothing is known.
func Unknown() *NVA {
	return &NVA{WaitingFor: []string{}, Links: []Link{}, VNets: []string{}, Behind: []Behind{}, Neighbors: []Neighbor{}, Tunnels: []Tunnel{},
		NextHops: []NextHop{}, Problems: []Problem{}}
}

// Moment returns the time of a stamp; nil if it is absent, or if its year has not four digits. JSON
// has no form for such a time, so one in the answer of an impostor would spoil the answers of all NVAs.
func Moment(ts *timestamppb.Timestamp) *time.Time {
	if !ts.IsValid() {
		return nil
	}
	t := ts.AsTime()
	return &t
}

// filled returns list, and an empty list in place of nil, which would be null in JSON.
func filled[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
