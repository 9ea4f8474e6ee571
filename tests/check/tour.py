#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The tour in README.md shows what the programs print: runs each of its commands and compares. `...` stands for any
lines; times, durations and the version differ from run to run. What begins with sudo runs as root only: the status of a
daemon in a network namespace of its own, and the lab."""
import os
import re
import subprocess
import sys
import tempfile
import time

TOP = os.path.realpath(os.environ.get("top_srcdir", os.path.join(os.path.dirname(os.path.realpath(__file__)), "../..")))
BUILD = os.path.realpath(os.environ.get("top_builddir", "."))
PATIENCE = 120  # seconds, as for a busy machine with sanitizers


def commands():
    """The tour's commands, each with the lines that README says it prints."""
    with open(os.path.join(TOP, "README.md"), encoding="utf-8") as readme:
        tour = readme.read().split("\n## A short tour\n")[1].split("\n## ")[0]
    for block in re.findall(r"(?:^    .*\n|^\n(?=    ))+", tour, re.M):
        for one in re.split(r"^    \$ ", block, flags=re.M)[1:]:
            command, *lines = one.rstrip("\n").split("\n")
            while lines and not lines[-1]:
                lines.pop()
            yield command, [line.removeprefix("    ") for line in lines]


def pattern(lines):
    text = re.escape("\n".join(line.strip() if line.strip() == "..." else line.expandtabs(4) for line in lines) + "\n")
    text = text.replace(r"\.\.\.\n".replace(r"\n", "\\\n"), r"(?:.*\n)*?")
    text = re.sub(r"\d{4}\\-\d\d\\-\d\dT\d\d:\d\d:\d\dZ", r"\\S+Z", text)
    text = re.sub(r"in\\ \d+\\ us", r"in\\ \\d+\\ us", text)
    return re.sub(r"netpold((?:\\ )+)0\\\.1\\\.0", r"netpold\1[^ ,]+", text)


def run(command, **options):
    done = subprocess.run(["sh", "-c", command], cwd=TOP, env=dict(os.environ, PATH=f"{BUILD}:{os.environ['PATH']}", top_builddir=BUILD),
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE, check=False, **options)
    return done.stdout.expandtabs(4)


def run_status(command):
    with tempfile.TemporaryDirectory(prefix="netpold-tour-") as scratch:
        control = f"{scratch}/control.sock"
        daemon = subprocess.Popen(["unshare", "-n", "sh", "-c", "ip link set lo up && exec \"$0\" \"$@\"", f"{BUILD}/netpold", "-f", "contrib/examples", "--node",
                                   "worker-1", "--metrics", "off", "--cni-results", f"{scratch}/results", "--state-directory", "off",
                                   "--control", control], cwd=TOP, stderr=subprocess.DEVNULL)
        try:
            end = time.monotonic() + PATIENCE
            while "state      enforcing" not in (text := run(f"{command} --control {control}")) and time.monotonic() < end:
                time.sleep(0.1)
            return text
        finally:
            daemon.terminate()
            daemon.wait(PATIENCE)


def main():
    failed = skipped = passed = 0
    for command, lines in commands():
        if command.startswith("sudo ") and os.geteuid() != 0:
            print(f"needs root, skipped: {command}")
            skipped += 1
            continue
        plain = command.removeprefix("sudo ")
        said = run_status(plain) if plain == "netpolctl status" else run(plain)
        # The lab tells of its progress first.
        if re.search(("(?:^|\n)" if plain.startswith("contrib/lab") else "^") + pattern(lines) + r"\Z", said):
            passed += 1
        else:
            failed += 1
            print(f"FAIL $ {command}\n--- README.md\n" + "\n".join(lines) + "\n--- printed\n" + said)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed or passed < 6 else 0)


if __name__ == "__main__":
    main()
