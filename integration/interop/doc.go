// Package interop holds tests of nvad's BGP sessions against the routing daemons
// others run: FRR and BIRD from Debian, in a network namespace of their own. It
// has no code but tests.
//
// They need root, ip(8), and the daemons. Without root they are skipped, unless
// NVAD_REQUIRE_ROOT=1 says that this must not happen.
package interop
