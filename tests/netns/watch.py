#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Who listens hears of everything that others do to our tables, and who it was; not of our own changes, and not of
those to other tables. What it could not hear, it can tell afterwards."""
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
CASE = os.path.join(HERE, "../golden/dual-stack-and-interfaces")
TOOL = os.path.join(os.environ.get("top_builddir", "."), "tests/nft_tool")

ELSEWHERE = [
    "add rule inet other forward accept",
    "add element inet other addresses { 10.3.3.3 }",
    "flush chain ip netpold forward",
    "add chain arp netpold mine",
    "delete table ip netpold",
    "add table inet netpold2; add chain inet netpold2 forward",
]


class Session:
    """A daemon's sockets, in another process."""

    def __init__(self):
        self.process = subprocess.Popen([TOOL, "session"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()


def nft(script):
    subprocess.run(["nft", "-f", "-"], input=script, text=True, check=True)


def sabotages():
    with open(os.path.join(HERE, "sabotage"), encoding="utf-8") as lines:
        for line in lines:
            if not line.startswith("#"):
                yield re.sub(r"; (\w+ \w+ \w+ netpold)", r"\n\1", line)
    yield "flush ruleset"


def handle():
    listing = subprocess.run(["nft", "-a", "list", "chain", "inet", "netpold", "e_veth1"], check=True, text=True,
                             stdout=subprocess.PIPE).stdout
    return re.search(r"jump .*# handle (\d+)", listing).group(1)


class Checks:
    def __init__(self):
        self.passed = self.failed = 0

    def __call__(self, what, got, expected):
        if re.fullmatch(expected, got):
            self.passed += 1
        else:
            print(f"FAIL {what.strip()}: {got!r}, expected {expected!r}")
            self.failed += 1


def main():
    if os.geteuid() != 0 or not shutil.which("nft"):
        print("needs root and nft: skipped")
        return 77
    if len(sys.argv) == 1:
        return subprocess.run(["unshare", "-n", sys.executable, "-B", __file__, "inside"]).returncode
    check = Checks()
    session = Session()
    with open(os.path.join(HERE, "others.nft"), encoding="utf-8") as others:
        nft(others.read())
    check("before there is anything", session.ask("read"), "quiet")
    check("the first change", session.ask(f"repair {CASE}"), "messages [1-9].*")
    check("our own change", session.ask("read"), "quiet")
    for script in ELSEWHERE:
        nft(script)
        check(script, session.ask("read"), "quiet")
    for script in sabotages():
        nft(script.replace("%H", handle()))
        check(script, session.ask("read"), r"touched by [1-9]\d* \(nft\): \S.*")
        check(script, session.ask(f"repair {CASE}"), "messages [1-9].*")
        check(f"our repair of {script}", session.ask("read"), "quiet")
        check(f"nothing is left of {script}", session.ask(f"repair {CASE}"), "messages 0")

    check("pause", session.ask("pause"), "paused")
    check("our own, unheard", session.ask("repair random:1"), "messages [1-9].*")
    check("nothing was missed", session.ask("resume"), "complete")
    check("nothing was heard", session.ask("read"), "quiet")
    check("pause", session.ask("pause"), "paused")
    nft("flush chain inet netpold forward")
    check("our own, unheard", session.ask("repair random:2"), "messages [1-9].*")
    check("others', unheard", session.ask("resume"), "missed")
    check("nothing was heard", session.ask("read"), "quiet")
    nft("flush chain inet netpold forward")
    check("it listens again", session.ask("read"), r"touched by \d+ \(nft\): rule gone from chain forward")

    nft("delete table inet netpold")
    check("gone", session.ask("read"), r"touched by \d+ \(nft\): .*gone.*")
    subprocess.run([TOOL, "fresh", "large:50000"], check=True)
    check("too much to follow", session.ask("read"), r"touched by \d+ .*")
    while session.ask("read") != "quiet":
        pass
    nft("flush chain inet netpold forward")
    check("it goes on", session.ask("read"), r"touched by \d+ \(nft\): rule gone from chain forward")
    session.process.stdin.close()
    check("the end", str(session.process.wait()), "0")
    print(f"{check.passed} hold, {check.failed} do not")
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main())
