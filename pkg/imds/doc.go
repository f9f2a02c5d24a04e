// Package imds asks Azure's instance metadata service what a machine can't know
// by itself: the addresses and subnets of its NICs, its name in Azure, and which
// maintenance is to come.
//
// It talks to 169.254.169.254 alone, never through a proxy, and repeats what the
// service says to repeat, or does not answer while a machine starts, until the
// caller's context ends. It keeps no state, sets up no route, and changes nothing
// in Azure but what Approve says. What Azure does not tell a machine (the VNet's address space, user-
// defined routes, Route Server's addresses) it can't tell either.
package imds
