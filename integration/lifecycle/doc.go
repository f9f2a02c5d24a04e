// Package lifecycle tests nvad and nvactl from start to end as their users run
// them: the real binaries in network namespaces of their own, with FRR as the
// neighbor. What traffic makes of it is the business of package twohubs.
package lifecycle
