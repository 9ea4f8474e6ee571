#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab as its users have it: what it says of input that it cannot use, that it tells what is dropped by policy from
what is lost elsewhere, and that it leaves nothing behind whenever and however it is ended."""
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

TOP = os.path.abspath(os.environ.get("top_srcdir", os.path.join(os.path.dirname(os.path.realpath(__file__)), "../..")))
LAB = os.path.join(TOP, "contrib/lab/lab")
EXAMPLES = os.path.join(TOP, "contrib/examples")
PATIENCE = 60
# A pod that throws away what comes: as a listener that is not there, and as a network that fails.
LOSSY = """
import sys
__file__ = {lab!r}
sys.path.insert(0, {directory!r})
import cluster
build = cluster.Cluster.build
def lossy(self, *arguments):
    build(self, *arguments)
    for name, space in self.spaces.items():
        if name.startswith("pod-"):
            space.run(["nft", "-f", "-"], "table inet lossy {{ chain f {{ type filter hook {hook} priority 0; "
                                          "meta l4proto udp drop; }}; }}\\n")
cluster.Cluster.build = lossy
exec(compile(open({lab!r}).read(), {lab!r}, "exec"))
"""
failed = passed = 0


def check(what, holds, detail=""):
    global failed, passed
    passed, failed = passed + bool(holds), failed + (not holds)
    if not holds:
        print(f"FAIL {what}: {detail}")


def lab(*words):
    done = subprocess.run([sys.executable, "-B", LAB, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)
    return done.returncode, done.stdout


def unusable_input(scratch):
    path = os.path.join(scratch, "flows")
    for words, flow, text in (
            (["-f", EXAMPLES, path], "shop/web -> shop/api", f"{path}:1: expected FROM -> TO PROTO"),
            (["-f", EXAMPLES, path], "# ok\na b tcp/80 perhaps", f"{path}:2: expected FROM -> TO PROTO"),
            (["-f", EXAMPLES, path + ".not"], "", f"{path}.not: No such file"),
            (["-f", path + ".not", path], "", f"{path}.not: error: No such file"),
            (["-f", EXAMPLES, "--pairs", "tcp/80,http"], "", "--pairs http: expected tcp/PORT"),
            (["-f", EXAMPLES, "--pairs", "tcp/80000"], "", "--pairs tcp/80000: expected tcp/PORT"),
            (["-f", EXAMPLES], "", "expected files of flows, or --pairs")):
        with open(path, "w", encoding="utf-8") as out:
            out.write(flow + "\n")
        status, said = lab(*words)
        check(f"{words} {flow!r}", status != 0 and text in said and "Traceback" not in said, said)


def lost_is_not_dropped(scratch):
    path = os.path.join(scratch, "flows")
    with open(path, "w", encoding="utf-8") as out:
        out.write("shop/api -> shop/db udp/9 deny\nshop/db -> shop/api udp/9 deny\n")
    check("a denial is counted", lab("-q", "-f", EXAMPLES, path)[0] == 0)
    script = os.path.join(scratch, "lossy.py")
    for hook, status, text in (("input", 0, ""), ("output", 1, "are lost, and not by policy")):
        with open(script, "w", encoding="utf-8") as out:
            out.write(LOSSY.format(lab=LAB, directory=os.path.dirname(LAB), hook=hook))
        done = subprocess.run([sys.executable, "-B", script, "-q", "-f", EXAMPLES, path], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        check(f"packets that the pod itself drops, {hook}", done.returncode == status and text in done.stdout, done.stdout)


def family(first):
    """A process and all that come from it."""
    parents = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as stat:
                parents[int(name)] = int(stat.read().rpartition(")")[2].split()[1])
        except OSError:
            pass  # it has ended meanwhile
    found = {first}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def host():
    links = subprocess.run(["ip", "-br", "link"], stdout=subprocess.PIPE, text=True, check=True).stdout
    names = os.listdir("/run/netns") if os.path.isdir("/run/netns") else []
    return [line.split()[0] for line in links.splitlines()], sorted(names)


def one_interruption(number, chance):
    how = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL, signal.SIGHUP)[number % 4]
    running = subprocess.Popen([sys.executable, "-B", LAB, "-q", "-f", EXAMPLES, "--pairs", "tcp/8080,icmp"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    time.sleep(chance.random() * 0.6)  # whenever it is: at its start, in the middle, after its end
    started = family(running.pid) - {running.pid}
    if number % 2:
        running.send_signal(how)
    else:
        os.killpg(running.pid, how)  # as a terminal does
    running.wait(PATIENCE)
    end = time.monotonic() + PATIENCE
    while (left := [pid for pid in started if os.path.exists(f"/proc/{pid}")]) and time.monotonic() < end:
        time.sleep(0.01)
    check(f"interruption {number} by {how.name}", not left, f"processes {left}")


def interruptions():
    seed = os.environ.get("SEED") or str(random.SystemRandom().randrange(1 << 32))
    print(f"seed {seed}")
    chance = random.Random(seed)
    before = host()
    for number in range(12):
        one_interruption(number, chance)
    check("neither links nor names of namespaces are left", host() == before, f"{before} {host()}")


def main():
    if os.geteuid() != 0:
        print("needs root: skipped")
        sys.exit(77)
    for tool in ("ip", "nft", "unshare"):
        if not shutil.which(tool):
            print(f"needs {tool}: skipped")
            sys.exit(77)
    if subprocess.run(["unshare", "-n", "nft", "list", "tables"], stderr=subprocess.DEVNULL, check=False).returncode:
        print("needs network namespaces and nf_tables: skipped")
        sys.exit(77)
    with tempfile.TemporaryDirectory(prefix="netpold-lab-") as scratch:
        unusable_input(scratch)
        lost_is_not_dropped(scratch)
    interruptions()
    print(f"{passed} hold, {failed} do not")
    sys.exit(1 if failed else 0)


main()
