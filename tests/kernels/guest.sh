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

# A test: its own output in a file, and in the table whether it passes, and why it is skipped.
try() # NAME SECONDS COMMAND...
{
	local name=$1 limit=$2 status began=$SECONDS reason=
	shift 2
	case " ${TESTS:-$name} " in *" $name "*) ;; *) return ;; esac
	echo "kernels: $name" > /dev/ttyS0
	timeout -k 5 "$limit" "$@" > "$results/$name.log" 2>&1
	status=$?
	case $status in
	0) status=pass ;;
	77) status=skip reason=$(grep -h skipped "$results/$name.log" | tail -n 1) ;;
	124 | 137) status=FAIL reason="not through after $limit s" ;;
	*) status=FAIL reason="status $status" ;;
	esac
	echo "$status $name $((SECONDS - began)) ${reason%: skipped}" >> $results/table
	[ $status != FAIL ] || { echo "== $name: $reason"; tail -n 60 "$results/$name.log"; } >> $results/failures
}

# The lab of the shop: its expectations, and all pairs.
lab()
{
	"$top_srcdir/contrib/lab/lab" -q -f "$examples" "$examples/flows" "$@"
}

py()
{
	try "$(basename "$2" .py)${3:+-$3}" "$1" env ${3:+MODE=$3} python3 -B "$top_srcdir/tests/$2"
}

sh_test()
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

export -f lab dry_run_loads once kernel_log
export examples

set_up
try lacking 300 bash "$top_srcdir/tests/kernels/lacking.sh"
try dry-run 60 bash -c dry_run_loads
try once 60 bash -c once
try lab-routed 300 bash -c lab
try lab-bridged 300 bash -c 'lab --bridged'
try lab-of-the-dry-run 300 bash -c 'lab --enforce dry-run'
export APPLIES=1
sh_test 900 netns/load.sh
sh_test 900 netns/apply.sh
py 600 netns/antispoof.py
py 600 netns/encapsulation.py
py 600 netns/ipvs.py
py 600 netns/local_node.py
py 600 netns/interfaces.py
py 900 e2e/established.py
py 600 e2e/first_packet.py
py 600 e2e/lockdown.py
py 600 e2e/owner.py
py 900 e2e/cni.py
sh_test 600 netns/life.sh
py 600 netns/service.py
py 600 netns/sysctls.py
py 600 netns/watch.py
py 900 netns/attach.py
py 600 netns/rights.py
py 600 netns/unprivileged.py
sh_test 600 netns/preflight.sh
sh_test 600 check/limited.sh
try kernel-log 30 bash -c kernel_log
cat /proc/uptime > $results/ended
dmesg > $results/dmesg
touch $results/done
sync
echo b > /proc/sysrq-trigger
sleep 60
