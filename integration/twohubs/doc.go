// Package twohubs contains the acceptance tests of the two-hub scenario: two NVAs connect the
// VNets behind two ExpressRoute circuits over VXLAN and iBGP, as in the article that nvad
// began with. The same tests run with nvad, FRR and BIRD at the far end, and once with FRR at
// both ends; the article itself also with newer versions at the far end. If a test fails only with nvad, the last run shows that the lab is right.
package twohubs
