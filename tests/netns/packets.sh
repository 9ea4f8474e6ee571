#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The third voice: real packets between namespaces fare as the evaluator says, for every golden case and for
# random clusters, routed and bridged, with netpold running in every node.
set -u
[ "$(id -u)" = 0 ] || { echo "needs root: skipped"; exit 77; }
for tool in nft ip unshare python3; do
	command -v $tool > /dev/null || { echo "needs $tool: skipped"; exit 77; }
done
unshare -n nft list tables 2> /dev/null || { echo "needs network namespaces and nf_tables: skipped"; exit 77; }
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
python=${PYTHON3:-python3}
failed=0
passed=0

lab() # NAME MANIFESTS FLOWS OPTION...
{
	name=$1
	manifests=$2
	flows=$3
	shift 3
	if "$python" -B "$top_srcdir/contrib/lab/lab" -q "$@" -f "$manifests" "$flows" > "$tmp/out" 2>&1; then
		passed=$((passed + 1))
	else
		cat "$tmp/out"
		echo "FAIL $name $*"
		failed=$((failed + 1))
	fi
}

for case in "$top_srcdir"/tests/golden/*/; do
	[ -e "$case/flows" ] && [ ! -e "$case/expect.status" ] || continue
	number=$((${number:-0} + 1))
	# QUICK: each case in one of the two ways.
	[ "${QUICK:-}" ] && [ $((number % 2)) = 0 ] || lab "$(basename "$case")" "$case" "$case/flows"
	[ "${QUICK:-}" ] && [ $((number % 2)) = 1 ] || lab "$(basename "$case")" "$case" "$case/flows" --bridged
done
examples=$top_srcdir/contrib/examples
lab examples "$examples" "$examples/flows" --enforce dry-run
lab examples "$examples" "$examples/flows" --bridged
cp "$examples"/*.yaml "$tmp"
cat > "$tmp/services.yaml" << EOF
apiVersion: v1
kind: Service
metadata:
  name: api   # a name is a port's of the pod
  namespace: shop
spec:
  clusterIPs: [10.96.0.20, "fd00:10:96::20"]
  clusterIP: 10.96.0.20
  selector: {app: api}
  ports:
  - name: http
    port: 80
    targetPort: http
  - {port: 53, protocol: UDP}
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: shop}
spec: {clusterIP: 10.96.0.21, selector: {app: db},
  ports: [{port: 5433, targetPort: pg}, {port: 53, protocol: UDP}]}
EOF
cat > "$tmp/flows" << EOF
shop/web -> 10.96.0.20 tcp/80 allow
shop/web -> fd00:10:96::20 tcp/80 allow
shop/db -> 10.96.0.20 tcp/80 deny
shop/api -> 10.96.0.20 tcp/80 allow
shop/api -> 10.96.0.21 tcp/5433 allow
shop/web -> 10.96.0.21 tcp/5433 deny
monitoring/scraper -> 10.96.0.20 udp/53 deny
EOF
lab services "$tmp" "$tmp/flows"
lab services "$tmp" "$tmp/flows" --bridged

seed=${SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
echo "random clusters from seed $seed"
for i in $(seq "${LABS:-40}"); do
	"$python" "$top_srcdir/tests/netns/random_cluster.py" $((seed + i)) "$tmp/cluster.json" "$tmp/flows"
	if [ $((i % 2)) = 0 ]; then
		lab "seed $((seed + i))" "$tmp/cluster.json" "$tmp/flows"
	else
		lab "seed $((seed + i))" "$tmp/cluster.json" "$tmp/flows" --bridged
	fi
done
echo "$passed clusters agree with their packets, $failed do not"
[ "$failed" = 0 ]
