#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The man pages are sound mdoc and know every option that --help shows; and every subcommand and setting.
set -u
bad=0
man=$top_srcdir/man

lint()
{
	command -v mandoc > /dev/null || { echo "mandoc is missing: not linted"; return; }
	out=$(mandoc -Tlint -W warning "$man"/*.[58] 2>&1)
	[ -z "$out" ] || { echo "$out"; bad=1; }
}

# mdoc writes --option as "Fl Fl option".
knows_options() # PROGRAM PAGE
{
	for option in $("$top_builddir/$1" --help | sed -n 's/^ .*--\([a-z-]*\).*/\1/p'); do
		grep -q "Fl Fl $option\b" "$man/$2" || { echo "$2 does not tell of --$option"; bad=1; }
	done
}

mentions() # PAGE WORD...
{
	page=$1
	shift
	for word; do
		grep -q "\(Cm\|Ic\|Va\) $word\b" "$man/$page" || { echo "$page does not tell of $word"; bad=1; }
	done
}

lint
knows_options netpold netpold.8
knows_options netpolctl netpolctl.8
mentions netpolctl.8 explain test graph status
# Those that --help has no room for, too: each line of the table that describes them.
for setting in $(sed -n '/^static const struct setting settings_table/,/^};/s/^\t{"\([a-z-]*\)",.*/\1/p' "$top_srcdir/src/daemon/settings.c"); do
	mentions netpold.conf.5 "$setting"
	grep -q "Fl Fl $setting\b" "$man/netpold.8" || { echo "netpold.8 does not tell of --$setting"; bad=1; }
done

# One description serves the man page and --help.
"$top_builddir/netpold" --help | sed -n '/--manifests/,/--log-level/p' > "${TMPDIR:-/tmp}/settings.$$"
sed -n '/^\.\\" From the program/,/^\.Ed/p' "$man/netpold.conf.5" | grep '^ ' |
	cmp -s - "${TMPDIR:-/tmp}/settings.$$" || { echo "netpold.conf.5 and --help differ: make man-settings"; bad=1; }
rm -f "${TMPDIR:-/tmp}/settings.$$"
exit $bad
