#!/bin/sh
# Usage: setup.sh demo|test|undo
#
# Names the Debian packages that the lab (demo), or the lab and all tests (test), need
# and that are missing, asks if there is a terminal to ask at, and installs them
# without what they merely recommend. Nothing that they bring is started. What was
# installed is recorded, and undo removes it. Where packages can't be installed, as
# without a network, it says which tests are not run; in CI that is an error.
set -eu

# Users other than root often lack these directories.
PATH=$PATH:/usr/sbin:/sbin:/usr/lib/frr
record=/var/lib/nvad-setup/packages
policy=/usr/sbin/policy-rc.d
what=${1:-demo}

fail() { echo "setup: $*" >&2; exit 1; }

sudo=
as_root() {
	[ "$(id -u)" != 0 ] || return 0
	sudo="sudo -n"
	$sudo true 2>/dev/null || fail "root or passwordless sudo is needed to make network namespaces"
}

# required says whether nothing may be missing: for the demo, and in CI.
required() { [ "$what" = demo ] || [ -n "${CI:-}" ] || [ "${NVAD_REQUIRE_ROOT:-}" = 1 ]; }

# agreed asks whether to go on. Without a terminal whoever started this has decided.
agreed() {
	[ -t 0 ] || return 0
	printf 'setup: %s [y/N] ' "$1"
	read -r answer
	case "$answer" in [yY]*) ;; *) fail "stopped, nothing was changed" ;; esac
}

wrapped() { echo "$@" | sed 's/^ *//' | fold -s -w 74 | sed 's/^/  /'; }

installed() { dpkg-query -W -f '${Package}\t${db:Status-Abbrev}\n' | awk '$2 == "ii" {print $1}' | sort; }

missing=
need() { # need COMMAND-OR-FILE PACKAGE
	case "$1" in
	/*) [ -e "$1" ] || missing="$missing $2" ;;
	*) command -v "$1" >/dev/null 2>&1 || missing="$missing $2" ;;
	esac
}

need_for_demo() {
	need ip iproute2
	need nft nftables
	need ping iputils-ping
	need traceroute traceroute
	need sysctl procps
	need curl curl
}

need_for_tests() {
	need bgpd frr
	need bird bird2
	need pmbmpd pmacct
	need bgpdump bgpdump
	need promtool prometheus
	need jq jq
	need iperf3 iperf3
	need openssl openssl
	need /etc/ssl/certs/ca-certificates.crt ca-certificates
	need git git
	need shellcheck shellcheck
	need gcc gcc
	need /usr/include/stdlib.h libc6-dev
	need setpriv util-linux
	need wireguard-go wireguard-go
	need wg wireguard-tools
	need debootstrap debootstrap
	need gpgv gpgv
	case $(sed -n 's/^ID=//p' /etc/os-release) in
	debian) need /usr/share/keyrings/debian-archive-keyring.gpg debian-archive-keyring ;;
	ubuntu) need /usr/share/keyrings/ubuntu-archive-keyring.gpg ubuntu-keyring ;;
	esac
	need systemd-nspawn systemd-container
	need podman podman
	need runc runc
	need aptly aptly
	need gpg gpg
	need gpg-agent gpg-agent
	need qemu-aarch64 qemu-user
	need journalctl systemd
	need chromium chromium
	need /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf fonts-dejavu-core
	need npm npm
}

check_go() {
	command -v go >/dev/null 2>&1 || fail "Go 1.26 or newer is needed and 'go' is not in PATH"
	version=$(go env GOVERSION | sed 's/^go//; s/[^0-9.].*//')
	oldest=$(printf '%s\n1.26\n' "$version" | sort -V | head -n 1)
	[ "$oldest" = 1.26 ] || fail "Go 1.26 or newer is needed, this is $version"
}

# modules PROXY finds what the programs (demo), or the tests too (test), are built from, and
# prints why that fails.
modules() {
	case "$what" in
	demo) set -- "$1" ./cmd/... ./integration/lab/cmd/... ;;
	test) set -- "$1" -test ./... ;;
	esac
	from=$1
	shift
	{ GOPROXY=$from go list -deps "$@" >/dev/null; } 2>&1
}

# package_tools PROXY does the same for the tools that make the Debian package.
package_tools() {
	GOPROXY=$1 go list -modfile=packaging/tools/go.mod -deps github.com/goreleaser/nfpm/v2/cmd/nfpm \
		github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod >/dev/null 2>&1
}

# download gets the Go modules that are missing.
download() {
	proxy=$(go env GOPROXY)
	if ! modules off >/dev/null; then
		echo "setup: downloading Go modules into $(go env GOMODCACHE)"
		why=$(modules "$proxy") || fail "Go modules can't be downloaded: $(echo "$why" | tail -n 1)"
	fi
	[ "$what" = test ] || return 0
	if ! package_tools off; then
		echo "setup: downloading the tools that make the Debian package, Go modules too"
		package_tools "$proxy" || required ||
			echo "setup: they can't be downloaded: the tests of the package (integration/boot, service) are not run"
	fi
}

# has_roots says whether the roots are there: of the machines that tests boot, and of the newer
# versions of FRR and BIRD.
has_roots() {
	suite=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
	for root in "$suite" rivals; do
		ls -d "$HOME/.cache/nvad-machine/$root"-???????????? >/dev/null 2>&1 || return 1
	done
}

# check_archive says what the tests download for those roots, or what is not run without them.
check_archive() {
	if has_roots || ! command -v debootstrap >/dev/null 2>&1; then return 0; fi
	# shellcheck disable=SC2016 # a format of apt's
	archive=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | head -n 1)
	if curl -fsIL --max-time 10 -o /dev/null "$archive"; then
		echo "setup: the tests download two minimal Debians of some 150 MB each, once, into $HOME/.cache/nvad-machine"
	elif ! required; then
		echo "setup: $archive can't be reached: the tests that boot a machine (integration/boot, machine, service, userdata), and those with FRR 10 and newer BIRDs, are not run, unless their roots are in the cache"
	fi
}

install_missing() {
	[ -n "$missing" ] || return 0
	command -v apt-get >/dev/null 2>&1 || fail "these packages are missing:$missing"
	echo "setup: these packages are missing:"
	wrapped "$missing"
	log=$(mktemp)
	$sudo apt-get update -qq >"$log" 2>&1 || { without "apt-get update"; return; }
	# shellcheck disable=SC2086 # a list
	apt-get install -s --no-install-recommends $missing >"$log" 2>&1 || { without "apt-get install -s"; return; }
	all=$(awk '$1 == "Inst" {print $2}' "$log")
	echo "setup: with what they depend on, $(echo "$all" | wc -l) packages are installed, nothing of it is started:"
	# shellcheck disable=SC2086
	wrapped $all
	agreed "install them? \"make setup-undo\" removes them"
	before=$(mktemp)
	installed >"$before"
	hush
	# shellcheck disable=SC2086
	if ! $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >"$log" 2>&1; then
		remember
		without "installing$missing"
		return
	fi
	remember
	disable_units
	rm -f "$log" "$before"
}

# without ends the installation that has failed at a step.
without() {
	tail -n 5 "$log" >&2
	! required || fail "failed: $1"
	echo "setup: failed: $1. Tests that need these packages are not run, and listed at the end:"
	wrapped "$missing"
}

# hush keeps packages from starting what they bring (invoke-rc.d(8)).
hush() {
	[ ! -e "$policy" ] || return 0
	trap '$sudo rm -f "$policy"' EXIT
	printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
	$sudo chmod 755 "$policy"
}

remember() {
	added=$(installed | comm -13 "$before" -)
	$sudo mkdir -p "${record%/*}"
	echo "$added" | $sudo tee -a "$record" >/dev/null
}

# disable_units keeps what the packages bring from starting at the next boot.
disable_units() {
	for package in $added; do
		case "$package" in systemd* | dbus* | udev) continue ;; esac
		for unit in $(dpkg -L "$package" | sed -nE 's,^.*/systemd/system/([^/@]*\.(service|socket|timer|path))$,\1,p'); do
			$sudo systemctl disable "$unit" >/dev/null 2>&1 || true
			$sudo systemctl stop "$unit" >/dev/null 2>&1 || true
		done
	done
}

check_namespaces() {
	probe=nvad-setup-$$
	$sudo ip netns add "$probe" 2>/dev/null || fail "this system does not let root make network namespaces"
	vxlan=0
	$sudo ip -n "$probe" link add vx0 type vxlan id 1 dstport 4789 2>/dev/null || vxlan=1
	$sudo ip netns del "$probe"
	[ "$vxlan" = 0 ] || fail "the kernel has no VXLAN (module vxlan)"
}

# undo purges what was recorded and is still there. It stops where that would take
# along a package that was not: somebody needs it now.
undo() {
	as_root
	if [ -f "$record" ]; then
		gone=$(installed | grep -xF -f "$record" | tr '\n' ' ')
		if [ -n "$gone" ]; then
			# shellcheck disable=SC2086
			others=$(apt-get purge -s $gone | awk '$1 == "Purg" {print $2}' | grep -vxF "$(echo "$gone" | tr ' ' '\n' | grep .)" || true)
			# shellcheck disable=SC2086
			[ -z "$others" ] || fail "nothing is removed, as packages that setup installed are needed by:" $others
			echo "setup: these packages were installed by setup:"
			# shellcheck disable=SC2086
			wrapped $gone
			agreed "remove them, with their configuration?"
			# shellcheck disable=SC2086
			$sudo env DEBIAN_FRONTEND=noninteractive apt-get purge -y -qq $gone >/dev/null
		fi
		$sudo rm -r "${record%/*}"
	fi
	for cache in "$HOME/.cache/nvad-machine" "${XDG_CACHE_HOME:-$HOME/.cache}/nvad-machine"; do
		[ ! -d "$cache" ] || $sudo rm -r --one-file-system "$cache"
	done
	echo "setup: what setup installed is removed"
}

case "$what" in
demo | test)
	check_go
	as_root
	need_for_demo
	[ "$what" = demo ] || need_for_tests
	download
	install_missing
	[ "$what" = demo ] || check_archive
	check_namespaces
	;;
undo) undo ;;
*) fail "usage: setup.sh demo|test|undo" ;;
esac
