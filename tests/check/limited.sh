#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/lib/limited.sh ends what takes more memory than it may, and hands on what all else does.
set -u
limited="sh $top_srcdir/tests/lib/limited.sh"
python=${PYTHON3:-python3}
command -v "$python" > /dev/null || { echo "needs python3: skipped"; exit 77; }
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
bad=0

expect() # STATUS PATTERN-ON-STDERR COMMAND...
{
	wanted=$1
	pattern=$2
	shift 2
	echo in | timeout 60 $limited 256 "$@" > "$tmp/out" 2> "$tmp/err"
	got=$?
	case $wanted$got in
	failure0) echo "status 0: $*"; bad=1 ;;
	failure* | "$got$wanted") ;;
	*) echo "status $got instead of $wanted: $*"; cat "$tmp/err"; bad=1 ;;
	esac
	grep -q "$pattern" "$tmp/err" || { echo "no '$pattern' on stderr: $*"; cat "$tmp/err"; bad=1; }
}

expect 0 '^limited to 256 MB by ' sh -c 'read -r word && [ "$word" = in ] && [ "$MEMORY_LIMITED" = 256 ]'
expect 7 '^limited to 256 MB by ' sh -c 'exit 7'
if grep -q 'by nothing' "$tmp/err"; then
	echo "no memory cgroup here, and sanitizers: not limited, skipped"
	exit $((bad ? 1 : 77))
fi
expect failure 'ended by the kernel\|MemoryError' "$python" -c 'b"x" * (1 << 30)'
# Also what is too much only together, where a cgroup counts it.
if grep -q 'memory cgroup' "$tmp/err"; then
	expect failure 'ended by the kernel' sh -c "
		for i in 1 2 3 4; do $python -c 'import time; a = b\"x\" * (100 << 20); time.sleep(5)' & done; wait"
	! ls -d /sys/fs/cgroup/*/netpold-test-$$ 2> /dev/null || bad=1
	expect 0 '' sh -c "sleep 300 > $tmp/left & echo \$! > $tmp/pid"
	! grep -q '^State:[[:space:]]*[RSDTtI]' "/proc/$(cat "$tmp/pid")/status" 2> /dev/null || { echo "what a command leaves behind lives on"; bad=1; }
fi
exit $bad
