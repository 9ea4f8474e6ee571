#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# fetch.sh DIRECTORY SUITE: the kernel of a Debian suite, unpacked in DIRECTORY/SUITE: `vmlinuz`, `lib/modules`, and
# `version` with what uname -r says and the version of the package; nothing is installed. What is there already is kept,
# unless KERNELS_UPDATE is set. fetch.sh DIRECTORY busybox: a static busybox, DIRECTORY/busybox.
# The archive is the one of the machine's own apt sources, and apt verifies what it sends.
set -eu
directory=$1
what=$2
own=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
keys=/usr/share/keyrings/debian-archive-keyring.gpg

# Where the machine's sources have the suite that it runs; more than one where others name theirs alike.
archives()
{
	apt-get --print-uris update 2> /dev/null | sed -n "s|^'\(.*\)/dists/$own/\(In\)\?Release'.*|\1|p" | sort -u
}

# apt with directories of its own; neither root nor the machine's lists are needed.
suite_apt() # SUITE COMMAND ARGUMENTS...
{
	local apt=$directory/apt/$1 command=$2
	shift 2
	"$command" -q -o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null -o Dir::State="$apt/state" \
		-o Dir::State::status="$apt/status" -o Dir::Cache="$apt/cache" -o Acquire::Languages=none \
		-o APT::Architecture=amd64 -o APT::Architectures=amd64 -o APT::Sandbox::User=root -o APT::Update::Error-Mode=any "$@"
}

# The lists of a suite, from the first archive that has them, signed by Debian.
update() # SUITE
{
	local apt=$directory/apt/$1 archive
	mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial"
	: > "$apt/status"
	for archive in $(archives); do
		echo "deb [signed-by=$keys] $archive $1 main" > "$apt/sources.list"
		suite_apt "$1" apt-get update > "$apt/log" 2>&1 && return
		cat "$apt/log" >&2
	done
	echo "no archive of the apt sources has Debian's $1" >&2
	return 1
}

depends() # SUITE PACKAGE
{
	suite_apt "$1" apt-cache depends --important "$2" | sed -n 's/^ *Depends: //p'
}

# The packages of the newest kernel: since 7.0 or so image and modules are apart.
packages() # SUITE
{
	local image
	image=$(depends "$1" linux-image-amd64 | grep '^linux-image-[0-9]' | head -n 1)
	echo "$image"
	depends "$1" "$image" | grep -E '^linux-(modules|binary)-' || true
}

unpack() # SUITE PACKAGE... (into $new)
{
	local suite=$1
	shift
	(cd "$new" && suite_apt "$suite" apt-get download "$@") > "$new/log" 2>&1 || { cat "$new/log" >&2; return 1; }
	for package in "$new"/*.deb; do
		dpkg-deb -x "$package" "$new/tree"
		rm "$package"
	done
}

# Of 300 MB of modules, those that an emulated machine has a use for.
keep_modules()
{
	local modules=$1/kernel
	find "$modules" -mindepth 1 -maxdepth 1 ! -name net ! -name fs ! -name lib ! -name crypto ! -name drivers ! -name arch \
		-exec rm -rf {} +
	find "$modules/fs" -mindepth 1 -maxdepth 1 ! -name '9p' ! -name netfs ! -name fscache ! -name overlayfs -exec rm -rf {} +
	find "$modules/drivers" -mindepth 1 -maxdepth 1 ! -name net ! -name virtio ! -name char -exec rm -rf {} +
	rm -rf "$modules"/drivers/net/{ethernet,wireless,wwan,usb,phy,can,hamradio,dsa}
}

fetch_kernel() # SUITE
{
	local new release modules packages
	new=$(mktemp -d "$directory/new.XXXXXX")
	chmod 755 "$new"
	update "$1"
	packages=$(packages "$1")
	# shellcheck disable=SC2086 # words
	unpack "$1" $packages
	modules=$(find "$new/tree" -type d -path '*lib/modules/*' -name '[0-9]*' | head -n 1)
	release=$(basename "$modules")
	keep_modules "$modules"
	mkdir -p "$new/kernel/lib/modules"
	cp "$(find "$new/tree" -type f -name 'vmlinuz*' | head -n 1)" "$new/kernel/vmlinuz"
	mv "$modules" "$new/kernel/lib/modules/"
	depmod -b "$new/kernel" "$release" 2> "$new/log" || { cat "$new/log" >&2; return 1; }
	suite_apt "$1" apt-cache show "${packages%%[!a-z0-9.+-]*}" | awk -v r="$release" \
		'/^Version: / { print r, $2; exit }' > "$new/kernel/version"
	rm -rf "${directory:?}/$1"
	mv "$new/kernel" "$directory/$1"
	rm -rf "$new"
}

# Of the machine's own suite, if it is not there.
fetch_busybox()
{
	local new
	new=$(mktemp -d "$directory/new.XXXXXX")
	update "$own"
	unpack "$own" busybox-static
	cp "$(find "$new/tree" -type f -path '*bin/busybox' | head -n 1)" "$directory/busybox"
	rm -rf "$new"
}

mkdir -p "$directory"
trap 'rm -rf "$directory"/new.??????' EXIT
case $what in
busybox) [ -s "$directory/busybox" ] || fetch_busybox ;;
*) [ -s "$directory/$what/version" ] && [ -z "${KERNELS_UPDATE:-}" ] || fetch_kernel "$what" ;;
esac
