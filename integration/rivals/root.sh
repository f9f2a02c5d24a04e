#!/bin/sh
# Usage: root.sh DIR ARCHIVE
#
# Unpacks Debian 13 (trixie) with FRR 10.3, BIRD 2.17 and BIRD 3.1 into DIR, from Debian's
# ARCHIVE. Nothing in DIR is configured, because the programs run on the files of this machine
# and need only /usr from there.
set -eu
root=$1
debootstrap --foreign --variant=minbase --include=frr,bird2,bird3 trixie "$root" "$2"

# debootstrap has unpacked the minimal system. The packages of the two BIRDs have the same
# paths, so BIRD 3 gets a directory of its own.
for deb in "$root"/var/cache/apt/archives/*.deb; do
	case "$deb" in
	*/bird3_*) dpkg-deb -x "$deb" "$root/usr/lib/bird3" ;;
	*) dpkg-deb -x "$deb" "$root" ;;
	esac
done
test -x "$root/usr/lib/frr/mgmtd"
test -x "$root/usr/sbin/bird"
test -x "$root/usr/lib/bird3/usr/sbin/bird"

# What is mounted from here: /usr, and the configuration directory that vtysh and mgmtd read.
rm -f "$root/etc/frr/frr.conf"
find "$root" -mindepth 1 -maxdepth 1 ! -name usr ! -name etc -exec rm -rf {} +
find "$root/etc" -mindepth 1 -maxdepth 1 ! -name frr -exec rm -rf {} +
rm -rf "$root"/usr/share/doc "$root"/usr/share/man "$root"/usr/share/locale
