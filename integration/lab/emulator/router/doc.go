// Package router wraps one GoBGP server as an ordinary BGP router: it selects
// best paths itself, exports one table through neighbor-dependent rules, and
// rewrites next hops as eBGP asks. Route Server instances and ExpressRoute
// gateways of the lab are built from it.
//
// It shares no code with nvad on purpose. nvad uses GoBGP as a session engine
// only and decides on routes itself; a peer that decides in another way is
// what makes an end-to-end test say something.
package router
