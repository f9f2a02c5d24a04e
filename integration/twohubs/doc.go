// Package twohubs holds the acceptance tests of the two-hub scenario: two NVAs
// join the VNets behind two ExpressRoute circuits over VXLAN and iBGP, as in the
// article that nvad began with. The same tests run with nvad, FRR and BIRD at
// the far end, and once with FRR at both, which shows that the lab is right
// where nvad is not.
package twohubs
