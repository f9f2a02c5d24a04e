package reload

// head is the part that both configurations share. One listener comes before the feeders and
// one after them, because a reload processes neighbors in the order of the file.
const head = `
asn = 65001
router-id = "10.0.0.4"

[peer-group.feeder]
import = { deny-asns = "DENY", prefix-list = "in", as-path-list = "in", route-map = "in" }
export = "deny"

[[neighbor]]
address = "10.0.0.5"
remote-asn = 65020
import = "deny"
export = { prefix-list = "out", route-map = "out" }

[[neighbor]]
address = "10.0.0.1"
remote-asn = 3356
peer-group = "feeder"

[[neighbor]]
address = "10.0.0.2"
remote-asn = 2914
peer-group = "feeder"

[[neighbor]]
address = "10.0.0.6"
remote-asn = 65001
import = "deny"
export = { prefix-list = "out", route-map = "out" }

[community-list]
colours = ["permit 3356:33", "permit 2914:33"]
marks = ["permit MARK"]
`

const policy1 = `
[prefix-list]
in = ["deny 10.30.0.0/16 le 28", "permit any"]
out = ["deny 10.21.0.0/16 le 28", "permit any"]
marked = ["permit 10.31.0.0/16 le 28"]

[as-path-list]
in = ["deny _64496_", "permit .*"]

[[route-map.in]]
action = "deny"
match = { community-list = "colours" }

[[route-map.in]]
action = "permit"
match = { prefix-list = "marked" }
set = { communities-add = ["MARK"] }

[[route-map.in]]
action = "permit"
set = { communities-add = ["65001:1"], local-preference = 101, preferred-source = "10.0.0.4" }

[[route-map.out]]
action = "deny"
match = { community-list = "marks" }

[[route-map.out]]
action = "permit"
set = { med = 1 }
`

const policy2 = `
[prefix-list]
in = ["deny 10.20.0.0/16 le 28", "permit any"]
out = ["deny 10.30.0.0/16 le 28", "permit any"]
marked = ["permit 10.31.0.0/16 le 28"]

[as-path-list]
in = ["permit .*"]

[[route-map.in]]
action = "permit"
match = { prefix-list = "marked" }
set = { communities-add = ["MARK"] }

[[route-map.in]]
action = "permit"
set = { communities-add = ["65001:2"], local-preference = 102, preferred-source = "10.0.0.8" }

[[route-map.out]]
action = "deny"
match = { community-list = "marks" }

[[route-map.out]]
action = "deny"
match = { community-list = "colours" }

[[route-map.out]]
action = "permit"
set = { med = 2 }
`
