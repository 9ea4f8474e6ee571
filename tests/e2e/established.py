#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections that stand when policy changes. After a tightening exactly those end that are denied now: TCP, UDP, SCTP
and ICMP, in each direction, through a Service too, to the pod's own node, and from link-local address to link-local
address of one bridge; whichever end sends first afterwards, and after the daemon's restart. All others go on, also when
conntrack forgets them, and with `established = keep` all do. Who keeps a flow to a pod that is gone does not reach the
next one with its address. What was made while there were no rules is evaluated when there are.

MODE: routed, bridged or both (default)."""
import glob
import json
import os
import signal

import connections
import harness
from connections import Ping, Sctp, Tcp, Udp
from harness import cluster

ADDRESSES = {"client": ("10.1.0.10", "fd00:1::a"), "server": ("10.1.0.11", "fd00:1::b"), "other": ("10.1.0.12", "fd00:1::c")}
LINK_LOCAL = {"client": "fe80::858:ff:fe00:1", "server": "fe80::858:ff:fe00:3"}  # by the lab's hardware addresses
SERVICE = ("10.96.0.1", "fd00:96::1")
NODE = ("192.168.0.1", "fd01::1")
KEPT, ENDED, SERVED = 80, 81, 8080  # 8080 of the Service is 81 of the server


def ports(*numbers):
    return [{"port": number, "protocol": protocol} for number in numbers for protocol in ("TCP", "UDP", "SCTP")]


def peer(name):
    return {"podSelector": {"matchLabels": {"app": name}}}


def pods():
    return [harness.pod(name, {"app": name}, addresses) for name, addresses in ADDRESSES.items()]


def objects(ingress, egress):
    """The server is isolated for ingress, `other` for egress."""
    return [*pods(),
            harness.policy("server", {"app": "server"}, ingress=ingress),
            harness.policy("other", {"app": "other"}, egress=egress)]


CLIENTS = [peer("client"), peer("other"), {"ipBlock": {"cidr": "fe80::/10"}}]
SERVERS = [peer("server"), *({"ipBlock": {"cidr": cluster.host(address)}} for address in NODE)]
LOOSE = ([{"from": CLIENTS}], [{"to": SERVERS}])
TIGHT = ([{"from": CLIENTS, "ports": ports(KEPT)}], [{"to": SERVERS, "ports": ports(KEPT)}])


class Node:
    def __init__(self, mode, *options):
        self.mode = mode
        self.directory = f"/run/{mode}/manifests"
        self.write(*LOOSE)
        self.options = harness.Options(self.directory, "--table-owner", "none", *options)  # for flushed()
        self.options.enforce = "later"
        ends = [{"kind": "node", "nodes": [harness.NODE], "address": address} for address in NODE]
        self.lab = cluster.Cluster(cluster.read_pods(self.options), ends, f"/run/{mode}", mode == "bridged")
        self.lab.build(self.options)
        for name, address in LINK_LOCAL.items():
            self.lab.where[address] = self.lab.where[ADDRESSES[name][0]]
        self.options.enforce = "daemon"
        self.space.run(["nft", "-f", "-"], dnat())

    def write(self, *rules):
        harness.write(f"{self.directory}/all.json", objects(*rules))

    def start(self):
        self.lab.start_agents(self.options)
        self.lab.enforce(self.options)

    @property
    def space(self):
        return self.lab.spaces[f"node-{harness.NODE}"]

    @property
    def agent(self):
        return self.lab.agents[harness.NODE]

    def deleted(self):
        return self.agent.status()["connections"]["deleted"]

    def cut(self):
        return self.agent.status()["connections"]["cut"]

    def rules(self):
        return harness.listing(self.space, "table", "inet", "netpold")

    def tight(self):
        """Ports are in rules, or in a map."""
        return f"dport {KEPT}" in (rules := self.rules()) or f"{KEPT} . tcp" in rules

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


def make(node):
    """(those that go on, those that end) when LOOSE becomes TIGHT."""
    lab, kept, ended = node.lab, [], []
    for version in (0, 1):
        client, server, other = (ADDRESSES[name][version] for name in ("client", "server", "other"))
        for kind in (Tcp, Udp, Sctp):
            for source in (client, other):
                kept.append(kind(lab, source, server, KEPT))
                ended.append(kind(lab, source, server, ENDED))
            kept.append(kind(lab, server, client, ENDED))  # nobody isolates these directions
        for kind in (Tcp, Udp):
            ended.append(kind(lab, client, server, ENDED, SERVICE[version], SERVED))
            kept.append(kind(lab, other, NODE[version], KEPT))
            ended.append(kind(lab, other, NODE[version], ENDED))
            kept.append(kind(lab, NODE[version], other, ENDED))
        kept.append(Ping(lab, server, client))
        ended.append(Ping(lab, client, server))
    if node.mode == "bridged":
        for kind in (Tcp, Udp):
            kept.append(kind(lab, LINK_LOCAL["client"], LINK_LOCAL["server"], KEPT))
            kept.append(kind(lab, LINK_LOCAL["server"], LINK_LOCAL["client"], ENDED))
            ended.append(kind(lab, LINK_LOCAL["client"], LINK_LOCAL["server"], ENDED))
        ended.append(Ping(lab, LINK_LOCAL["client"], LINK_LOCAL["server"]))
    for one in [one for one in kept if one.port == KEPT][::2]:  # policy lets the server send unasked, too
        one.server_first = True
    return kept, ended


def judge(node, kept, ended, when, check):
    connections.judge(kept, ended, f"{node.mode} {when}", check)


def tightening(node, check):
    kept, ended = make(node)
    before = node.deleted()
    node.write(*TIGHT)
    harness.wait_for("denied connections are deleted", lambda: node.deleted() - before >= len(ended))
    judge(node, kept, ended, "after a tightening", check)
    check(f"{node.mode}: no other connection is deleted", node.deleted() - before == len(ended), node.deleted() - before)
    # conntrack picks up SCTP at a HEARTBEAT only (sctp_new()): until then policy decides each packet by itself.
    picked_up = [one for one in kept if one.proto != "sctp" or one.port == KEPT]
    connections.flush(node.space)
    judge(node, picked_up, ended, "when conntrack has forgotten all", check)
    node.agent.stop(signal.SIGKILL)
    judge(node, picked_up, ended, "without a daemon", check)
    node.agent.start()
    node.agent.wait(node.lab.attached[harness.NODE])
    connections.flush(node.space)
    judge(node, picked_up, ended, "after a restart", check)
    connections.close(kept + ended)
    loosening(node, check)


def relabelled(node, check):
    """What changes nothing in the kernel costs no pass: connections are evaluated as they were."""
    harness.wait_for("nothing is left to do", lambda: not busy(node))
    passes = node.passes()
    touched = [*objects(*LOOSE), harness.policy("nobody", {"app": "nobody"}, ingress=[])]
    for one in touched:
        one["metadata"].setdefault("labels", {})["touched"] = "yes"
    harness.write(f"{node.directory}/all.json", touched)
    harness.wait_for("the labels are read and committed", lambda: (status := node.agent.status())["kernel"]["upToDate"] and
                     status["policies"]["enforced"] == 3 and not busy(node))
    check(f"{node.mode}: a label that no policy names makes no pass", node.passes() == passes, node.passes())
    node.write(*LOOSE)


def loosening(node, check):
    """What is allowed again is dropped no more, and costs nothing."""
    check(f"{node.mode}: the node's servers cannot bring connections back", "chain output" in node.rules())
    node.write(*LOOSE)
    harness.wait_for("nothing is cut any more", lambda: node.cut() == 0)
    harness.wait_for("and nothing in the kernel", lambda: "chain output" not in node.rules())
    check(f"{node.mode}: nor elements", not any(elements(node, name) for name in ("cut_ip4", "cut_ip6")))


def elements(node, name):
    return "elements" in harness.listing(node.space, "set", "inet", "netpold", name)


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
              connections.arrivals([(flow, flow.from_server())], harness.PATIENCE))
    hand_over(node, "next")
    harness.write(f"{node.directory}/all.json", [*gone, harness.pod("next", {"app": "next"}, ADDRESSES["other"]),
                                                 harness.policy("next", {"app": "next"}, ingress=[])])
    harness.wait_for("the next one is there", lambda: node.agent.status()["pods"]["isolatedIngress"] == 1)
    harness.wait_for("its address is another's", lambda: node.agent.status()["connections"]["reassigned"] >= len(flows))
    for flow in flows:
        check(f"{node.mode}: {flow.name}: answers do not reach the next pod",
              not connections.arrivals([(flow, flow.from_server())], connections.QUIET))
        flow.close()
    hand_over(node, "other")
    node.write(*LOOSE)
    harness.wait_for("the first pods are back", lambda: node.agent.status()["pods"]["isolatedEgress"] == 1)


def flushed(node, check):
    """Somebody removes all rules while the daemon cannot put them back; what is made then ends."""
    node.write(*TIGHT)
    harness.wait_for("the rules are tight", node.tight)
    harness.wait_for("that is all", lambda: not busy(node))
    passes = node.passes()
    node.agent.process.send_signal(signal.SIGSTOP)
    node.space.run(["nft", "delete table inet netpold"])
    kept, ended = make(node)
    node.agent.process.send_signal(signal.SIGCONT)
    harness.wait_for("they are back", lambda: "chain forward" in node.rules())
    harness.wait_for("a pass is through", lambda: node.passes() > passes and not busy(node))
    judge(node, kept, ended, "after a flush", check)
    connections.close(kept + ended)


def busy(node):
    return node.agent.status()["connections"]["busy"]


def boot(mode, check):
    """Before the daemon's first start."""
    node = Node(mode)
    node.write(*TIGHT)
    kept, ended = make(node)
    node.start()
    harness.wait_for("denied connections are deleted", lambda: node.deleted() >= len(ended))
    judge(node, kept, ended, "after the first commit", check)
    connections.close(kept + ended)
    return node


def keep(mode, check):
    node = Node(mode, "--established", "keep")
    node.start()
    kept, ended = make(node)
    node.write(*TIGHT)
    harness.wait_for("the rules are tight", node.tight)
    harness.wait_for("a pass is through", lambda: not busy(node))
    judge(node, kept + ended, [], "with established = keep", check)
    connections.close(kept + ended)
    finish(node)


def finish(node):
    node.agent.stop(signal.SIGTERM)
    for space in node.lab.spaces.values():
        harness.remove(space)


def run(mode, check):
    if Sctp is connections.SctpPackets:
        print("this kernel has no sockets of SCTP: its packets are made by the test")
    node = boot(mode, check)
    node.write(*LOOSE)
    harness.wait_for("the rules are loose", lambda: not node.tight())
    relabelled(node, check)
    tightening(node, check)
    reuse(node, check)
    flushed(node, check)
    finish(node)
    keep(mode, check)


if __name__ == "__main__":
    harness.each_mode(run, 240)
