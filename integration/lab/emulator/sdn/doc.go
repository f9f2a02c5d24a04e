// Package sdn is the software-defined network of one VNet: it turns what the
// VNet's Route Server instances and its gateway have learned into the effective
// routes of every NIC in the VNet, and programs them into the kernel of the
// VNet's router namespace.
//
// All NICs share these routes, the NVA's own included. That is what makes a
// packet loop that an NVA sends back un-encapsulated. Only what the user defines
// differs from subnet to subnet.
package sdn
