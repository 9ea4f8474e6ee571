#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections that stand when policy changes. After a tightening exactly those end that are denied now: TCP, UDP and
ICMP, in each direction, through a Service too; all others go on, and with `established = keep` all do. Who keeps a flow
to a pod that is gone does not reach the next one with its address. What was made while there were no rules is evaluated
when there are.

MODE: routed, bridged or both (default)."""
import glob
import json
import os
import select
import signal
import socket
import struct

import harness
from harness import cluster

ADDRESSES = {"client": ("10.1.0.10", "fd00:1::a"), "server": ("10.1.0.11", "fd00:1::b"), "other": ("10.1.0.12", "fd00:1::c")}
SERVICE = ("10.96.0.1", "fd00:96::1")
KEPT, ENDED, SERVED = 80, 81, 8080  # 8080 of the Service is 81 of the server
QUIET = 0.4  # seconds in which nothing of an ended connection arrives, with some retransmissions


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


class Tcp:
    """A connection, and both of its ends."""

    def __init__(self, lab, source, target, port, through=None, through_port=None):
        self.name = f"tcp {source} -> {through or target}:{through_port or port}"
        lab.where[target].enter()
        with socket.socket(family(target), socket.SOCK_STREAM) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((target, port))
            listener.listen()
            lab.where[source].enter()
            self.client = socket.socket(family(source), socket.SOCK_STREAM)
            self.client.settimeout(harness.PATIENCE)
            self.client.bind((source, 0))
            self.client.connect((through or target, through_port or port))
            listener.settimeout(harness.PATIENCE)
            self.server, _ = listener.accept()

    @staticmethod
    def carries(out, into, seconds):
        out.send(b"x")
        if not select.select([into], [], [], seconds)[0]:
            return False
        try:
            return into.recv(64) != b""
        except OSError:
            return False

    def stands(self):
        return self.carries(self.client, self.server, harness.PATIENCE) and \
            self.carries(self.server, self.client, harness.PATIENCE)

    def ended(self):
        return not self.carries(self.client, self.server, QUIET)

    def close(self):
        for end in (self.client, self.server):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.close()


class Udp(Tcp):
    """Datagrams there and back: established for the kernel from the first answer on."""

    def __init__(self, lab, source, target, port, through=None, through_port=None):
        self.name = f"udp {source} -> {through or target}:{through_port or port}"
        lab.where[target].enter()
        self.server = socket.socket(family(target), socket.SOCK_DGRAM)
        self.server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.server.bind((target, port))
        lab.where[source].enter()
        self.client = socket.socket(family(source), socket.SOCK_DGRAM)
        self.client.bind((source, 0))
        self.client.connect((through or target, through_port or port))
        self.client.send(b"hello")
        self.server.settimeout(harness.PATIENCE)
        _, peer = self.server.recvfrom(64)
        self.server.connect(peer)
        if not self.stands():
            raise TimeoutError(self.name)

    def ended(self):
        """The server's datagrams are a connection of their own, which policy allows."""
        return not self.carries(self.client, self.server, QUIET)

    def close(self):
        self.client.close()
        self.server.close()


class Ping:
    """Echo requests of one identifier."""

    def __init__(self, lab, source, target):
        self.name = f"icmp {source} -> {target}"
        self.v6 = ":" in source
        lab.where[source].enter()
        with open("/proc/sys/net/ipv4/ping_group_range", "w", encoding="ascii") as out:
            out.write("0 0")
        self.out = socket.socket(family(source), socket.SOCK_DGRAM, socket.IPPROTO_ICMPV6 if self.v6 else socket.IPPROTO_ICMP)
        self.out.bind((source, 0))
        self.target, self.sequence = target, 0

    def answers(self, seconds):
        self.sequence += 1
        self.out.sendto(struct.pack("!BBHHH", 128 if self.v6 else 8, 0, 0, 0, self.sequence), (self.target, 0))
        if not select.select([self.out], [], [], seconds)[0]:
            return False
        self.out.recv(256)
        return True

    def stands(self):
        return self.answers(harness.PATIENCE)

    def ended(self):
        return not self.answers(QUIET)

    def close(self):
        self.out.close()


def ports(*numbers):
    return [{"port": number, "protocol": protocol} for number in numbers for protocol in ("TCP", "UDP")]


def peer(name):
    return {"podSelector": {"matchLabels": {"app": name}}}


def pods():
    return [harness.pod(name, {"app": name}, addresses) for name, addresses in ADDRESSES.items()]


def objects(ingress, egress):
    """The server is isolated for ingress, `other` for egress."""
    return [*pods(),
            harness.policy("server", {"app": "server"}, ingress=ingress),
            harness.policy("other", {"app": "other"}, egress=egress)]


LOOSE = ([{"from": [peer("client"), peer("other")]}], [{"to": [peer("server")]}])
TIGHT = ([{"from": [peer("client"), peer("other")], "ports": ports(KEPT)}], [{"to": [peer("server")], "ports": ports(KEPT)}])


class Node:
    def __init__(self, mode, *options):
        self.mode = mode
        self.directory = f"/run/{mode}/manifests"
        self.write(*LOOSE)
        self.options = harness.Options(self.directory, "--table-owner", "none", *options)  # for flushed()
        self.options.enforce = "later"
        self.lab = cluster.Cluster(cluster.read_pods(self.options), [], f"/run/{mode}", mode == "bridged")
        self.lab.build(self.options)
        self.options.enforce = "daemon"
        self.lab.spaces[f"node-{harness.NODE}"].run(["nft", "-f", "-"], dnat())

    def write(self, *rules):
        harness.write(f"{self.directory}/all.json", objects(*rules))

    def start(self):
        self.lab.start_agents(self.options)
        self.lab.enforce(self.options)

    @property
    def agent(self):
        return self.lab.agents[harness.NODE]

    def deleted(self):
        return self.agent.status()["connections"]["deleted"]

    def passes(self):
        return self.agent.status()["connections"]["passes"]


def dnat():
    """A Service, as kube-proxy has it."""
    lines = []
    for word, version in (("ip", 0), ("ip6", 1)):
        server = ADDRESSES["server"][version]
        to = f"[{server}]:{ENDED}" if version else f"{server}:{ENDED}"
        for protocol in ("tcp", "udp"):
            lines.append(f"{word} daddr {SERVICE[version]} {protocol} dport {SERVED} dnat {word} to {to}")
    rules = "\n  ".join(lines)
    return f"table inet services {{\n chain prerouting {{\n  type nat hook prerouting priority dstnat;\n  {rules}\n }}\n}}\n"


def make(lab):
    """(those that go on, those that end) when LOOSE becomes TIGHT."""
    kept, ended = [], []
    for version in (0, 1):
        client, server, other = (ADDRESSES[name][version] for name in ("client", "server", "other"))
        for kind in (Tcp, Udp):
            for source in (client, other):
                kept.append(kind(lab, source, server, KEPT))
                ended.append(kind(lab, source, server, ENDED))
            ended.append(kind(lab, client, server, ENDED, SERVICE[version], SERVED))
            kept.append(kind(lab, server, client, ENDED))  # nobody isolates these directions
        kept.append(Ping(lab, server, client))
        ended.append(Ping(lab, client, server))
        if not ended[-1].stands():
            raise TimeoutError(ended[-1].name)
    return kept, ended


def judge(node, kept, ended, when, check):
    for one in kept:
        check(f"{node.mode} {when}: {one.name} goes on", one.stands())
    for one in ended:
        check(f"{node.mode} {when}: {one.name} ends", one.ended())
    for one in kept + ended:
        one.close()


def tightening(node, check):
    kept, ended = make(node.lab)
    before = node.deleted()
    node.write(*TIGHT)
    harness.wait_for("denied connections are deleted", lambda: node.deleted() - before >= len(ended))
    judge(node, kept, ended, "after a tightening", check)
    check(f"{node.mode}: no other connection is deleted", node.deleted() - before == len(ended), node.deleted() - before)


def hand_over(node, name):
    """Its CNI result is the next pod's now."""
    directory = node.lab.results(harness.NODE)
    for path in glob.glob(f"{directory}/*"):
        with open(path, encoding="utf-8") as result:
            text = result.read()
        if ADDRESSES["other"][0] not in text:
            continue
        cached = json.loads(text)
        cached["cniArgs"] = [[key, name if key == "K8S_POD_NAME" else value] for key, value in cached["cniArgs"]]
        with open(path + ".tmp", "w", encoding="utf-8") as out:
            json.dump(cached, out)
        os.rename(path + ".tmp", path)


def reuse(node, check):
    """A pod sends to its accomplice and ends. The next one with its address is isolated for ingress, and what the
    accomplice sends is no answer to it, though nothing would be wrong with the next one's sending there."""
    harness.write(f"{node.directory}/all.json", pods())
    harness.wait_for("nobody is isolated", lambda: node.agent.status()["pods"]["isolatedEgress"] == 0)
    flows = [Udp(node.lab, ADDRESSES["other"][version], ADDRESSES["client"][version], ENDED) for version in (0, 1)]
    gone = [pod for pod in pods() if pod["metadata"]["name"] != "other"]
    harness.write(f"{node.directory}/all.json", gone)
    harness.wait_for("the pod is gone", lambda: node.agent.status()["pods"]["here"] == 2)
    for flow in flows:
        check(f"{node.mode}: {flow.name}: answers still reach whoever has the address",
              flow.carries(flow.server, flow.client, harness.PATIENCE))
    hand_over(node, "next")
    harness.write(f"{node.directory}/all.json", [*gone, harness.pod("next", {"app": "next"}, ADDRESSES["other"]),
                                                 harness.policy("next", {"app": "next"}, ingress=[])])
    harness.wait_for("the next one is there", lambda: node.agent.status()["pods"]["isolatedIngress"] == 1)
    harness.wait_for("its address is another's", lambda: node.agent.status()["connections"]["reassigned"] >= len(flows))
    for flow in flows:
        check(f"{node.mode}: {flow.name}: answers do not reach the next pod", not flow.carries(flow.server, flow.client, QUIET))
        flow.close()
    hand_over(node, "other")
    node.write(*LOOSE)
    harness.wait_for("the first pods are back", lambda: node.agent.status()["pods"]["isolatedEgress"] == 1)


def flushed(node, check):
    """Somebody removes all rules while the daemon cannot put them back; what is made then ends."""
    node.write(*TIGHT)
    space = node.lab.spaces[f"node-{harness.NODE}"]
    harness.wait_for("the rules are tight", lambda: f"dport {KEPT}" in harness.listing(space, "table", "inet", "netpold"))
    node.agent.process.send_signal(signal.SIGSTOP)
    space.run(["nft", "delete table inet netpold"])
    kept, ended = make(node.lab)
    node.agent.process.send_signal(signal.SIGCONT)
    harness.wait_for("they are back", lambda: "chain forward" in harness.listing(space, "table", "inet", "netpold"))
    passes = node.passes()
    harness.wait_for("a pass is through", lambda: node.passes() > passes or node.deleted() > 0 and not busy(node))
    judge(node, kept, ended, "after a flush", check)


def busy(node):
    return node.agent.status()["connections"]["busy"]


def boot(mode, check):
    """Before the daemon's first start."""
    node = Node(mode)
    node.write(*TIGHT)
    kept, ended = make(node.lab)
    node.start()
    harness.wait_for("denied connections are deleted", lambda: node.deleted() >= len(ended))
    judge(node, kept, ended, "after the first commit", check)
    return node


def keep(mode, check):
    node = Node(mode, "--established", "keep")
    node.start()
    kept, ended = make(node.lab)
    node.write(*TIGHT)
    space = node.lab.spaces[f"node-{harness.NODE}"]
    harness.wait_for("the rules are tight", lambda: f"dport {KEPT}" in harness.listing(space, "table", "inet", "netpold"))
    harness.wait_for("a pass is through", lambda: not busy(node))
    judge(node, kept + ended, [], "with established = keep", check)
    finish(node)


def finish(node):
    node.agent.stop(signal.SIGTERM)
    for space in node.lab.spaces.values():
        harness.remove(space)


def run(mode, check):
    node = boot(mode, check)
    node.write(*LOOSE)
    space = node.lab.spaces[f"node-{harness.NODE}"]
    harness.wait_for("the rules are loose", lambda: f"dport {KEPT}" not in harness.listing(space, "table", "inet", "netpold"))
    tightening(node, check)
    reuse(node, check)
    flushed(node, check)
    finish(node)
    keep(mode, check)


if __name__ == "__main__":
    harness.each_mode(run)
