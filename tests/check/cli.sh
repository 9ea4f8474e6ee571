#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The command lines as a user meets them: exit statuses, input from everywhere, hostile input, output that
# depends on nothing but the objects.
set -u
netpold=$top_builddir/netpold
netpolctl=$top_builddir/netpolctl
examples=$top_srcdir/contrib/examples
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
failed=0
passed=0

ok()
{
	passed=$((passed + 1))
}

fail() # WHAT
{
	echo "FAIL $*"
	[ ! -s "$tmp/err" ] || sed 's/^/  | /' "$tmp/err" | head -n 5
	failed=$((failed + 1))
}

# Runs a command that must end with a status, within a bound, and say something (a pattern) on stderr.
expect() # STATUS PATTERN COMMAND...
{
	wanted=$1
	pattern=$2
	shift 2
	timeout 60 "$@" > "$tmp/out" 2> "$tmp/err" < "${input:-/dev/null}"
	got=$?
	if [ $got != "$wanted" ]; then
		fail "status $got instead of $wanted: $*"
	elif [ -n "$pattern" ] && ! grep -q "$pattern" "$tmp/err"; then
		fail "no '$pattern' on stderr: $*"
	else
		ok
	fi
}

same() # WHAT FILE FILE
{
	if cmp -s "$2" "$3"; then ok; else fail "$1: $(diff "$2" "$3" | head -n 3)"; fi
}

policy() # what is in spec
{
	printf 'apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: shop}\nspec:\n%s\n' "$1"
}

# Usage.
expect 2 'unrecognized' "$netpold" --dryrun
expect 2 'expected only options' "$netpold" --check x
expect 2 'no manifests' "$netpold" --check
expect 2 'only once' "$netpold" -f -
for mode in --once --cleanup ''; do
	# shellcheck disable=SC2086 # none is no word
	expect 2 "user nobody-of-this-name: no such user" "$netpold" $mode -f "$examples" --user nobody-of-this-name
done
expect 2 'not two' "$netpold" --check --dry-run -f "$examples"
expect 2 'err, warning, notice or debug' "$netpold" --log-level loud --check -f "$examples"
expect 2 'expected a command' "$netpolctl"
expect 2 'expected explain' "$netpolctl" explode -f "$examples"
# A wrong -f is told first and once, not once for each flow.
for command in "test $examples/flows" 'graph' 'explain shop/web shop/db tcp/5432'; do
	# shellcheck disable=SC2086 # words
	expect 2 "^$tmp/none.yaml: error: No such file" "$netpolctl" $command -f "$tmp/none.yaml"
	if [ "$(wc -l < "$tmp/err")" = 1 ] && [ ! -s "$tmp/out" ]; then ok; else fail "$command with a wrong -f says more"; fi
done
printf 'kind: Pod\n' > "$tmp/wrong.yaml"
expect 2 'no such pod' "$netpolctl" test -f "$examples/policies.yaml" -f "$tmp/wrong.yaml" "$examples/flows"
case $(head -n 1 "$tmp/err") in
*wrong.yaml*) ok ;;
*) fail "an error of the input is not told first" ;;
esac
expect 1 'is netpold running.*-f PATH' "$netpolctl" explain --control "$tmp/none" a/b c/d tcp/1
cat > "$tmp/twice.json" << EOF
{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [
 {"name": "a", "ports": [{"name": "http", "containerPort": 80}]},
 {"name": "b", "ports": [{"name": "http", "containerPort": 80}]}]}, "status": {"podIP": "10.0.0.1"}}
EOF
expect 0 '' "$netpolctl" graph -o json -f "$tmp/twice.json"
[ "$(grep -o '"name":"http"' "$tmp/out" | wc -l)" = 1 ] || fail "a port that two containers name is listed once"
own=$top_srcdir/tests/golden/a-pods-own-node-is-egress-like-any-other
for answer in policy:deny allow:allow; do
	expect 0 '' "$netpolctl" explain --local-node-egress="${answer%:*}" -f "$own" shop/closed 192.168.0.1 tcp/22
	grep -q "^${answer#*:} " "$tmp/out" || fail "--local-node-egress=$answer"
done
expect 2 'never: expected policy or allow' "$netpolctl" explain --local-node-egress=never -f "$own" a/b c/d tcp/1
expect 2 'the daemon has a setting of its own' "$netpolctl" explain --local-node-egress=allow a/b c/d tcp/1
expect 2 'maybe: expected policy or allow' "$netpold" --local-node-egress=maybe --check -f "$own"
expect 2 'maybe: expected drop or allow' "$netpold" --pod-tunnels=maybe --check -f "$own"
for words in nowhere 'vpn/app=gw' '/app=gw 10.8.0.1' 'vpn/app=gw, 10.8.0.1' 'vpn 10.8.0.0/33' 'vpn/a=b=c 10.8.0.1'; do
	expect 2 'expected NAMESPACE.*such as vpn/app=gateway' "$netpold" --allowed-sources="$words" --check -f "$own"
done
expect 0 '' "$netpold" --allowed-sources='vpn/app=gw,!x,a!=b,c 10.8.0.1 fd08::/61' --check -f "$own"
expect 2 'read only once' "$netpolctl" explain -f - -
expect 2 'text or json' "$netpolctl" explain -o xml -f "$examples" a/b c/d tcp/1
expect 0 '' "$netpold" --version
expect 0 '' "$netpolctl" --version
for program in "$netpold" "$netpolctl"; do
	expect 0 '' "$program" --help
	if [ "$(wc -l < "$tmp/out")" -le 24 ] && ! grep -v ^settings: "$tmp/out" | grep -q '.\{81\}'; then
		ok
	else
		fail "$program --help does not fit a screen of 80 by 24"
	fi
done

# Verdicts and their statuses.
expect 0 '' "$netpolctl" explain -f "$examples" shop/web shop/api tcp/9000
expect 2 'protocol xyz' "$netpolctl" explain -f "$examples" shop/web shop/db xyz
expect 2 'expected 0 to 65535' "$netpolctl" explain -f "$examples" shop/web shop/db tcp/70000
expect 2 '' "$netpolctl" explain -f "$examples" shop/nobody shop/db tcp/1
grep -q 'no such pod' "$tmp/out" && ok || fail "explain does not say that there is no such pod"
expect 0 '' "$netpolctl" test -f "$examples" "$examples/flows"
echo 'shop/web -> shop/db tcp/1 allow' > "$tmp/flows"
expect 1 '' "$netpolctl" test -f "$examples" "$tmp/flows"
echo 'shop/web -> shop/db tcp/1 perhaps' > "$tmp/flows"
expect 2 'flows:1: error: perhaps: expected allow or deny' "$netpolctl" test -f "$examples" "$tmp/flows"
echo 'shop/web shop/db' > "$tmp/flows"
expect 2 'flows:1: error: expected' "$netpolctl" test -f "$examples" "$tmp/flows"
expect 2 'No such file' "$netpolctl" test -f "$examples" "$tmp/none"
# What has no lines takes no memory, and is not taken for a file without flows.
expect 2 '/dev/zero:1: error: line too long: expected at most 4096 bytes' "$netpolctl" test -f "$examples" /dev/zero
{ echo 'shop/web -> shop/db tcp/1 deny'; head -c 5000 /dev/zero | tr '\0' a; } > "$tmp/flows"
expect 2 'flows:2: error: line too long: expected at most 4096 bytes' "$netpolctl" test -f "$examples" "$tmp/flows"
{ printf 'shop/web -> shop/db tcp/1 deny #'; head -c 4063 /dev/zero | tr '\0' a; echo; } > "$tmp/flows"
expect 0 '' "$netpolctl" test -f "$examples" "$tmp/flows"
expect 2 'No such file' "$netpold" --check -f "$tmp/none"
if command -v python3 > /dev/null; then
	"$netpolctl" test -o json -f "$examples" "$examples/flows" > "$tmp/json"
	"$netpolctl" graph -o json -f "$examples" >> "$tmp/json"
	if python3 -c 'import json, sys; [json.loads(l) for l in open(sys.argv[1])]' "$tmp/json"; then ok; else fail "JSON output"; fi
fi

# The same objects are the same bytes: other order, other files, other notation, standard input.
"$netpold" --dry-run -f "$examples" > "$tmp/directory"
"$netpold" --dry-run -f "$examples/shop.yaml" -f "$examples/policies.yaml" > "$tmp/files"
same "order of files" "$tmp/directory" "$tmp/files"
cat "$examples/policies.yaml" > "$tmp/all.yaml"
echo --- >> "$tmp/all.yaml"
cat "$examples/shop.yaml" >> "$tmp/all.yaml"
"$netpold" --dry-run -f - < "$tmp/all.yaml" > "$tmp/stdin"
same "standard input" "$tmp/directory" "$tmp/stdin"
# A pipe that is named: what its writer takes its time with is waited for, and without a writer it is refused at once.
{ head -c 100 "$tmp/all.yaml"; sleep 0.2; tail -c +101 "$tmp/all.yaml"; } | "$netpold" --dry-run -f /dev/stdin > "$tmp/piped"
same "a pipe as a file" "$tmp/stdin" "$tmp/piped"
mkfifo "$tmp/fifo"
expect 2 'fifo: error: a pipe that nobody writes to: expected manifests' "$netpold" --check -f "$tmp/fifo"
expect 2 'fifo: error: a pipe that nobody writes to: expected manifests' "$netpolctl" graph -f "$examples" -f "$tmp/fifo"
expect 2 'zero: error: file too large: expected at most 64 MiB' "$netpold" --check -f /dev/zero
awk 'BEGIN { RS = "---\n" } { doc[NR] = $0 } END { for (i = NR; i > 0; i--) printf "---\n%s", doc[i] }' "$tmp/all.yaml" \
	> "$tmp/reversed.yaml"
"$netpold" --dry-run -f "$tmp/reversed.yaml" > "$tmp/backwards"
same "order of documents" "$tmp/directory" "$tmp/backwards"
mkdir "$tmp/links" && ln -s "$examples" "$tmp/links/loop" && ln -s "$tmp/links" "$tmp/links/self"
ln -s "$examples/shop.yaml" "$tmp/links/shop.yaml"
ln -s "$examples/policies.yaml" "$tmp/links/policies.yaml"
expect 0 '' "$netpold" --dry-run -f "$tmp/links"
same "links to files, not to directories" "$tmp/directory" "$tmp/out"
expect 0 '' "$netpold" --dry-run -f "$examples" -f "$examples/shop.yaml" -f "$tmp/links"
same "a file named twice" "$tmp/directory" "$tmp/out"
expect 0 '' "$netpold" --dry-run --node worker-2 -f "$examples"
grep -q 'node worker-2: pods 2' "$tmp/out" && ok || fail "--node"

expect 0 'no such node' "$netpold" --dry-run --node worker-9 -f "$examples"
expect 2 "expected a node's name" "$netpold" --dry-run --node '' -f "$examples"
mkdir "$tmp/empty"
expect 0 'no manifests in here' "$netpold" --check -f "$tmp/empty"

unrendered=$top_srcdir/tests/golden/what-is-not-rendered-is-counted
expect 0 'helm template' "$netpold" --check -f "$unrendered"
grep -q 'errors 0, warnings 3, not rendered 7$' "$tmp/out" && ok || fail "what is not rendered is not counted"
expect 2 'not been rendered: expected' "$netpold" --strict --check -f "$unrendered"
expect 0 'helm template' "$netpolctl" graph -f "$unrendered"
expect 2 'not been rendered: expected' "$netpolctl" graph --strict -f "$unrendered"
printf 'strict: true\n' > "$tmp/conf"
expect 2 'not been rendered: expected' "$netpold" --config "$tmp/conf" --check -f "$unrendered"
printf 'strict: off\n' > "$tmp/conf"
expect 0 '' "$netpold" --config "$tmp/conf" --check -f "$unrendered"
printf 'strict: perhaps\n' > "$tmp/conf"
expect 2 'conf:1: error: strict: expected on or off' "$netpold" --config "$tmp/conf" --check -f "$unrendered"

# The configuration file; the command line wins.
printf 'node: worker-2\nmanifests: [%s]\nlog-level: err\n' "$examples" > "$tmp/conf"
expect 0 '' "$netpold" --config "$tmp/conf" --dry-run
grep -q 'node worker-2: pods 2' "$tmp/out" && ok || fail "--config"
expect 0 '' "$netpold" --config "$tmp/conf" --node worker-1 --dry-run
grep -q 'node worker-1: pods 2' "$tmp/out" && ok || fail "--config and --node"
printf 'nodes: x\nmanifests: y\nlog-level: loud\n' > "$tmp/conf"
expect 2 'conf:1: error: nodes: unknown setting' "$netpold" --config "$tmp/conf" --check -f "$examples"
expect 2 'conf:2: error: manifests: expected a list' "$netpold" --config "$tmp/conf" --check -f "$examples"
expect 2 'conf:3: error: log-level' "$netpold" --config "$tmp/conf" --check -f "$examples"
expect 2 'No such file' "$netpold" --config "$tmp/none" --check -f "$examples"

# A fault costs the object that it is in, and the exit status.
cp "$tmp/all.yaml" "$tmp/faulty.yaml"
policy '  podSelector: 7' | sed 's/^apiVersion/---\napiVersion/' >> "$tmp/faulty.yaml"
expect 2 'expected an object' "$netpold" --dry-run -f "$tmp/faulty.yaml"
grep -q '^# incomplete, faults in the input: 1' "$tmp/out" && grep -q 'chain i_vethapi' "$tmp/out" && ok || fail "the rest of a faulty file"
(cat "$tmp/all.yaml"; echo ---; cat "$tmp/all.yaml") > "$tmp/twice.yaml"
expect 2 'defined twice: the first is in' "$netpold" --check -f "$tmp/twice.yaml"

# Input that means harm is an error; never a crash, never a hang.
bomb='a: &a [x,x,x,x,x,x,x,x,x,x]'
before=a
for name in b c d e f g h i; do
	bomb="$bomb
$name: &$name [*$before,*$before,*$before,*$before,*$before,*$before,*$before,*$before,*$before,*$before]"
	before=$name
done
printf '%s\n' "$bomb" > "$tmp/bomb.yaml"
expect 2 'aliases expand too far' "$netpold" --check -f "$tmp/bomb.yaml"
printf 'a: &a\n  b: *a\n' > "$tmp/loop.yaml"
expect 2 'no such anchor' "$netpold" --check -f "$tmp/loop.yaml"
awk 'BEGIN { for (i = 0; i < 100000; i++) printf "["; print "" }' > "$tmp/deep.yaml"
expect 2 'too deeply' "$netpold" --check -f "$tmp/deep.yaml"
awk 'BEGIN { printf "{\"a\":"; for (i = 0; i < 100000; i++) printf "["; print "" }' > "$tmp/deep.json"
expect 2 'too deeply' "$netpold" --check -f "$tmp/deep.json"
printf 'a: 1\na: 2\n' > "$tmp/double.yaml"
expect 2 'double.yaml:2: error: a: set twice, before in line 1' "$netpold" --check -f "$tmp/double.yaml"
printf '{"kind":"Pod",\n"kind":"Pod"}' > "$tmp/double.json"
expect 2 'double.json:2: error: not JSON: duplicate' "$netpold" --check -f "$tmp/double.json"
printf '{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a"},"spec":{"volumes":"\377"}}' > "$tmp/utf8.json"
expect 2 'decode byte 0xff' "$netpold" --check -f "$tmp/utf8.json"
printf 'kind: "\377"\n' > "$tmp/utf8.yaml"
expect 2 'not YAML' "$netpold" --check -f "$tmp/utf8.yaml"
printf '{"kind":"Pod"' > "$tmp/cut.json"
expect 2 'ends inside' "$netpold" --check -f "$tmp/cut.json"
printf '{"kind":"List","apiVersion":"v1","items":[{},,{}]}' > "$tmp/commas.json"
expect 2 'unexpected' "$netpold" --check -f "$tmp/commas.json"
head -c 100000 /dev/urandom > "$tmp/noise.yaml"
expect 2 '' "$netpold" --check -f "$tmp/noise.yaml"
cp "$tmp/noise.yaml" "$tmp/noise.json"
expect 2 '' "$netpold" --check -f "$tmp/noise.json"
head -c 70000000 /dev/zero | tr '\0' '#' > "$tmp/huge.yaml"
expect 2 'at most 64 MiB' "$netpold" --check -f "$tmp/huge.yaml"
(printf '{"kind":"'; head -c 20000000 /dev/zero | tr '\0' 'x') > "$tmp/huge.json"
expect 2 'at most 16777216 bytes' "$netpold" --check -f "$tmp/huge.json"
rm "$tmp/huge.yaml" "$tmp/huge.json"
mkdir "$tmp/nest"
(cd "$tmp/nest" && for i in $(seq 40); do mkdir d && cd d || exit; done)
expect 2 'nested too deeply' "$netpold" --check -f "$tmp/nest"

# Output that cannot be written is not a success.
if [ -e /dev/full ]; then
	"$netpold" --dry-run -f "$examples" > /dev/full 2> "$tmp/err"
	[ $? = 1 ] && ok || fail "a full device under --dry-run"
	"$netpold" --check -f "$examples" > /dev/full 2> "$tmp/err"
	[ $? = 1 ] && ok || fail "a full device under --check"
	"$netpolctl" graph -f "$examples" > /dev/full 2> "$tmp/err"
	[ $? = 1 ] && ok || fail "a full device under netpolctl"
fi

# Descriptors that were closed: nothing else gets their numbers, and output to them is not a success.
"$netpold" --dry-run -f "$examples" >&- 2> "$tmp/err"
[ $? = 1 ] && ok || fail "a closed output under --dry-run"
mkfifo "$tmp/input"
for command in "$netpold --check -f -" "$netpolctl graph -f -"; do
	$command < "$tmp/input" >&- 2>&- &
	pid=$!
	exec 3> "$tmp/input" # until it has opened its end
	tries=0
	while [ "$(readlink /proc/$pid/fd/1 /proc/$pid/fd/2 | tr '\n' ' ')" != '/dev/null /dev/null ' ] && [ $tries -lt 500 ]; do
		tries=$((tries + 1))
		sleep 0.02
	done
	[ $tries -lt 500 ] && ok || fail "descriptors 1 and 2 of $command: $(ls -l /proc/$pid/fd)"
	exec 3>&-
	wait $pid
done

echo "$passed checks of the command lines hold, $failed do not"
[ "$failed" = 0 ]
