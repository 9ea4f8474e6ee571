#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Churn, and nothing grows. For so long pods and policies come, change and go through the API server, watches break off
and everything is listed anew, and pods are connected and disconnected. In rounds: after each all of it is deleted,
and the least that netpold has of its heap in use is no more in the last three rounds than in the three before. Resident memory is what was once needed at a time,
in steps of half a megabyte when lists come at once: it has a wide bound, for what is not of the heap. Open descriptors
are no more at the end than in the middle, and the kernel has what a fresh start gives it.

SOAK_SECONDS (15); RATE (200) changes a second; SEED; MODE routed, bridged, or both (one, by the seed)."""
import difflib
import os
import random
import re
import signal
import statistics
import sys
import time

import harness
import kube

SECONDS = float(os.environ.get("SOAK_SECONDS", "15"))
RATE = int(os.environ.get("RATE", "200"))
ELSEWHERE, HERE, POLICIES, CONNECTED = 400, 40, 25, 4  # names: what there is at most
SAMPLES_EACH = 0.25
GROWTH, SLACK = 1.1, 4096  # of resident memory: a factor, and kB
ROUNDS, LEAK = 7, 128 << 10  # the first is not judged; bytes of the heap that may be in use beside what was before
APPS = [f"app-{number}" for number in range(8)]


class Churn:
    def __init__(self, cluster, luck):
        self.kube, self.luck = cluster, luck
        self.heap = []  # after each round
        self.there = set()  # (kind, name)
        self.changes = self.relists = self.plugs = 0

    def pod(self):
        number = self.luck.randrange(ELSEWHERE + HERE)
        here = number >= ELSEWHERE
        return kube.pod(f"s{number}", {"app": self.luck.choice(APPS), "v": str(self.luck.randrange(50))},
                        "n1" if here else f"elsewhere-{number % 20}",
                        (f"10.9.{number // 250}.{number % 250 + 1}", f"fd00:9::{number + 1:x}"))

    def policy(self):
        luck = self.luck
        ports = [{"port": luck.randrange(1, 65536)} for _ in range(luck.randrange(12))]
        rule = {"from": [kube.selecting(app=luck.choice(APPS)), kube.selecting(v=str(luck.randrange(50))),
                         {"ipBlock": {"cidr": f"198.51.{luck.randrange(256)}.0/24"}}], "ports": ports}
        egress = {"to": [kube.selecting(app=luck.choice(APPS))]}
        return harness.policy(f"p{luck.randrange(POLICIES)}", {"app": luck.choice(APPS)}, [rule],
                              [egress] if luck.random() < 0.5 else None, kube.NAMESPACE)

    def change(self):
        item = self.policy() if self.luck.random() < 0.15 else self.pod()
        key = (item["kind"], item["metadata"]["name"])
        self.changes += 1
        if key in self.there and self.luck.random() < 0.35:
            self.there.remove(key)
            self.kube.remove(*key)
        else:
            self.there.add(key)
            self.kube.do("load", objects=[item], raw=True)

    def relist(self):
        """Everything anew, while changes go on."""
        self.relists += 1
        self.kube.do("compact")
        self.kube.do("streams", how="410-event", resource=self.luck.choice(kube.RESOURCES))

    def cut(self):
        how, resource = self.luck.choice(["cut", "cut-clean", "end"]), self.luck.choice(kube.RESOURCES)
        self.kube.do("streams", how=how, resource=resource)

    def empty(self):
        """All that has come goes again, and what that has left on the heap."""
        for key in sorted(self.there):
            self.kube.remove(*key)
        self.there.clear()
        for pod in [self.kube.pods[name] for name in list(self.kube.pods)]:
            self.kube.forget(pod)
        self.kube.settle()
        self.heap.append(least(self.kube.agents["n1"]))

    def plug(self):
        """A pod that is connected comes or goes."""
        self.plugs += 1
        name = f"c{self.luck.randrange(CONNECTED)}"
        if name in self.kube.pods:
            self.kube.forget(self.kube.pods[name])
            return
        number = int(name[1:]) + 1
        self.kube.run_pod(name, {"app": self.luck.choice(APPS)}, "n1", (f"10.1.2.{number}", f"fd00:1:2::{number}"))


def least(agent):
    """Of the heap in use, when nothing goes on: answers of its own come and go."""
    samples = []
    for _ in range(5):
        samples.append(int(re.search(r"^netpold_heap_used_bytes (\d+)", agent.ask("/metrics"), re.MULTILINE).group(1)))
        time.sleep(0.05)
    return min(samples)


def sample(agent):
    with open(f"/proc/{agent.process.pid}/status", encoding="ascii") as status:
        resident = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
    return resident, len(os.listdir(f"/proc/{agent.process.pid}/fd"))


def churn(cluster, luck):
    """Goes on for so long, in rounds; the samples, and how it went."""
    going, samples = Churn(cluster, luck), []
    for _ in range(ROUNDS):
        churn_round(cluster, going, samples)
        going.empty()
    for _ in range(ELSEWHERE + HERE):  # for a comparison of something
        going.change()
    for _ in range(CONNECTED):
        going.plug()
    return going, samples


def churn_round(cluster, going, samples):
    began = last = time.monotonic()
    before = going.changes
    due = {going.relist: began + 1, going.cut: began + 0.5, going.plug: began}
    spacing = {going.relist: 6, going.cut: 4, going.plug: 0.5}
    while (now := time.monotonic()) < began + SECONDS / ROUNDS:
        while going.changes - before < (now - began) * RATE:
            going.change()
        for what, when in due.items():
            if now >= when:
                what()
                due[what] = now + spacing[what]
        if now - last >= SAMPLES_EACH:
            last = now
            samples.append(sample(cluster.agents["n1"]))
        time.sleep(0.005)  # the pace of the churn


def judge(heap, samples, check):
    print("heap in use after each round:", *heap)
    if not harness.is_sanitized():
        check("the heap does not grow", min(heap[4:]) <= min(heap[1:4]) + LEAK, heap)
    third, tenth = len(samples) // 3, max(1, len(samples) // 10)
    print("resident memory, medians of tenths:", *(
        f"{statistics.median(one[0] for one in samples[at:at + tenth]):.0f}" for at in range(0, tenth * 10, tenth)))
    middle, end = samples[third:2 * third], samples[2 * third:]
    for what, at, limit in (("resident memory", 0, lambda kb: kb * GROWTH + SLACK), ("descriptors", 1, lambda n: n + 1)):
        before, after = (statistics.median(one[at] for one in part) for part in (middle, end))
        print(f"{what}: {before:.0f} in the middle, {after:.0f} at the end, {max(one[at] for one in samples)} at most")
        if at == 0 and harness.is_sanitized():
            print("resident memory is not judged: built with sanitizers")
        else:
            check(f"{what} does not grow", after <= limit(before), f"{before:.0f}, then {after:.0f}")


def compare(cluster, check):
    """What is enforced, and what a fresh start enforces."""
    space, agent = cluster.lab.spaces["node-n1"], cluster.agents["n1"]
    cluster.settle()
    old = harness.normal(space)
    agent.stop(signal.SIGTERM)
    space.run([harness.NETPOLD, "--cleanup", "--log-level", "err"])
    agent.start()
    cluster.settle()
    new = harness.normal(space)
    check("the kernel has what a fresh start gives it", old == new and len(new) > 100,
          "\n".join(difflib.unified_diff(old, new, lineterm=""))[:2000])


def main():
    kube.begin(SECONDS + 300, megabytes=4096)
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(1 << 32))
    mode = harness.modes()[seed % len(harness.modes())]
    print(f"seed {seed}, {mode}", flush=True)
    luck, check = random.Random(seed), harness.Checks()
    cluster = kube.Kube(f"/run/{mode}", mode == "bridged", kube.HOSTS[0], "--commit-interval", "20")
    cluster.do("set", kubelet_seconds=0)
    cluster.start_agents()
    cluster.settle()
    going, samples = churn(cluster, luck)
    stats = cluster.agents["n1"].status()
    events = sum(one["events"] for one in stats["api"]["resources"])
    print(f"{SECONDS:.0f} s: {going.changes} changes, {events} events heard, {going.relists} times expired, {going.plugs} "
          f"plugs, {stats['kernel']['commits']} commits")
    judge(going.heap, samples, check)
    try:
        compare(cluster, check)
    except kube.Failed as failed:
        check("all goes on", False, str(failed))
    if check.failed:
        with open(cluster.agents["n1"].log, encoding="utf-8", errors="replace") as log:
            print("".join(log.readlines()[-40:]))
    cluster.close()
    check.end()


if __name__ == "__main__":
    sys.exit(main())
