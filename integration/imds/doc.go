// Package imds tests what nvad does with Azure's instance metadata service. It runs in the two
// hubs of the lab, where an emulated service answers on 169.254.169.254. The tests cover nvad
// bootstrap, up to traffic between VNets through NVAs that run the file it wrote, and
// scheduled events.
package imds
