package config

var tunnelFields = []field[Tunnel]{
	{
		key: "name", example: `"vxlan0"`, required: true, shown: true, impact: DeviceRecreated,
		doc:  "Name of the VXLAN device that nvad makes.",
		bind: func(t *Tunnel) value { return text{&t.Name, checkInterface} },
	},
	{
		key: "vni", example: "77", required: true, shown: true, impact: DeviceRecreated,
		doc:  "VXLAN network identifier.",
		bind: func(t *Tunnel) value { return number(&t.VNI, 1, 1<<24-1) },
	},
	{
		key: "device", example: `"eth0"`, shown: true, impact: DeviceRecreated,
		doc:  "Underlay device. Required unless local is given.",
		bind: func(t *Tunnel) value { return text{&t.Device, checkInterface} },
	},
	{
		key: "local", example: `"10.0.0.4"`, impact: DeviceRecreated,
		doc:  "Underlay source address. Default: the first one of device.",
		bind: func(t *Tunnel) value { return address{&t.Local, unicast} },
	},
	{
		key: "remotes", example: `["10.10.0.4"]`, shown: true,
		doc:  "Underlay addresses of the other ends.",
		bind: func(t *Tunnel) value { return addresses{&t.Remotes, unicast} },
	},
	{
		key: "peers", example: `["10.10.0.4=169.254.0.2"]`,
		doc: "Which of the remotes has which address in the tunnel. What claims such an address and comes from another remote is " +
			"dropped. With one remote every address is its own.",
		bind: func(t *Tunnel) value { return tunnelPeers{&t.Peers} },
	},
	{
		key: "group", example: `"239.1.1.1"`, impact: DeviceRecreated,
		doc: "Multicast group in place of remotes; Azure does not carry multicast. Who is in reach of the group can join the tunnel: " +
			"protect its neighbors with a password.",
		bind: func(t *Tunnel) value { return address{&t.Group, multicast} },
	},
	{
		key: "port", impact: DeviceRecreated,
		doc:  "UDP destination port.",
		bind: func(t *Tunnel) value { return number(&t.Port, 1, maxUint16) },
	},
	{
		key: "mtu", example: "1450",
		doc:  "MTU of the device. Default: the underlay's less the encapsulation.",
		bind: func(t *Tunnel) value { return number(&t.MTU, 576, 65535) },
	},
	{
		key: "mss-clamp",
		doc: "Segment size that TCP connections through the tunnel agree on at most: a number, \"auto\" for what fits its MTU, " +
			"or \"off\".",
		bind: func(t *Tunnel) value { return mssClamp{&t.MSSClamp} },
	},
	{
		key: "ttl", impact: DeviceRecreated,
		doc:  "TTL of the outer packet; 0 leaves it to the kernel.",
		bind: func(t *Tunnel) value { return number(&t.TTL, 0, 255) },
	},
	{
		key: "learning", impact: DeviceRecreated,
		doc: "Learn which remote has which MAC address from what the remotes send. The addresses of remotes that run nvad are known " +
			"without; a remote that does not is flooded if this is off.",
		bind: func(t *Tunnel) value { return boolean{&t.Learning} },
	},
	{
		key: "address", example: `"169.254.0.1/24"`, shown: true,
		doc:  "Address of the device, with its length; or a list of them.",
		bind: func(t *Tunnel) value { return interfaceAddresses{&t.Addresses} },
	},
	{
		key: "bfd", example: "{ min-tx = 100, min-rx = 100 }",
		doc: "Watch the far ends with BFD, over one hop within the tunnel (RFC 5881): true, or a table as a neighbor's. Far ends are the " +
			"gateways of static routes that lie in a subnet of address. The routes of one that does not answer are taken out of the kernel.",
		bind: func(t *Tunnel) value { return bfd{&t.BFD} },
	},
}

var staticFields = []field[Static]{
	{
		key: "prefix", example: `"10.0.210.0/24"`, required: true, shown: true,
		doc:  "Destination.",
		bind: func(s *Static) value { return prefix{&s.Prefix} },
	},
	{
		key: "via", example: `"10.0.0.1"`, shown: true,
		doc:  "Gateway. Exactly one of via, device and blackhole is given; device may stand beside via.",
		bind: func(s *Static) value { return address{&s.Via, unicast} },
	},
	{
		key: "device", example: `"eth0"`,
		doc:  "Device of an on-link route, or of the gateway.",
		bind: func(s *Static) value { return text{&s.Device, checkInterface} },
	},
	{
		key:  "blackhole",
		doc:  "Drop the packets.",
		bind: func(s *Static) value { return boolean{&s.Blackhole} },
	},
	{
		key: "metric",
		doc: "Metric in the kernel; 0 is that of BGP routes (kernel.metric). Of several routes for a prefix the kernel has the one of " +
			"lowest metric whose gateway is reached.",
		bind: func(s *Static) value { return number(&s.Metric, 0, maxUint32-1) },
	},
	{
		key: "source", example: `"10.0.0.4"`,
		doc:  "Preferred source address of this NVA's own packets.",
		bind: func(s *Static) value { return address{&s.Source, unicast} },
	},
}
