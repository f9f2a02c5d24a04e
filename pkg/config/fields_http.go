package config

var healthFields = []field[Health]{
	{
		key: "listen", example: `["10.0.0.4:8080"]`, shown: true,
		doc: "Where /healthz is answered over HTTP: 200 where this NVA should carry traffic, 503 with the reasons where not. " +
			"Let the load balancer probe it. Default: nowhere.",
		bind: func(h *Health) value { return endpoints{&h.Listen} },
	},
	{
		key: "min-established", example: "{ route-server = 1 }", shown: true,
		doc:  "Neighbors of a peer-group that must be established at least, by peer-group.",
		bind: func(h *Health) value { return numbers{&h.MinEstablished} },
	},
	{
		key: "tunnels", example: `["vxlan0"]`, shown: true,
		doc:  "Tunnels that must be up, with a neighbor established over each that has any.",
		bind: func(h *Health) value { return names{&h.Tunnels} },
	},
}

var metricsFields = []field[Metrics]{
	{
		key: "listen", example: `["127.0.0.1:9179"]`,
		doc: "Where /metrics is answered over HTTP; it may be where health.listen is. It tells names and numbers to whoever " +
			"can reach it. Default: nowhere.",
		bind: func(m *Metrics) value { return endpoints{&m.Listen} },
	},
}
