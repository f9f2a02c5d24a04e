// Package container runs the two hubs with containers as NVAs: the image that `make image`
// builds, loaded and run by podman as docs/container.md says, in the network namespaces of
// the lab's VMs.
package container
