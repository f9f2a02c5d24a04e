// Package bmp tests what nvad sends to monitoring stations with a collector that others run:
// pmbmpd of pmacct, from Debian. It contains only tests.
//
// nvad, its neighbors and the collector run in network namespaces. The tests read what the
// collector understood, and compare it with what nvad says of its own tables. They need root,
// pmbmpd and BIRD.
package bmp
