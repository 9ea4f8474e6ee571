#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What an emulated machine does: the tests, one after the other, each with a line in the table of results, then it ends.
# It is the first process, so nothing ends it early.
results=/run/results
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8
export PYTHONDONTWRITEBYTECODE=1
export TIME_FACTOR=10 # everything takes so much longer here
. $results/settings
examples=$top_srcdir/contrib/examples
export CC=false MEMORY_LIMITED= # nothing else is on this machine that memory could be taken from

set_up()
{
	exec > $results/log 2>&1 < /dev/null
	ip link set lo up
	mkdir -p /dev/pts /dev/shm
	mount -t devpts devpts /dev/pts
	mount -t tmpfs shm /dev/shm
	[ -d /sys/fs/cgroup ] && mount -t cgroup2 cgroup2 /sys/fs/cgroup && echo +memory > /sys/fs/cgroup/cgroup.subtree_control
	# What kube-proxy and CNI plugins load; all else the kernel loads when it is asked for.
	for module in br_netfilter ip_vs ip_vs_rr sctp; do
		modprobe "$module" || echo "no module $module"
	done
	hostname kernels
	read -r up _ < /proc/uptime
	echo "$up" > $results/booted
	uname -r > $results/release
}

# KERNELS_QUICK: one of the two modes, whatever differs between kernels, nothing long.
quick="lacking dry-run once lab-bridged apply antispoof ipvs-routed established-routed kernel-log limited cgroup2"
[ -z "$KERNELS_QUICK" ] || TESTS=${TESTS:-$quick}

# A line of the table: whether it passes, how long it took, and why it is skipped.
note() # STATUS NAME SECONDS REASON
{
	echo "$1 $2 $3 $4" >> $results/table
}

# A test: its output goes to a file. When the time is up, it does not begin.
try() # NAME SECONDS COMMAND...
{
	local name=$1 limit=$2 status began=$SECONDS reason=
	shift 2
	case " ${TESTS:-$name} " in *" $name "*) ;; *) return ;; esac
	read -r up _ < /proc/uptime
	[ "${up%.*}" -lt "$BUDGET" ] || { note skip "$name" 0 "no time was left"; return; }
	[ -z "$KERNELS_QUICK" ] || [ "$limit" -lt 900 ] || limit=900 # tests/run.sh has no more
	echo "kernels: $name" > /dev/ttyS0
	timeout -k 5 "$limit" "$@" > "$results/$name.log" 2>&1
	case $? in
	0) status=pass ;;
	77) status=skip reason=$(grep -h skipped "$results/$name.log" | tail -n 1) ;;
	124 | 137) status=FAIL reason="not through after $limit s" ;;
	*) status=FAIL reason="it failed" ;;
	esac
	note $status "$name" $((SECONDS - began)) "${reason%: skipped}"
	[ $status != FAIL ] || { echo "== $name: $reason"; tail -n 60 "$results/$name.log"; } >> $results/failures
}

# The lab of the shop: its expectations, and all pairs.
lab()
{
	"$top_srcdir/contrib/lab/lab" -q -f "$examples" "$examples/flows" "$@"
}

py() # SECONDS FILE MODE...
{
	local limit=$1 file=$2 mode
	shift 2
	for mode in "${@:-}"; do
		try "$(basename "$file" .py)${mode:+-$mode}" "$limit" env ${mode:+MODE=$mode} python3 -B "$top_srcdir/tests/$file"
	done
}

sh_test() # SECONDS FILE
{
	try "$(basename "$2" .sh)" "$1" sh "$top_srcdir/tests/$2"
}

dry_run_loads()
{
	"$top_builddir/netpold" --dry-run --node worker-1 -f "$examples" > /run/dry.nft && unshare -n nft -c -f /run/dry.nft
}

once()
{
	unshare -mn "$top_builddir/netpold" --once -f "$examples" --node worker-1 --control off --metrics off
}

# Nothing of all that has the kernel complain.
kernel_log()
{
	! dmesg | grep -E 'BUG:|WARNING:|Oops|general protection|Call Trace|refcount|KASAN|soft lockup|hung task'
}

# tests/lib/limited.sh has the cgroup that Debian has.
cgroup2()
{
	sh "$top_srcdir/tests/lib/limited.sh" 256 cat /proc/self/cgroup 2>&1 | tee /run/limited
	grep -qF 'by a memory cgroup (version 2)' /run/limited && grep -q '^0::/netpold-test-' /run/limited
}

export -f lab dry_run_loads once kernel_log cgroup2
export examples

set_up
try lacking 300 bash "$top_srcdir/tests/kernels/lacking.sh"
try dry-run 300 bash -c dry_run_loads
try once 300 bash -c once
try lab-routed 1800 bash -c lab
try lab-bridged 1800 bash -c 'lab --bridged'
try lab-of-the-dry-run 1800 bash -c 'lab --enforce dry-run'
export APPLIES=1 LOADS=2 STARTS=12 SAMPLE=$((KERNELS_QUICK ? 20 : 10))
sh_test 1800 netns/load.sh
sh_test 1800 netns/apply.sh
py 1800 netns/antispoof.py
py 1800 e2e/forged.py routed bridged
py 1800 netns/encapsulation.py routed bridged
py 1800 netns/ipvs.py routed bridged
py 1800 netns/local_node.py routed bridged
py 1800 netns/interfaces.py
py 1800 e2e/established.py routed bridged
py 1800 e2e/first_packet.py routed bridged
py 1800 e2e/lockdown.py routed bridged
py 1800 e2e/owner.py
py 1800 e2e/cni.py routed bridged
sh_test 1800 netns/life.sh
py 1800 netns/service.py
py 1800 netns/sysctls.py
py 1800 netns/watch.py
py 1800 netns/attach.py
py 1800 netns/rights.py
py 1800 netns/unprivileged.py
sh_test 1800 netns/preflight.sh
BUDGET=1000000 try kernel-log 300 bash -c kernel_log
sh_test 1800 check/limited.sh # the kernel tells of what it has ended
try cgroup2 300 bash -c cgroup2
cat /proc/uptime > $results/ended
dmesg > $results/dmesg
touch $results/done
sync
echo b > /proc/sysrq-trigger
sleep 60
