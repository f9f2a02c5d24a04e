// Package interop tests nvad's BGP sessions against the routing daemons that others run: FRR
// and BIRD from Debian, in their own network namespace. It contains only tests.
//
// The tests need root, ip(8) and the daemons. Without root they are skipped, or fail if
// NVAD_REQUIRE_ROOT=1 is set.
package interop
