#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Every golden case and a few random clusters: the dry run ends with the status and the messages that it should,
# nft accepts what it printed, loads it, loads it again to the same effect, and lists what was printed.
set -u
[ "$(id -u)" = 0 ] || { echo "needs root: skipped"; exit 77; }
command -v nft > /dev/null || { echo "needs nft: skipped"; exit 77; }
unshare -n nft list tables 2> /dev/null || { echo "needs network namespaces and nf_tables: skipped"; exit 77; }
[ -n "${MEMORY_LIMITED:-}" ] || exec sh "$top_srcdir/tests/lib/limited.sh" 2048 sh "$0" "$@"
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
python=${PYTHON3:-python3}
passed=0
failed=0
refused=0
. "$top_srcdir/tests/lib/port_ranges.sh"

fail() # WHAT
{
	echo "FAIL $*"
	failed=$((failed + 1))
}

# Is the dry run whole, and did it end as it should? Its messages are in $tmp/err, the ruleset in $tmp/rules.
printed() # NAME STATUS WANTED-STATUS FILE-OF-WANTED-MESSAGES
{
	if [ "$2" != "$3" ]; then
		cat "$tmp/err"
		fail "$1: exit status $2, expected $3"
	elif ! diff -u "$4" "$tmp/err"; then
		fail "$1: other messages than expected"
	elif ! head -n 1 "$tmp/rules" | grep -q '^# netpold ruleset for ' ||
		! grep -q '^	chain forward {$' "$tmp/rules" || [ "$(tail -n 1 "$tmp/rules")" != '}' ]; then
		fail "$1: not a whole ruleset"
	else
		return 0
	fi
	return 1
}

load() # NAME RULESET
{
	if [ -n "$refused_ranges" ] && has_ranges "$2"; then
		echo "$1: $refused_ranges: not loaded"
		refused=$((refused + 1))
		refused_for_ranges "$2" || fail "$1"
	elif unshare -n sh -eu -c '
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
		fail "$1"
	fi
}

seed=${SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
# Cases with faults say what messages they want; the others' are those of --check.
for case in "$top_srcdir"/tests/golden/*/; do
	number=$((${number:-0} + 1))
	[ $(((number + seed) % ${SAMPLE:-1})) = 0 ] || continue # one in so many
	name=$(basename "$case")
	wanted=0
	[ ! -e "$case/expect.status" ] || wanted=$(cat "$case/expect.status")
	# shellcheck disable=SC2046 # options are words
	(cd "$case" && "$top_builddir/netpold" --dry-run $(cat options 2> /dev/null) -f .) > "$tmp/rules" 2> "$tmp/err"
	status=$?
	messages=$case/expect.err
	if [ ! -e "$messages" ]; then
		messages=$tmp/check
		# shellcheck disable=SC2046
		(cd "$case" && "$top_builddir/netpold" --check $(cat options 2> /dev/null) -f .) > /dev/null 2> "$messages"
		! grep -n 'error:' "$messages" || fail "$name: errors that no expect.err wants"
	fi
	printed "$name" $status "$wanted" "$messages" && load "$name" "$tmp/rules"
done

echo "random clusters from seed $seed"
for i in $(seq "${LOADS:-60}"); do
	"$python" "$top_srcdir/tests/netns/random_cluster.py" $((seed + i)) "$tmp/cluster.json" "$tmp/flows"
	"$top_builddir/netpold" --dry-run -f "$tmp/cluster.json" > "$tmp/rules" 2> "$tmp/err"
	printed "seed $((seed + i))" $? 0 /dev/null && load "seed $((seed + i))" "$tmp/rules"
done
echo "$passed rulesets load, $failed do not${refused_ranges:+, $refused are refused for port ranges}"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
