#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The way of the data has one direction: a room includes only the rooms that it may know.
set -u
cd "$top_srcdir" || exit 99
bad=0

may_know()
{
	case $1 in
	base) echo "" ;;
	model) echo "base" ;;
	source) echo "base model" ;;
	policy) echo "base model" ;;
	answer) echo "base model policy" ;;
	nft) echo "base" ;;
	node) echo "base" ;;
	render) echo "base model policy nft" ;;
	offline) echo "base model source policy" ;;
	daemon) echo "base model source policy answer nft node render offline" ;;
	ctl) echo "base model source policy answer offline" ;;
	*) echo "unknown" ;;
	esac
}

for room in $(cd src && ls -d */ | tr -d /); do
	allowed="$(may_know "$room") $room"
	if [ "$(may_know "$room")" = unknown ]; then
		echo "src/$room: a room that tests/check/rooms.sh does not know"
		bad=1
		continue
	fi
	for file in src/"$room"/*.[ch] include/"$room"/*.h; do
		for seen in $(sed -n 's|^#include "\([a-z]*\)/.*|\1|p' "$file" | sort -u); do
			case " $allowed " in
			*" $seen "*) ;;
			*)
				echo "$file includes $seen/, which $room must not know"
				bad=1
				;;
			esac
		done
	done
done
exit $bad
