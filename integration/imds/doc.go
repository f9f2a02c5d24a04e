// Package imds holds the tests of what nvad does with Azure's instance metadata
// service, in the two hubs of the lab, where an emulated one answers on
// 169.254.169.254: nvad bootstrap, up to traffic between VNets over NVAs that run
// what it wrote, and scheduled events.
package imds
