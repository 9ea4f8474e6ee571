#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# 20,000 random clusters against the oracle.
set -eu
here=$top_srcdir/tests/oracle
seed=${SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
exec "${PYTHON3:-python3}" "$here/compare.py" --driver "$top_builddir/tests/driver" --seed "$seed" \
	--clusters "${CLUSTERS:-20000}"
