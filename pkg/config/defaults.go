package config

import "time"

// Numbers that have no key of their own.
const (
	// routeServerASN is the ASN of every Azure Route Server, mseeASN that of
	// every Microsoft Enterprise Edge.
	routeServerASN = 65515
	mseeASN        = 12076
	// serverSubnetBits is the length of the smallest RouteServerSubnet.
	serverSubnetBits = 27
	// routeServerHoldTime is what both propose.
	routeServerHoldTime = 180 * time.Second
	// mseeBFDInterval and mseeBFDMultiplier are what an MSEE has configured.
	mseeBFDInterval   = 300 * time.Millisecond
	mseeBFDMultiplier = 3
	// azureRouteLimit is how many routes a Route Server takes of one neighbor,
	// and a circuit with private peering, SKU Standard, of one side; one more
	// ends the session.
	azureRouteLimit = 4000
	// azureTableLimit is how many routes a Route Server holds in all, and so the
	// most that it sends, or an NVA that peers with it passes on. An MSEE sends
	// fewer: 1,000 of each gateway.
	azureTableLimit = 10000
	// seqStep is between the numbers of rules and clauses that give none, as
	// in FRR.
	seqStep = 5
)

// Default is the configuration that an empty file would give, if asn and
// router-id were not required.
func Default() *Config {
	return &Config{
		Daemon: Daemon{
			Socket:      "/run/nvad/nvad.sock",
			LogLevel:    "info",
			PreserveFIB: true,
		},
		Kernel: Kernel{
			Protocol:       186, // "bgp" of iproute2 and FRR
			StaticProtocol: 200, // assigned by neither iproute2 nor FRR
			Metric:         20,  // FRR's distance of eBGP
			ScanInterval:   30 * time.Second,
			MaxPaths:       16,
		},
		Drain: Drain{Prepends: 5, Hold: 30 * time.Second}, // Azure holds a second change of a VNet's routes back for so long
	}
}

// DefaultSettings is what a neighbor has that sets nothing. The timers are
// those that Azure Route Server proposes, and FRR's.
func DefaultSettings() Settings {
	return Settings{
		Port:            179,
		HoldTime:        180 * time.Second,
		EnforceFirstAS:  true,
		GracefulRestart: true,
		RestartTime:     120 * time.Second,
		StalePathTime:   360 * time.Second, // FRR's

		MaximumPrefix:        azureTableLimit,
		MaximumPrefixAction:  ActionDiscard, // an NVA without the session carries nothing at all
		MaximumPrefixWarning: 75,            // FRR's

		MaximumPrefixOutCount: CountPrefixes,

		MaximumASPath:     255,  // in one segment
		MaximumAttributes: 4096, // in a message without RFC 8654
	}
}

// defaultTunnel is what a tunnel has that sets nothing; learning is on as with
// `ip link add type vxlan`, since a remote that is not nvad has a MAC that
// can't be known beforehand.
func defaultTunnel() Tunnel {
	return Tunnel{Port: 4789, Learning: true}
}
