#!/bin/sh
# Usage: [VULNDB=DIR] [TAGS=TAGS] packaging/vuln.sh [PACKAGE...]
#
# Reports known vulnerabilities that the packages, by default nvad and nvactl, can reach.
# It uses the copy of Go's vulnerability database in VULNDB, or else the public one. The
# exit code is that of govulncheck (0: none, 3: some), or 77 if there is no database, so
# that a skipped check does not look like a passed one.
set -eu
cd "$(dirname "$0")/.."
public=https://vuln.go.dev

if [ -n "${VULNDB:-}" ]; then
	for part in index/db.json index/modules.json; do
		[ -f "$VULNDB/$part" ] || { echo "vuln: $VULNDB is not a copy of $public: $part is missing" >&2; exit 1; }
	done
	db=file://$(cd "$VULNDB" && pwd)
elif curl --fail --silent --proto '=https' --tlsv1.2 --max-time 10 --output /dev/null "$public/index/db.json"; then
	db=$public
else
	echo "vuln: nothing was checked, because $public is not reachable. Copy it from a machine that can reach it, and set VULNDB=DIR." >&2
	exit 77
fi

[ $# -gt 0 ] || set -- ./cmd/nvad ./cmd/nvactl
GOFLAGS=-trimpath go tool -modfile=packaging/tools/go.mod govulncheck -db "$db" -tags "${TAGS:-}" "$@"
