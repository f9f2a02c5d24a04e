// Package bench measures nvad beside FRR and BIRD, the versions of package rivals: from the first octet of an UPDATE to
// the routes in the kernel, and to the UPDATEs that other neighbors receive.
//
// Promise: all subjects of a run get the same routes from the same feeder, with the same
// policies, one after the other, round by round. The run also measures how fast the kernel
// alone installs routes. So the ratios of a run mean something even on a machine whose
// absolute figures mean little.
//
// The subject and each of its three neighbors have a network namespace: a Route Server
// (AS 65515), an NVA (iBGP) and a second Route Server. The neighbors do little but send and
// count: their messages are encoded before the clock starts.
package bench
