#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a tenant can write in great numbers costs no long iteration of the loop, and a bounded time: policies of one
namespace, pods that claim one address, namespaces whose labels change, ports with names. Measured and judged as in
loop.py; the time of the processor that each takes is told.

CROWD_POLICIES (20000) of a namespace, CROWD_PODS (10000) with one address, CROWD_NAMESPACES (20000); QUICK=1: a fifth of
each. CROWD_SCENES: some of the functions; LOOP_LIMIT_MS as in loop.py."""
import itertools
import os
import shutil
import subprocess

import harness
import loop

FACTOR = 5 if os.environ.get("QUICK") else 1
POLICIES = int(os.environ.get("CROWD_POLICIES", 20000 // FACTOR))
PODS = int(os.environ.get("CROWD_PODS", 10000 // FACTOR))
NAMESPACES = int(os.environ.get("CROWD_NAMESPACES", 20000 // FACTOR))
PROFILE_POLICIES_MAX = 1000 // FACTOR
LOCAL = 250


MARKS = itertools.count(1)


def mark(name):
    """What changes with each file, so that a commit follows."""
    rules = [{"from": [{"ipBlock": {"cidr": f"172.16.{next(MARKS)}.0/24"}}]}]
    return harness.policy(name, {}, ingress=rules, namespace="mark")


def write(name, *objects):
    return lambda: harness.write(f"{loop.MANIFESTS}/{name}.json", [*objects, mark(name)])


def metrics_bytes():
    connection = loop.http.client.HTTPConnection(*loop.METRICS, timeout=harness.PATIENCE)
    connection.request("GET", "/metrics")
    size = len(connection.getresponse().read())
    connection.close()
    return size


class Watched(loop.Daemon):
    """A daemon that finds nothing of an earlier one, and the probe of its own that measures it."""

    def __init__(self):
        subprocess.run(["nft", "flush", "ruleset"], check=True)
        harness.write(f"{loop.MANIFESTS}/mark.json", [harness.pod("mark", {}, ["10.7.7.7"], namespace="mark")])
        super().__init__()
        self.probe = loop.Probe()
        self.probe.start()
        self.measure("start", lambda: None)

    def measure(self, what, act):
        loop.measure(self, what, self.probe, act)

    def end(self):
        self.probe.running = False
        self.probe.join()
        loop.check("every probe was answered", self.probe.failed == 0 and self.probe.asked > 0,
                   f"{self.probe.failed} of {self.probe.asked}")
        super().end()


def tell(daemon):
    with open(f"/proc/{daemon.process.pid}/status", encoding="ascii") as status:
        memory = [line.split()[1] for line in status if line.startswith(("VmHWM", "VmRSS"))]
    status = daemon.status()
    print(f"    {memory[0]} kB at most, {memory[1]} kB now; metrics {metrics_bytes()} bytes, status {len(str(status))}; "
          f"commit {status['kernel']['lastMicroseconds'] / 1000:.0f} ms, too complicated {len(status['tooComplicated'])}")


def local(number, **labels):
    pod = loop.local(number)
    pod["metadata"]["labels"].update(labels)
    return pod


def policy(number):
    """Each selects all, and has a peer and a port of its own."""
    peer = {"podSelector": {"matchLabels": {"peer": f"p{number}"}}}
    rules = {"ports": [{"port": 1 + number}]}
    return harness.policy(f"p{number}", {}, ingress=[{"from": [peer], **rules}], egress=[{"to": [peer], **rules}])


def some_policy(number):
    """Each selects a tenth of the pods by a label of its own choice."""
    made = policy(number)
    made["spec"]["podSelector"] = {"matchLabels": {"tenth": f"t{number % 10}"}}
    return made


def here(**labels):
    return [local(number, **{"tenth": f"t{number % 10}", **labels}) for number in range(LOCAL)]


def policies():
    for make, count in ((policy, POLICIES // 10), (policy, POLICIES), (some_policy, POLICIES // 10),
                        (some_policy, PROFILE_POLICIES_MAX * 9)):
        write("here", *here())()
        daemon = Watched()
        daemon.measure(f"{count} policies of a namespace, {make.__name__}", write("policies", *map(make, range(count))))
        tell(daemon)
        daemon.measure("one pod's labels change", write("here", *here()[:-1], local(LOCAL - 1, tenth="t1")))
        daemon.measure("all pods' labels change", write("here", *here(now="this")))
        daemon.measure("one policy changes", write("policies", make(count), *map(make, range(1, count))))
        daemon.measure("they are gone", write("policies"))
        tell(daemon)
        daemon.end()


def one_address():
    """Of pods here and elsewhere; the objects are not in their order."""
    def claims(node, label):
        made = [harness.pod(f"{node}-{number * 7919 % PODS}", {"claim": label}, ["10.9.9.9"], node=node) for number in range(PODS)]
        for number, pod in enumerate(made):
            pod["metadata"]["creationTimestamp"] = f"2026-01-01T{number % 24:02}:{number // 24 % 60:02}:00Z"
        return made

    peers = [{"from": [{"podSelector": {"matchLabels": {"claim": "a"}}}]}]
    for node in (harness.NODE, "n2"):
        write("here", *here(), harness.policy("all", {}, ingress=peers))()
        daemon = Watched()
        daemon.measure(f"{PODS} pods of {node} with one address", write("claims", *claims(node, "a")))
        tell(daemon)
        daemon.measure("their labels change", write("claims", *claims(node, "b")))
        daemon.measure("half of them are gone", write("claims", *claims(node, "a")[:PODS // 2]))
        daemon.measure("they are gone", write("claims"))
        daemon.end()


def namespaces():
    """Labels of all of them change, and of one that has many pods."""
    def all_of(value):
        return [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"ns{number}", "labels": {"team": value}}}
                for number in range(NAMESPACES)]

    pods = [harness.pod("p", {"app": "a"}, [f"10.{100 + number // 62500}.{number // 250 % 250}.{number % 250 + 1}"], node="n2",
                        namespace=f"ns{number}") for number in range(NAMESPACES)]
    peers = [{"from": [{"namespaceSelector": {"matchLabels": {"team": "a"}}}]}]
    crowd = [harness.pod(f"c{number}", {}, [f"10.200.{number // 250}.{number % 250 + 1}"], node="n2", namespace="crowd")
             for number in range(PODS)]

    def crowd_namespace(value):
        return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "crowd", "labels": {"team": value}}}

    write("here", *here(), harness.policy("all", {}, ingress=peers))()
    write("namespaces", *all_of("b"))()
    write("there", *pods, *crowd)()
    write("crowd", crowd_namespace("b"))()
    daemon = Watched()
    daemon.measure("their labels change", write("namespaces", *all_of("a")))
    daemon.measure("and change again", write("namespaces", *all_of("b")))
    daemon.measure(f"{PODS} pods join", write("crowd", crowd_namespace("a")))
    daemon.measure("and leave", write("crowd", crowd_namespace("b")))
    tell(daemon)
    daemon.end()


def port_names():
    """Pods with as many named ports as count, under policies that name many others."""
    ports = [{"name": f"n{number}", "containerPort": 1 + number} for number in range(1024)]
    named = here()
    for pod in named:
        pod["spec"]["containers"] = [{"name": "c", "ports": ports}]
    rules = [{"ports": [{"port": f"x{number}"} for number in range(30000)]}]
    write("here", *named)()
    daemon = Watched()
    daemon.measure("a policy names 30000 ports", write("policies", harness.policy("p0", {}, ingress=rules)))
    tell(daemon)
    daemon.measure("four policies do", write("policies", *[harness.policy(f"p{number}", {}, ingress=rules) for number in range(4)]))
    tell(daemon)
    daemon.end()


def main():
    harness.begin(900, megabytes=4096)
    os.makedirs(loop.SCRATCH)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for scene in (policies, one_address, namespaces, port_names):
        if scene.__name__ in os.environ.get("CROWD_SCENES", scene.__name__).split():
            shutil.rmtree(loop.MANIFESTS, ignore_errors=True)
            scene()
    loop.check.end()


if __name__ == "__main__":
    main()
