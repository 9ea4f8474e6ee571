#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What pods encapsulate themselves reaches nobody through a node: neither through their own nor through another, with
or without policies, in both families. The nodes have VXLAN devices, which decapsulate: what is inside names a pod that
others trust as its source. The other tunnels are told by sockets on the nodes, behind netfilter. MODE routed, bridged
or both."""
import os
import re
import signal
import socket
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../e2e"))
import harness  # noqa: E402
import cluster  # noqa: E402
import probes  # noqa: E402

SECONDS = 240
VNI_PORT = 4790
NODES = {"n1": ["192.168.0.1", "fd01::1"], "n2": ["192.168.0.2", "fd01::2"]}
PODS = {"a": ("n1", ["10.1.1.1", "fd00:1:1::1"]), "v": ("n1", ["10.1.1.2", "fd00:1:1::2"]),
        "w": ("n2", ["10.2.1.1", "fd00:2:1::1"]), "u": ("n2", ["10.2.1.2", "fd00:2:1::2"])}
LATE = {"namespace": "t", "name": "late", "addresses": ["10.1.1.9", "fd00:1:1::9"], "node": "n1", "interface": None}
OUTSIDE = ["198.18.0.1", "2001:2::1"]
UDP_PORTS = (4789, 8472, 6081)
PROTOCOLS = {4: "IP in IP", 41: "IPv6 in IP", 47: "GRE"}


def objects(policed):
    """v and w let nobody in but each other; `a` may go anywhere, by no policy or by one."""
    found = [{"apiVersion": "v1", "kind": "Node", "metadata": {"name": name},
              "status": {"addresses": [{"type": "InternalIP", "address": address} for address in addresses]}}
             for name, addresses in NODES.items()]
    found += [harness.pod(name, {"app": name}, addresses, node) for name, (node, addresses) in PODS.items()]
    for name, friend in (("v", "u"), ("w", "v")):
        found.append(harness.policy(name, {"app": name}, [{"from": [{"podSelector": {"matchLabels": {"app": friend}}}]}]))
    return found + ([harness.policy("a", {"app": "a"}, egress=[{}])] if policed else [])


def inner(source, target, mac, token):
    """An Ethernet frame with a UDP datagram to port 999."""
    six = ":" in source
    addresses = [socket.inet_pton(probes.family(address), address) for address in (source, target)]
    udp = struct.pack("!HHHH", 1234, 999, 8 + len(token), 0) + token
    if six:
        pseudo = addresses[0] + addresses[1] + struct.pack("!IHBB", len(udp), 0, 0, 17)
        udp = udp[:6] + struct.pack("!H", probes.checksum(pseudo + udp)) + udp[8:]
        packet = struct.pack("!IHBB", 6 << 28, len(udp), 17, 64) + addresses[0] + addresses[1] + udp
    else:
        header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + addresses[0] + addresses[1]
        packet = header[:10] + struct.pack("!H", probes.checksum(header)) + header[12:] + udp
    return bytes.fromhex(mac.replace(":", "")) + b"\x02\0\0\0\0\x99" + struct.pack("!H", 0x86DD if six else 0x0800) + packet


def vxlan(vni, frame):
    return struct.pack("!BBHI", 8, 0, 0, vni << 8) + frame


class Scene:
    def __init__(self, mode, check, *options, policed=False):
        self.name = f"{mode}{' policed' if policed else ''}{' '.join(('', *options))}"
        self.check = check
        self.directory = f"/run/{mode}-{policed}-{len(options)}"
        harness.write(f"{self.directory}/cluster.json", objects(policed))
        chosen = harness.Options(self.directory, *options)
        ends = [{"kind": "node", "nodes": [name], "address": address} for name, all_of in NODES.items() for address in all_of]
        ends += [{"kind": "external", "address": address} for address in OUTSIDE]
        os.makedirs(self.directory + "-lab")
        self.lab = cluster.Cluster(cluster.read_pods(chosen), ends, self.directory + "-lab", mode == "bridged")
        self.lab.build(chosen)
        self.lab.enforce(chosen)
        self.nodes = {name: self.lab.spaces[f"node-{name}"] for name in NODES}
        self.pods = {name: self.lab.where[addresses[0]] for name, (_, addresses) in PODS.items()}
        self.sequence = 0

    def end(self):
        for agent in self.lab.agents.values():
            agent.stop(signal.SIGTERM)
        for space in self.lab.spaces.values():
            harness.remove(space)

    def ports(self, node="n1"):
        found = re.search(r"elements = \{([^}]*)\}", harness.listing(self.nodes[node], "set", "inet", "netpold", "tunnel_ports"))
        return {int(port) for port in found.group(1).split(",")} if found else set()

    def counted(self, node="n1"):
        text = harness.listing(self.nodes[node], "chain", "inet", "netpold", "encapsulation")
        return sum(int(packets) for packets in re.findall(r"counter packets (\d+)", text))

    def token(self):
        self.sequence += 1
        return f"token {self.sequence:06}".encode()

    def arrives(self, listener, send, wanted):
        """Sends until it has; or, if it should not, waits a moment."""
        return harness.arrives(listener, send, self.token(), wanted)

    def datagram(self, what, source, place, to, port, wanted=False):
        """UDP from a pod's space to an address in the space `place`, with a socket there."""
        family = probes.family(to)
        listener = harness.socket_in(place, family, socket.SOCK_DGRAM)
        listener.bind(("" if family == socket.AF_INET else "::", port))
        sender = harness.socket_in(source, family, socket.SOCK_DGRAM)
        got = self.arrives(listener, lambda token: sender.sendto(token, (to, port)), wanted)
        self.check(f"{self.name}: {what}, UDP to {to} port {port}", got == wanted, "arrives" if got else "is lost")
        listener.close()
        sender.close()

    def raw(self, what, source, place, to, protocol, wanted=False):
        family = probes.family(to)
        listener = harness.socket_in(place, family, socket.SOCK_RAW, protocol)
        sender = harness.socket_in(source, family, socket.SOCK_RAW, protocol)
        got = self.arrives(listener, lambda token: sender.sendto(b"\0" * 8 + token, (to, 0)), wanted)
        self.check(f"{self.name}: {what}, {PROTOCOLS[protocol]} to {to}", got == wanted, "arrives" if got else "is lost")
        listener.close()
        sender.close()

    def every_tunnel(self, what, source, place, to, wanted=False, ports=UDP_PORTS):
        for port in ports:
            self.datagram(what, source, place, to, port, wanted)
        for protocol in PROTOCOLS:
            self.raw(what, source, place, to, protocol, wanted)

    def add_vxlan(self, node):
        """A device for each family, which takes frames from anybody."""
        macs = []
        self.nodes[node].enter()
        for number, local in enumerate(NODES[node]):
            link = f"vx{number}"
            subprocess.run(["ip", "link", "add", link, "type", "vxlan", "id", str(7 + number), "local", local, "dstport",
                            str(VNI_PORT), "nolearning"], check=True)
            subprocess.run(["ip", "link", "set", link, "up"], check=True)
            macs.append(cluster.nodes.show(self.nodes[node], link)["address"])
        return macs

    def decapsulated(self, what, node, victim, friend, macs, wanted=False):
        """Does the node deliver to the victim what `a` has put into VXLAN in the name of its friend?"""
        for number, to in enumerate(NODES[node]):
            target, forged = PODS[victim][1][number], PODS[friend][1][number]
            listener = harness.socket_in(self.pods[victim], probes.family(target), socket.SOCK_DGRAM)
            listener.bind((target, 999))
            sender = harness.socket_in(self.pods["a"], probes.family(to), socket.SOCK_DGRAM)
            got = self.arrives(listener, lambda token: sender.sendto(
                vxlan(7 + number, inner(forged, target, macs[number], token)), (to, VNI_PORT)), wanted)
            self.check(f"{self.name}: {what}, VXLAN to {to} for {target}", got == wanted, "arrives" if got else "is lost")
            listener.close()
            sender.close()


def standard_tunnels(scene):
    """To addresses of nodes, to all on the link, and anywhere else."""
    before = scene.counted()
    for number in (0, 1):
        scene.every_tunnel("to its own node", scene.pods["a"], scene.nodes["n1"], NODES["n1"][number])
        scene.every_tunnel("to another node", scene.pods["a"], scene.nodes["n2"], NODES["n2"][number])
        scene.every_tunnel("to the outside", scene.pods["a"], scene.lab.spaces["outside"], OUTSIDE[number])
        scene.every_tunnel("to a pod", scene.pods["a"], scene.pods["u"], PODS["u"][1][number])
        scene.datagram("another port", scene.pods["a"], scene.nodes["n1"], NODES["n1"][number], 4788, True)
        scene.datagram("another port", scene.pods["a"], scene.nodes["n2"], NODES["n2"][number], 4788, True)
    scene.datagram("broadcast", scene.pods["a"], scene.nodes["n1"], "255.255.255.255", 4789)
    scene.check(f"{scene.name}: they are counted", scene.counted() - before >= 4 * 2 * 6, scene.counted() - before)


def replies(scene):
    """A node's datagram from such a port is answered: the answer belongs to an established connection."""
    for node, to in zip(NODES["n2"], PODS["a"][1]):
        asking = harness.socket_in(scene.nodes["n2"], probes.family(to), socket.SOCK_DGRAM)
        asking.bind((node, 4789))
        answering = harness.socket_in(scene.pods["a"], probes.family(to), socket.SOCK_DGRAM)
        answering.bind((to, 5000))
        asked = scene.arrives(answering, lambda token: asking.sendto(token, (to, 5000)), True)
        scene.check(f"{scene.name}: what {node} asks from port 4789 arrives", asked)
        answered = scene.arrives(asking, lambda token: answering.sendto(token, (node, 4789)), False)
        scene.check(f"{scene.name}: the answer to {node} port 4789 does not", not answered)
        asking.close()
        answering.close()


def raw_replies(scene):
    """The same for protocols without ports, which conntrack knows by their addresses."""
    for protocol, name in PROTOCOLS.items():
        for node, to in zip(NODES["n2"], PODS["a"][1]):
            asking = harness.socket_in(scene.nodes["n2"], probes.family(to), socket.SOCK_RAW, protocol)
            answering = harness.socket_in(scene.pods["a"], probes.family(to), socket.SOCK_RAW, protocol)
            asked = scene.arrives(answering, lambda token: asking.sendto(b"\0" * 8 + token, (to, 0)), True)
            scene.check(f"{scene.name}: what {node} asks with {name} arrives", asked)
            answered = scene.arrives(asking, lambda token: answering.sendto(b"\0" * 8 + token, (node, 0)), False)
            scene.check(f"{scene.name}: the answer to {node} with {name} does not", not answered)
            asking.close()
            answering.close()


class Standing:
    """UDP connections from outside to `a`, which answers: from a port that becomes a tunnel's, and from another."""

    def __init__(self, scene):
        self.scene = scene
        self.flows = []
        for outside, to in zip(OUTSIDE, PODS["a"][1]):
            for port in (VNI_PORT, VNI_PORT + 1):
                asking = harness.socket_in(scene.lab.spaces["outside"], probes.family(to), socket.SOCK_DGRAM)
                asking.bind((outside, port))
                answering = harness.socket_in(scene.pods["a"], probes.family(to), socket.SOCK_DGRAM)
                answering.bind((to, 5000 + port))
                asked = scene.arrives(answering, lambda token, asking=asking, to=to, port=port:
                                      asking.sendto(token, (to, 5000 + port)), True)
                scene.check(f"{scene.name}: what {outside} asks from port {port} arrives", asked)
                self.flows.append((asking, answering, outside, port))

    def answer(self, what, ports):
        for asking, answering, outside, port in self.flows:
            got = self.scene.arrives(asking, lambda token, answering=answering, outside=outside, port=port:
                                     answering.sendto(token, (outside, port)), port in ports)
            self.scene.check(f"{self.scene.name}: {what}, the answer to {outside} port {port}", got == (port in ports))

    def end(self):
        for asking, answering, _, _ in self.flows:
            asking.close()
            answering.close()


def unknown_pod(scene):
    """Its network stands, no source knows it."""
    plugged = scene.lab.plug(scene.lab.spaces["fabric"], LATE, 100)
    result = scene.lab.publish(plugged)
    harness.wait_for("the node has seen it", lambda: "10.1.1.9" in harness.listing(scene.nodes["n1"], "set", "inet",
                                                                                  "netpold", "pod_ip4"))
    for number in (0, 1):
        scene.datagram("of an unknown pod", plugged.space, scene.nodes["n1"], NODES["n1"][number], 4789)
        scene.raw("of an unknown pod", plugged.space, scene.nodes["n2"], NODES["n2"][number], 47)
    scene.lab.unplug(plugged, result)
    harness.wait_for("it is gone", lambda: "10.1.1.9" not in harness.listing(scene.nodes["n1"], "set", "inet", "netpold",
                                                                           "pod_ip4"))


def real_tunnels(scene):
    """Devices that decapsulate; their port takes the place of the standard ones of VXLAN."""
    standing = Standing(scene)
    standing.answer("before there is a tunnel", (VNI_PORT, VNI_PORT + 1))
    macs = {node: scene.add_vxlan(node) for node in NODES}
    for node in NODES:
        harness.wait_for("the port of the device", lambda node=node: scene.ports(node) == {VNI_PORT, 6081})
    standing.answer("since there is", (VNI_PORT + 1,))
    scene.decapsulated("through its own node", "n1", "v", "u", macs["n1"])
    scene.decapsulated("through another node", "n2", "w", "v", macs["n2"])
    scene.datagram("a port that no device has", scene.pods["a"], scene.nodes["n1"], NODES["n1"][0], 8472, True)
    # Without our rules it is delivered: otherwise this would prove nothing.
    for node, agent in scene.lab.agents.items():
        agent.stop(signal.SIGKILL)
        scene.nodes[node].run(["nft", "flush chain inet netpold encapsulation"])
    scene.decapsulated("with the drop taken away", "n1", "v", "u", macs["n1"], True)
    scene.decapsulated("with the drop taken away", "n2", "w", "v", macs["n2"], True)
    for agent in scene.lab.agents.values():
        agent.start()
        agent.wait(0)
    scene.decapsulated("with the drop put back", "n1", "v", "u", macs["n1"])
    for node in NODES:
        for link in ("vx0", "vx1"):
            scene.nodes[node].run(["ip", "link", "del", link])
        harness.wait_for("the standard ports again", lambda node=node: scene.ports(node) == {4789, 8472, 6081})
    standing.answer("when it is gone", (VNI_PORT, VNI_PORT + 1))
    standing.end()


def tunnels_of_their_own(scene):
    """pod-tunnels = allow: to whom is no node."""
    for number in (0, 1):
        scene.every_tunnel("to its own node", scene.pods["a"], scene.nodes["n1"], NODES["n1"][number], ports=(4789,))
        scene.every_tunnel("to another node", scene.pods["a"], scene.nodes["n2"], NODES["n2"][number], ports=(4789,))
        scene.every_tunnel("to the outside", scene.pods["a"], scene.lab.spaces["outside"], OUTSIDE[number], True, (4789,))
        scene.every_tunnel("to a pod", scene.pods["a"], scene.pods["u"], PODS["u"][1][number], True, (4789,))


def run(mode, check):
    for policed in (False, True):
        scene = Scene(mode, check, policed=policed)
        standard_tunnels(scene)
        if not policed:
            replies(scene)
            raw_replies(scene)
            unknown_pod(scene)
        real_tunnels(scene)
        scene.end()
    scene = Scene(mode, check, "--pod-tunnels", "allow")
    tunnels_of_their_own(scene)
    scene.end()


harness.each_mode(run, SECONDS)
