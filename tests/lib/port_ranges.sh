# SPDX-License-Identifier: GPL-2.0-or-later
# Sourced. nft before 1.1.0 puts into `th dport . meta l4proto` of a map of intervals a byteorder expression for the one
# byte of the protocol (nftables commit 9fe58952c45a ends that). It changes nothing, but nft_byteorder_init() of newer
# kernels wants the length of one value, and refuses it. What netpold sends has no such expression.
if [ -z "${refused_ranges+probed}" ] && ! unshare -n nft -c -f - << 'end' > /dev/null 2>&1
table inet probe {
	map m {
		type inet_service . inet_proto : verdict
		flags interval
		elements = { 1-2 . tcp : accept }
	}
	chain c {
		th dport . meta l4proto vmap @m
	}
}
end
then
	refused_ranges="$(nft --version | cut -d ' ' -f 1-2) loads no port ranges on Linux $(uname -r)"
fi
export refused_ranges="${refused_ranges:-}" # by which nft and kernel; empty: they load

range_rule='^[[:space:]]*th dport \. meta l4proto vmap @ranges_'

has_ranges() # RULESET
{
	grep -q "$range_rule" "$1"
}

range_rules() # RULESET
{
	sed -n "/$range_rule/ s/^[[:space:]]*//p" "$1" | sort
}

other_rules() # RULESET
{
	sed "/$range_rule/ d" "$1"
}

# nft and kernel refuse this ruleset for its port ranges, and for nothing else.
refused_for_ranges() # RULESET
{
	! unshare -n nft -c -f "$1" > "$1.refused" 2>&1 || { echo "nft loads port ranges, but not those of the probe"; return 1; }
	awk '/Error:/ { errors++; wrong += !/ Error: Could not process rule: Operation not supported$/; getline
			wrong += !/^\t*th dport \. meta l4proto vmap @ranges_/ }
		END { exit wrong || !errors }' "$1.refused" || { cat "$1.refused"; return 1; }
}
