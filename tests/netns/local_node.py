#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Egress policy applies to what a pod sends to its own node, also by a Service; what is always accepted is; the node
reaches its pods. And a SYN is evaluated although its ports are those of a connection that stands. MODE routed, bridged
or both."""
import itertools
import os
import select
import signal
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../e2e"))
import harness  # noqa: E402
import cluster  # noqa: E402
import probes  # noqa: E402

SECONDS = 240
PORT, OTHER = 10250, 22
NODE = ["192.168.0.1", "fd01::1"]
LOCAL_DNS = ["169.254.20.10", "fe80::1"]  # fe80::1 is the gateway of all pods of the lab
SERVICE = ["10.96.0.1", "fd96::1"]
CLUSTER_DNS = ["10.96.0.10", "fd96::10"]  # the ClusterIP, which NodeLocal DNSCache has on a device of the node, too
PODS = {"free": ["10.1.1.1", "fd00:1:1::1"], "closed": ["10.1.1.2", "fd00:1:1::2"], "open": ["10.1.1.3", "fd00:1:1::3"]}
SYN = 2


def objects(allowed=True):
    """`closed` may go nowhere, `open` to one port of the node; and to one of `free`, as long as that is allowed."""
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": harness.NODE},
            "status": {"addresses": [{"type": "InternalIP", "address": address} for address in NODE]}}
    blocks = [{"ipBlock": {"cidr": f"{address}/{32 if '.' in address else 128}"}} for address in NODE]
    rules = [{"to": blocks, "ports": [{"protocol": "TCP", "port": PORT}, {"protocol": "UDP", "port": PORT}]}]
    rules.append({"to": [{"ipBlock": {"cidr": cluster.host(address)}} for address in CLUSTER_DNS],
                  "ports": [{"protocol": "TCP", "port": 53}, {"protocol": "UDP", "port": 53}]})
    if allowed:
        rules.append({"to": [{"podSelector": {"matchLabels": {"app": "free"}}}], "ports": [{"port": 80}]})
    return [node, *(harness.pod(name, {"app": name}, addresses) for name, addresses in PODS.items()),
            harness.policy("closed", {"app": "closed"}, ingress=[], egress=[]),
            harness.policy("open", {"app": "open"}, egress=rules)]


class Scene:
    def __init__(self, mode, check, *options):
        self.name, self.check = f"{mode}{' '.join(('', *options))}", check
        self.directory = f"/run/{mode}{''.join(options)}"
        self.policies()
        chosen = harness.Options(self.directory, *options)
        ends = [{"kind": "node", "nodes": [harness.NODE], "address": address} for address in [*NODE, *CLUSTER_DNS, LOCAL_DNS[0]]]
        os.makedirs(self.directory + "-lab")
        self.lab = cluster.Cluster(cluster.read_pods(chosen), ends, self.directory + "-lab", mode == "bridged")
        self.lab.build(chosen)
        self.lab.enforce(chosen)
        self.node, self.agent = self.lab.spaces[f"node-{harness.NODE}"], self.lab.agents[harness.NODE]
        self.node.run(["nft", "-f", "-"], "".join(f"""table {family} service {{ chain services {{
            type nat hook prerouting priority dstnat;
            {family} daddr {SERVICE[number]} tcp dport 443 dnat to {f'[{NODE[1]}]' if number else NODE[0]}:{PORT}
        }}\n}}\n""" for number, family in enumerate(("ip", "ip6"))))
        self.pods = {name: self.lab.where[addresses[0]] for name, addresses in PODS.items()}
        self.tokens = (f"token {number:06}".encode() for number in itertools.count())

    def policies(self, allowed=True):
        harness.write(f"{self.directory}/cluster.json", objects(allowed))

    def end(self):
        self.agent.stop(signal.SIGTERM)
        for space in self.lab.spaces.values():
            harness.remove(space)

    def told(self, what, got, wanted):
        self.check(f"{self.name}: {what}", got == wanted, "arrives" if got else "is lost")

    @staticmethod
    def target(to, port):
        """A link-local address is one of the pod's only device."""
        return (to, port, 0, socket.if_nametoindex("eth0")) if to.startswith("fe80") else (to, port)

    def listen(self, space, to, port, kind):
        made = harness.socket_in(space, probes.family(to), kind)
        made.bind(("::" if ":" in to else "0.0.0.0", port))
        if kind == socket.SOCK_STREAM:
            made.listen(16)
        return made

    def tcp(self, what, source, place, to, port, wanted, served=None):
        """served: another address and port that answers there."""
        listener = self.listen(place, *(served or (to, port)), socket.SOCK_STREAM)
        client = harness.socket_in(source, probes.family(to), socket.SOCK_STREAM)
        client.connect_ex(self.target(to, port))
        ready = select.select([], [client], [], harness.PATIENCE if wanted else 0.3)[1]
        got = bool(ready) and client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
        self.told(f"{what}, tcp/{port} to {to}", got, wanted)
        listener.close()
        client.close()

    def udp(self, what, source, place, to, port, wanted, source_port=0):
        listener = self.listen(place, to, port, socket.SOCK_DGRAM)
        sender = harness.socket_in(source, probes.family(to), socket.SOCK_DGRAM)
        sender.bind(("", source_port))
        target = self.target(to, port)
        got = harness.arrives(listener, lambda token: sender.sendto(token, target), next(self.tokens), wanted)
        self.told(f"{what}, udp/{port} to {to}", got, wanted)
        listener.close()
        sender.close()

    def ping(self, what, source, to, wanted):
        six = ":" in to
        client = harness.socket_in(source, probes.family(to), socket.SOCK_RAW,
                                   socket.IPPROTO_ICMPV6 if six else socket.IPPROTO_ICMP)

        def send(token):
            echo = struct.pack("!BBHHH", 128 if six else 8, 0, 0, 7, 1) + token
            if not six:  # the kernel fills in ICMPv6's
                echo = echo[:2] + struct.pack("!H", probes.checksum(echo)) + echo[4:]
            client.sendto(echo, (to, 0))

        self.told(f"{what}, ping of {to}", harness.arrives(client, send, next(self.tokens), wanted), wanted)
        client.close()


def own_node(scene, policy):
    """policy: does egress policy apply?"""
    pods, node = scene.pods, scene.node
    for number, to in enumerate(NODE):
        scene.tcp("without policies", pods["free"], node, to, PORT, True)
        scene.tcp("by a rule", pods["open"], node, to, PORT, True)
        scene.udp("by a rule", pods["open"], node, to, PORT, True)
        scene.tcp("by a Service", pods["open"], node, SERVICE[number], 443, True, (to, PORT))
        scene.tcp("no rule has the port", pods["open"], node, to, OTHER, not policy)
        scene.tcp("closed", pods["closed"], node, to, PORT, not policy)
        scene.udp("closed", pods["closed"], node, to, PORT, not policy)
        scene.tcp("closed, by a Service", pods["closed"], node, SERVICE[number], 443, not policy, (to, PORT))
        scene.ping("closed", pods["closed"], to, not policy)


def always(scene):
    pods, node = scene.pods, scene.node
    for number, (to, dns) in enumerate(zip(NODE, LOCAL_DNS)):
        scene.udp("the node's DNS", pods["closed"], node, dns, 53, True)
        scene.tcp("the node's DNS", pods["closed"], node, dns, 53, True)
        scene.udp("beside its DNS", pods["closed"], node, dns, 54, False)
        scene.udp("DNS of another address", pods["closed"], node, to, 53, False)
        client, server = ((68, 67), (546, 547))[number]
        scene.udp("DHCP", pods["closed"], node, to, server, True, client)
        scene.udp("a port of DHCP alone", pods["closed"], node, to, server, False)
        scene.tcp("from the node", node, pods["closed"], PODS["closed"][number], 80, True)
        scene.udp("from the node", node, pods["closed"], PODS["closed"][number], 80, True)
        scene.ping("from the node", node, PODS["closed"][number], True)


def node_local_dns(scene, policy):
    """NodeLocal DNSCache as its manifest has it: it answers at a link-local address and at the ClusterIP, and has both
    untracked. What goes to the ClusterIP stays on the node, so a rule must name that address; a selector of CoreDNS's
    pods does not."""
    pods, node = scene.pods, scene.node
    node.run(["nft", "-f", "-"], """table inet nodelocal {
        chain prerouting { type filter hook prerouting priority raw; meta l4proto { tcp, udp } th dport 53 notrack; }
        chain output { type filter hook output priority raw; meta l4proto { tcp, udp } th sport 53 notrack; }
    }\n""")
    for cluster_ip, dns in zip(CLUSTER_DNS, LOCAL_DNS):
        for call in (scene.udp, scene.tcp):
            call("NodeLocal DNSCache, link-local", pods["closed"], node, dns, 53, True)
            call("NodeLocal DNSCache, ClusterIP, by a rule", pods["open"], node, cluster_ip, 53, True)
            call("NodeLocal DNSCache, ClusterIP", pods["closed"], node, cluster_ip, 53, not policy)
    node.run(["nft", "delete table inet nodelocal"])


def segment(source, target, ports, flags, sequence):
    """A TCP header without options."""
    header = struct.pack("!HHIIBBHHH", *ports, sequence, 0, 5 << 4, flags, 1024, 0, 0)
    packed = [socket.inet_pton(probes.family(address), address) for address in (source, target)]
    tail = struct.pack("!IHBB", len(header), 0, 0, 6) if ":" in source else struct.pack("!BBH", 0, 6, len(header))
    return header[:16] + struct.pack("!H", probes.checksum(b"".join(packed) + tail + header)) + header[18:]


def used_again(scene):
    """The source port of a connection that stands, and that policy has stopped to allow."""
    connections = []
    for source, target in zip(PODS["open"], PODS["free"]):
        listener = scene.listen(scene.pods["free"], target, 80, socket.SOCK_STREAM)
        client = harness.socket_in(scene.pods["open"], probes.family(source), socket.SOCK_STREAM)
        client.bind((source, 33333))
        client.connect_ex((target, 80))
        select.select([listener], [], [], harness.PATIENCE)
        connections.append((source, target, client, listener, listener.accept()[0]))
    for allowed in (True, False):
        if not allowed:
            commits = scene.agent.status()["kernel"]["commits"]
            scene.policies(False)
            harness.wait_for("the policy is another", lambda: scene.agent.status()["kernel"]["commits"] > commits)
        for source, target, *_ in connections:
            family = probes.family(source)
            watcher = harness.socket_in(scene.pods["free"], family, socket.SOCK_RAW, socket.IPPROTO_TCP)
            sender = harness.socket_in(scene.pods["open"], family, socket.SOCK_RAW, socket.IPPROTO_TCP)
            sender.bind((source, 0))
            packet = segment(source, target, (33333, 80), SYN, 0x6E657470)
            got = harness.arrives(watcher, lambda _, to=target, send=sender: send.sendto(packet, (to, 0)), packet[:8], allowed)
            scene.told(f"a SYN with the ports of a connection, {'' if allowed else 'not '}allowed, to {target}", got, allowed)
            watcher.close()
            sender.close()


def run(mode, check):
    scene = Scene(mode, check, "--established", "keep")
    own_node(scene, True)
    always(scene)
    node_local_dns(scene, True)
    used_again(scene)
    scene.end()
    scene = Scene(mode, check, "--local-node-egress", "allow")
    own_node(scene, False)
    node_local_dns(scene, False)
    scene.end()


harness.each_mode(run, SECONDS)
