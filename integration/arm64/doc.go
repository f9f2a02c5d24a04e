// Package arm64 runs the programs for arm64 on a machine that need not be one: QEMU's user mode
// translates their instructions, and passes their system calls to this machine's kernel.
//
// The test shows that the programs start, read a configuration, hold a session, and write a
// route to the kernel and read it back. QEMU's user mode (7.2) leaves out a part of netlink:
// netfilter, generic netlink, and the rules, next-hop objects and forwarding entries of
// rtnetlink, also as events. So the test does without tunnels, NAT, next-hop groups and changes
// of sysctls. `make test-arm64` runs the unit tests in the same way.
package arm64
