#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Installs what is missing (Debian), builds, and shows the main job on contrib/examples; as root with real packets
# between namespaces that are gone again afterwards. Changes nothing else on this machine. Asks for nothing.
set -eu
cd "$(dirname "$0")/.."
here=$(pwd)
build=${BUILD_DIR:-$here/build}

say()
{
	printf '\n== %s\n' "$*"
}

missing=
need() # PACKAGE FILE-OR-COMMAND
{
	case $2 in
	/*) [ -e "$2" ] || missing="$missing $1" ;;
	*) command -v "$2" > /dev/null || missing="$missing $1" ;;
	esac
}

need autoconf autoconf
need automake automake
need gcc gcc
need libc6-dev /usr/include/stdio.h
need make make
need pkg-config pkg-config
need uthash-dev /usr/include/uthash.h
need libjansson-dev /usr/include/jansson.h
need libyaml-dev /usr/include/yaml.h
need libcurl4-openssl-dev curl-config
need libssl-dev /usr/include/openssl/evp.h
need libevent-dev /usr/include/event2/event.h
need libmnl-dev /usr/include/libmnl/libmnl.h
need libnetfilter-conntrack-dev /usr/include/libnetfilter_conntrack/libnetfilter_conntrack.h
need libnftnl-dev /usr/include/libnftnl/rule.h
need python3 python3
need iproute2 ip
need nftables nft
if [ -n "$missing" ]; then
	say "installing:$missing"
	if [ "$(id -u)" != 0 ]; then
		echo "please run once as root: apt-get install --no-install-recommends$missing" >&2
		exit 1
	fi
	export DEBIAN_FRONTEND=noninteractive
	apt-get -qq update
	# shellcheck disable=SC2086 # several packages
	apt-get -qq install -y --no-install-recommends $missing > /dev/null
fi

say "building in $build"
[ -x configure ] || autoreconf -fi > /dev/null 2>&1
mkdir -p "$build"
cd "$build"
[ -e Makefile ] || "$here/configure" -q > /dev/null
make -s -j"$(nproc)" netpold netpolctl
cd "$here"

say "the manifests are sound:  netpold --check -f contrib/examples"
"$build/netpold" --check -f contrib/examples

say "what worker-1 would enforce:  netpold --dry-run --node worker-1 -f contrib/examples   (its first lines)"
"$build/netpold" --dry-run --node worker-1 -f contrib/examples | sed -n '1,2p;/chain i_vethapi/,/^	}/p;/chain pi_/,/^	}/p'

say "why?  netpolctl explain -f contrib/examples shop/web shop/db tcp/5432"
"$build/netpolctl" explain -f contrib/examples shop/web shop/db tcp/5432

say "what the policies are meant to say:  netpolctl test -f contrib/examples contrib/examples/flows"
"$build/netpolctl" test -f contrib/examples contrib/examples/flows

if [ "$(id -u)" != 0 ]; then
	say "real packets need root: run this again as root to see them"
	exit 0
fi
say "the same with real packets, on two nodes made of namespaces:  contrib/lab/lab -f contrib/examples contrib/examples/flows"
top_builddir=$build python3 -B contrib/lab/lab -f contrib/examples contrib/examples/flows
