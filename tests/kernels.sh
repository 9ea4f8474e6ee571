#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# kernels.sh [VERSION...]: runs tests on Debian's kernels: 5.10, 6.1, 6.12, newest (all of them by default), each in a
# machine that qemu emulates, which needs neither KVM nor root and takes some minutes. The kernels are downloaded by apt
# and unpacked, not installed. Results are in a table, one column for each kernel, and a line of counts; 77: this cannot
# run here.
# The environment: top_builddir, a build (default: the current directory); KERNELS_DIR, where kernels are kept;
# KERNELS_UPDATE=1, newer ones are looked for; TESTS, names of tests/kernels/guest.sh, which are run instead of all;
# KERNELS_QUICK=1, a choice of them; KERNELS_SECONDS, after which a kernel begins no other test; KERNELS_LOGS, where logs are
# left.
set -u
here=$(cd "$(dirname "$0")" && pwd)
top_srcdir=$(cd "$here/.." && pwd)
top_builddir=$(cd "${top_builddir:-.}" && pwd)
kernels=${KERNELS_DIR:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/netpold-kernels}
seconds=${KERNELS_SECONDS:-7200}
TEST_SECONDS=1900 # for the one that is under way, and to end

skip()
{
	echo "$*: skipped"
	exit 77
}

suite() # VERSION
{
	case $1 in
	5.10) echo bullseye ;;
	6.1) echo bookworm ;;
	6.12) echo trixie ;;
	newest) echo sid ;;
	*) echo "kernels.sh: $1: expected 5.10, 6.1, 6.12 or newest" >&2; exit 2 ;;
	esac
}

[ $# -gt 0 ] || set -- 5.10 6.1 6.12 newest
for version in "$@"; do
	suite "$version" > /dev/null || exit
done
for tool in qemu-system-x86_64 depmod cpio xz apt-get dpkg-deb; do
	command -v "$tool" > /dev/null || skip "needs $tool"
done
[ -x "$top_builddir/netpold" ] || { echo "no netpold in $top_builddir: build it first" >&2; exit 2; }
mkdir -p "$kernels"
kernels=$(cd "$kernels" && pwd)
for name in busybox $(for version in "$@"; do suite "$version"; done); do
	"$here/kernels/fetch.sh" "$kernels" "$name" || skip "$name cannot be fetched by apt"
done
work=$(mktemp -d)
logs=${KERNELS_LOGS:-$work/logs}
mkdir -p "$logs"
logs=$(cd "$logs" && pwd)
trap 'rm -rf "$work"' EXIT

# The modules that lead to the root file system, uncompressed, in the order of loading.
boot_modules() # TREE RELEASE DIRECTORY
{
	local file name
	mkdir -p "$3"
	for name in virtio_pci 9pnet_virtio 9p overlay; do
		modprobe -d "$1" -S "$2" --show-depends "$name" 2> /dev/null
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r file; do
		name=$(basename "$file" | sed 's/\.ko.*/.ko/')
		case $file in
		*.xz) xz -dc "$file" > "$3/$name" ;;
		*.zst) zstd -qdc "$file" > "$3/$name" ;;
		*) cp "$file" "$3/$name" ;;
		esac
		echo "$name"
	done > "$3/order"
}

make_initramfs() # TREE RELEASE FILE
{
	local root=$work/initramfs
	rm -rf "$root"
	mkdir -p "$root/bin"
	cp "$kernels/busybox" "$root/bin/"
	cp "$here/kernels/init" "$root/init"
	chmod +x "$root/init" "$root/bin/busybox"
	boot_modules "$1" "$2" "$root/modules"
	printf "MODULES='%s'\nGUEST='%s'\n" "$1/lib/modules/$2" "$here/kernels/guest.sh" > "$root/settings"
	(cd "$root" && find . | cpio -o -H newc --quiet) > "$3"
}

# Boots, and returns when the machine has ended.
boot() # VERSION RESULTS
{
	local tree release package
	tree=$kernels/$(suite "$1")
	read -r release package < "$tree/version"
	make_initramfs "$tree" "$release" "$work/initramfs.cpio"
	timeout -k 10 $((seconds + TEST_SECONDS)) qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot \
		-machine pc -accel tcg,thread=single -cpu max,la57=off -smp 2 -m 3072 \
		-kernel "$tree/vmlinuz" -initrd "$work/initramfs.cpio" \
		-append 'console=ttyS0 quiet loglevel=4 panic=-1 mitigations=off nokaslr audit=0 apparmor=0 rcupdate.rcu_expedited=1 random.trust_cpu=on' \
		-device virtio-rng-pci -serial "file:$2/console" \
		-virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap \
		-virtfs local,path="$2",mount_tag=results,security_model=none < /dev/null > "$2/qemu" 2>&1
}

run() # VERSION
{
	local results=$logs/$1 began=$SECONDS
	rm -rf "$results"
	mkdir -p "$results"
	cat > "$results/settings" << END
export top_srcdir='$top_srcdir' top_builddir='$top_builddir' TESTS='${TESTS:-}' KERNELS_QUICK='${KERNELS_QUICK:-}' BUDGET=$seconds
END
	echo "== Linux $(cat "$kernels/$(suite "$1")/version")"
	boot "$1" "$results"
	if [ ! -e "$results/done" ]; then
		# The last one has not come to its end.
		tail -n 20 "$results/qemu" "$results/console" "$results/log" "$(ls -t "$results"/*.log | head -n 1)" 2> /dev/null
		echo "FAIL machine $((SECONDS - began)) it did not come to its end" | tee -a "$results/table"
	fi
	[ ! -e "$results/failures" ] || cat "$results/failures"
	cat "$results/table"
	echo "$((SECONDS - began)) s in all"
}

columns=()
for version in "$@"; do
	run "$version"
	columns+=("$logs/$version")
done
python3 -B "$here/kernels/table.py" "${columns[@]}"
