#!/bin/sh
# Usage: packaging/release.sh VERSION KEY DIR
#        packaging/release.sh --dry-run VERSION DIR
#
# Builds everything that a release consists of (make release-artefacts) from the commit that
# is checked out, adds the release notes, checksums and their signature, replaces DIR by it,
# and tags the commit v$VERSION. KEY is the fingerprint of a secret key of GnuPG, which signs
# checksums and tag. Nothing is built unless all of this is possible; if something fails later,
# there is no tag, and DIR stays as it was.
#
# A dry run builds the same, signed with a key that it makes and throws away, and sets no tag.
# What would prevent a release, it only reports; if VERSION is no version, it builds the one
# of the Debian package of this tree.
set -eu
cd "$(dirname "$0")/.."
# shellcheck source=packaging/replace.sh
. packaging/replace.sh

dry=
[ "${1:-}" != --dry-run ] || { dry=1; shift; }
case "$dry$#" in
3) version=$1 key=$2 dir=$(realpath -m "$3") ;;
12) version=$1 key='' dir=$(realpath -m "$2") ;;
*) echo "usage: packaging/release.sh VERSION KEY DIR, or --dry-run VERSION DIR" >&2; exit 1 ;;
esac

refuse() {
	if [ -n "$dry" ]; then
		echo "release: note: $*" >&2
	else
		echo "release: refused: $*" >&2
		exit 1
	fi
}

# section prints the entries below the heading of CHANGELOG.md that matches an expression.
section() {
	awk -v heading="^## $1\$" '/^## / {on = $0 ~ heading; next} on' CHANGELOG.md | sed '/./,$!d'
}

check_version() {
	expr "$version" : '[0-9]\{1,\}\.[0-9]\{1,\}\.[0-9]\{1,\}$' >/dev/null && return
	refuse "VERSION must be three numbers, such as VERSION=0.1.0; it is '$version'"
	version=$(packaging/version.sh)
}

check_tree() {
	changes=$(git status --porcelain)
	[ -z "$changes" ] || refuse "what is not committed would not be what the tag says: commit or remove it:
$changes"
}

check_changelog() {
	dated="$(echo "$version" | sed 's/[.+]/[&]/g') - [0-9][0-9]*-[0-9][0-9]-[0-9][0-9]"
	notes=$(section "$dated")
	if [ -z "$notes" ]; then
		refuse "CHANGELOG.md has no entries below a heading \"## $version - YYYY-MM-DD\": move those below \"## Unreleased\" there, and commit"
		notes=$(section Unreleased)
	elif section Unreleased | grep -q '^- '; then
		refuse "CHANGELOG.md still has entries below \"## Unreleased\", although this commit contains what they describe: move them to $version, and commit"
	fi
}

check_tag() {
	tagged=$(git rev-parse -q --verify "refs/tags/v$version^{commit}" || true)
	[ -z "$tagged" ] || [ "$tagged" = "$commit" ] ||
		refuse "tag v$version is on commit $(git rev-parse --short "$tagged"), and this is $(git rev-parse --short "$commit"): a published version does not change, take the next number"
}

check_key() {
	if [ -n "$dry" ]; then
		GNUPGHOME=$gnupg
		export GNUPGHOME
		gpg --batch --quiet --passphrase '' --quick-generate-key 'nvad dry run' ed25519 sign 1d 2>/dev/null
		key=$(gpg --batch --list-secret-keys --with-colons 2>/dev/null | awk -F: '$1 == "fpr" {print $10; exit}')
	fi
	expr "$key" : '[0-9A-Fa-f]\{40\}$' >/dev/null ||
		refuse "KEY must be the whole fingerprint of the key that signs, 40 hexadecimal digits, as gpg --list-secret-keys prints it; it is '$key'"
	gpg --batch --list-secret-keys "$key" >/dev/null 2>&1 || refuse "GnuPG has no secret key $key"
}

finish() {
	[ -z "$dry" ] || gpgconf --kill gpg-agent 2>/dev/null || true
	rm -rf "$work" "$gnupg"
}

! foreign "$dir" || {
	echo "release: refused: $dir has something else than a release that this made: remove it, or name another directory" >&2
	exit 1
}
commit=$(git rev-parse HEAD)
mkdir -p "$(dirname "$dir")"
work=$(mktemp -d "$dir.XXXXXX")
gnupg=$(mktemp -d) # for a dry run; short, because the path of a socket has a maximum length
trap finish EXIT
trap 'exit 1' HUP INT TERM
check_version
check_tree
check_changelog
check_tag
check_key

out=$work/out
mkdir "$out"
make --no-print-directory release-artefacts DIST="$out" VERSION="v$version" DEB_VERSION="$version"
echo "$notes" >"$out/CHANGES.md"
gpg --batch --export "$key" >"$out/nvad.gpg"
(cd "$out" && sha256sum -- * >SHA256SUMS)
gpg --batch --quiet --armor --local-user "$key" --detach-sign --output "$out/SHA256SUMS.asc" "$out/SHA256SUMS"

# If somebody commits or edits while it builds, the files are from no commit.
[ "$(git rev-parse HEAD)" = "$commit" ] || refuse "another commit was checked out meanwhile: start again"
check_tree
if [ -z "$dry" ] && [ -z "$tagged" ]; then
	git tag --sign --local-user="$key" --message="nvad $version" "v$version" "$commit"
fi
chmod -R u=rwX,go=rX "$out"
replace "$out" "$dir" "$work"
echo "release: $version is in $dir"
[ -n "$dry" ] || echo "release: next: git push origin v$version, upload the files, make apt-repo KEY=$key"
