#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# 20,000 random clusters against the oracle, and some more where classes of ports have each rule's own peers.
set -eu
here=$top_srcdir/tests/oracle
seed=${SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
python=${PYTHON3:-python3}
clusters=${CLUSTERS:-20000}
"$python" "$here/compare.py" --driver "$top_builddir/tests/driver" --seed "$seed" --clusters "$clusters"
"$python" "$here/compare.py" --driver "$top_builddir/tests/driver_parts" --seed "$seed" --clusters $((clusters / 10))
