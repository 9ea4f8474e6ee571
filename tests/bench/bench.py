#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The figures of ARCHITECTURE.md: bench.py BUILD_DIRECTORY [PODS...]

Clusters are made below $TMPDIR and removed again. Every time is the median of five runs; machines are noisy, so look
at the ratios first."""
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
RUNS = 5


def run(command, stdin=None):
    """Wall seconds, CPU seconds and peak resident MB of one run."""
    with open(stdin, "rb") if stdin else open(os.devnull, "rb") as source:
        start = time.monotonic()
        process = subprocess.Popen(command, stdin=source, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{command[0]} ended with status {process.returncode}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def median(command, stdin=None):
    runs = [run(command, stdin) for _ in range(RUNS)]
    return [statistics.median(column) for column in zip(*runs)]


def flows(path, pods, count=20000):
    """Pairs of pods, spread over the cluster."""
    apps = ["web", "api", "db", "cache", "jobs"]

    def name(i):
        return f"team-{i // 50:05}/{apps[i % 5]}-6d4cf56db6-{i:06}"

    with open(path, "w", encoding="utf-8") as out:
        for i in range(count):
            out.write(f"{name(i * 7919 % pods)} -> {name(i * 104729 % pods)} tcp/8080\n")
    return count


def bench(build, pods, tmp):
    directory = os.path.join(tmp, str(pods))
    subprocess.run([sys.executable, f"{HERE}/generate.py", str(pods), directory], check=True)
    size = sum(os.path.getsize(os.path.join(directory, name)) for name in os.listdir(directory))
    wall, cpu, peak = median([f"{build}/netpold", "--dry-run", "--node", "node-0000", "-f", directory])
    print(f"  bytes to ruleset: {wall:.2f} s ({cpu:.2f} s CPU, {size / 1e6 / wall:.0f} MB/s), peak {peak:.0f} MB")
    subprocess.run([f"{build}/tests/bench/events", directory, "node-0000"], check=True)
    path = os.path.join(tmp, "flows")
    count = flows(path, pods)
    base, _, _ = median([f"{build}/netpolctl", "explain", "-f", directory, "10.0.0.1", "10.0.0.2", "icmp"])
    for output in ("text", "json"):
        wall, _, _ = median([f"{build}/netpolctl", "explain", "-o", output, "-f", directory, "-"], path)
        print(f"  explain, {output}: {count / max(wall - base, 1e-3):,.0f} flows/s (reading the cluster: {base:.2f} s)")
    shutil.rmtree(directory)


def main():
    build = os.path.abspath(sys.argv[1])
    sizes = [int(argument) for argument in sys.argv[2:]] or [1000, 10000, 100000]
    with tempfile.TemporaryDirectory() as tmp:
        for pods in sizes:
            bench(build, pods, tmp)


if __name__ == "__main__":
    main()
