#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What netlink makes is what `nft -f` makes of the dry run; what is in the kernel is read back as what it is; the
# way from one ruleset to another, or from what others have made of it, ends at what was wanted. Other tables,
# some of our name, stay as they are.
set -u
[ "$(id -u)" = 0 ] || { echo "needs root: skipped"; exit 77; }
command -v nft > /dev/null || { echo "needs nft: skipped"; exit 77; }
unshare -n nft list tables 2> /dev/null || { echo "needs network namespaces and nf_tables: skipped"; exit 77; }
[ -n "${MEMORY_LIMITED:-}" ] || exec sh "$top_srcdir/tests/lib/limited.sh" 2048 sh "$0" "$@"
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
python=${PYTHON3:-python3}
export tmp
export tool="$top_builddir/tests/nft_tool"
passed=0
failed=0
. "$top_srcdir/tests/lib/port_ranges.sh"

# What the script that runs in a namespace of its own finds in its environment: a function for each thing that
# it does more than once.
prelude='
set -eu
. "$top_srcdir/tests/lib/port_ranges.sh"
others() { nft -s list ruleset | awk "/^table (inet|bridge) netpold/ { ours = 1 } !ours; /^}/ { ours = 0 }"; }
fail() { echo "$*"; exit 1; }
listed() { nft list ruleset > "$tmp/list"; "$python" -B "$top_srcdir/tests/netns/canonical.py" "$tmp/list"; }
nft -f "$top_srcdir/tests/netns/others.nft"
others > "$tmp/others"
'
export python top_srcdir

inside() # NAME SCRIPT ARGUMENTS...
{
	name=$1
	script=$prelude$2'
others | diff "$tmp/others" - || fail "other tables have changed"'
	shift 2
	if unshare -n sh -c "$script" sh "$@" > "$tmp/log" 2>&1; then
		passed=$((passed + 1))
	else
		cat "$tmp/log"
		echo "FAIL $name"
		failed=$((failed + 1))
	fi
}

# Where nft cannot load rules for ranges of ports, it loads all others, and lists those as they are printed.
both_ways='
"$tool" print "$1" > "$tmp/text"
cp "$tmp/text" "$tmp/loads"
if [ -n "$refused_ranges" ] && has_ranges "$tmp/text"; then
	refused_for_ranges "$tmp/text"
	echo "$(basename "$1"): $refused_ranges: all but these are loaded" >> "$tmp/refused"
	range_rules "$tmp/text" > "$tmp/left_out"
	other_rules "$tmp/text" > "$tmp/loads"
fi
nft -f "$tmp/loads"
listed > "$tmp/by_text"
! cmp -s "$tmp/text" "$tmp/loads" || "$tool" same "$1"
nft delete table inet netpold
nft delete table bridge netpold 2> /dev/null || true
"$tool" fresh "$1"
listed > "$tmp/by_netlink"
if ! cmp -s "$tmp/text" "$tmp/loads"; then
	range_rules "$tmp/by_netlink" | diff "$tmp/left_out" -
	mv "$tmp/by_netlink" "$tmp/all"
	other_rules "$tmp/all" > "$tmp/by_netlink"
fi
diff "$tmp/by_text" "$tmp/by_netlink"
"$tool" same "$1"'

# A kernel with the first becomes one with the second; as does one that was found with the first.
change='
"$tool" fresh "$2"
listed > "$tmp/wanted"
nft delete table inet netpold
nft delete table bridge netpold 2> /dev/null || true
"$tool" fresh "$1"
"$tool" change "$1" "$2"
listed | diff "$tmp/wanted" -
"$tool" same "$2"
"$tool" repair "$1"
"$tool" repair "$2"
listed | diff "$tmp/wanted" -'

journal='"$tool" journal "$1" 8'

sabotage='
"$tool" fresh "$1"
listed > "$tmp/wanted"
handle=$(nft -a list chain inet netpold e_veth1 | sed -n "s/.*jump.*# handle //p")
echo "$2" | sed "s/%H/$handle/; s/; \([a-z]* [a-z]* [a-z]* netpold\)/\n\1/g" > "$tmp/script"
nft -s list ruleset > "$tmp/before"
nft -f "$tmp/script"
nft -s list ruleset | cmp -s "$tmp/before" - && fail "this has no effect"
status=0
"$tool" same "$1" || status=$?
[ "$status" = 3 ] || fail "status $status, not 3: this is not seen"
"$tool" repair "$1"
listed | diff "$tmp/wanted" -'

seed=${SEED:-$(od -An -N3 -tu4 /dev/urandom | tr -d ' ')}
# SAMPLE: one in so many, others each time.
sample()
{
	number=$((${number:-0} + 1))
	[ $(((number + seed) % ${SAMPLE:-1})) = 0 ]
}

before=
for case in "$top_srcdir"/tests/golden/*/; do
	sample || continue
	name=$(basename "$case")
	inside "$name, both ways" "$both_ways" "$case"
	[ -z "$before" ] || inside "$(basename "$before") to $name" "$change" "$before" "$case"
	before=$case
done

echo "random rulesets from seed $seed"
for i in $(seq "$seed" $((seed + ${APPLIES:-10}))); do
	inside "random:$i, both ways" "$both_ways" "random:$i"
	inside "random:$i to random:$((i + 1))" "$change" "random:$i" "random:$((i + 1))"
	inside "journal from $i" "$journal" "$i"
done

grep -v '^#' "$top_srcdir/tests/netns/sabotage" > "$tmp/lines"
while read -r line; do
	sample || continue
	inside "$line" "$sabotage" "$top_srcdir/tests/golden/dual-stack-and-interfaces" "$line"
done < "$tmp/lines"

cat "$tmp/refused" 2> /dev/null
echo "$passed hold, $failed do not"
[ "$failed" = 0 ]
