#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs each fuzz target of a build: its seeds once, then for FUZZ_SECONDS (default 10). A finding fails the
# run and stays in BUILDDIR/tests/fuzz/findings, as the input that shows it:
#   BUILDDIR/tests/fuzz/fuzz_NAME BUILDDIR/tests/fuzz/findings/NAME-crash-...
# usage: run.sh [BUILDDIR [SRCDIR]] with FUZZ_TARGETS="yaml json" for some of them only.
set -u
build=${1:-.}
src=${2:-$(dirname "$0")/../..}
seconds=${FUZZ_SECONDS:-10}
targets=${FUZZ_TARGETS:-"yaml json cluster flow cidr config files cni kubeconfig answers"}
findings=$build/tests/fuzz/findings
limits="-rss_limit_mb=2048 -malloc_limit_mb=1024 -timeout=25"
passed=0
failed=0

# Leaks are findings too; what a lack of memory does is the unit tests' business.
ASAN_OPTIONS="handle_segv=2:abort_on_error=1:${ASAN_OPTIONS:-}"
export ASAN_OPTIONS
mkdir -p "$findings" || exit 99
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT

# NAME WORD ARGUMENT...: runs the target and says in one line how it went.
run_target()
{
	name=$1
	what=$2
	shift 2
	if "$build/tests/fuzz/fuzz_$name" $limits -artifact_prefix="$findings/$name-" "$@" \
		> "$work/log" 2>&1; then
		runs=$(sed -n 's/^Done \([0-9]*\) runs.*/\1 runs/p' "$work/log")
		echo "ok   fuzz_$name: $what ${runs:+($runs)}"
		passed=$((passed + 1))
		return 0
	fi
	echo "FAIL fuzz_$name: $what"
	grep -E 'ERROR|SUMMARY|does not hold|Test unit written' "$work/log" || tail -n 20 "$work/log"
	failed=$((failed + 1))
	return 1
}

for name in $targets; do
	if [ ! -x "$build/tests/fuzz/fuzz_$name" ]; then
		echo "FAIL fuzz_$name: not built (./configure CC=clang --enable-fuzzers --enable-sanitizers)"
		failed=$((failed + 1))
		continue
	fi
	seeds=$src/tests/fuzz/seeds/$name
	# shellcheck disable=SC2046 # seeds have plain names
	run_target "$name" "$(find "$seeds" -type f | wc -l) seeds" $(find "$seeds" -type f | sort) ||
		continue
	mkdir -p "$work/$name"
	dictionary=
	[ ! -e "$src/tests/fuzz/$name.dict" ] || dictionary=-dict=$src/tests/fuzz/$name.dict
	# shellcheck disable=SC2086 # none, or one word
	[ "$seconds" = 0 ] ||
		run_target "$name" "$seconds s" -max_total_time="$seconds" $dictionary "$work/$name" "$seeds"
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
