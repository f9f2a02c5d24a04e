package config

var limitsFields = []field[Limits]{
	{
		key: "memory", example: "512",
		doc: "MiB of memory that nvad takes at most; GOMEMLIMIT of the environment goes before it for the collector. When nine tenths " +
			"are in use, the neighbor that holds most is closed with Cease/Out of Resources (RFC 4486) and stays down for a minute, " +
			"then for twice as long each time, up to an hour: the others go on. " +
			"Default: five sixths of the limit of nvad's control group or, if that is less, half of the machine's memory.",
		bind: func(l *Limits) value { return number(&l.Memory, 32, 1<<20) },
	},
}
