#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Every golden case and a few random clusters: nft accepts the dry run, loads it, loads it again to the same
# effect, and lists what was printed.
set -u
[ "$(id -u)" = 0 ] || { echo "needs root: skipped"; exit 77; }
command -v nft > /dev/null || { echo "needs nft: skipped"; exit 77; }
unshare -n nft list tables 2> /dev/null || { echo "needs network namespaces and nf_tables: skipped"; exit 77; }
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
python=${PYTHON3:-python3}
passed=0
failed=0

load() # NAME RULESET
{
	if unshare -n sh -eu -c '
		nft -c -f "$1"
		nft -f "$1"
		nft list ruleset > "$2/first"
		nft -f "$1"
		nft list ruleset > "$2/second"
		cmp "$2/first" "$2/second"' load "$2" "$tmp" &&
		"$python" "$top_srcdir/tests/netns/canonical.py" "$2" > "$tmp/printed" &&
		"$python" "$top_srcdir/tests/netns/canonical.py" "$tmp/first" > "$tmp/listed" &&
		diff -u "$tmp/printed" "$tmp/listed"; then
		passed=$((passed + 1))
	else
		echo "FAIL $1"
		failed=$((failed + 1))
	fi
}

for case in "$top_srcdir"/tests/golden/*/; do
	name=$(basename "$case")
	# shellcheck disable=SC2046 # options are words
	"$top_builddir/netpold" --dry-run $(cat "$case/options" 2> /dev/null) -f "$case" > "$tmp/rules" 2> /dev/null
	load "$name" "$tmp/rules"
done

seed=${SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
echo "random clusters from seed $seed"
for i in $(seq "${LOADS:-60}"); do
	"$python" "$top_srcdir/tests/netns/random_cluster.py" $((seed + i)) "$tmp/cluster.json" "$tmp/flows"
	"$top_builddir/netpold" --dry-run -f "$tmp/cluster.json" > "$tmp/rules" || failed=$((failed + 1))
	load "seed $((seed + i))" "$tmp/rules"
done
echo "$passed rulesets load, $failed do not"
[ "$failed" = 0 ]
