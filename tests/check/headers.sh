#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Each header compiles alone, those beside the sources too; each file says its licence.
set -u
cd "$top_srcdir" || exit 99
bad=0
for header in include/*/*.h src/*/*.h; do
	# shellcheck disable=SC2086 # CC may be several words
	${CC:-cc} -std=c11 -D_GNU_SOURCE -Iinclude -fsyntax-only -x c "$header" ||
		{ echo "$header does not compile alone"; bad=1; }
done
for file in $(find src include tests contrib man -type f \( -name '*.[ch]' -o -name '*.sh' -o -name '*.py' -o -name '*.[58]' \)); do
	head -n 3 "$file" | grep -q 'SPDX-License-Identifier: GPL-2.0-or-later' ||
		{ echo "$file has no SPDX line"; bad=1; }
done
exit $bad
