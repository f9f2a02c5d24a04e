#!/bin/sh
# Prints the version of the Debian package for this tree, by git: 1.2.3 for the tag
# v1.2.3, 1.2.3+5.gabc1234 for five commits later, and 0.0.0+N.gabc1234 for N commits
# without a tag. Uncommitted changes append "+dirty".
set -eu
cd "$(dirname "$0")/.."
described=$(git describe --tags --match 'v[0-9]*' --long --dirty 2>/dev/null) ||
	described=v0.0.0-$(git rev-list --count HEAD)-g$(git describe --always --dirty --exclude '*')
echo "$described" | sed -E 's/^v//; s/-dirty$/+dirty/; s/-0-g[0-9a-f]+//; s/-([0-9]+)-g/+\1.g/'
