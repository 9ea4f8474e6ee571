#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What is sent to the kernel is initialized, and nothing is used that is not: netpold --once writes rulesets and
# brings them up to date, and tests of what is on the wire, under valgrind.
set -u
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
units="test_plan test_kernel test_kernel_read test_watch test_join test_json_prune"
[ "${QUICK:-}" ] && units="test_kernel test_kernel_read"
failed=0

skip() # WHY
{
	echo "$1: skipped"
	exit 77
}

memcheck() # COMMAND...
{
	valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite --log-file="$tmp/log" "$@" \
		> "$tmp/out" 2>&1
	status=$?
	[ "$status" -ne 99 ] && return 0
	echo "FAIL $*"
	head -n 40 "$tmp/log"
	failed=$((failed + 1))
}

command -v valgrind > /dev/null || skip "needs valgrind"
# A program with a sanitizer has an allocator of its own.
valgrind -q "$top_builddir/netpold" --version > /dev/null 2>&1 || skip "valgrind cannot run this netpold"

unshare=unshare
[ "$(id -u)" -eq 0 ] || unshare="unshare -r"
cat > "$tmp/scene" << END
ip link set lo up
ip link add veth-web type veth peer name peer
for file in $top_srcdir/tests/golden/dual-stack-and-interfaces/manifests.yaml \
	$top_srcdir/tests/golden/many-ports-are-one-map/manifests.yaml \
	$top_srcdir/tests/golden/cidr-torture/manifests.yaml; do
	valgrind -q --error-exitcode=99 --log-file="$tmp/log.%p" "$top_builddir/netpold" --once --cni-results "$tmp/none" \
		--control off -f "\$file" > "$tmp/out" 2>&1
	[ \$? -ne 99 ] || { echo "FAIL netpold --once -f \$file"; exit 1; }
done
nft list tables | grep -q netpold || exit 77
END
$unshare -n sh "$tmp/scene"
case $? in
0) ;;
77) echo "no network namespace with nf_tables: netpold --once is left out" ;;
*)
	cat "$tmp"/log.* | head -n 40
	failed=$((failed + 1))
	;;
esac

for unit in $units; do
	memcheck "$top_builddir/tests/unit/$unit"
done
[ "$failed" -eq 0 ] && echo "nothing uninitialized"
exit "$failed"
