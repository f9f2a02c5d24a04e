// Package bfd holds the tests of pkg/bfd against FRR's bfdd and BIRD in network
// namespaces, over one hop and over several, IPv4 and IPv6. It has no code of its
// own.
package bfd
