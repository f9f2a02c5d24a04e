// Package machine boots Debian machines with systemd as PID 1, for tests of what
// only a booted machine has: the service manager, the package manager, cloud-init,
// systemd-networkd, a reboot.
//
// A machine is a systemd-nspawn container. Its root is a copy-on-write layer over
// a root that debootstrap made once, from the mirror that apt uses on this host,
// and that stays in the user's cache directory. Its network is a network namespace
// of the caller's: the veth ends there are its NICs. Nothing of the container is
// registered with the host's service manager, which needs not be systemd.
//
// A machine owns its layer, its control groups and, from Start on, the namespace,
// which every start replaces by a fresh one of the same name that keeps nothing
// but the NICs. Whatever a test process that died has left, the next one removes.
//
// The suite is the host's. Images of Ubuntu, on which most NVAs run, can't be had
// where these tests run; systemd, networkd and cloud-init are the same programs
// there in other versions.
package machine
