#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""netpold --lockdown: from boot until the daemon's first commit nothing is forwarded from pods or to them, while the
node itself reaches its pods. The daemon takes the table over under a stream of packets: not one that policy forbids
passes, and then what it allows does. The networks come from the configuration, or from what a daemon has saved.

MODE: routed, bridged or both (default)."""
import os
import select
import socket
import subprocess
import threading
import time

import harness
from harness import cluster

ADDRESSES = {"a": ("10.1.0.10", "fd00:1::a"), "b": ("10.1.0.11", "fd00:1::b")}
OUTSIDE = ("198.51.100.7", "2001:db8::7")
NETWORKS = ("10.1.0.0/16", "fd00:1::/64")
ALLOWED, DENIED = 80, 81
SO_RCVBUFFORCE = 33  # asm-generic/socket.h


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def listener(space, address, port):
    space.enter()
    made = socket.socket(family(address), socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 22)
    made.bind((address, port))
    made.setblocking(False)
    return made


def sender(space, address):
    space.enter()
    made = socket.socket(family(address), socket.SOCK_DGRAM)
    made.bind((address, 0))
    return made


def passes(space, source, made, seconds):
    """Does one of some datagrams from there arrive at a listener within that time?"""
    end = time.monotonic() + seconds
    with sender(space, source) as out:
        while time.monotonic() < end:
            try:
                out.sendto(b"x", made.getsockname()[:2])
            except OSError:
                pass
            if select.select([made], [], [], 0.01)[0]:
                made.recv(16)
                return True
    return False


class Stream(threading.Thread):
    """Datagrams without a pause."""

    def __init__(self, space, source, target, port):
        super().__init__()
        self.out = sender(space, source)
        self.target, self.over, self.sent = (target, port), threading.Event(), 0

    def run(self):
        while not self.over.is_set():
            for _ in range(64):
                try:
                    self.out.sendto(b"x", self.target)
                    self.sent += 1
                except OSError:
                    pass
        self.out.close()


def objects():
    pods = [harness.pod(name, {"app": name}, addresses) for name, addresses in ADDRESSES.items()]
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": harness.NODE},
            "spec": {"podCIDR": NETWORKS[0], "podCIDRs": list(NETWORKS)}}
    allow = [{"from": [{"podSelector": {"matchLabels": {"app": "a"}}}], "ports": [{"port": ALLOWED, "protocol": "UDP"}]}]
    return [node, *pods, harness.policy("b", {"app": "b"}, ingress=allow)]


def lock(space, *options):
    space.enter()
    return subprocess.run([harness.NETPOLD, "--lockdown", *options], stderr=subprocess.PIPE, text=True, check=False)


def heard(made):
    count = 0
    while select.select([made], [], [], 0)[0]:
        made.recv(16)
        count += 1
    return count


def locked(lab, node, mode, check):
    """Nothing passes but what the node itself sends."""
    a, b, outside = (lab.where[address] for address in (ADDRESSES["a"][0], ADDRESSES["b"][0], OUTSIDE[0]))
    for version, word in ((0, "IPv4"), (1, "IPv6")):
        with listener(b, ADDRESSES["b"][version], ALLOWED) as made:
            check(f"{mode} {word}: locked: nothing from pod to pod", not passes(a, ADDRESSES["a"][version], made, 0.2))
            check(f"{mode} {word}: locked: nothing from outside", not passes(outside, OUTSIDE[version], made, 0.2))
            node.enter()
            with socket.socket(family(ADDRESSES["b"][version]), socket.SOCK_DGRAM) as probe:
                probe.sendto(b"x", made.getsockname()[:2])
            check(f"{mode} {word}: locked: the node reaches its pod", select.select([made], [], [], harness.PATIENCE)[0])
        with listener(outside, OUTSIDE[version], ALLOWED) as made:
            check(f"{mode} {word}: locked: nothing to the outside", not passes(b, ADDRESSES["b"][version], made, 0.2))


def take_over(lab, options, mode, check):
    a, b = (lab.where[ADDRESSES[name][0]] for name in "ab")
    bad = [listener(b, address, DENIED) for address in ADDRESSES["b"]]
    streams = [Stream(a, source, target, DENIED) for source, target in zip(ADDRESSES["a"], ADDRESSES["b"])]
    for stream in streams:
        stream.start()
    harness.wait_for("the streams flow", lambda: all(stream.sent > 1000 for stream in streams))
    before = [stream.sent for stream in streams]
    lab.start_agents(options)
    lab.enforce(options)
    during = sum(stream.sent - sent for stream, sent in zip(streams, before))
    check(f"{mode}: the daemon takes over under traffic", during > 1000, during)
    for stream in streams:
        stream.over.set()
        stream.join()
    check(f"{mode}: nothing forbidden passes while it does", not sum(heard(made) for made in bad))
    print(f"{mode}: {sum(stream.sent for stream in streams)} packets sent, {during} of them while the daemon took over")
    for version, word in ((0, "IPv4"), (1, "IPv6")):
        bad[version].close()
        with listener(b, ADDRESSES["b"][version], ALLOWED) as made:
            check(f"{mode} {word}: then what is allowed passes",
                  passes(a, ADDRESSES["a"][version], made, harness.PATIENCE))


def run(mode, check):
    directory, state = f"/run/{mode}/manifests", f"/run/{mode}/state"
    harness.write(f"{directory}/all.json", objects())
    os.makedirs(state)
    options = harness.Options(directory, "--state-directory", state)
    options.enforce = "later"
    ends = [{"kind": "external", "address": address} for address in OUTSIDE]
    lab = cluster.Cluster(cluster.read_pods(options), ends, f"/run/{mode}", mode == "bridged")
    lab.build(options)
    options.enforce = "daemon"
    node = lab.spaces[f"node-{harness.NODE}"]

    done = lock(node, "--state-directory", state)
    check(f"{mode}: without networks it fails and says why", done.returncode == 1 and "nothing is locked" in done.stderr,
          done.stderr)
    done = lock(node, "--pod-networks", "10.1.0.0")
    check(f"{mode}: what is no network is unusable", done.returncode == 2 and "10.1.0.0: expected" in done.stderr, done.stderr)
    check(f"{mode}: neither loads a table", not harness.listing(node, "tables"))
    done = lock(node, *[word for network in NETWORKS for word in ("--pod-networks", network)])
    check(f"{mode}: it locks", done.returncode == 0, done.stderr)
    locked(lab, node, mode, check)
    take_over(lab, options, mode, check)

    agent = lab.agents[harness.NODE]
    rules = harness.normal(node)
    done = lock(node, "--state-directory", state)
    check(f"{mode}: the rules of a daemon stay", done.returncode == 0 and harness.normal(node) == rules, done.stderr)
    agent.stop(9)
    with open(f"{state}/pod-networks", encoding="utf-8") as saved:
        check(f"{mode}: the daemon has saved the networks", tuple(saved.read().split()) == NETWORKS)
    node.run(["nft", "flush", "ruleset"])
    done = lock(node, "--state-directory", state)
    check(f"{mode}: what was saved is enough", done.returncode == 0, done.stderr)
    locked(lab, node, mode, check)
    with open(f"{state}/pod-networks", "a", encoding="utf-8") as saved:
        saved.write("x\n")
    done = lock(node, "--state-directory", state)
    check(f"{mode}: a saved file that is none is unusable", done.returncode == 2 and "pod-networks:3: expected" in done.stderr,
          done.stderr)
    agent.start()
    agent.wait(lab.attached[harness.NODE])
    check(f"{mode}: the table is the daemon's again", harness.normal(node) == rules)
    agent.stop(15)
    for space in lab.spaces.values():
        harness.remove(space)


if __name__ == "__main__":
    harness.each_mode(run)
