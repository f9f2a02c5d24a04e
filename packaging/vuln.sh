#!/bin/sh
# Usage: [VULNDB=DIR] [TAGS=TAGS] packaging/vuln.sh [PACKAGE...]
#
# Looks for known vulnerabilities that the packages reach, by default nvad's and
# nvactl's, in Go's vulnerability database: the copy in VULNDB, or else the public
# one. The exit code is govulncheck's (0: none, 3: some), and 77 if there is no
# database: a check that did not happen must not look like one that passed.
set -eu
cd "$(dirname "$0")/.."
public=https://vuln.go.dev

if [ -n "${VULNDB:-}" ]; then
	for part in index/db.json index/modules.json; do
		[ -f "$VULNDB/$part" ] || { echo "vuln: $VULNDB is no copy of $public: it has no $part" >&2; exit 1; }
	done
	db=file://$(cd "$VULNDB" && pwd)
elif curl --fail --silent --proto '=https' --tlsv1.2 --max-time 10 --output /dev/null "$public/index/db.json"; then
	db=$public
else
	echo "vuln: nothing was checked: $public cannot be reached. Copy it from where it can be, and name the directory with VULNDB=DIR." >&2
	exit 77
fi

[ $# -gt 0 ] || set -- ./cmd/nvad ./cmd/nvactl
GOFLAGS=-trimpath go tool -modfile=packaging/tools/go.mod govulncheck -db "$db" -tags "${TAGS:-}" "$@"
