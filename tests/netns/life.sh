#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What an operator does to a node, and what must not take away what is enforced: --once twice, manifests with
# faults, a node that nobody knows, --cleanup; and what the kernel refuses takes nothing else along.
set -u
[ "$(id -u)" = 0 ] || { echo "needs root: skipped"; exit 77; }
for tool in nft ip unshare "${PYTHON3:-python3}"; do
	command -v $tool > /dev/null || { echo "needs $tool: skipped"; exit 77; }
done
if [ -z "${NETPOLD_LIFE_INSIDE:-}" ]; then
	unshare -n nft list tables 2> /dev/null || { echo "needs network namespaces and nf_tables: skipped"; exit 77; }
	NETPOLD_LIFE_INSIDE=1 exec unshare -n sh "$0"
fi
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
netpold="$top_builddir/netpold --once --cni-results $tmp/none"
failed=0

expect() # STATUS WORDS COMMAND...
{
	wanted=$1
	words=$2
	shift 2
	"$@" > "$tmp/out" 2>&1
	status=$?
	if [ $status != "$wanted" ] || ! grep -q "$words" "$tmp/out"; then
		echo "FAIL status $status instead of $wanted, or no '$words': $*"
		cat "$tmp/out"
		failed=$((failed + 1))
	fi
}

said() # WORDS: the daemon's log has them before long
{
	for _ in $(seq 1000); do
		grep -q "$1" "$tmp/log" && return
		sleep 0.05
	done
	echo "FAIL the daemon does not say: $1"
	cat "$tmp/log"
	failed=$((failed + 1))
}

same() # WHAT
{
	nft -s list table inet netpold > "$tmp/now" 2>&1
	cmp -s "$tmp/table" "$tmp/now" || { echo "FAIL the table has changed: $1"; failed=$((failed + 1)); }
	nft -s list table inet others > "$tmp/now"
	cmp -s "$tmp/others" "$tmp/now" || { echo "FAIL a foreign table has changed: $1"; failed=$((failed + 1)); }
}

nft 'add table inet others; add chain inet others c { type filter hook input priority 0; }'
nft -s list table inet others > "$tmp/others"
cp -r "$top_srcdir/contrib/examples" "$tmp/m"
expect 0 'up to date' $netpold -f "$tmp/m" --node worker-1
nft -s list table inet netpold > "$tmp/table"
grep -q 'chain i_' "$tmp/table" || { echo "FAIL nothing is enforced"; failed=$((failed + 1)); }

# What is written again gets other handles.
nft -a -s list table inet netpold > "$tmp/handles"
expect 0 'up to date' $netpold -f "$tmp/m" --node worker-1
nft -a -s list table inet netpold | cmp -s "$tmp/handles" - || { echo "FAIL written again"; failed=$((failed + 1)); }
same "once more"

expect 2 'no such node' $netpold -f "$tmp/m" --node nosuch
same "a node that nobody knows"

echo '{' >> "$tmp/m/policies.yaml"
expect 2 'faults in the manifests' $netpold -f "$tmp/m" --node worker-1
same "manifests with faults"
expect 2 'No such file' $netpold -f "$tmp/gone" --node worker-1
same "manifests that are not there"

# A daemon that does not own its tables would put back what is removed: whoever cleans up is told.
"$top_builddir/netpold" -f "$top_srcdir/contrib/examples" --node worker-1 --cni-results "$tmp/none" --metrics off \
	--table-owner none --control "$tmp/control" 2> "$tmp/log" &
daemon=$!
said 'up to date'
expect 0 'end it first' "$top_builddir/netpold" --cleanup --control "$tmp/control"
said 'as they should be again'
expect 2 'what it enforces is what stays; end it first' $netpold -f "$tmp/m" --node worker-1 --control "$tmp/control"
kill $daemon
wait $daemon
nft list table inet netpold > "$tmp/now" || failed=$((failed + 1))

expect 0 'removed' "$top_builddir/netpold" --cleanup --control "$tmp/control"
grep -q 'end it first' "$tmp/out" && { echo "FAIL no daemon runs"; failed=$((failed + 1)); }
nft list tables | grep -q netpold && { echo "FAIL a table of ours is left"; failed=$((failed + 1)); }
nft -s list table inet others | cmp -s - "$tmp/others" || failed=$((failed + 1))
expect 0 'removed' "$top_builddir/netpold" --cleanup

# With nothing to lose, what can be understood is enforced.
expect 2 'up to date' $netpold -f "$tmp/m" --node worker-1
nft list table inet netpold > "$tmp/now" || failed=$((failed + 1))
nft list table inet others > "$tmp/now" || failed=$((failed + 1))

# The kernel has no place for anti-spoofing at a hook that others have filled: all else is enforced.
ip link add veth1 type veth peer name pod1
ip link set veth1 up
ip route add 10.9.0.2/32 dev veth1
fill() # CHAINS: takes so many places at the hook
{
	echo 'table inet hooks {'
	for i in $(seq "$1"); do
		echo "chain c$i { type filter hook prerouting priority $i; }"
	done
	echo '}'
}
# Rules without anti-spoofing first: conntrack has its places at the hook then.
echo '{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: closed}, spec: {podSelector: {}}}' \
	> "$tmp/policy.yaml"
expect 0 'up to date' $netpold -f "$tmp/policy.yaml"
places=1024
while ! fill $places | nft -f - 2> /dev/null; do
	places=$((places - 1))
	[ $places -gt 1000 ] || { echo "FAIL the hook cannot be filled"; failed=$((failed + 1)); break; }
done
cat > "$tmp/pod.yaml" << X
{apiVersion: v1, kind: Pod, metadata: {name: web}, status: {podIP: 10.9.0.2}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: closed}, spec: {podSelector: {}}}
X
expect 1 'refuses chain prerouting.*pods default/web' $netpold -f "$tmp/pod.yaml"
nft list chain inet netpold i_veth1 > "$tmp/now" || failed=$((failed + 1))
nft delete table inet hooks
expect 0 'up to date' $netpold -f "$tmp/pod.yaml"
nft list chain inet netpold prerouting > "$tmp/now" || failed=$((failed + 1))
[ $failed = 0 ] && echo "what is enforced stays"
[ $failed = 0 ]
