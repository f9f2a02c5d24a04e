// Package maintenance takes the NVA through Azure's scheduled events: before its VM
// is rebooted, moved, evicted or frozen, traffic is drained, then Azure is told that
// it may begin; when the event is over, the NVA carries traffic again.
//
// Through a freeze, which pauses the VM for some seconds and loses nothing, BGP
// sessions stay: their hold times are longer, and BFD, which is faster, is kept
// quiet. An event of several VMs is not approved, as the others may not be ready;
// Azure begins it in its own time.
//
// One goroutine, Run's, owns the events that are known. What drains, and what asks
// Azure, are the caller's.
package maintenance
