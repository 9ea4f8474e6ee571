#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# limited.sh MEGABYTES COMMAND...: runs it with no more memory than that, so that what it makes of ruleset and cluster
# ends it and not the machine. In a memory cgroup, where one can be made (version 2, else 1): that counts the kernel's
# memory for nf_tables, too. Without one, `ulimit -v` bounds each process, but not the kernel; not with sanitizers, which
# reserve terabytes. Says on standard error which it was. MEMORY_LIMITED is set for the command.
set -u
megabytes=$1
shift
MEMORY_LIMITED=$megabytes
export MEMORY_LIMITED

# The directory of the cgroup file system that a line of /proc/self/mounts names.
mounted() # AWK-CONDITION
{
	awk "$1"' { print $2; exit }' /proc/self/mounts
}

# Beside our own: a cgroup with processes has no children that limit memory. Sets $group.
make_v2()
{
	root=$(mounted '$3 == "cgroup2"')
	own=$(sed -n 's/^0:://p' /proc/self/cgroup)
	[ -n "$root" ] && [ -n "$own" ] || return 1
	parent=$root$(dirname "$own")
	grep -qw memory "$parent/cgroup.subtree_control" 2> /dev/null || return 1
	group=$parent/netpold-test-$$
	mkdir "$group" 2> /dev/null || return 1
	echo $((megabytes << 20)) > "$group/memory.max" && echo 1 > "$group/memory.oom.group" || return 1
	[ ! -e "$group/memory.swap.max" ] || echo 0 > "$group/memory.swap.max"
}

# Below our own.
make_v1()
{
	root=$(mounted '$3 == "cgroup" && $4 ~ /(^|,)memory(,|$)/')
	own=$(sed -n 's/^[0-9]*:[^:]*\<memory\>[^:]*://p' /proc/self/cgroup)
	[ -n "$root" ] && [ -n "$own" ] || return 1
	group=$root$own/netpold-test-$$
	mkdir "$group" 2> /dev/null || return 1
	echo $((megabytes << 20)) > "$group/memory.limit_in_bytes"
}

leave()
{
	[ -n "$group" ] || return
	for pid in $(cat "$group/cgroup.procs" 2> /dev/null); do
		kill -9 "$pid" 2> /dev/null # what the command has left behind
	done
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		rmdir "$group" 2> /dev/null && break
		sleep 0.1 # processes end when they can
	done
	group=
}

# How often the limit ended something.
kills()
{
	sed -n 's/^oom_kill //p' "$group/memory.events" "$group/memory.oom_control" 2> /dev/null
}

group=
if ! { make_v2 && how="a memory cgroup (version 2)"; } 2> /dev/null &&
	! { leave; make_v1 && how="a memory cgroup (version 1)"; } 2> /dev/null; then
	leave
	group=
	if grep -q 'NETPOLD_CFLAGS = .*-fsanitize' "${top_builddir:-.}/Makefile" 2> /dev/null; then
		how="nothing, as sanitizers reserve terabytes"
	else
		ulimit -v $((megabytes << 10))
		how="ulimit -v, for each process"
	fi
fi
echo "limited to $megabytes MB by $how" >&2
if [ -z "$group" ]; then
	exec "$@"
fi
trap leave EXIT
trap 'kill -TERM $child 2> /dev/null' TERM INT HUP
exec 3<&0 # what runs beside a shell has no standard input of its own
(sh -c 'echo $PPID' > "$group/cgroup.procs" && exec "$@" 3<&-) <&3 &
child=$!
wait $child
status=$?
while kill -0 $child 2> /dev/null; do # a signal to us has ended the wait, not the command
	wait $child
	status=$?
done
[ "$(kills)" = 0 ] || { echo "more than $megabytes MB of memory: ended by the kernel" >&2; [ $status != 0 ] || status=1; }
exit $status
