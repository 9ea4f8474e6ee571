#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Forging gains nothing. A pod behind a veth or on a bridge, with a raw socket, sends what is another's: addresses,
hardware addresses, ARP and neighbour advertisements, tags. Nothing of it arrives at the server that trusts the other,
and nothing that is meant for the other arrives at the forger, whose egress policy allows it nothing; also when its
frames come by an ifb, as with the CNI bandwidth plugin. The same frames do arrive once the rules are taken away.

MODE: routed, bridged or both (default)."""
import json
import socket
import struct
import subprocess

import harness
import nodes

IP, ARP, IP6, VLAN, QINQ = 0x0800, 0x0806, 0x86DD, 0x8100, 0x88A8
PORT, GROUP_PORT = 80, 5353
FRIEND, SERVER, FORGER = ("10.1.0.2", "fd00:1::2"), ("10.1.0.1", "fd00:1::1"), ("10.1.0.3", "fd00:1::3")
OUTSIDE = ("198.51.100.7", "2001:db8::7")  # trusted as well


def total(data):
    data += b"\0" * (len(data) % 2)
    value = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while value >> 16:
        value = (value & 0xFFFF) + (value >> 16)
    return ~value & 0xFFFF


def packed(address):
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def hardware(address):
    return bytes.fromhex(address.replace(":", ""))


def ip6(source, target, protocol, payload, hops=64):
    return struct.pack("!IHBB", 6 << 28, len(payload), protocol, hops) + packed(source) + packed(target) + payload


def checked(source, target, protocol, payload, at):
    """With its checksum, at that place."""
    pseudo = packed(source) + packed(target) + struct.pack("!IHBB", len(payload), 0, 0, protocol)
    return payload[:at] + struct.pack("!H", total(pseudo + payload) or 0xFFFF) + payload[at + 2:]


def datagram(source, target, token, port=PORT):
    """(type, packet) of a UDP datagram."""
    udp = struct.pack("!HHHH", 4321, port, 8 + len(token), 0) + token
    if ":" in source:
        return IP6, ip6(source, target, 17, checked(source, target, 17, udp, 6))
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, packed(source), packed(target))
    return IP, header[:10] + struct.pack("!H", total(header)) + header[12:] + udp


def tagged(kind, inner):
    return kind, struct.pack("!HH", 7, inner[0]) + inner[1]


def arp(operation, sender_mac, sender, target_mac, target):
    return ARP, struct.pack("!HHBBH6s4s6s4s", 1, IP, 6, 4, operation, sender_mac, packed(sender), target_mac,
                            packed(target))


def advertisement(source, target, about, mac):
    """Who asks for `about` shall send to `mac`."""
    icmp = struct.pack("!BBHI", 136, 0, 0, 0x60000000) + packed(about) + b"\2\1" + mac
    return IP6, ip6(source, target, 58, checked(source, target, 58, icmp, 2), 255)


def link_local(mac):
    return socket.inet_ntop(socket.AF_INET6, b"\xfe\x80" + bytes(6) + bytes([mac[0] ^ 2]) + mac[1:3] + b"\xff\xfe" +
                            mac[3:])


class Scene:
    """The server trusts the friend and an outside host; the forger may do nothing."""

    def __init__(self, mode):
        self.mode = mode
        directory = f"/run/{mode}/manifests"
        trusted = [{"podSelector": {"matchLabels": {"app": "friend"}}},
                   *({"ipBlock": {"cidr": f"{address}/{128 if ':' in address else 32}"}} for address in OUTSIDE)]
        harness.write(f"{directory}/all.json", [
            harness.pod("server", {"app": "server"}, SERVER), harness.pod("friend", {"app": "friend"}, FRIEND),
            harness.pod("forger", {"app": "forger"}, FORGER),
            harness.policy("server", {"app": "server"}, ingress=[{"from": trusted}]),
            harness.policy("forger", {"app": "forger"}, egress=[])])
        self.lab, self.agent = harness.start(directory, mode == "bridged", outside=OUTSIDE, scratch=f"/run/{mode}")
        self.node = self.lab.spaces[f"node-{harness.NODE}"]
        self.spaces = {name: self.lab.where[own[0]] for name, own in
                       (("server", SERVER), ("friend", FRIEND), ("forger", FORGER))}
        self.macs = {name: hardware(nodes.show(space, "eth0")["address"]) for name, space in self.spaces.items()}
        self.number = 0
        self.groups = None
        self.ears = [self.ear("server", address) for address in SERVER]
        self.spaces["forger"].enter()
        self.wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.wire.bind(("eth0", 0))
        self.next_hop = self.macs["server"] if mode == "bridged" else hardware(self.gateway())

    def ear(self, name, address):
        self.spaces[name].enter()
        made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        made.bind((address, PORT))
        made.setblocking(False)
        return made

    def link(self):
        return "veth" + self.spaces["forger"].name.removeprefix("pod-")

    def gateway(self):
        """The hardware address of the node's end."""
        return nodes.show(self.node, self.link())["address"]

    def shape(self):
        """As the bandwidth plugin does for what a pod sends. False: this kernel cannot."""
        redirect = ["parent", "ffff:", "protocol", "all", "u32", "match", "u32", "0", "0", "action", "mirred", "egress",
                    "redirect", "dev", "ifb0"]
        for command in (["ip", "link", "add", "ifb0", "type", "ifb"], ["ip", "link", "set", "ifb0", "up"],
                        ["tc", "qdisc", "add", "dev", self.link(), "ingress"],
                        ["tc", "filter", "add", "dev", self.link(), *redirect]):
            try:
                self.node.run(command)
            except subprocess.CalledProcessError:
                return False
        return True

    def token(self):
        self.number += 1
        return b"token-%06d" % self.number

    def heard(self, token):
        found = False
        for ear in self.ears:
            try:
                while True:
                    found |= ear.recv(100) == token
            except BlockingIOError:
                pass
        return found

    def frame(self, source_mac, kind_and_packet, target_mac=None):
        kind, packet = kind_and_packet
        self.wire.send((target_mac or self.next_hop) + source_mac + struct.pack("!H", kind) + packet)

    def friend_reaches(self, source, target, space="friend"):
        """Sent as everybody does; it also tells that what was sent before has been dealt with."""
        token = self.token()
        (self.spaces.get(space) or self.lab.where[source]).enter()
        with socket.socket(socket.AF_INET6 if ":" in source else socket.AF_INET, socket.SOCK_DGRAM) as made:
            made.bind((source, 0))

            def arrives():
                made.sendto(token, (target, PORT))
                return self.heard(token)
            harness.wait_for(f"{source} reaches {target}", arrives)

    def forged(self):
        """(what, source MAC, packet with a token) of what must not arrive at the server."""
        mine, friends = self.macs["forger"], self.macs["friend"]
        for own, server, friend, outside in zip(FORGER, SERVER, FRIEND, OUTSIDE):
            family = "IPv6" if ":" in own else "IPv4"
            yield f"{family}: its own address", mine, lambda token, a=own, b=server: datagram(a, b, token)
            for whose, address in (("a friend's", friend), ("an outside host's", outside)):
                def of(token, a=address, b=server):
                    return datagram(a, b, token)
                yield f"{family}: {whose} address", mine, of
                yield f"{family}: {whose} address and a friend's hardware address", friends, of
                yield f"{family}: {whose} address, tagged", mine, lambda token, f=of: tagged(VLAN, f(token))
                yield f"{family}: {whose} address, tagged 802.1ad", mine, lambda token, f=of: tagged(QINQ, f(token))
                yield f"{family}: {whose} address, tagged twice", mine, lambda token, f=of: tagged(QINQ, tagged(VLAN, f(token)))

    def arrivals(self):
        """What of it does arrive."""
        arrived = []
        for what, mac, make in self.forged():
            token = self.token()
            self.frame(mac, make(token))
            if self.heard(token):
                arrived.append(what)
        return arrived

    def lies(self):
        """What would make others send to the forger what is the friend's."""
        mine, friends, servers = self.macs["forger"], self.macs["friend"], self.macs["server"]
        everybody = b"\xff" * 6
        node = hardware(nodes.BRIDGE_MAC) if self.mode == "bridged" else self.next_hop
        for to, whom, address in ((servers, "the server", SERVER), (node, "the node", (nodes_gateway(), "fe80::1"))):
            for operation, word in ((1, "request"), (2, "answer")):
                yield f"ARP {word} to {whom}", mine, arp(operation, mine, FRIEND[0], to, address[0]), to
                yield f"ARP {word} to all", mine, arp(operation, mine, FRIEND[0], everybody, FRIEND[0]), everybody
            for source in (FRIEND[1], FORGER[1], link_local(mine), link_local(friends)):
                yield (f"advertisement to {whom} from {source}", mine,
                       advertisement(source, address[1], FRIEND[1], mine), to)
        yield "a frame from the friend's hardware address", friends, datagram(FORGER[0], SERVER[0], b"-"), None

    def stolen(self):
        """How much of what the server and an outside host send to the friend arrives at the forger instead."""
        drain(self.wire)
        count = 0
        ears = [self.ear("friend", address) for address in FRIEND]
        for sender, addresses in ((self.spaces["server"], SERVER), (self.lab.where[OUTSIDE[0]], OUTSIDE)):
            for source, target in zip(addresses, FRIEND):
                sender.enter()
                with socket.socket(socket.AF_INET6 if ":" in source else socket.AF_INET, socket.SOCK_DGRAM) as made:
                    made.bind((source, 0))
                    made.sendto(b"secret-for-the-friend", (target, PORT))
        while True:
            try:
                count += b"secret-for-the-friend" in self.wire.recv(4096, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
        for ear in ears:
            ear.close()
        return count


def nodes_gateway():
    return harness.cluster.POD_GATEWAY


def drain(wire):
    try:
        while True:
            wire.recv(4096, socket.MSG_DONTWAIT)
    except BlockingIOError:
        pass


def legitimate(scene):
    for source, target in zip(FRIEND, SERVER):
        scene.friend_reaches(source, target)
    for source, target in zip(OUTSIDE, SERVER):
        scene.friend_reaches(source, target, "outside")


class Groups:
    """What has the address of nobody, from pod to pod on a bridge."""
    TARGETS = (("255.255.255.255", b"\xff" * 6), ("224.0.0.1", bytes.fromhex("01005e000001")),
               ("ff02::1", bytes.fromhex("333300000001")))

    def __init__(self, scene):
        self.scene, self.wires, self.ears = scene, {}, {}
        for name, own in (("server", SERVER), ("friend", FRIEND), ("forger", FORGER)):
            space = scene.spaces[name]
            space.enter()
            wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            wire.bind(("eth0", 0))
            self.wires[name] = wire, own
            self.ears[name] = []
            for family, anybody in ((socket.AF_INET, ""), (socket.AF_INET6, "::")):
                made = socket.socket(family, socket.SOCK_DGRAM)
                if anybody:
                    made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                made.bind((anybody, GROUP_PORT))
                made.setblocking(False)
                self.ears[name].append(made)

    def heard(self, name, token):
        found = False
        for ear in self.ears[name]:
            try:
                while True:
                    found |= ear.recv(100) == token
            except BlockingIOError:
                pass
        return found

    def arrivals(self, sender, receiver):
        """Which do arrive, in a frame to all and in one to the receiver."""
        wire, own = self.wires[sender]
        arrived = []
        for target, group in self.TARGETS:
            for word, mac in (("to all", group), ("to one", self.scene.macs[receiver])):
                token = self.scene.token()
                kind, packet = datagram(own[":" in target], target, token, GROUP_PORT)
                wire.send(mac + self.scene.macs[sender] + struct.pack("!H", kind) + packet)
                if self.heard(receiver, token):
                    arrived.append(f"{target} {word}")
        return arrived


def grouped(scene, check, how):
    groups = scene.groups = scene.groups or Groups(scene)
    # The server is isolated for ingress, the forger for egress.
    for sender, receiver, passes in (("friend", "server", 0), ("forger", "friend", 0), ("server", "friend", 6)):
        arrived = groups.arrivals(sender, receiver)
        check(f"{how}: broadcast and multicast from {sender} to {receiver}", len(arrived) == passes, ", ".join(arrived))


def counted(scene, check, how):
    """What was dropped is told, of the forger and of nobody else."""
    status = json.loads(scene.agent.ask("/status"))
    dropped = {one["pod"]: one["dropped"] for one in status["antispoofing"]}
    check(f"{how}: status counts what was dropped", list(dropped) == ["t/forger"] and dropped["t/forger"] >= 4,
          str(status["antispoofing"]))
    told = [line for line in scene.agent.ask("/metrics").splitlines()
            if line.startswith("netpold_antispoofing_dropped_packets_total{")]
    check(f"{how}: the metrics do", len(told) == 3 and
          f'netpold_antispoofing_dropped_packets_total{{namespace="t",pod="forger"}} {dropped["t/forger"]}' in told,
          str(told))


def attempt(scene, check, how):
    legitimate(scene)
    arrived = scene.arrivals()
    legitimate(scene)
    check(f"{how}: nothing forged arrives", not arrived, ", ".join(arrived))
    counted(scene, check, how)
    if scene.mode == "bridged":
        grouped(scene, check, how)
    lies = 0
    for what, mac, packet, to in scene.lies():
        scene.frame(mac, packet, to)
        lies += 1
        check(f"{how}: {what} steals nothing", scene.stolen() == 0)
    legitimate(scene)
    return lies


def run(mode, check):
    scene = Scene(mode)
    lies = attempt(scene, check, mode)
    if scene.shape():
        attempt(scene, check, f"{mode}, by an ifb")
    else:
        print("needs tc with ifb and mirred: frames by an ifb are skipped")
    # All of that for nothing? Without the rules it works.
    scene.agent.stop(9)
    scene.node.run(["nft", "flush", "ruleset"])
    if mode == "bridged":
        arrived = scene.groups.arrivals("friend", "server")
        check(f"{mode}: without rules broadcast and multicast arrive", len(arrived) == 6, ", ".join(arrived))
    arrived = scene.arrivals()
    check(f"{mode}: without rules forged addresses arrive", len(arrived) >= 4, ", ".join(arrived))
    stolen = 0
    for what, mac, packet, to in scene.lies():
        scene.frame(mac, packet, to)
        stolen += scene.stolen()
    check(f"{mode}: without rules something is stolen", stolen > 0 or mode == "routed")
    print(f"{mode}: {len(list(scene.forged()))} kinds of forged packets, {lies} lies to neighbours; without rules "
          f"{len(arrived)} arrive and {stolen} are stolen")
    for space in scene.lab.spaces.values():
        harness.remove(space)


if __name__ == "__main__":
    harness.each_mode(run)
