#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""random_cluster.py SEED MANIFEST FLOWS: a cluster and flows of tests/oracle/generate.py as files."""
import json
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../oracle"))
import generate  # noqa: E402


def main():
    objects, _, flows = generate.cluster(random.Random(int(sys.argv[1])), flows=12)
    with open(sys.argv[2], "w", encoding="utf-8") as out:
        json.dump({"kind": "List", "apiVersion": "v1", "items": objects}, out)
    with open(sys.argv[3], "w", encoding="utf-8") as out:
        out.writelines(f"{source} -> {target} {proto}\n" for source, target, proto in flows)


if __name__ == "__main__":
    main()
