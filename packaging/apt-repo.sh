#!/bin/sh
# Usage: packaging/apt-repo.sh KEY DIR DEB...
#
# Replaces DIR by an apt repository of the packages, in suite stable, component main. Its
# index is signed with KEY, the fingerprint of a secret key of GnuPG (GNUPGHOME), and DIR has
# the public key too, nvad.gpg. Packages may have several versions: apt takes the newest and
# can install the others by version. If anything fails, DIR stays as it was.
set -eu
# shellcheck source=packaging/replace.sh
. "$(dirname "$0")/replace.sh"

fail() { echo "apt-repo: $*" >&2; exit 1; }

[ $# -ge 2 ] || fail "usage: packaging/apt-repo.sh KEY DIR DEB..."
key=$1 dir=$(realpath -m "$2")
shift 2
[ $# -gt 0 ] || fail "there are no packages to publish: make release, or make debs, builds them"
expr "$key" : '[0-9A-Fa-f]\{40\}$' >/dev/null ||
	fail "KEY must be the whole fingerprint of the key that signs, 40 hexadecimal digits, as gpg --list-secret-keys prints it; it is '$key'"
gpg --batch --list-secret-keys "$key" >/dev/null 2>&1 || fail "GnuPG has no secret key $key"

! foreign "$dir" || fail "$dir has something else than a repository that this made: remove it, or name another directory"

mkdir -p "$(dirname "$dir")"
work=$(mktemp -d "$dir.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
cat >"$work/conf" <<EOF
{"rootDir": "$work/aptly", "gpgProvider": "gpg", "skipContentsPublishing": true,
 "FileSystemPublishEndpoints": {"new": {"rootDir": "$work/new", "linkMethod": "copy"}}}
EOF
quietly() { "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "$1 has failed, $dir is unchanged"; }; }
quietly aptly -config="$work/conf" repo create -distribution=stable -component=main nvad
quietly aptly -config="$work/conf" repo add nvad "$@"
quietly aptly -config="$work/conf" publish repo -batch -gpg-key="$key" -origin=nvad -label=nvad -acquire-by-hash nvad filesystem:new:.
gpg --batch --export "$key" >"$work/new/nvad.gpg"
chmod -R u=rwX,go=rX "$work/new"
replace "$work/new" "$dir" "$work" || fail "$dir is unchanged"
