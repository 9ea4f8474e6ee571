#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Recorded cases of others, where they are at hand.
set -eu
exec "${PYTHON3:-python3}" "$top_srcdir/tests/oracle/corpora.py" --driver "$top_builddir/tests/driver" \
	--corpora "${CORPORA:-$top_srcdir/../shared/corpora}"
