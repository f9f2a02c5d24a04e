// Package bfd tests pkg/bfd against FRR's bfdd and BIRD in network namespaces, over one hop
// and over several, with IPv4 and IPv6. It contains only tests.
package bfd
