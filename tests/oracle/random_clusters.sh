#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# 20,000 random clusters against the oracle, and some more with names that collide.
set -eu
here=$top_srcdir/tests/oracle
seed=${SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
python=${PYTHON3:-python3}
"$python" "$here/compare.py" --driver "$top_builddir/tests/driver" --seed "$seed" \
	--clusters "${CLUSTERS:-20000}"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
printf '#!/bin/sh\nexec "%s/tests/driver" 1\n' "$top_builddir" > "$tmp/driver"
chmod +x "$tmp/driver"
"$python" "$here/compare.py" --driver "$tmp/driver" --seed "$seed" --clusters 2000
