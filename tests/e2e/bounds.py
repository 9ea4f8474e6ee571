#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What one namespace writes costs a node no more memory than it may, in netpold and in the kernel, and no other namespace
its policies: inputs that took the machine before, as a dry run and enforced, with a limit on memory; what is beyond a
bound is closed and named. Work is counted in tests/unit/test_limits.c.

MEGABYTES (768; four times as many with AddressSanitizer, whose own memory counts) for all processes and the kernel
together."""
import os
import random
import re
import resource
import signal
import subprocess
import time

import harness
import flows
import probes

MEGABYTES = int(os.environ.get("MEGABYTES", "3072" if harness.is_sanitized() else "768"))
DIRECTORY = "/run/bounds/manifests"
ADDRESSES = {"good/server": "10.1.1.1", "good/client": "10.1.1.2", "evil/a": "10.1.1.3"}
SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 32)))


class NoDrops:
    """Denials are seen by what does not arrive."""

    @staticmethod
    def read():
        return {}


def pod(name, labels=None, node=harness.NODE, address=None):
    namespace, own = name.split("/")
    return harness.pod(own, labels, [address or ADDRESSES[name]], node=node, namespace=namespace)


def ordinary():
    client = {"podSelector": {"matchLabels": {"app": "client"}}}
    harness.write(f"{DIRECTORY}/evil.json", [pod("evil/a", {"app": "a"})])
    harness.write(f"{DIRECTORY}/good.json", [
        pod("good/server", {"app": "server"}), pod("good/client", {"app": "client"}),
        harness.policy("server", {"app": "server"}, ingress=[{"from": [client], "ports": [{"port": 80}]}], namespace="good")])


def evil(name, rules, egress=None):
    return harness.policy(name, {}, ingress=rules, egress=egress, namespace="evil")


def overlap(chance, ports):
    """50 policies of 16.5 kB: as unions of CIDRs for each group of ports, seven million elements and 20 GB of the kernel's."""
    for number in range(50):
        blocks = [{"ipBlock": {"cidr": f"{11 + number}.{chance.randrange(256)}.{chance.randrange(256)}.{chance.randrange(256)}/32"}}
                  for _ in range(300)]
        yield evil(f"p{number}", [{"from": blocks, "ports": [{"port": port} for port in chance.sample(range(1, ports), 500)]}])


def nested(_):
    """Every range with every other."""
    yield evil("nested", [{"ports": [{"port": 1 + number, "endPort": 65535 - number}]} for number in range(2200)])


def wide(_):
    """Selectors that mean 20,000 pods elsewhere, each a different one: 400 MB of elements."""
    for number in range(80):
        every = {"namespaceSelector": {}, "podSelector": {"matchExpressions": [{"key": f"no{number}", "operator": "DoesNotExist"}]}}
        yield evil(f"w{number}", [{"from": [every], "ports": [{"port": 1 + number}]}])
    for number in range(20000):
        yield pod(f"many/p{number}", node="n2", address=f"10.{100 + (number >> 16)}.{number >> 8 & 255}.{number & 255}")


def same_name(_):
    """Ports of one name, by rules that name it: each was compared with each, for each rule."""
    ports = [{"name": "http", "containerPort": number} for number in range(1, 20001)]
    crowded = pod("evil/a", {"app": "a"})
    crowded["spec"]["containers"] = [{"name": "c", "ports": ports}]
    harness.write(f"{DIRECTORY}/evil.json", [crowded])
    rules = [{"ports": [{"port": "http"}]}] * 500
    yield evil("named", rules, [{"to": [{"podSelector": {}}], "ports": [{"port": "http"}]}] * 500)


INPUTS = [  # and the bound that is met, or none
    ("overlap", lambda chance: overlap(chance, 2001), None),
    ("overlap, all ports", lambda chance: overlap(chance, 65536), None),
    ("nested", nested, "more than 250000 pairs of rule and port range"),
    ("wide", wide, "more than 256 MB with the others of the namespace"),
    ("same name", same_name, None),
]


def passes(lab, source, target, port):
    point = flows.Point({"address": ADDRESSES[source]}, {"address": ADDRESSES[target]}, "tcp", port, False, None)
    return probes.Probe(lab, point)


def check_others(lab, check, name):
    tried = {"allowed": passes(lab, "good/client", "good/server", 80),
             "other port": passes(lab, "good/client", "good/server", 81),
             "other pod": passes(lab, "evil/a", "good/server", 80)}
    probes.run(list(tried.values()), NoDrops)
    check(f"{name}: the other namespace has its policies",
          [tried[way].passed for way in tried] == [True, False, False], {way: one.passed for way, one in tried.items()})


def resident(process):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmHWM:\s+(\d+)", status.read()).group(1)) // 1024


def kernel_megabytes():
    """Of the whole machine: what cannot be told apart by process, where there is no memory cgroup."""
    with open("/proc/meminfo", encoding="ascii") as info:
        found = dict(re.findall(r"(\w+):\s+(\d+) kB", info.read()))
    return (int(found["Slab"]) + int(found.get("VmallocUsed", 0))) // 1024


def dry_run(check, name):
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    done = subprocess.run([harness.NETPOLD, "--dry-run", "--node", harness.NODE, "-f", DIRECTORY], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    check(f"{name}: the dry run ends", done.returncode == 0, f"status {done.returncode}: {done.stderr[-300:]}")
    check(f"{name}: its ruleset is bounded", len(done.stdout) < 100 << 20, len(done.stdout))
    return done, max(before, peak) // 1024


def enforce(lab, agent, check, name, bound):
    """Waits until the input is enforced, and what is closed is named."""
    def closed():
        status = agent.status()
        return status and status["kernel"]["upToDate"] and bool(status["tooComplicated"]) == bool(bound)

    def enforced():
        return closed() and "evil: " in harness.listing(agent.space, "ruleset")

    started, kernel = time.monotonic(), kernel_megabytes()
    harness.wait_for(f"{name} is enforced", enforced)
    print(f"{name}: {time.monotonic() - started:.1f} s, netpold {resident(agent.process)} MB at most, "
          f"the machine's kernel {kernel_megabytes() - kernel:+d} MB")
    status = agent.status()
    check(f"{name}: what is closed is named", {one["pod"] for one in status["tooComplicated"]} == ({"evil/a"} if bound else set()),
          status["tooComplicated"])
    check_others(lab, check, name)


def main():
    harness.begin(400, MEGABYTES)
    check = harness.Checks()
    print(f"SEED={SEED}")
    ordinary()
    os.makedirs("/run/bounds/lab")
    lab, agent = harness.start(DIRECTORY, False, scratch="/run/bounds/lab")
    check_others(lab, check, "alone")
    for name, objects, bound in INPUTS:
        written = list(objects(random.Random(SEED)))
        harness.write(f"{DIRECTORY}/more.json", written)
        done, peak = dry_run(check, name)
        check(f"{name}: the dry run names the bound", not bound or bound in done.stderr, done.stderr[-300:])
        print(f"{name}: {len(done.stdout) >> 10} kB of ruleset, {peak} MB at most")
        enforce(lab, agent, check, name, bound)
        os.unlink(f"{DIRECTORY}/more.json")
        ordinary()
        harness.wait_for("it is gone", lambda: "evil: " not in harness.listing(agent.space, "ruleset"))
    agent.stop(signal.SIGTERM)
    check.end()


if __name__ == "__main__":
    main()
