#!/bin/sh
# Checks what the lab and the tests need and installs the Debian packages that
# are missing. Prints one line for each thing it can't provide itself.
set -eu

fail() { echo "setup: $1" >&2; exit 1; }

command -v go >/dev/null 2>&1 || fail "Go 1.26 or newer is needed and 'go' is not in PATH"
go_version=$(go env GOVERSION | sed 's/^go//; s/[^0-9.].*//')
oldest=$(printf '%s\n1.26\n' "$go_version" | sort -V | head -n 1)
[ "$oldest" = 1.26 ] || fail "Go 1.26 or newer is needed, this is $go_version"

sudo=
if [ "$(id -u)" != 0 ]; then
	sudo="sudo -n"
	$sudo true 2>/dev/null || fail "root or passwordless sudo is needed to make network namespaces"
fi

missing=
need() { # need COMMAND PACKAGE
	PATH="$PATH:/usr/sbin:/sbin:/usr/lib/frr" command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
need ip iproute2
need nft nftables
need ping iputils-ping
need traceroute traceroute
need curl curl
need jq jq
need openssl openssl
need tshark tshark
need bgpd frr
need bird bird2
need prometheus prometheus
need cloud-init cloud-init
need shellcheck shellcheck
need gcc gcc
need debootstrap debootstrap
need systemd-nspawn systemd-container
need journalctl systemd

if [ -n "$missing" ]; then
	command -v apt-get >/dev/null 2>&1 || fail "these packages are missing:$missing"
	echo "setup: installing$missing"
	log=$(mktemp)
	if ! { $sudo apt-get update -qq && $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $missing; } >"$log" 2>&1; then
		tail -n 5 "$log" >&2
		fail "could not install:$missing"
	fi
	rm -f "$log"
fi

# The packages start their daemons; the lab runs its own, in its namespaces.
for unit in frr bird prometheus; do
	case "$missing" in *"$unit"*) $sudo systemctl disable --now "$unit" >/dev/null 2>&1 || true ;; esac
done

probe=nvad-setup-$$
$sudo ip netns add "$probe" 2>/dev/null || fail "this system does not let root make network namespaces"
vxlan=0
$sudo ip -n "$probe" link add vx0 type vxlan id 1 dstport 4789 2>/dev/null || vxlan=1
$sudo ip netns del "$probe"
[ "$vxlan" = 0 ] || fail "the kernel has no VXLAN (module vxlan)"
