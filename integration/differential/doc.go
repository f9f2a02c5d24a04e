// Package differential compares nvad with FRR, which is the reference for what the policies of
// FRR users mean.
//
// Real FRR and nvad each run in a network namespace with the same addresses, between the same
// neighbors: three that announce and four that listen (package rawbgp). A case (package gen)
// draws a configuration and routes from a seed and writes both configurations. The tests
// compare the table of accepted routes, every attribute as it arrives at each neighbor, and
// the routes in the kernel.
//
//	go test ./integration/differential -run Differential -cases 500 -seed 1 -v
//
// How often routes matched each kind of clause is counted from FRR's own
// debugging log, so that the run can't pass by matching nothing.
//
// Differences that stay are in docs/frr-differences.md, each with its test
// here.
package differential
