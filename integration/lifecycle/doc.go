// Package lifecycle tests nvad and nvactl from start to end as users run them: the real
// binaries in network namespaces, with FRR as the neighbor. The effects on traffic are tested
// in package twohubs.
package lifecycle
