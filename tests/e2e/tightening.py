#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""After a tightening exactly the connections end that are denied: random policies over random connections of TCP, UDP,
SCTP and ICMP between pods, the outside and the node, in each direction, some through a Service. What must end is what the
oracle denies, which knows nothing of the evaluator; what must not is all the rest, and conntrack loses no other entry.

MODE: routed, bridged or both (default). SEED repeats a run; ROUNDS of each mode, 4 by default."""
import os
import random
import sys

import connections
import harness
from connections import Ping, Sctp, Tcp, Udp
from harness import cluster

sys.path.insert(0, os.path.join(harness.TOP, "tests/oracle"))
from oracle import Oracle  # noqa: E402

PODS = {f"p{number}": (f"10.1.0.{number + 10}", f"fd00:1::{number + 10}") for number in range(4)}
OUTSIDE = (("198.51.100.7", "2001:db8::7"), ("203.0.113.9", "2001:db8:1::9"))
NODE = ("192.168.0.1", "fd01::1")
SERVICE = ("10.96.0.1", "fd00:96::1")
PORTS, SERVED = (80, 81, 82), 8080  # 8080 of the Service is 81 of p0
CONNECTIONS = 40


def known():
    """All there is but policies."""
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": harness.NODE},
            "status": {"addresses": [{"type": "InternalIP", "address": address} for address in NODE]}}
    return [node, *(harness.pod(name, {"app": name, "odd": str(number % 2)}, addresses)
                    for number, (name, addresses) in enumerate(PODS.items()))]


def block(rng):
    """A network around an address that somebody has, perhaps with an exception."""
    address = rng.choice([*PODS.values(), *OUTSIDE, NODE])[rng.randrange(2)]
    v6 = ":" in address
    if rng.random() < 0.3:
        return {"ipBlock": {"cidr": "::/0" if v6 else "0.0.0.0/0", "except": [cluster.host(address)]}}
    return {"ipBlock": {"cidr": rng.choice((cluster.host(address), "::/0" if v6 else "0.0.0.0/0"))}}


def peer(rng):
    if rng.random() < 0.4:
        return block(rng)
    labels = rng.choice(({"app": rng.choice(list(PODS))}, {"odd": str(rng.randrange(2))}, {}))
    return {"podSelector": {"matchLabels": labels}}


def port(rng):
    chosen = {"protocol": rng.choice(("TCP", "UDP", "SCTP"))}
    if rng.random() < 0.8:
        chosen["port"] = rng.choice(PORTS)
        if rng.random() < 0.3:
            chosen["endPort"] = PORTS[-1]
    return chosen


def rules(rng, word):
    made = []
    for _ in range(rng.randrange(3)):
        rule = {}
        if rng.random() < 0.8:
            rule[word] = [peer(rng) for _ in range(rng.randint(1, 3))]
        if rng.random() < 0.6:
            rule["ports"] = [port(rng) for _ in range(rng.randint(1, 3))]
        made.append(rule)
    return made


def policies(rng):
    made = []
    for number in range(rng.randint(1, 3)):
        subject = rng.choice(({"app": rng.choice(list(PODS))}, {"odd": str(rng.randrange(2))}))
        sides = rng.choice((("ingress",), ("egress",), ("ingress", "egress")))
        made.append(harness.policy(f"policy-{number}", subject,
                                   **{side: rules(rng, "from" if side == "ingress" else "to") for side in sides}))
    return made


def connect(lab, rng):
    """One connection, and the flow that it is for policy."""
    version, ends = rng.randrange(2), [*PODS.values(), *PODS.values(), *OUTSIDE, NODE]
    while True:
        source, target = (rng.choice(ends)[version] for _ in range(2))
        if source != target and any(end in addresses for addresses in PODS.values() for end in (source, target)):
            break
    kind = rng.choice((Tcp, Tcp, Udp, Sctp, Ping))
    if kind is Ping:
        made, proto = Ping(lab, source, target), "icmp"
    elif target == PODS["p0"][version] and kind in (Tcp, Udp) and any(
            source in addresses for addresses in PODS.values()) and rng.random() < 0.6:
        made, proto = kind(lab, source, target, 81, SERVICE[version], SERVED), f"{kind.proto}/81"
    else:
        number = rng.choice(PORTS)
        made, proto = kind(lab, source, target, number), f"{kind.proto}/{number}"
    made.server_first = rng.random() < 0.5
    return made, (source, target, proto)


class Node:
    def __init__(self, mode, rng):
        self.mode, self.rng, self.directory = mode, rng, f"/run/{mode}/manifests"
        self.write([])
        options = harness.Options(self.directory)
        ends = [{"kind": "external", "address": address} for addresses in OUTSIDE for address in addresses]
        ends += [{"kind": "node", "nodes": [harness.NODE], "address": address} for address in NODE]
        self.lab = cluster.Cluster(cluster.read_pods(options), ends, f"/run/{mode}", mode == "bridged")
        self.lab.build(options)
        self.lab.enforce(options)
        self.agent = self.lab.agents[harness.NODE]
        self.lab.spaces[f"node-{harness.NODE}"].run(["nft", "-f", "-"], "".join(
            f"""table {word} service {{ chain services {{ type nat hook prerouting priority dstnat;
                {word} daddr {SERVICE[version]} meta l4proto {{ tcp, udp }} th dport {SERVED} dnat to {to}:81
            }}\n}}\n""" for version, (word, to) in enumerate((("ip", PODS["p0"][0]), ("ip6", f"[{PODS['p0'][1]}]")))))

    def write(self, chosen):
        harness.write(f"{self.directory}/all.json", [*known(), *chosen])

    def settled(self, isolated):
        """The change is there and committed, and what stands has been looked at."""
        status = self.agent.status()
        is_isolated = status["pods"]["isolatedIngress"] + status["pods"]["isolatedEgress"] > 0
        return is_isolated == isolated and not status["connections"]["busy"]

    def change(self, chosen):
        self.write(chosen)
        harness.wait_for("the change is through", lambda: self.settled(bool(chosen)))

    def deleted(self):
        return self.agent.status()["connections"]["deleted"]

    def round(self, name, check):
        made = [connect(self.lab, self.rng) for _ in range(CONNECTIONS)]
        chosen = policies(self.rng)
        oracle = Oracle([*known(), *chosen])
        verdicts = {one: oracle.verdict(*flow)["verdict"] for one, flow in made}
        check(f"{name}: each verdict is definite", set(verdicts.values()) <= {"allow", "deny"}, verdicts.values())
        ended = [one for one, verdict in verdicts.items() if verdict == "deny"]
        before = self.deleted()
        self.change(chosen)
        check(f"{name}: so many are deleted as denied", self.deleted() - before == len(ended),
              f"{self.deleted() - before}, denied {len(ended)}")
        connections.judge([one for one in verdicts if one not in ended], ended, name, check)
        connections.close(verdicts)
        self.change([])
        connections.flush(self.lab.spaces[f"node-{harness.NODE}"])
        return len(ended)


def run(mode, check, seed):
    print(f"SEED={seed}")
    node = Node(mode, random.Random(f"{seed} {mode}"))
    rounds = int(os.environ.get("ROUNDS", "4"))
    ended = sum(node.round(f"{mode}, round {number}", check) for number in range(rounds))
    print(f"{mode}: {ended} of {rounds * CONNECTIONS} connections are denied")
    node.agent.stop(15)
    for space in node.lab.spaces.values():
        harness.remove(space)


if __name__ == "__main__":
    os.environ.setdefault("SEED", str(random.randrange(1 << 32)))
    harness.each_mode(lambda mode, check: run(mode, check, os.environ["SEED"]), 240)
