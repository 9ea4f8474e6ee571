#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Recorded cases of others with real packets: a seeded sample of them, routed and bridged, with netpold in every node.
Each fares as was recorded. CASES (24) how many, SEED which."""
import glob
import json
import lzma
import os
import random
import shutil
import subprocess
import sys
import tempfile

TOP = os.environ.get("top_srcdir", os.path.join(os.path.dirname(os.path.realpath(__file__)), "../.."))
sys.path.insert(0, os.path.join(TOP, "tests/oracle"))
sys.dont_write_bytecode = True
import corpora  # noqa: E402

FLOWS_MAX = 120  # of one case


def sample(paths, count, seed):
    """As many cases, evenly from all files, without holding them all."""
    chosen = []
    for path in paths:
        generator = random.Random(f"{seed} {os.path.basename(path)}")
        kept = []
        with lzma.open(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines):
                if len(kept) < -(-count // len(paths)):
                    kept.append(line)
                elif (place := generator.randrange(number + 1)) < len(kept):
                    kept[place] = line
        chosen += kept
    return [json.loads(line) for line in chosen[:count]]


def write(case, scratch, generator):
    objects = {"apiVersion": "v1", "kind": "List", "items": corpora.objects_of(case)}
    with open(os.path.join(scratch, "case.json"), "w", encoding="utf-8") as out:
        json.dump(objects, out)
    probes = [probe for probe in case["probes"] if not probe.get("loopback")]
    probes = generator.sample(probes, min(len(probes), FLOWS_MAX))
    with open(os.path.join(scratch, "flows"), "w", encoding="utf-8") as out:
        for probe in probes:
            out.write(" ".join([*corpora.flow_of(probe), probe["expect"]]) + "\n")
    return len(probes)


def main():
    paths = sorted(path for path in glob.glob(os.path.join(TOP, "../shared/corpora/*.jsonl.xz"))
                   if os.path.basename(path).split(".")[0] not in corpora.OTHER_KINDS)
    for wanted, word in ((os.geteuid() == 0, "root"), (paths, "the recorded cases"), (shutil.which("nft"), "nft"),
                         (shutil.which("ip"), "ip")):
        if not wanted:
            print(f"needs {word}: skipped")
            sys.exit(77)
    seed = os.environ.get("SEED") or str(random.SystemRandom().randrange(1 << 32))
    print(f"seed {seed}")
    generator = random.Random(seed)
    cases = sample(paths, int(os.environ.get("CASES", "24")), seed)
    flows = bad = 0
    for number, case in enumerate(cases):
        with tempfile.TemporaryDirectory() as scratch:
            flows += write(case, scratch, generator)
            command = [sys.executable, "-B", os.path.join(TOP, "contrib/lab/lab"), "-q", "-f",
                       os.path.join(scratch, "case.json"), os.path.join(scratch, "flows")]
            done = subprocess.run(command + (["--bridged"] if number % 2 else []), stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, check=False)
            if done.returncode != 0:
                bad += 1
                print(f"FAIL {case['name']} step {case['step']}{' bridged' if number % 2 else ''}\n{done.stdout[-3000:]}")
    print(f"{len(cases)} recorded cases, {flows} flows: {len(cases) - bad} cases as recorded, {bad} not")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
