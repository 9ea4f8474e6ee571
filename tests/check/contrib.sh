#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What is in contrib fits the programs: options, settings, metrics, rights, resources of the API server.
set -u
netpold=$top_builddir/netpold
contrib=$top_srcdir/contrib
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
bad=0

fail()
{
	echo "FAIL $*"
	bad=1
}

without() # TOOL WHAT
{
	command -v "$1" > /dev/null && return 1
	echo "$1 is missing: not checked: $2"
}

# Those of --help, and the settings of netpold that it has no room for.
options() # PROGRAM
{
	{
		"$top_builddir/$1" --help | sed -n 's/^  \(    \|-., \)\(--[a-z-]*\).*/\2/p'
		[ "$1" != netpold ] || sed -n -e 's/^\t{MODE_[A-Z_]*, "\([a-z-]*\)",.*/--\1/p' \
			-e '/^static const struct setting settings_table/,/^};/s/^\t{"\([a-z-]*\)",.*/--\1/p' "$top_srcdir/src/daemon/settings.c"
		[ "$1" != netpolctl ] ||
			sed -n '/^static const struct option_spec specs/,/^};/s/^\t{"\([a-z-]*\)",.*/--\1/p' "$top_srcdir/src/ctl/ctl.c"
	} | sort -u
}

same() # WHAT FILE FILE
{
	[ -s "$2" ] || fail "$1: there is nothing to compare"
	diff "$2" "$3" || fail "$1"
}

readme()
{
	for path in "$contrib"/*/; do
		name=$(basename "$path")
		grep -q "^| \[$name\]($name) |" "$contrib/README.md" || fail "contrib/README.md does not tell of $name"
		[ -f "$path/README.md" ] || fail "$name has no README.md"
	done
}

# What is said of netpold on a command line anywhere; arguments of the unit and of containers.
known_options()
{
	{
		grep -rhoE '\bnetpold --[a-z-]+' "$contrib" --include='*.md' --include='*.yaml' | sed 's/.* //'
		sed -n 's/^ExecStart=//p' "$contrib/systemd/netpold.service" | grep -oE -- '--[a-z-]+'
		sed -n 's/^ExecStart=//p' "$contrib/systemd/netpold-lockdown.service" | grep -oE -- '--[a-z-]+'
		sed -nE 's/^ *(- |args: \[)(--[a-z-]+).*/\2/p' "$contrib"/kubernetes/*.yaml
	} | sort -u > "$tmp/used"
	options netpold > "$tmp/known"
	[ "$(wc -l < "$tmp/used")" -ge 4 ] || fail "the options in contrib are not found"
	while read -r option; do
		grep -qx -- "$option" "$tmp/known" || fail "contrib uses $option, which netpold does not know"
	done < "$tmp/used"
}

settings()
{
	conf=$contrib/systemd/netpold.conf
	sed 's/^#\([a-z-]*: \)/\1/' "$conf" > "$tmp/all.conf"
	for file in "$conf" "$tmp/all.conf"; do
		"$netpold" --check --config "$file" -f "$contrib/examples" > "$tmp/out" || fail "$file"
	done
}

manifests()
{
	for file in "$contrib"/kubernetes/*.yaml; do
		"$netpold" --check -f "$file" > "$tmp/out" || fail "$file"
	done
	version=$(sed -n 's/^netpold \([0-9][0-9.]*\).*/\1/p' "$top_srcdir/NEWS" | head -n 1)
	sed -n 's/^ *image: *//p' "$contrib"/kubernetes/*.yaml | sort -u > "$tmp/images"
	echo "netpold:$version" > "$tmp/image"
	same "images" "$tmp/image" "$tmp/images"
}

# The role is what src/source/api.c asks for, no more and no less: GROUP/RESOURCE, a line each.
role()
{
	policies=$(sed -n 's/^#define POLICY_API *"\(.*\)"/\1/p' "$top_srcdir/src/source/api.c")
	sed -n -e 's/^[[:space:]]*{"\/apis\{0,1\}\/[^"]*", "\([a-z]*\)", "\([a-z0-9.]*\)".*/\2\/\1/p' \
		-e "s/^[[:space:]]*UNENFORCED(\"[A-Za-z]*\", \"\([a-z]*\)\".*/$policies\/\1/p" \
		"$top_srcdir/src/source/api.c" | sort > "$tmp/asked"
	awk '/^kind:/ { on = $2 == "ClusterRole" }
		on && /apiGroups:/ { group = $0; sub(/.*\[/, "", group); gsub(/["\]]/, "", group) }
		on && /resources:/ { line = $0; sub(/.*\[/, "", line); sub(/\].*/, "", line); n = split(line, all, ", ")
			for (i = 1; i <= n; i++) print group "/" all[i] }' "$contrib/kubernetes/netpold.yaml" | sort > "$tmp/given"
	same "the ClusterRole" "$tmp/asked" "$tmp/given"
	verbs=$(sed -n 's/^ *verbs: //p' "$contrib/kubernetes/netpold.yaml" | sort -u)
	[ "$verbs" = "[list, watch]" ] || fail "verbs of the ClusterRole: $verbs"
}

# One set of capabilities everywhere; tests/netns/unprivileged.py shows that it is enough.
capabilities()
{
	{
		sed -n 's/^CapabilityBoundingSet=\|^AmbientCapabilities=//p' "$contrib/systemd/netpold.service"
		sed -n 's/.*add: \[\([A-Z_, ]*\)\].*/\1/p' "$contrib"/kubernetes/*.yaml
		sed -n 's/.*setcap \([a-z_,]*\)+ep.*/\1/p' "$contrib/kubernetes/Containerfile" | tr 'a-z' 'A-Z'
	} | sed 's/CAP_//g; s/, */ /g' | sort | uniq -c | sed 's/^ *//' > "$tmp/capabilities"
	echo "5 NET_ADMIN DAC_READ_SEARCH" > "$tmp/wanted"
	same "capabilities" "$tmp/wanted" "$tmp/capabilities"
}

metrics()
{
	source=$top_srcdir/src/daemon/metrics.c
	{
		tr '\n' ' ' < "$source" | grep -oE 'put\(out, "[a-z_]+"' | sed 's/.*"\(.*\)"/netpold_\1/'
		tr '\n' ' ' < "$source" | grep -oE 'put_resources\(d, out, "[a-z_]+"' | sed 's/.*"\(.*\)"/netpold_api_\1/'
		tr '\n' ' ' < "$source" | grep -oE 'put_histogram\(out, "[a-z_]+"' |
			sed 's/.*"\(.*\)"/netpold_\1_bucket\nnetpold_\1_sum\nnetpold_\1_count/'
		grep -oE 'TYPE netpold_[a-z_]+' "$source" | sed 's/TYPE //'
	} | sort -u > "$tmp/metrics"
	grep -rhoE 'netpold_[a-z_]+' "$contrib/grafana" "$contrib/systemd" "$contrib/kubernetes" | sort -u > "$tmp/shown"
	[ "$(wc -l < "$tmp/shown")" -ge 20 ] || fail "the metrics of the dashboard are not found"
	while read -r metric; do
		grep -qx "$metric" "$tmp/metrics" || fail "contrib shows $metric, which netpold does not have"
	done < "$tmp/shown"
}

# The example of a list of plugins is JSON, and ends with ours.
plugins()
{
	without python3 "the list of CNI plugins is JSON" && return
	python3 -c 'import json, sys
assert json.load(open(sys.argv[1]))["plugins"][-1] == {"type": "netpold-cni"}' "$contrib/cni/10-pods.conflist" ||
		fail "the list of CNI plugins"
}

dashboard()
{
	without python3 "the dashboard is JSON" && return
	python3 - "$contrib/grafana/netpold.json" <<- 'X' || fail "the dashboard"
		import json, sys
		panels = json.load(open(sys.argv[1]))["panels"]
		assert len({panel["id"] for panel in panels}) == len(panels), "panels share an id"
		places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels]
		assert len(set(places)) == len(places), "panels share a place"
		assert all(target["expr"] for panel in panels for target in panel["targets"])
	X
}

# bash offers exactly the options that the program has, and values where there are few.
completion()
{
	without bash "completion" && return
	for program in netpold netpolctl; do
		options $program | sort > "$tmp/known"
		bash -eu -c '. "$1"
			COMP_WORDS=("$2" --) COMP_CWORD=1
			"_$3" "$2"
			printf "%s\n" "${COMPREPLY[@]}"' - "$contrib/completion/$program.bash" "$top_builddir/$program" $program |
			sort > "$tmp/offered"
		same "options that completion offers for $program" "$tmp/known" "$tmp/offered"
	done
	offered=$(bash -eu -c '. "$1"
		COMP_WORDS=(netpold --unknown-pods = d) COMP_CWORD=3
		_netpold netpold
		echo "${COMPREPLY[@]}"' - "$contrib/completion/netpold.bash")
	[ "$offered" = drop ] || fail "completion of --unknown-pods=d offers '$offered'"
}

unit()
{
	without systemd-analyze "the unit" && return
	for name in netpold netpold-lockdown; do
		sed "s|/usr/local/sbin/netpold|$netpold|" "$contrib/systemd/$name.service" > "$tmp/$name.service"
		# What it does not know it only tells; and it tells of other units of this machine, too.
		systemd-analyze verify --man=no "$tmp/$name.service" 2>&1 | grep -F "$name.service" && fail "the unit $name"
	done
	if ! systemd-analyze --help | grep -q threshold; then
		echo "systemd-analyze knows no --threshold: not checked: how hard the unit is"
	elif ! systemd-analyze security --offline=true --threshold=20 --no-pager "$tmp/netpold.service" > "$tmp/out" 2>&1; then
		tail -n 1 "$tmp/out"
		fail "the unit has more rights than it had"
	fi
}

readme
known_options
settings
manifests
role
capabilities
metrics
plugins
dashboard
completion
unit
exit $bad
