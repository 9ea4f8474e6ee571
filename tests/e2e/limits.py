#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""As much as a node has: names at Kubernetes' limits, 250 pods, and selectors that mean 100,000 pods elsewhere. The
daemon applies it, in what time and memory is told; a second --once writes nothing; a pod elsewhere that goes or comes
is a small change; --cleanup takes everything of ours away. Foreign tables stay byte for byte.

LOCAL (250) pods here, ELEMENTS (100000) elsewhere."""
import json
import os
import re
import subprocess
import time

import harness

LOCAL = int(os.environ.get("LOCAL", "250"))
ELEMENTS = int(os.environ.get("ELEMENTS", "100000"))
NAMESPACE = "n" * 63
KEY, VALUE = f"{'d' * 63}.{'d' * 63}.{'d' * 63}.{'d' * 61}/{'k' * 63}", "v" * 63
DIRECTORY = "/run/limits/manifests"
OTHERS = os.path.join(harness.TOP, "tests/netns/others.nft")


def long_name(prefix, number):
    name = f"{prefix}-{number:06d}-"
    return name + "x" * (253 - len(name))


def local(number):
    return harness.pod(long_name("here", number), {KEY: VALUE, "group": f"g{number % 25}"},
                       [f"10.1.{number // 200}.{number % 200 + 1}", f"fd00:1::{number + 1:x}"], namespace=NAMESPACE)


def elsewhere(number):
    third, fourth = divmod(number, 250)
    return harness.pod(f"there-{number}", {"there": "yes", "part": f"p{number % 10}"},
                       [f"10.{100 + third // 250}.{third % 250}.{fourth + 1}"], node="n2", namespace=NAMESPACE)


def policies():
    """Ten per group of pods, which together mean every pod elsewhere; and one set that has all of them."""
    for group in range(25):
        for part in range(10):
            peers = [{"podSelector": {"matchLabels": {"part": f"p{part}"}}}]
            yield harness.policy(long_name(f"policy-{group}", part), {KEY: VALUE, "group": f"g{group}"},
                                 ingress=[{"from": peers, "ports": [{"port": 1000 + 10 * part, "endPort": 1009 + 10 * part}]}],
                                 namespace=NAMESPACE)
    yield harness.policy("all", {KEY: VALUE}, egress=[{"to": [{"podSelector": {"matchLabels": {"there": "yes"}}}]}],
                         namespace=NAMESPACE)


def plug(lab):
    """Only the interfaces: nobody sends here."""
    node = lab.spaces[f"node-{harness.NODE}"]
    for number in range(LOCAL):
        node.ip(f"link add veth{number} type veth peer name peer{number}")
        node.ip(f"link set veth{number} up")
    node.flush()
    for number in range(LOCAL):
        pod = local(number)
        named = {"namespace": NAMESPACE, "name": pod["metadata"]["name"],
                 "addresses": [one["ip"] for one in pod["status"]["podIPs"]]}
        lab.publish(harness.cluster.Plugged(named, harness.NODE, node, f"veth{number}", None, "0a:00:00:00:00:02"))


def others(node):
    """All tables but ours, byte for byte."""
    tables = re.split(r"(?m)^(?=table )", harness.listing(node, "ruleset"))
    return "".join(table for table in tables if not re.match(r"table (inet|bridge) netpold ", table))


def memory(process, key):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
        return int(re.search(rf"{key}:\s+(\d+)", status.read()).group(1)) / 1024


def with_handles(node):
    node.enter()
    return subprocess.run(["nft", "-a", "list", "ruleset"], stdout=subprocess.PIPE, text=True, check=True).stdout


def main():
    harness.begin(240, megabytes=4096)
    check = harness.Checks()
    harness.write(f"{DIRECTORY}/policies.json", list(policies()))
    harness.write(f"{DIRECTORY}/here.json", [local(number) for number in range(LOCAL)])
    harness.write(f"{DIRECTORY}/there.json", [elsewhere(number) for number in range(ELEMENTS)])
    options = harness.Options(DIRECTORY)
    lab = harness.cluster.Cluster([], [], "/run/limits")
    lab.nodes[harness.NODE] = set()
    lab.build()
    node = lab.spaces[f"node-{harness.NODE}"]
    with open(OTHERS, encoding="utf-8") as source:
        node.run(["nft", "-f", "-"], source.read())
    foreign = others(node)
    plug(lab)

    since = time.monotonic()
    lab.start_agents(options)
    agent = lab.agents[harness.NODE]
    agent.wait(LOCAL)
    took = time.monotonic() - since
    status = agent.status()
    print(f"{LOCAL} pods here, {ELEMENTS} elsewhere, {status['policies']['enforced']} policies: enforced after "
          f"{took:.2f} s, the commit {status['kernel']['lastMicroseconds'] / 1000:.0f} ms, "
          f"{memory(agent.process, 'VmRSS'):.0f} MB resident, {memory(agent.process, 'VmHWM'):.0f} MB at most")
    check("all pods are isolated", status["pods"]["isolatedIngress"] == status["pods"]["isolatedEgress"] == LOCAL,
          json.dumps(status["pods"]))
    text = harness.listing(node, "ruleset")
    elements = [len(re.findall(r"\d+\.\d+\.\d+\.\d+", body)) for body in
                re.findall(r"(?ms)^\tset p4_\S+ \{.*?elements = \{(.*?)\}", text)]
    check("the largest set has all that it means", max(elements) == ELEMENTS, str(max(elements)))
    check("the others have their part", sorted(elements)[:-1] == [ELEMENTS // 10] * 10, str(elements))
    check("every pod is kept from spoofing", len(re.findall("chain s_veth", text)) == LOCAL)
    check("no comment is longer than the kernel takes", not re.search(r'comment "[^"]{129,}"', text))
    check("foreign tables are as they were", others(node) == foreign)

    # One pod elsewhere goes: elements only, whatever the size.
    sent = agent.status()["kernel"]["commits"]
    harness.write(f"{DIRECTORY}/there.json", [elsewhere(number) for number in range(ELEMENTS - 1)])
    harness.wait_for("a pod elsewhere has gone", lambda: agent.status()["kernel"]["commits"] > sent)
    agent.wait(LOCAL)
    micro = agent.status()["kernel"]["lastMicroseconds"]
    print(f"one pod elsewhere goes: the commit {micro / 1000:.1f} ms")

    agent.stop(15)
    before = with_handles(node)
    command = [word for word in agent.command if word not in ("--metrics", "off", "--control", agent.control)]
    for attempt in ("first", "second"):
        node.enter()
        done = subprocess.run([*command, "--once"], stderr=subprocess.PIPE, text=True, check=False)
        check(f"the {attempt} --once", done.returncode == 0, done.stderr[-500:])
        check(f"the {attempt} --once writes nothing", with_handles(node) == before)
    node.run([harness.NETPOLD, "--cleanup"])
    check("--cleanup leaves nothing but foreign tables, as they were", harness.listing(node, "ruleset") == foreign)
    node.run([*command, "--once"])
    node.run([harness.NETPOLD, "--cleanup"])
    node.run([harness.NETPOLD, "--cleanup"])
    check("also twice", harness.listing(node, "ruleset") == foreign)
    check.end()


if __name__ == "__main__":
    main()
