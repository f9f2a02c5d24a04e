// Package bootstrap holds the tests of nvad bootstrap: in the two hubs of the lab,
// against an emulated metadata service that answers on 169.254.169.254 as Azure's
// does, up to traffic between VNets over NVAs that run what it wrote.
package bootstrap
