package config

var networkFields = []field[Network]{
	{
		key: "prefix", example: `"10.20.0.0/16"`, required: true, shown: true,
		doc:  "Prefix to originate, whether or not the kernel has a route for it.",
		bind: func(n *Network) value { return prefix{&n.Prefix} },
	},
	{
		key: "route-map", example: `"tag-own"`, shown: true,
		doc:  "Route-map that sets its attributes, or denies it.",
		bind: func(n *Network) value { return text{&n.RouteMap, checkName} },
	},
}

var aggregateFields = []field[Aggregate]{
	{
		key: "prefix", example: `"10.16.0.0/12"`, required: true, shown: true,
		doc:  "Prefix to originate while there is a valid route to a part of it.",
		bind: func(a *Aggregate) value { return prefix{&a.Prefix} },
	},
	{
		key:  "summary-only",
		doc:  "Advertise the aggregate alone, not its parts.",
		bind: func(a *Aggregate) value { return boolean{&a.SummaryOnly} },
	},
	{
		key: "route-map", example: `"tag-own"`,
		doc:  "Route-map that sets its attributes, or denies it.",
		bind: func(a *Aggregate) value { return text{&a.RouteMap, checkName} },
	},
}

// redistributable are the sources of which routes can be originated.
var redistributable = []string{"connected", "static", "kernel"}

var redistributeFields = []field[Redistribute]{
	{
		key: "source", example: `"static"`, required: true, shown: true,
		doc: `"connected": subnets of this machine's interfaces. "static": static routes above that stand. ` +
			`"kernel": routes of other programs, the default route among them. Link-local prefixes never.`,
		bind: func(r *Redistribute) value { return oneOf(&r.Source, redistributable...) },
	},
	{
		key: "route-map", example: `"tag-own"`, shown: true,
		doc:  "Route-map that sets their attributes, or denies them. Their MED is the metric in the kernel, or the static route's own.",
		bind: func(r *Redistribute) value { return text{&r.RouteMap, checkName} },
	},
}
