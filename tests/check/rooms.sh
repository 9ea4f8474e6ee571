#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The way of the data has one direction: a room includes only the rooms and the libraries that it may know. Both
# tables are read from ARCHITECTURE.md, so that text and code cannot drift apart.
set -u
cd "$top_srcdir" || exit 99
doc=${ARCHITECTURE:-ARCHITECTURE.md}
bad=0

complain()
{
	echo "$*"
	bad=1
}

# The rows of the table whose head begins with a word, a field each by '|', without what is in parentheses.
table() # FIRST-WORD-OF-ITS-HEAD
{
	sed -n "/^| $1 |/,/^\$/p" "$doc" | sed -e 1,2d -e '/^$/d' -e 's/([^)]*)//g' -e 's/^| *//' -e 's/ *| */|/g'
}

rooms=$(table room | cut -d '|' -f 1)

# The rooms that a room may know, by the third column of the first table.
may_know() # ROOM
{
	known=$(table room | grep "^$1|" | cut -d '|' -f 3 | tr -d ,)
	case $known in
	—) ;;
	"all but "*) echo "$rooms" | grep -vxF "${known#all but }" ;;
	*) echo "$known" ;;
	esac
}

# What a header belongs to: a library as the second table calls it, "-" for libc and Linux, or nothing.
library() # HEADER
{
	case $1 in
	jansson.h) echo jansson ;;
	yaml.h) echo libyaml ;;
	curl/*) echo libcurl ;;
	openssl/*) echo libcrypto ;;
	event2/*) echo libevent ;;
	uthash.h | utlist.h) echo uthash ;;
	libnftnl/*) echo libnftnl ;;
	libmnl/*) echo libmnl ;;
	libnetfilter_conntrack/*) echo libnetfilter_conntrack ;;
	arpa/* | linux/* | net/* | netinet/* | sanitizer/* | sys/*) echo - ;;
	assert.h | ctype.h | dirent.h | endian.h | errno.h | fcntl.h | getopt.h | grp.h | inttypes.h | limits.h | locale.h | \
		malloc.h | math.h | netdb.h | poll.h | pwd.h | sched.h | signal.h | spawn.h | stdalign.h | stdarg.h | stdbool.h | stddef.h | \
		stdint.h | stdio.h | stdlib.h | string.h | strings.h | time.h | ucontext.h | unistd.h) echo - ;;
	esac
}

# The rooms that know a library, by the third column of the second table.
known_to() # LIBRARY
{
	table what | grep "^\([^|]*, \)*$1[,|]" | cut -d '|' -f 3 | tr ',' ' '
}

check_rooms() # ROOM FILE
{
	for seen in $(sed -n 's|^#include "\([a-z]*\)/.*|\1|p' "$2" | sort -u); do
		case " $allowed " in
		*" $seen "*) ;;
		*) complain "$2 includes $seen/, which $1 must not know" ;;
		esac
	done
}

check_libraries() # ROOM FILE
{
	for header in $(sed -n 's|^#include <\([^>]*\)>.*|\1|p' "$2" | sort -u); do
		lib=$(library "$header")
		[ "$lib" != - ] || continue
		case " $(known_to "${lib:-of none}") " in
		*" all "* | *" $1 "*) ;;
		*) complain "$2 includes <$header>: $doc does not say that ${lib:-its library} is known to $1" ;;
		esac
	done
}

for room in $(cd src && ls -d */ | tr -d /); do
	if ! echo "$rooms" | grep -qx "$room"; then
		complain "src/$room: a room that $doc does not have"
		continue
	fi
	allowed="$(may_know "$room" | tr '\n' ' ') $room"
	for file in src/"$room"/*.[ch] include/"$room"/*.h; do
		check_rooms "$room" "$file"
		check_libraries "$room" "$file"
	done
done
for file in src/*.c; do
	check_libraries main "$file"
done

# No table has fallen silent, and no row outlives what it is about.
for room in $rooms; do
	[ -d "src/$room" ] || complain "$doc has a room $room, and there is no src/$room"
done
for lib in jansson libyaml libcurl libcrypto libevent uthash libnftnl libmnl; do
	known=$(known_to $lib)
	[ -n "$known" ] || complain "$doc does not say to whom $lib is known"
	[ "$known" != all ] || continue
	for room in $known; do
		used=0
		for header in $(sed -n 's|^#include <\([^>]*\)>.*|\1|p' src/"$room"/*.[ch] include/"$room"/*.h | sort -u); do
			[ "$(library "$header")" != $lib ] || used=1
		done
		[ $used = 1 ] || complain "$doc says that $lib is known to $room, which does not include it"
	done
done
exit $bad
