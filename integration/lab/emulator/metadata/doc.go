// Package metadata emulates Azure's instance metadata service: it answers real
// HTTP with the documented JSON, statuses and limits, and knows a VM by the
// address that asks. Tests make it fail as the real one does while a machine
// starts or the service is updated.
//
// A Server owns its VMs and scheduled events; it has no part in nvad's client.
package metadata
