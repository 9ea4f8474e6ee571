#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""netpold --lockdown: from boot until the daemon's first commit nothing is forwarded from pods or to them, nor between
the ports of a bridge without br_netfilter, and nothing of them reaches the node but what always does, while the node
itself reaches its pods, itself and others. The daemon takes the table over under a stream of packets: not one that policy forbids
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
NODE = ("192.168.0.1", "fd01::1")
INNER = ("10.1.255.1", "fd00:1::ff")  # the node's, too, as a bridge of pods has one
DNS = ("169.254.20.10", "fe80::1")  # fe80::1 is the gateway of all pods of the lab
LINK_LOCAL = ("fe80::858:ff:fe00:1", "fe80::858:ff:fe00:2")  # of a and b, by their hardware addresses
ALLOWED, DENIED = 80, 81
SO_RCVBUFFORCE = 33  # asm-generic/socket.h


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def place(address, port):
    """A link-local address is one of a pod's only device."""
    return (address, port, 0, socket.if_nametoindex("eth0")) if address.startswith("fe80") else (address, port)


def listener(space, address, port):
    space.enter()
    made = socket.socket(family(address), socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 22)
    made.bind(place(address, port))
    made.setblocking(False)
    return made


def sender(space, address):
    space.enter()
    made = socket.socket(family(address), socket.SOCK_DGRAM)
    made.bind(place(address, 0))
    return made


def passes(space, source, made, seconds, target=None):
    """Does one of some datagrams from there arrive at a listener within that time?"""
    end = time.monotonic() + seconds
    with sender(space, source) as out:
        to = place(*(target or made.getsockname()[:2]))
        while time.monotonic() < end:
            try:
                out.sendto(b"x", to)
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
    blocks = [{"ipBlock": {"cidr": cluster.host(address)}} for address in NODE]
    to = [{"to": [*blocks, {"podSelector": {"matchLabels": {"app": "b"}}}], "ports": [{"port": ALLOWED, "protocol": "UDP"}]}]
    return [node, *pods, harness.policy("b", {"app": "b"}, ingress=allow), harness.policy("a", {"app": "a"}, egress=to)]


def lock(space, *options):
    space.enter()
    return subprocess.run([harness.NETPOLD, "--lockdown", *options], stderr=subprocess.PIPE, text=True, check=False)


def cleanup(space):
    space.enter()
    return subprocess.run([harness.NETPOLD, "--cleanup"], check=False).returncode == 0


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
            check(f"{mode} {word}: locked: the node reaches the outside",
                  passes(node, NODE[version], made, harness.PATIENCE))
        locked_node(lab, node, version, f"{mode} {word}: locked", check)
    if mode == "bridged":
        locked_ports(lab, node, mode, check)


def locked_node(lab, node, version, name, check):
    """Of pods nothing gets to it but DNS at a link-local address, and answers."""
    a, outside = lab.where[ADDRESSES["a"][0]], lab.where[OUTSIDE[0]]
    with listener(node, ("0.0.0.0", "::")[version], ALLOWED) as made:
        check(f"{name}: nothing from a pod to its node",
              not passes(a, ADDRESSES["a"][version], made, 0.2, (NODE[version], ALLOWED)))
        if version:
            check(f"{name}: nor from its link-local address",
                  not passes(a, LINK_LOCAL[0], made, 0.2, (DNS[version], ALLOWED)))
        for own in (NODE[version], INNER[version]):
            check(f"{name}: the node reaches itself at {own}", passes(node, own, made, harness.PATIENCE, (own, ALLOWED)))
        check(f"{name}: others reach the node",
              passes(outside, OUTSIDE[version], made, harness.PATIENCE, (NODE[version], ALLOWED)))
    with listener(node, ("0.0.0.0", "::")[version], 53) as made:
        check(f"{name}: DNS at a link-local address of the node",
              passes(a, ADDRESSES["a"][version], made, harness.PATIENCE, (DNS[version], 53)))
        check(f"{name}: but at no other", not passes(a, ADDRESSES["a"][version], made, 0.2, (NODE[version], 53)))
    with listener(a, ADDRESSES["a"][version], ALLOWED) as made, sender(node, INNER[version]) as probe:
        probe.sendto(b"x", made.getsockname()[:2])
        select.select([made], [], [], harness.PATIENCE)
        _, peer = made.recvfrom(16)
        made.sendto(b"x", peer)
        check(f"{name}: a pod answers its node", select.select([probe], [], [], harness.PATIENCE)[0])


def locked_ports(lab, node, mode, check):
    """Between the ports of the bridge, whether netfilter's IP hooks see that or not."""
    a, b = (lab.where[ADDRESSES[name][0]] for name in "ab")
    for called in (1, 0):
        node.sysctl({"net/bridge/bridge-nf-call-iptables": called, "net/bridge/bridge-nf-call-ip6tables": called})
        for source, target in (*zip(ADDRESSES["a"], ADDRESSES["b"]), LINK_LOCAL):
            with listener(b, target, ALLOWED) as made:
                check(f"{mode}: locked: nothing from port to port, bridge-nf-call {called}: {source} -> {target}",
                      not passes(a, source, made, 0.2))
    node.sysctl({"net/bridge/bridge-nf-call-iptables": 1, "net/bridge/bridge-nf-call-ip6tables": 1})


def take_over(lab, options, mode, check):
    a, b = (lab.where[ADDRESSES[name][0]] for name in "ab")
    node = lab.spaces[f"node-{harness.NODE}"]
    bad = [listener(b, address, DENIED) for address in ADDRESSES["b"]] + [listener(node, address, DENIED) for address in NODE]
    streams = [Stream(a, source, target, DENIED)
               for targets in (ADDRESSES["b"], NODE) for source, target in zip(ADDRESSES["a"], targets)]
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
        bad[version + 2].close()
        with listener(node, NODE[version], ALLOWED) as made:
            check(f"{mode} {word}: and to the node", passes(a, ADDRESSES["a"][version], made, harness.PATIENCE))
            check(f"{mode} {word}: not from a pod that is not allowed to",
                  not passes(a, ADDRESSES["a"][version], made, 0.2, (INNER[version], ALLOWED)))
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
    ends += [{"kind": "node", "nodes": [harness.NODE], "address": address} for address in (*NODE, *INNER, DNS[0])]
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
    check(f"{mode}: with local-node-egress = allow it locks",
          cleanup(node) and lock(node, "--local-node-egress", "allow",
               *[word for network in NETWORKS for word in ("--pod-networks", network)]).returncode == 0)
    for version in (0, 1):
        with listener(node, NODE[version], ALLOWED) as made:
            check(f"{mode}: and the node is open to pods, version {version}",
                  passes(lab.where[ADDRESSES["a"][0]], ADDRESSES["a"][version], made, harness.PATIENCE))
    check(f"{mode}: and opens", cleanup(node))
    done = lock(node, *[word for network in NETWORKS for word in ("--pod-networks", network)])
    check(f"{mode}: it locks again", done.returncode == 0, done.stderr)
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
