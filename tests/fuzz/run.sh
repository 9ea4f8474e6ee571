#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs each fuzz target of a build: its seeds once, then for FUZZ_SECONDS (default 10), FUZZ_JOBS of them at
# a time (default: one for each processor). A finding fails the run and stays in
# BUILDDIR/tests/fuzz/findings, as the input that shows it:
#   BUILDDIR/tests/fuzz/fuzz_NAME BUILDDIR/tests/fuzz/findings/NAME-crash-...
# usage: run.sh [BUILDDIR [SRCDIR]] with FUZZ_TARGETS="yaml json" for some of them only.
set -u
build=${1:-.}
src=${2:-$(dirname "$0")/../..}
seconds=${FUZZ_SECONDS:-10}
jobs=${FUZZ_JOBS:-$(nproc)}
targets=${FUZZ_TARGETS:-"yaml json cluster flow cidr config files cni kubeconfig answers reflector readback
	watch conntrack links plugin control ctl"}
findings=$build/tests/fuzz/findings
limits="-rss_limit_mb=2048 -malloc_limit_mb=1024 -timeout=25"

# Leaks are findings too; what a lack of memory does is the unit tests' business. An input allocates little:
# a small quarantine holds all of it, and stays in the processor's cache.
ASAN_OPTIONS="handle_segv=2:abort_on_error=1:quarantine_size_mb=16:malloc_context_size=8:${ASAN_OPTIONS:-}"
export ASAN_OPTIONS

# How long inputs may be where longer ones say nothing new. The cluster target keeps what it has decoded, so
# that leaks are looked for at its end only, not after each input that leaves something behind.
options_of()
{
	case $1 in
	cluster) echo "-max_len=160 -entropic=0 -detect_leaks=0" ;;
	readback) echo "-max_len=64" ;;
	watch | conntrack | reflector) echo "-max_len=512" ;;
	esac
}

# NAME WORD ARGUMENT...: runs the target and says in one line how it went.
run_target()
{
	name=$1
	what=$2
	shift 2
	# shellcheck disable=SC2046,SC2086 # words
	if "$build/tests/fuzz/fuzz_$name" $limits $(options_of "$name") \
		-artifact_prefix="$findings/$name-" "$@" > "$TMPDIR/log" 2>&1; then
		runs=$(sed -n 's/^Done \([0-9]*\) runs.*/\1 runs/p' "$TMPDIR/log")
		echo "ok   fuzz_$name: $what ${runs:+($runs)}"
		return 0
	fi
	echo "FAIL fuzz_$name: $what"
	grep -E 'ERROR|SUMMARY|does not hold|Test unit written' "$TMPDIR/log" || tail -n 20 "$TMPDIR/log"
	return 1
}

# All of one target, as a run of this script with FUZZ_ONE.
run_one()
{
	if [ ! -x "$build/tests/fuzz/fuzz_$1" ]; then
		echo "FAIL fuzz_$1: not built (./configure CC=clang --enable-fuzzers --enable-sanitizers)"
		return
	fi
	seeds=$src/tests/fuzz/seeds/$1
	# shellcheck disable=SC2046 # seeds have plain names
	run_target "$1" "$(find "$seeds" -type f | wc -l) seeds" $(find "$seeds" -type f | sort) || return
	mkdir -p "$TMPDIR/corpus"
	dictionary=
	[ ! -e "$src/tests/fuzz/$1.dict" ] || dictionary=-dict=$src/tests/fuzz/$1.dict
	# shellcheck disable=SC2086 # none, or one word
	[ "$seconds" = 0 ] ||
		run_target "$1" "$seconds s" -max_total_time="$seconds" $dictionary "$TMPDIR/corpus" "$seeds"
}

if [ -n "${FUZZ_ONE:-}" ]; then
	TMPDIR=$TMPDIR/$FUZZ_ONE
	export TMPDIR
	mkdir -p "$TMPDIR" && run_one "$FUZZ_ONE" > "$TMPDIR/result"
	cat "$TMPDIR/result"
	exit 0
fi
mkdir -p "$findings" || exit 99
TMPDIR=$(mktemp -d) || exit 99
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
# shellcheck disable=SC2086 # names
printf '%s\n' $targets | xargs -P "$jobs" -I NAME env FUZZ_ONE=NAME sh "$0" "$build" "$src"
passed=$(cat "$TMPDIR"/*/result | grep -c '^ok ')
failed=$(cat "$TMPDIR"/*/result | grep -c '^FAIL ')
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
