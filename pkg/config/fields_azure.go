package config

var azureFields = []field[Azure]{
	{
		key: "scheduled-events",
		doc: "Watch for maintenance of this VM: drain before it is rebooted, moved, evicted or frozen, keep BFD quiet through " +
			"a freeze, and let Azure begin once drained.",
		bind: func(a *Azure) value { return boolean{&a.ScheduledEvents} },
	},
}
