#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A list of pods as a real API server sends it, each 7.7 kB: pods.py COUNT."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../apiserver"))
sys.dont_write_bytecode = True
import generate  # noqa: E402
import resources  # noqa: E402


def main():
    template = generate.Template(resources.Registry().find("", "v1", "pods"))
    out = sys.stdout.buffer
    out.write(b'{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[')
    for number in range(int(sys.argv[1])):
        out.write(b"," if number else b"")
        out.write(generate.GeneratedPod(template, number, number + 1, 400, 1000).bytes())
    out.write(b"]}\n")


if __name__ == "__main__":
    main()
