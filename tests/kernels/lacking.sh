#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A kernel that cannot load a module of nf_tables: what netpold says, and that it goes on when the module is there. Of an
# emulated machine only, before anything else has loaded it.
set -u
netpold="$top_builddir/netpold -f $top_srcdir/contrib/examples --node worker-1 --metrics off --cni-results /run/none"
block=/etc/modprobe.d/netpold-test.conf
release=$(uname -r)
run=/run/lacking
bad=0
tried=0
mkdir -p $run

fail()
{
	echo "FAIL $*"
	bad=1
}

has() # TEXT FILE
{
	grep -qF -- "$1" "$2" || { fail "nobody says: $1"; cat "$2"; }
}

wait_for() # WHAT COMMAND...
{
	local what=$1 tries=0
	shift
	until "$@" > $run/seen 2>&1; do
		[ $((tries += 1)) -lt 600 ] || { fail "not reached: $what"; cat $run/seen $run/log; return 1; }
		sleep 0.2
	done
}

status()
{
	"$top_builddir/netpolctl" status --control $run/socket
}

is_open()
{
	! status > $run/status 2>&1 && grep kernel-lacks-feature $run/status
}

once() # STATUS
{
	unshare -n $netpold --once --control off > $run/log 2>&1
	[ $? = "$1" ] || { fail "--once: not status $1"; cat $run/log; }
}

# The daemon: open until the module is there.
follow() # TEXT
{
	local pid
	unshare -n $netpold --control $run/socket 2> $run/log &
	pid=$!
	wait_for "the daemon says that it is open" is_open
	has "$1" $run/status
	rm $block
	wait_for "with the module it enforces" status
	! grep kernel-lacks-feature $run/seen || fail "the finding stays"
	kill $pid
	wait $pid
}

# It counts, but does not look at connections.
lockdown()
{
	unshare -n "$top_builddir/netpold" --lockdown --pod-networks 10.0.0.0/8 > $run/log 2>&1
	[ $? = 1 ] || { fail "a lockdown without nft_counter"; cat $run/log; }
	has "; this kernel has no expression counter (" $run/log
}

lack() # MODULE EXPRESSION
{
	local text="Kernel $release has no nf_tables expression $2 "
	modinfo "$1" > $run/seen 2>&1 && grep -q '^filename:.*\.ko' $run/seen || { echo "$1 is built in here"; return; }
	! grep -q "^$1 " /proc/modules || modprobe -r "$1" || { fail "$1 is in use"; return; }
	tried=$((tried + 1))
	echo "blacklist $1" > $block # that is how the kernel asks: by an alias
	once 1
	has "$text" $run/log
	has ': no policy can be enforced.' $run/log
	# The refusal itself: a chain by name, and why.
	has "; this kernel has no expression $2 (" $run/log
	grep -q 'refuses chain [a-z]' $run/log || { fail "no chain is named"; cat $run/log; }
	! grep "no sets of concatenated ranges" $run/log || fail "what is there is said to be missing"
	[ "$1" != nft_ct ] || follow "$text"
	[ "$1" != nft_counter ] || lockdown
	rm -f $block
}

lack nft_ct ct
lack nft_counter counter
once 0
[ $tried -gt 0 ] || { echo "all modules are built in: skipped"; exit 77; }
exit $bad
