#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Other people's firewalls and this namespace's settings, as the preflight finds them.
set -u
[ "$(id -u)" = 0 ] || { echo "needs root: skipped"; exit 77; }
for tool in nft ip unshare; do
	command -v $tool > /dev/null || { echo "needs $tool: skipped"; exit 77; }
done
unshare -n nft list tables 2> /dev/null || { echo "needs network namespaces and nf_tables: skipped"; exit 77; }
if [ -z "${NETPOLD_PREFLIGHT_INSIDE:-}" ]; then
	NETPOLD_PREFLIGHT_INSIDE=1 exec unshare -mn sh "$0"
fi
mount -t sysfs sysfs /sys || { echo "needs a /sys of its own: skipped"; exit 77; }
failed=0
passed=0

# WHAT FINDING... [-- BRIDGE...]: exactly these findings, as "level id", whatever the order.
expect()
{
	what=$1
	shift
	wanted=
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		wanted="$wanted$1
"
		shift
	done
	[ $# -eq 0 ] || shift
	"$top_builddir/tests/preflight_show" "$@" > out || failed=$((failed + 1))
	seen=$(sed -n 's/^\([a-z]* [a-z-]*\): .*/\1/p' out | sort)
	if [ "$seen" = "$(printf %s "$wanted" | sort)" ]; then
		passed=$((passed + 1))
	else
		echo "FAIL $what: expected:"
		printf '%s\n' "$wanted"
		echo "found:"
		cat out
		failed=$((failed + 1))
	fi
}

# WHAT TEXT: the last findings say so.
says()
{
	if grep -qF -- "$2" out; then
		passed=$((passed + 1))
	else
		echo "FAIL $1: nobody says: $2"
		cat out
		failed=$((failed + 1))
	fi
}

# FAMILY POLICY RULE...: a firewall at the forward hook.
firewall()
{
	family=$1
	policy=$2
	shift 2
	nft flush ruleset
	nft add table "$family" foreign
	nft add chain "$family" foreign other
	nft add chain "$family" foreign forward "{ type filter hook forward priority 0; policy $policy; }"
	for rule in "$@"; do
		nft add rule "$family" foreign forward "$rule"
	done
}

# Does the kernel have elements for all others, `*`? Linux 5.13 and later have (NFT_SET_ELEM_CATCHALL).
has_catchall()
{
	nft flush ruleset
	nft 'table inet foreign { map m { type inet_service : verdict; elements = { * : drop }; }; }' 2> /dev/null
}

tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
cd "$tmp" || exit 99
sysctl=/proc/sys/net
echo 1 > $sysctl/ipv4/ip_forward
echo 1 > $sysctl/ipv6/conf/all/forwarding
[ -e $sysctl/netfilter/nf_conntrack_max ] || { echo "needs connection tracking: skipped"; exit 77; }

expect "a host in order"
firewall ip drop
expect "a policy that drops" "warning forward-drop"
says "a policy that drops" "table ip foreign, chain forward, by its policy"
says "a policy that drops" 'see "nft list chain ip foreign forward"'
firewall ip6 drop
expect "a policy that drops IPv6" "warning forward-drop"
firewall inet accept "ct state established accept" "jump other" "counter reject with icmpx admin-prohibited"
expect "a last rule that rejects, as firewalld has it" "warning forward-drop"
says "a last rule" "table inet foreign, chain forward, by a rule"
firewall inet accept "log prefix \"x\" counter drop"
expect "a last rule that drops" "warning forward-drop"
firewall inet accept "drop" "accept"
expect "behind a drop nothing is accepted" "warning forward-drop"
firewall inet accept "accept" "drop"
expect "behind an accept nothing is dropped"
firewall inet accept "ip saddr 10.0.0.1 drop"
expect "a last rule that drops some"
firewall inet accept "limit rate 1/second drop"
expect "a last rule that drops at times"
firewall inet accept "jump other"
expect "a rule that asks an empty chain"
firewall inet accept "ct state established accept" "meta l4proto tcp ct state new jump other"
nft add rule inet foreign other log drop
expect "a chain that a base chain leads to" "warning forward-drop"
says "a chain that a base chain leads to" "table inet foreign, chain other, which chain forward leads to, by a rule"
firewall inet accept "goto other"
nft add chain inet foreign third
nft add rule inet foreign other jump third
nft add rule inet foreign third counter reject
expect "a chain behind a chain" "warning forward-drop"
nft insert rule inet foreign other return
expect "a chain that is left before"
firewall inet accept "ct state invalid jump other"
nft add rule inet foreign other drop
expect "only invalid packets are dropped"
firewall inet accept "tcp dport 25 jump other"
nft add rule inet foreign other drop
expect "only one port is dropped"
firewall inet accept "jump other"
nft add rule inet foreign other jump other 2> /dev/null
expect "a loop, if the kernel takes it"
firewall ip accept "ip saddr 10.244.0.0/16 drop"
expect "pods' addresses" "warning forward-drop" -- 10.244.1.5
expect "others' addresses" -- 10.245.1.5
firewall ip accept "ip saddr 10.244.0.0/20 ip daddr != 10.244.0.0/20 drop"
expect "from pods to others, which other pods are" "warning forward-drop" -- 10.244.1.5 10.244.99.5
expect "from pods to others, where only pods are" -- 10.244.1.5
firewall ip6 accept "ip6 daddr fd00::/61 drop"
expect "pods' addresses, IPv6" "warning forward-drop" -- fd00:0:0:7::1
expect "others' addresses, IPv6" -- fd00:0:0:8::1
firewall inet accept 'iifname "cali*" drop'
expect "pods' interfaces" "warning forward-drop" -- +cali1
expect "others' interfaces, as Docker has rules" -- +veth1 10.0.0.5
firewall inet accept 'iifname != "eth0" oifname "docker0" drop'
expect "neither" -- +veth1 +eth0
firewall inet accept 'oif lo drop'
expect "an index of others" -- +veth1
expect "an index" "warning forward-drop" -- +lo

# Verdict maps and sets: each element is like a rule.
firewall inet accept 'ct state vmap { established : accept, related : accept, invalid : drop }'
expect "a map of states, as it is usual"
firewall inet accept 'ct state vmap { established : accept, new : drop }'
expect "a map that drops what is new" "warning forward-drop"
firewall inet accept 'meta l4proto vmap { tcp : jump other }'
nft add rule inet foreign other drop
expect "a map that leads to a chain" "warning forward-drop"
says "a map that leads to a chain" "table inet foreign, chain other, which chain forward leads to, by a rule"
firewall inet accept 'meta l4proto vmap { tcp : jump other }' drop
nft add rule inet foreign other accept
expect "behind a map a rule is reached" "warning forward-drop"
firewall inet accept 'tcp dport vmap { 22 : drop, 1000-2000 : jump other }'
nft add rule inet foreign other drop
expect "a map of ports"
if has_catchall; then
	firewall inet accept 'tcp dport vmap { 22 : accept, * : drop }'
	expect "all other ports" "warning forward-drop"
else
	echo "Linux $(uname -r) has no element for all others (NFT_SET_ELEM_CATCHALL): two cases skipped"
fi
firewall inet accept 'ip saddr vmap { 10.244.1.5 : drop }'
expect "a map of addresses" "warning forward-drop" -- 10.244.1.5
expect "a map of others' addresses" -- 10.244.1.6
if has_catchall; then
	firewall inet accept 'ip saddr vmap { 10.244.0.0/16 : accept, * : drop }'
	expect "all but the pods' addresses" -- 10.244.1.5
	expect "all but some pods' addresses" "warning forward-drop" -- 10.244.1.5 10.245.1.5
fi
nft flush ruleset
nft -f - << 'end'
table inet foreign {
	map verdicts { type ipv4_addr : verdict; flags interval
		elements = { 10.1.0.0/16 : drop, 10.244.0.0/24 : goto other, 10.244.1.0/24 : accept, 10.250.0.0-255.255.255.255 : drop } }
	set bad { type ipv6_addr; flags interval; elements = { fd00:1::/32, fd00:3:: } }
	map pairs { type ifname . ipv4_addr : verdict; flags interval; elements = { "cali*" . 10.244.0.0/16 : jump other } }
	chain other { drop; }
	chain forward { type filter hook forward priority 0
		ip daddr vmap @verdicts
		iifname . ip saddr vmap @pairs
		ip6 saddr @bad counter drop
	}
}
end
expect "a map of intervals, before the first" -- 10.0.0.1
expect "a map of intervals, that drops" "warning forward-drop" -- 10.1.255.255
expect "a map of intervals, that leads to a chain" "warning forward-drop" -- 10.244.0.0
says "a map of intervals, that leads to a chain" "chain other, which chain forward leads to"
expect "a map of intervals, that accepts" -- 10.244.1.255
expect "a map of intervals, between" -- 10.244.2.0
expect "a map of intervals, to the end" "warning forward-drop" -- 255.255.255.254
expect "a set of intervals, IPv6" "warning forward-drop" -- fd00:1:2::3
expect "a set of intervals, one address" "warning forward-drop" -- fd00:3::
expect "a set of intervals, behind it" -- fd00:3::1
expect "interface and address" "warning forward-drop" -- +cali1 10.244.7.7
expect "another interface and address" -- +veth1 10.244.7.7
expect "interface and another address" -- +cali1 10.245.7.7
nft flush map inet foreign verdicts
nft flush set inet foreign bad
nft flush map inet foreign pairs
expect "empty maps" -- +cali1 10.1.1.1 fd00:1::1
nft add element inet foreign verdicts '{ 0.0.0.0/0 : drop }'
expect "one interval is all" "warning forward-drop" -- 10.9.9.9
firewall inet accept 'ip saddr != { 10.1.0.0/16, 10.3.0.0/16 } drop'
expect "what a set does not have" "warning forward-drop" -- 10.1.1.5 10.244.1.5
expect "a set has all" -- 10.1.1.5 10.3.1.5
firewall inet accept 'iifname != { "eth0", "eth1" } jump other'
nft add rule inet foreign other drop
expect "interfaces that a set does not have" "warning forward-drop" -- +veth1
expect "interfaces that a set has" -- +eth0 +eth1
firewall inet accept 'tcp dport != { 22, 80 } drop'
expect "ports that a set does not have" "warning forward-drop"
firewall inet accept 'iifname vmap { "cali*" : jump other, "eth0" : accept }'
nft add rule inet foreign other reject
expect "a map of names with a wildcard" "warning forward-drop" -- +cali1
expect "a map of names with a wildcard, others" -- +veth1 +eth0
firewall inet accept 'fib daddr type vmap { unicast : drop }'
expect "what is not understood"
firewall inet accept 'meta mark . ip saddr vmap { 1 . 10.244.1.5 : drop }'
expect "a part that is not understood" -- 10.244.1.5
firewall inet accept 'ip saddr . ip daddr vmap { 10.244.1.5 . 10.244.1.6 : drop }'
expect "two addresses" "warning forward-drop" -- 10.244.1.5 10.244.1.6
expect "one of two addresses" -- 10.244.1.5
firewall inet accept
{
	echo "add set inet foreign many { type ipv4_addr; }"
	echo "add rule inet foreign forward ip saddr @many drop"
	seq 0 19999 | awk '{ printf "add element inet foreign many { 10.%d.%d.%d }\n", $1 / 65536 % 256, $1 / 256 % 256, $1 % 256 }'
} | nft -f -
expect "more elements than are looked at" -- 10.0.0.1

# PRIORITY RULE: somebody's chain in prerouting.
prerouting()
{
	nft flush ruleset
	nft add table inet foreign
	nft add chain inet foreign early "{ type filter hook prerouting priority $1; }"
	nft add rule inet foreign early "$2"
}

prerouting -150 "counter drop"
expect "prerouting" "warning prerouting-drop"
says "prerouting" "drops what comes in: table inet foreign, chain early, by a rule"
prerouting -150 "fib saddr oif missing drop"
expect "a filter for reverse paths"
prerouting raw "notrack"
expect "nothing is tracked" "warning notrack"
prerouting raw "udp dport 53 notrack"
expect "one port is not tracked" "warning notrack" -- 10.244.1.5
prerouting raw "ip daddr 10.96.0.10 udp dport 53 notrack"
expect "an address that is no pod's is not tracked, as NodeLocal DNSCache has it" -- 10.244.1.5
prerouting raw "ip saddr 10.244.0.0/16 notrack"
expect "pods are not tracked" "warning notrack" -- 10.244.1.5
says "pods are not tracked" "table inet foreign, chain early, by a rule"
if command -v iptables-nft > /dev/null; then
	nft flush ruleset
	iptables-nft -t raw -A PREROUTING -s 10.244.0.0/16 -m comment --comment x -j NOTRACK &&
		expect "pods are not tracked, by iptables" "warning notrack" -- 10.244.1.5
	iptables-nft -t raw -F
	iptables-nft -N SUB
	iptables-nft -A FORWARD -m comment --comment x -j SUB
	iptables-nft -A SUB -p tcp -j REJECT
	expect "a chain of iptables" "warning forward-drop"
fi
nft flush ruleset
nft add table ip foreign
nft add chain ip foreign late "{ type filter hook postrouting priority 0; policy drop; }"
expect "postrouting" "warning postrouting-drop"
firewall bridge drop
expect "a bridge's policy, and no pods on bridges"
nft flush ruleset
nft add table inet netpold
nft add chain inet netpold forward "{ type filter hook forward priority 0; policy drop; }"
expect "our own table"
nft add table inet other
nft add chain inet other input "{ type filter hook input priority 0; policy drop; }"
nft add chain inet other nothook "{ type filter hook output priority 0; policy drop; }"
expect "other hooks"
for i in $(seq 80); do
	echo "add chain inet other f$i { type filter hook forward priority $i; policy drop; }"
done | nft -f -
"$top_builddir/tests/preflight_show" > out
if [ "$(grep -c "^warning forward-drop" out)" = 64 ]; then
	passed=$((passed + 1))
else
	echo "FAIL more findings than are kept: $(grep -c "^warning" out)"
	failed=$((failed + 1))
fi
nft flush ruleset

ip link add br0 type bridge
expect "a bridge that is handed to netfilter" -- br0
echo 0 > $sysctl/bridge/bridge-nf-call-iptables
expect "a bridge that is not, without pods"
expect "a bridge that is not" "error br-netfilter-off" -- br0
says "a bridge that is not" "Set sysctl net.bridge.bridge-nf-call-iptables=1"
ip link set br0 type bridge nf_call_iptables 1
expect "a bridge that is by itself" -- br0
echo 0 > $sysctl/bridge/bridge-nf-call-ip6tables
expect "a bridge that is not for IPv6" "error br-netfilter-off" -- br0
firewall bridge drop
expect "a bridge's policy" "error br-netfilter-off" "warning forward-drop" -- br0
nft flush ruleset
echo 1 > $sysctl/bridge/bridge-nf-call-ip6tables
echo 0 > $sysctl/ipv4/ip_forward
echo 0 > $sysctl/ipv6/conf/all/forwarding
expect "a host that does not forward" "warning forwarding-off" "warning forwarding-off"
echo "$passed findings as expected, $failed not"
[ "$failed" = 0 ]
