#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Golden cases: tests/golden/NAME has manifests (*.yaml, *.json) and, each where it exists,
#   options       of the dry run, one line
#   expect.nft    what the dry run prints
#   expect.err    what it says on standard error (paths relative to the case)
#   expect.status its exit status (0 where there is none)
#   flows         expectations that netpolctl test finds to hold
#   explain       one line of arguments, and expect.explain what explain answers to them
# With UPDATE=1 the expect files are written instead of compared: read the difference before you commit it.
set -u
cd "$top_srcdir/tests/golden" || exit 99
failed=0
passed=0

compare() # CASE NAME ACTUAL
{
	if [ "${UPDATE:-0}" = 1 ] && [ -e "$1/$2" ]; then
		cat "$3" > "$1/$2"
	elif [ -e "$1/$2" ] && ! diff -u "$1/$2" "$3"; then
		echo "FAIL $1: $2 is another"
		return 1
	fi
	return 0
}

run_case()
{
	options=
	status=0
	[ ! -e "$1/options" ] || options=$(cat "$1/options")
	[ ! -e "$1/expect.status" ] || status=$(cat "$1/expect.status")
	# shellcheck disable=SC2086 # options are words
	(cd "$1" && "$top_builddir/netpold" --dry-run $options -f .) > "$tmp/out" 2> "$tmp/err"
	got=$?
	ok=0
	if [ "$got" != "$status" ]; then
		echo "FAIL $1: exit status $got, expected $status"
		cat "$tmp/err"
		ok=1
	fi
	compare "$1" expect.nft "$tmp/out" || ok=1
	compare "$1" expect.err "$tmp/err" || ok=1
	if [ -e "$1/flows" ] && ! "$top_builddir/netpolctl" test -f "$1" "$1/flows" > "$tmp/flows" 2>&1 &&
		{ [ "$status" = 0 ] || grep -q '^FAIL' "$tmp/flows"; }; then
		cat "$tmp/flows"
		echo "FAIL $1: flows"
		ok=1
	fi
	if [ -e "$1/explain" ]; then
		# shellcheck disable=SC2046 # words again
		(cd "$1" && "$top_builddir/netpolctl" explain -f . $(cat explain)) > "$tmp/explain" 2>&1
		compare "$1" expect.explain "$tmp/explain" || ok=1
	fi
	return $ok
}

tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
for case in */; do
	case=${case%/}
	if run_case "$case"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
	fi
done
echo "$passed golden cases hold, $failed do not"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
