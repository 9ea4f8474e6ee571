#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The test API server against itself, kubectl and answers recorded from a real one.

selftest.py [unittest arguments, such as test_watch or test_watch.Watches.test_custom_resources]
KUBECTL names another kubectl, WIRE another directory of recorded answers."""

import collections
import sys
import unittest

import client

MODULES = ["test_verbs", "test_lists", "test_watch", "test_validation", "test_faults", "test_wire", "test_kubectl",
           "test_lifetime", "test_descriptors"]
SKIPPED = 77


def main():
    reason = client.can_run()
    if reason:
        print(f"skipped: {reason}")
        return SKIPPED
    result = unittest.main(module=None, argv=sys.argv if sys.argv[1:] else [sys.argv[0], *MODULES], exit=False).result
    for why, count in collections.Counter(why for _, why in result.skipped).items():
        print(f"{count} skipped: {why}")
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
