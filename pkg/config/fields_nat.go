package config

var masqueradeFields = []field[Masquerade]{
	{
		key: "out", example: `"bond0"`, required: true, shown: true,
		doc:  "Device that the packets leave through, and whose address they get.",
		bind: func(m *Masquerade) value { return text{&m.Out, checkInterface} },
	},
	{
		key: "source", example: `"10.0.0.0/8"`, shown: true,
		doc:  `Sources that are hidden so. Default: all of IPv4; "::/0" is all of IPv6.`,
		bind: func(m *Masquerade) value { return prefix{&m.Source} },
	},
	{
		key: "except-destinations", example: `["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]`, shown: true,
		doc:  "Destinations that see the source as it is. 168.63.129.16 and 169.254.169.254 always do.",
		bind: func(m *Masquerade) value { return prefixes{&m.ExceptDestinations} },
	},
	{
		key: "except-sources", example: `["192.168.0.1/32"]`,
		doc:  "Sources that are left as they are.",
		bind: func(m *Masquerade) value { return prefixes{&m.ExceptSources} },
	},
}

var snatFields = []field[SNAT]{
	{
		key: "source", example: `"10.20.0.0/16"`, required: true, shown: true,
		doc:  "Sources to be replaced.",
		bind: func(s *SNAT) value { return prefix{&s.Source} },
	},
	{
		key: "out", example: `"eth0"`, required: true, shown: true,
		doc:  "Device that the packets leave through.",
		bind: func(s *SNAT) value { return text{&s.Out, checkInterface} },
	},
	{
		key: "to", example: `"10.0.0.4:1024-65535"`, required: true, shown: true,
		doc:  "Source that they get: an address, and the ports to choose from for TCP and UDP.",
		bind: func(s *SNAT) value { return endpoint{&s.To} },
	},
}

var dnatFields = []field[DNAT]{
	{
		key: "in", example: `"eth0"`, shown: true,
		doc:  "Device that the packets come in by. Required unless destination is given.",
		bind: func(d *DNAT) value { return text{&d.In, checkInterface} },
	},
	{
		key: "destination", example: `"10.0.0.100"`, shown: true,
		doc:  "Address that they are sent to.",
		bind: func(d *DNAT) value { return address{&d.Destination, unicast} },
	},
	{
		key: "protocol", example: `"tcp"`, shown: true,
		doc:  `"tcp", "udp" or "any"; with ports, "any" is these two.`,
		bind: func(d *DNAT) value { return oneOf(&d.Protocol, "any", "tcp", "udp") },
	},
	{
		key: "port", example: "8080", shown: true,
		doc:  `Port, or a range of them ("8000-8009"). Default: all.`,
		bind: func(d *DNAT) value { return ports{&d.Ports} },
	},
	{
		key: "to", example: `"10.1.0.4:80"`, required: true, shown: true,
		doc: "Where they go instead: an address, and a port unless it stays the same. A range takes the ports of a range " +
			"as long, one to one.",
		bind: func(d *DNAT) value { return endpoint{&d.To} },
	},
}
