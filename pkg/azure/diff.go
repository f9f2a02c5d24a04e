package azure

// Diff compares what nvad sends with what Azure does with it. What the Snapshot lacks
// causes no finding.
func Diff(s Snapshot, self Self, o Options) Report {
	d := newDiffer(&s, &self, o)
	r := Report{Taken: s.Taken, NICs: []Column{}, Rows: []Row{}, NotJudged: notJudged(s.Missing)}
	for _, v := range d.nics {
		r.NICs = append(r.NICs, Column{NIC: v.nic.ID, Name: v.nic.Name, Own: v.own})
	}
	// VNets come first: they explain sessions, and sessions explain routes.
	for _, sv := range d.servers {
		if sv.rs != nil {
			d.vnetPeerings(sv)
		}
	}
	for _, sv := range d.servers {
		d.sessions(sv)
		d.limits(sv)
		d.gateways(sv)
	}
	d.tables()
	d.ownNICs()
	for _, sv := range d.servers {
		r.Rows = append(r.Rows, d.rows(sv)...)
	}
	for _, sv := range d.servers {
		d.ownPropagation(sv)
	}
	r.Findings = d.findings()
	return r
}

// effects says what can't be judged without a part of the Snapshot.
var effects = map[What]string{
	WhatVM:              "The NVA's own addresses are not known for certain, so whether Route Server peers with the right one is not judged.",
	WhatNVAs:            "Other NVAs are not known, so next hops and peers that are theirs may be named as unknown.",
	WhatNIC:             "This NIC's addresses, IP forwarding, subnet and route table are not judged.",
	WhatEffectiveRoutes: "Whether routes arrive at this NIC is not judged; a VM that is stopped has none.",
	WhatEffectiveRules:  "Whether network security groups drop tunnels, BFD or BGP at this NIC is not judged.",
	WhatVNet:            "The address space, peerings and subnets of this VNet are not judged.",
	WhatRouteTable:      "User-defined routes and the propagation of this route table are not judged.",
	WhatRouteServer:     "Route Server's peers, limits, and what it learned are not judged.",
	WhatConnections:     "Whether Route Server peers with this NVA, with the right address and ASN, and what it learned, are not judged.",
	WhatLearned:         "Whether Route Server learned what nvad sent is not judged.",
	WhatAdvertised:      "What Route Server advertises is not compared with what nvad received.",
	WhatGateway:         "Branch-to-branch, and the limit towards an ExpressRoute circuit, are not judged.",
}

func notJudged(missing []Missing) []NotJudged {
	out := make([]NotJudged, len(missing))
	for i, m := range missing {
		out[i] = NotJudged{m, effects[m.What]}
	}
	return out
}
