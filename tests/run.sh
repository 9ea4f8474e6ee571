#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# All tests, from a fresh clone on Debian: installs what is missing, builds with gcc (hardened), with the sanitizers and
# with clang and the fuzzers, checks each, and closes with a line of counts. Without root it installs nothing, and what
# needs root says that it is skipped.
set -u
cd "$(dirname "$0")/.." || exit 1
top=$(pwd)
work=${WORK_DIR:-$(mktemp -d)}
mkdir -p "$work"
[ -n "${WORK_DIR:-}" ] || trap 'rm -rf "$work"' EXIT
passed=0
failed=0
skipped=0
broken=

say()
{
	printf '\n== %s (%s s)\n' "$*" "$SECONDS"
}

missing=()
need() # PACKAGE FILE-OR-COMMAND
{
	case $2 in
	/*) compgen -G "$2" > /dev/null || missing+=("$1") ;;
	*) command -v "$2" > /dev/null || missing+=("$1") ;;
	esac
}

# The release of clang that Debian's package clang stands for: its runtime has the number in its name.
clang_release()
{
	apt-cache depends clang 2> /dev/null | sed -n 's/.*Depends: clang-\([0-9][0-9]*\)$/\1/p' | head -n 1
}

install_missing()
{
	local clang

	clang=$(clang_release)
	if [ -z "$clang" ] && [ "$(id -u)" = 0 ]; then # a fresh machine has no package lists
		apt-get -qq update
		clang=$(clang_release)
	fi
	need autoconf autoconf
	need automake automake
	need gcc gcc
	need libc6-dev /usr/include/stdio.h
	need clang clang
	need "libclang-rt-${clang:-14}-dev" '/usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-x86_64.a'
	need clang-format clang-format
	need make make
	need pkg-config pkg-config
	need git git
	need xz-utils xz
	need uthash-dev /usr/include/uthash.h
	need libjansson-dev /usr/include/jansson.h
	need libyaml-dev /usr/include/yaml.h
	need libcurl4-openssl-dev curl-config
	need libssl-dev /usr/include/openssl/evp.h
	need libevent-dev /usr/include/event2/event.h
	need libmnl-dev /usr/include/libmnl/libmnl.h
	need libnetfilter-conntrack-dev /usr/include/libnetfilter_conntrack/libnetfilter_conntrack.h
	need libnftnl-dev /usr/include/libnftnl/rule.h
	need libcmocka-dev /usr/include/cmocka.h
	need mandoc mandoc
	need python3 python3
	need openssl openssl
	need iproute2 ip
	need libcap2-bin setcap
	need nftables nft
	need netbase /etc/protocols
	[ ${#missing[@]} -gt 0 ] || return 0
	if [ "$(id -u)" != 0 ]; then
		echo "not root, so this is not installed: ${missing[*]}"
		return 0
	fi
	say "installing ${missing[*]}"
	export DEBIAN_FRONTEND=noninteractive
	apt-get -qq update && apt-get -qq install -y --no-install-recommends "${missing[@]}" > "$work/apt.log" ||
		{ cat "$work/apt.log"; exit 1; }
}

# What only a part of some tests needs, which says so and is skipped without.
install_extras()
{
	missing=()
	need kubernetes-client kubectl
	need systemd systemd-analyze
	need procps /bin/kill
	need valgrind valgrind
	need containernetworking-plugins /usr/lib/cni/ptp
	need qemu-system-x86 qemu-system-x86_64
	need kmod depmod
	need cpio cpio
	[ ${#missing[@]} -gt 0 ] && [ "$(id -u)" = 0 ] || return 0
	say "installing ${missing[*]}"
	apt-get -qq install -y --no-install-recommends "${missing[@]}" > "$work/apt.log" 2>&1 ||
		echo "not installed: ${missing[*]}"
}

# One step that is a test by itself.
step() # NAME COMMAND...
{
	local name=$1
	shift
	say "$name"
	local status=0
	"$@" > "$work/log" 2>&1 || status=$?
	if [ $status = 0 ]; then
		passed=$((passed + 1))
		tail -n 3 "$work/log"
	elif [ $status = 77 ]; then
		skipped=$((skipped + 1))
		cat "$work/log"
		echo "SKIP $name"
	else
		cat "$work/log"
		echo "FAIL $name"
		failed=$((failed + 1))
		broken="$broken, $name"
	fi
}

# make check, each of whose tests counts.
check() # NAME DIRECTORY VARIABLE=VALUE...
{
	say "$1: make check"
	(cd "$2" && env "${@:3}" make -j2 check > check.log 2>&1)
	grep -E '^(PASS|FAIL|SKIP|ERROR|XPASS|XFAIL):' "$2/check.log" | grep -v '^PASS'
	local counts
	counts=$(sed -n 's/^# \(PASS\|FAIL\|SKIP\|ERROR\): *\([0-9]*\)$/\1=\2/p' "$2/check.log" | tail -n 4 | tr '\n' ' ')
	echo "$counts"
	if [ -z "$counts" ]; then
		tail -n 50 "$2/check.log"
		failed=$((failed + 1))
		broken="$broken, $1"
		return
	fi
	local FAIL=0 ERROR=0 PASS=0 SKIP=0
	eval "$counts"
	passed=$((passed + PASS))
	skipped=$((skipped + SKIP))
	failed=$((failed + FAIL + ERROR))
	if [ $((FAIL + ERROR)) -gt 0 ]; then
		cat "$2/test-suite.log"
		broken="$broken, $1"
	fi
}

# Other kernels than this one, emulated: each test of each counts. Without qemu, or where apt has no kernels, skipped.
kernels() # VERSION...
{
	local counts status
	say "kernels: $*"
	env top_builddir="$work/gcc" KERNELS_QUICK=1 KERNELS_SECONDS=300 "$top/tests/kernels.sh" "$@" 2>&1 | tee "$work/log"
	status=${PIPESTATUS[0]}
	counts=$(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped$/\1 \2 \3/p' "$work/log" | tail -n 1)
	if [ "$status" = 77 ]; then
		skipped=$((skipped + 1))
		return
	fi
	read -r pass fail skip <<< "${counts:-0 1 0}"
	passed=$((passed + pass))
	failed=$((failed + fail))
	skipped=$((skipped + skip))
	[ "$fail" = 0 ] || broken="$broken, kernels"
}

build() # DIRECTORY CONFIGURE-ARGUMENTS...
{
	mkdir -p "$1" && cd "$1" || return 1
	shift
	"$top/configure" -q --enable-silent-rules "$@" > configure.log 2>&1 || { cat configure.log; return 1; }
	make -s -j2 all
}

warning_free() # DIRECTORY CONFIGURE-ARGUMENTS...
{
	build "$@" CFLAGS='-O2 -g -Werror'
}

# 77: skipped, which make does not pass on.
analyze() # DIRECTORY
{
	local status=0
	make -s -C "$1" analyze > "$1/analyze.log" 2>&1 || status=$?
	cat "$1/analyze.log"
	! grep -q '^analysis skipped' "$1/analyze.log" || return 77
	return $status
}

install_missing
install_extras
step "autoreconf" autoreconf -fi
step "build with gcc" warning_free "$work/gcc" CC=gcc
check "gcc" "$work/gcc"
kernels 6.1 5.10
step "build with the sanitizers" warning_free "$work/sanitizers" CC=gcc --enable-sanitizers
# The same, with less of what is random: slower by itself.
check "sanitizers" "$work/sanitizers" CLUSTERS=3000 LABS=6 NEVER_SECONDS=8 E2E_SECONDS=1 SOAK_SECONDS=8 CASES=8 QUICK=1
step "build with clang and the fuzzers" warning_free "$work/clang" CC=clang --enable-fuzzers --enable-sanitizers
step "fuzz" make -s -j2 -C "$work/clang" fuzz
step "distribution" env -C "$work/gcc" CLUSTERS=500 LOADS=3 LABS=3 NEVER_SECONDS=5 E2E_SECONDS=1 SOAK_SECONDS=5 CASES=4 QUICK=1 make -s distcheck
step "analyzers" analyze "$work/gcc"
step "format" make -s -C "$work/gcc" format-check
step "quickstart" env BUILD_DIR="$work/gcc" "$top/contrib/quickstart.sh"

[ -z "$broken" ] || echo "broken: ${broken#, }"
printf '\n%s passed, %s failed, %s skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" = 0 ]
