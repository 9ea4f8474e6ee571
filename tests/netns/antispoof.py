#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames at the ports of a bridge. What a pod must not send, and what must not reach a pod or leave it when policy
isolates it, does not come out at the other port; all else does. Rules come from manifests, once as text and once as
netlink; frames come straight in, and once more by an ifb, as with the CNI bandwidth plugin."""
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile

# nft_tool's: the end of the IPv4 address.
OWN, PEER = bytes.fromhex("0a0000000007"), bytes.fromhex("0a0000000009")
OTHER = bytes.fromhex("0a0000000002")
EVERYBODY = b"\xff" * 6
GROUP4, GROUP6 = bytes.fromhex("01005e000001"), bytes.fromhex("333300000001")
IP, ARP, IP6, VLAN, QINQ, LLDP = 0x0800, 0x0806, 0x86DD, 0x8100, 0x88A8, 0x88CC
LINK_LOCAL, PEER_LINK_LOCAL = "fe80::800:ff:fe00:7", "fe80::800:ff:fe00:9"
SOLICITED = "ff02::1:ff00:7"


def packed(address):
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def checksum(data):
    value = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while value >> 16:
        value = (value & 0xFFFF) + (value >> 16)
    return ~value & 0xFFFF


def ip(source, target="10.0.0.9", ident=0, proto=253, body=b"", fragment=0):
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), ident, fragment, 64, proto, 0, packed(source),
                         packed(target))
    return IP, header[:10] + struct.pack("!H", checksum(header)) + header[12:] + body


def udp(source, target, sport, dport):
    body = struct.pack("!HHHH", sport, dport, 8, 0)
    return ip6(source, target, 17, body) if ":" in source else ip(source, target, 0, 17, body)


def ip6(source, target="fd00::9", proto=59, body=b"", hops=64):
    return IP6, struct.pack("!IHBB", 6 << 28, len(body), proto, hops) + packed(source) + packed(target) + body


def arp(source, sender=OWN):
    return ARP, struct.pack("!HHBBH6s4s6s4s", 1, IP, 6, 4, 1, sender, packed(source), bytes(6), packed("10.0.0.9"))


def icmp6(kind, source, about=None, target="ff02::1", hops=255):
    """Nobody looks at the checksum here."""
    body = struct.pack("!BBHI", kind, 0, 0, 0)
    body += packed(about) + b"\2\1" + OWN if about else bytes(8)
    return ip6(source, target, 58, body, hops)


def report(source, kind=143, target="ff02::16"):
    """With the hop-by-hop option that it has."""
    body = struct.pack("!BBBBHBB", 58, 0, 5, 2, 0, 1, 0) + struct.pack("!BBHHH", kind, 0, 0, 0, 0)
    return ip6(source, target, 0, body, 1)


def tag(kind, vid, inner):
    return kind, struct.pack("!HH", vid, inner[0]) + inner[1]


class Frame:
    """How a frame from p1 fares: anyhow; when p1 is isolated for egress; when p2 is for ingress."""

    def __init__(self, name, packet, passes=True, egress=None, ingress=None, mac=OWN, to=PEER):
        self.name, (self.kind, self.payload), self.mac, self.to = name, packet, mac, to
        self.passes = {"": passes, "egress": passes if egress is None else egress,
                       "ingress": passes if ingress is None else ingress}

    def bytes(self):
        return self.to + self.mac + struct.pack("!H", self.kind) + self.payload + bytes(60)


def closed(name, packet, to=PEER, egress=False, ingress=False):
    """What policy stops, in a frame to one and to all."""
    for whom, mac in (("one", PEER), ("all", EVERYBODY), ("a group", GROUP6 if packet[0] == IP6 else GROUP4)):
        yield Frame(f"{name}, frame to {whom}", packet, True, egress, ingress, to=mac)


FRAMES = [
    Frame("own address", ip("10.0.0.7")),
    Frame("another's address", ip("10.0.0.8"), False),
    Frame("no address", ip("0.0.0.0"), False),
    Frame("another's MAC", ip("10.0.0.7"), False, mac=OTHER),
    Frame("own IPv6 address", ip6("fd00::7")),
    Frame("own IPv6 address, another's MAC", ip6("fd00::7"), False, mac=OTHER),
    Frame("own link-local address", ip6(LINK_LOCAL)),
    Frame("another's link-local address", ip6("fe80::1"), False),
    Frame("another's IPv6 address", ip6("fd00::8"), False),
    Frame("unspecified IPv6 address", ip6("::"), False),
    Frame("UDP from the unspecified IPv6 address", udp("::", "ff02::1", 5353, 5353), False, to=GROUP6),
    Frame("a fragment of another's", ip("10.0.0.8", fragment=0x2000), False),
    Frame("a later fragment of another's", ip("10.0.0.8", fragment=0x00ff), False),
    Frame("a later fragment of its own", ip("10.0.0.7", fragment=0x00ff)),
    Frame("ARP for own address", arp("10.0.0.7"), to=EVERYBODY),
    Frame("ARP probe", arp("0.0.0.0"), to=EVERYBODY),
    Frame("ARP for another's address", arp("10.0.0.8"), False, to=EVERYBODY),
    Frame("ARP for another's address, to one", arp("10.0.0.8"), False),
    Frame("ARP from another's MAC", arp("10.0.0.7"), False, mac=OTHER, to=EVERYBODY),
    Frame("advertisement of own address", icmp6(136, LINK_LOCAL, "fd00::7"), to=GROUP6),
    Frame("advertisement of own link-local address", icmp6(136, "fd00::7", LINK_LOCAL), to=GROUP6),
    Frame("advertisement of another's address", icmp6(136, "fd00::7", "fd00::8"), False, to=GROUP6),
    Frame("advertisement of another's address, to one", icmp6(136, "fd00::7", "fd00::8"), False),
    Frame("advertisement of another's link-local address", icmp6(136, "fd00::7", "fe80::1"), False, to=GROUP6),
    Frame("solicitation of another's address", icmp6(135, "fd00::7", "fd00::8"), to=GROUP6),
    Frame("solicitation without an address, not of duplicates", icmp6(135, "::", "fd00::8", "ff02::1"), False, to=GROUP6),
    Frame("detection of duplicates of its own", icmp6(135, "::", "fd00::7", SOLICITED), to=GROUP6),
    Frame("detection of duplicates, routed", icmp6(135, "::", "fd00::7", SOLICITED, 254), False, to=GROUP6),
    Frame("detection of duplicates of another's", icmp6(135, "::", "fd00::8", "ff02::1:ff00:8"), False, to=GROUP6),
    Frame("listener report", report(LINK_LOCAL), to=GROUP6),
    Frame("listener report without an address", report("::"), to=GROUP6),
    Frame("listener report of version 1 without an address", report("::", 131, "ff02::fb"), to=GROUP6),
    Frame("listener query without an address", report("::", 130, "ff02::1"), False, to=GROUP6),
    Frame("listener report without an address, out of the link", report("::", 143, "ff05::16"), False, to=GROUP6),
    Frame("router solicitation", icmp6(133, LINK_LOCAL, None, "ff02::2"), to=GROUP6),
    Frame("router advertisement", icmp6(134, LINK_LOCAL), False, to=GROUP6),
    Frame("redirect", icmp6(137, LINK_LOCAL, "fd00::8"), False),
    Frame("tagged, own address", tag(VLAN, 5, ip("10.0.0.7")), False),
    Frame("tagged, another's address", tag(VLAN, 5, ip("10.0.0.8")), False),
    Frame("tagged for priority only", tag(VLAN, 0x6000, ip("10.0.0.7")), False),
    Frame("tagged 802.1ad", tag(QINQ, 5, ip("10.0.0.7")), False),
    Frame("tagged twice", tag(QINQ, 5, tag(VLAN, 6, ip("10.0.0.8"))), False),
    Frame("tagged ARP", tag(VLAN, 5, arp("10.0.0.8")), False, to=EVERYBODY),
    Frame("neither IP nor ARP", (LLDP, bytes(46)), to=bytes.fromhex("01005e7f0001")),
    # DHCP: who asks has no address, or renews the one it has.
    Frame("DHCP discovery", udp("0.0.0.0", "255.255.255.255", 68, 67), True, True, False, to=EVERYBODY),
    Frame("DHCP renewal to all", udp("10.0.0.7", "255.255.255.255", 68, 67), True, True, False, to=EVERYBODY),
    Frame("DHCP renewal to the server", udp("10.0.0.7", "10.0.0.9", 68, 67)),
    Frame("from no address, not DHCP", udp("0.0.0.0", "255.255.255.255", 68, 53), False, to=EVERYBODY),
    Frame("DHCP to one host, from no address", udp("0.0.0.0", "10.0.0.9", 68, 67), False),
    Frame("DHCPv6 request", udp(LINK_LOCAL, "ff02::1:2", 546, 547), True, True, False, to=GROUP6),
    Frame("DHCP answer to all", udp("10.0.0.7", "255.255.255.255", 67, 68), True, False, True, to=EVERYBODY),
    Frame("DHCP answer to one", udp("10.0.0.7", "10.0.0.9", 67, 68)),
    Frame("DHCPv6 answer", udp(LINK_LOCAL, PEER_LINK_LOCAL, 547, 546)),
    # What has the address of nobody gets past policy in the family inet.
    *closed("limited broadcast", ip("10.0.0.7", "255.255.255.255")),
    *closed("all hosts", udp("10.0.0.7", "224.0.0.1", 5353, 5353)),
    *closed("a fragment to a group", ip("10.0.0.7", "239.1.2.3", fragment=0x00ff)),
    *closed("all nodes", udp("fd00::7", "ff02::1", 5353, 5353)),
    *closed("a solicited node", udp(LINK_LOCAL, "ff02::1:ff00:9", 5353, 5353)),
    *closed("a wider group", udp("fd00::7", "ff0e::1", 5353, 5353)),
    Frame("broadcast of the network", ip("10.0.0.7", "10.0.0.255"), True, False, False, to=EVERYBODY),
    # In a frame to one host policy sees an address like others when it leaves.
    Frame("broadcast of the network, to one", ip("10.0.0.7", "10.0.0.255"), True, True, False),
    Frame("an address of nobody, to one", ip("10.0.0.7", "10.0.0.77"), True, True, False),
    Frame("own address of the peer, to all", ip("10.0.0.7"), True, False, True, to=EVERYBODY),
    Frame("own IPv6 address of the peer, to a group", ip6("fd00::7"), True, False, True, to=GROUP6),
]


# With `allowed-sources`: packets from there, and what neighbors are told of them.
ALLOWED = "shop/app=p1 10.8.0.0/14 fd08::/61"
ALLOWED_FRAMES = [
    Frame("allowed source", ip("10.11.0.1")),
    Frame("beyond the allowed prefix", ip("10.12.0.1"), False),
    Frame("allowed IPv6 source", ip6("fd08:0:0:7::1")),
    Frame("beyond the allowed IPv6 prefix", ip6("fd08:0:0:8::1"), False),
    Frame("ARP for an allowed source", arp("10.9.0.1"), to=EVERYBODY),
    Frame("ARP beyond it", arp("10.12.0.1"), False, to=EVERYBODY),
    Frame("advertisement of an allowed source", icmp6(136, "fd00::7", "fd08:0:0:7::1"), to=GROUP6),
    Frame("advertisement beyond it", icmp6(136, "fd00::7", "fd08:0:0:8::1"), False, to=GROUP6),
    Frame("detection of duplicates of an allowed source", icmp6(135, "::", "fd08::1", "ff02::1:ff00:1"), to=GROUP6),
    Frame("an announcement of an allowed source, as of an address that moves", arp("10.11.0.1"), to=EVERYBODY),
    Frame("ARP for an allowed source from another's MAC", arp("10.11.0.1"), False, mac=OTHER, to=EVERYBODY),
    Frame("allowed source, another's MAC", ip("10.11.0.1"), False, mac=OTHER),
    Frame("own address", ip("10.0.0.7")),
    Frame("another's address", ip("10.0.0.8"), False),
]

# The same where the family inet sees it. p1 may send to p2's address only, or p2 be sent to from p1's only; both may have
# the allowed addresses. Encapsulated packets pass nowhere.
POLICED = "shop 10.8.0.0/14 fd08::/61"
POLICED_FRAMES = {
    "egress": [
        Frame("own address, to whom policy allows", ip("10.0.0.7")),
        Frame("own address, to another", ip("10.0.0.7", "10.0.0.77"), False),
        Frame("allowed source, to whom policy allows", ip("10.11.0.1")),
        Frame("allowed source, to another", ip("10.11.0.1", "10.0.0.77"), False),
        Frame("allowed IPv6 source, to whom policy allows", ip6("fd08:0:0:7::1")),
        Frame("allowed IPv6 source, to another", ip6("fd08:0:0:7::1", "fd00::77"), False),
        Frame("own IPv6 address, to another", ip6("fd00::7", "fd00::77"), False),
        Frame("advertisement of an allowed source", icmp6(136, "fd00::7", "fd08:0:0:7::1"), to=GROUP6),
        Frame("ARP for an allowed source", arp("10.9.0.1"), to=EVERYBODY),
        Frame("DHCP discovery", udp("0.0.0.0", "255.255.255.255", 68, 67), to=EVERYBODY),
        Frame("DHCP renewal to all", udp("10.0.0.7", "255.255.255.255", 68, 67), to=EVERYBODY),
        Frame("DHCP renewal to whom policy allows", udp("10.0.0.7", "10.0.0.9", 68, 67)),
        Frame("DHCP to one that it does not", udp("10.0.0.7", "10.0.0.77", 68, 67), False),
        Frame("DHCPv6 request", udp(LINK_LOCAL, "ff02::1:2", 546, 547), to=GROUP6),
        Frame("DHCPv6 to one that policy does not allow", udp("fd00::7", "fd00::77", 546, 547), False),
        Frame("broadcast, not DHCP", udp("10.0.0.7", "255.255.255.255", 68, 53), False, to=EVERYBODY),
        Frame("VXLAN from an allowed source", udp("10.11.0.1", "10.0.0.9", 5000, 8472), False),
        Frame("IP in IP from an allowed source", ip("10.11.0.1", proto=4), False),
        Frame("GRE from an allowed IPv6 source", ip6("fd08::1", proto=47), False),
    ],
    "ingress": [
        Frame("to its own address, from whom policy allows", ip("10.0.0.7")),
        Frame("to its own address, from another", ip("10.11.0.1"), False),
        Frame("to an allowed address, from whom policy allows", ip("10.0.0.7", "10.11.0.1")),
        Frame("to an allowed address, from another", ip("10.11.0.2", "10.11.0.1"), False),
        Frame("to an allowed IPv6 address, from whom policy allows", ip6("fd00::7", "fd08::1")),
        Frame("to an allowed IPv6 address, from another", ip6("fd08::2", "fd08::1"), False),
        Frame("to an address beyond", ip("10.0.0.7", "10.12.0.1"), False),
        Frame("to an IPv6 address beyond", ip6("fd00::7", "fd08:0:0:8::1"), False),
        Frame("DHCP answer", udp("10.11.0.1", "10.0.0.9", 67, 68)),
        Frame("DHCP answer to all", udp("10.11.0.1", "255.255.255.255", 67, 68), to=EVERYBODY),
        Frame("DHCPv6 answer", udp(LINK_LOCAL, PEER_LINK_LOCAL, 547, 546)),
        Frame("to the port of DHCP, from another", udp("10.11.0.1", "10.0.0.9", 68, 68), False),
        Frame("VXLAN from an allowed source", udp("10.11.0.1", "10.0.0.9", 5000, 8472), False),
        *(Frame(f"to a group, {to.hex()}", ip("10.0.0.7", "224.0.0.5"), False, to=to) for to in (PEER, GROUP4, EVERYBODY)),
    ],
}
# What the host routes to the bridge: from whom policy allows, from another.
ROUTED = [("203.0.113.7", "10.11.0.1", True), ("203.0.113.8", "10.11.0.1", False), ("203.0.113.8", "10.0.0.9", False),
          ("203.0.113.7", "10.0.0.9", True), ("203.0.113.8", "10.12.0.1", True)]


def run(*command, **kwargs):
    return subprocess.run(command, check=True, **kwargs)


def opened(name):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))
    sock.bind((name, 0))
    sock.settimeout(30)
    return sock


def bridge():
    run("ip", "link", "add", "br0", "type", "bridge", "stp_state", "0", "mcast_snooping", "0", "forward_delay", "0")
    for port in ("p1", "p2"):
        run("ip", "link", "add", port, "type", "veth", "peer", "name", f"{port}peer")
        run("ip", "link", "set", port, "master", "br0")
        # The kernel's own neighbor discovery would be in the way.
        for name in (port, f"{port}peer"):
            with open(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6", "w", encoding="ascii") as knob:
                knob.write("1")
            run("ip", "link", "set", name, "up")
    # What the family inet does is tests/e2e/forged.py's, mostly.
    bridge_to_inet(False)
    run("ip", "link", "set", "br0", "up")


def bridge_to_inet(yes):
    """False: this kernel cannot."""
    found = False
    for knob in ("iptables", "ip6tables", "arptables"):
        path = f"/proc/sys/net/bridge/bridge-nf-call-{knob}"
        if os.path.exists(path):
            found = True
            with open(path, "w", encoding="ascii") as out:
                out.write("1" if yes and knob != "arptables" else "0")
    return found


def shape(port):
    """As the bandwidth plugin does for what a pod sends. False: this kernel cannot."""
    for command in (("ip", "link", "add", "ifb0", "type", "ifb"), ("ip", "link", "set", "ifb0", "up"),
                    ("tc", "qdisc", "add", "dev", port, "ingress"),
                    ("tc", "filter", "add", "dev", port, "parent", "ffff:", "protocol", "all", "u32", "match", "u32", "0", "0", "action",
                     "mirred", "egress", "redirect", "dev", "ifb0")):
        if not shutil.which(command[0]) or subprocess.run(command, stderr=subprocess.PIPE).returncode != 0:
            return False
    return True


def mark(ident):
    kind, payload = ip("10.0.0.7", ident=ident)
    return PEER + OWN + struct.pack("!H", kind) + payload + bytes(60)


def wait_forwarding():
    """Until the bridge passes frames on."""
    with opened("p1peer") as sender, opened("p2peer") as receiver:
        receiver.settimeout(0.05)
        for _ in range(600):
            sender.send(mark(0))
            try:
                receiver.recv(2048)
                return
            except TimeoutError:
                pass
    raise TimeoutError("the bridge forwards nothing")


def arrives(sender, receiver, frame, ident):
    """Sends the frame, then one that passes: what has not come before that one, never will."""
    sender.send(frame)
    sender.send(mark(ident))
    seen = False
    while True:
        got = receiver.recv(2048)
        if got.startswith(mark(ident)[:34]):
            return seen
        seen = seen or got[6:12] == frame[6:12]


def check(how, isolated, frames=None):
    frames = frames or FRAMES
    failed = 0
    with opened("p1peer") as sender, opened("p2peer") as receiver:
        for i, frame in enumerate(frames):
            if arrives(sender, receiver, frame.bytes(), i + 1) != frame.passes[isolated]:
                print(f"FAIL {how}: {frame.name} {'is stopped' if frame.passes[isolated] else 'passes'}")
                failed += 1
    print(f"{how}: {len(frames) - failed} of {len(frames)} kinds of frames fare as they should")
    return failed


def uplink():
    """A device beside the bridge, and what the host routes to p2."""
    run("ip", "link", "add", "up0", "type", "veth", "peer", "name", "up0peer")
    run("ip", "link", "set", "up0peer", "up")
    run("ip", "link", "set", "up0", "up")
    run("ip", "addr", "add", "203.0.113.1/24", "dev", "up0")
    run("ip", "addr", "add", "10.0.0.1/24", "dev", "br0")
    run("ip", "route", "add", "10.8.0.0/13", "dev", "br0")
    for address in ("10.0.0.9", "10.11.0.1", "10.12.0.1"):
        run("ip", "neigh", "replace", address, "lladdr", ":".join(f"{byte:02x}" for byte in PEER), "dev", "br0", "nud", "permanent")
    with open("/proc/sys/net/ipv4/ip_forward", "w", encoding="ascii") as knob:
        knob.write("1")
    shown = run("ip", "-j", "link", "show", "up0", stdout=subprocess.PIPE).stdout
    return bytes.fromhex(json.loads(shown)[0]["address"].replace(":", ""))


def arrives_routed(sender, receiver, to, source, target, ident):
    """Sends it, and then what no rule stops: a packet of p1's."""
    sender.send(to + OTHER + struct.pack("!H", IP) + ip(source, target, ident)[1] + bytes(60))
    with opened("p1peer") as marker:
        marker.send(mark(ident))
    seen = False
    while True:
        got = receiver.recv(2048)
        if got.startswith(mark(ident)[:34]):
            return seen
        seen = seen or (got[12:14] == b"\x08\x00" and got[26:30] == packed(source) and got[30:34] == packed(target))


def check_routed(how, to):
    failed = 0
    with opened("up0peer") as sender, opened("p2peer") as receiver:
        for i, (source, target, passes) in enumerate(ROUTED):
            if arrives_routed(sender, receiver, to, source, target, 1000 + i) != passes:
                print(f"FAIL {how}: routed from {source} to {target} {'is stopped' if passes else 'passes'}")
                failed += 1
    print(f"{how}: {len(ROUTED) - failed} of {len(ROUTED)} routed packets fare as they should")
    return failed


def police(tool, path):
    """Allowed sources where policy allows some, with the family inet, as text and as netlink."""
    if not bridge_to_inet(True):
        print("needs br_netfilter: policy on allowed sources is skipped")
        return 0
    failed, to = 0, uplink()
    env = {**os.environ, "ALLOWED_SOURCES": POLICED}
    for isolated, frames in POLICED_FRAMES.items():
        manifests(path, isolated, PEERS[isolated])
        for form in ("text", "netlink"):
            if form == "text":
                run("nft", "-f", "-", input=run(tool, "print", f"ports:{path}", stdout=subprocess.PIPE, env=env).stdout)
            else:
                run(tool, "fresh", f"ports:{path}", env=env)
            failed += check(f"{isolated} policy and allowed sources, {form}", "", frames)
            if isolated == "ingress":
                failed += check_routed(f"ingress policy and allowed sources, {form}", to)
            run("nft", "flush", "ruleset")
    return failed


PEERS = {"egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.9/32"}}, {"ipBlock": {"cidr": "fd00::9/128"}}]}],
         "ingress": [{"from": [{"ipBlock": {"cidr": cidr}} for cidr in ("10.0.0.7/32", "203.0.113.7/32", "fd00::7/128")]}]}


def manifests(path, isolated, rules=None):
    def pod(name, end):
        return {"apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": name, "namespace": "shop", "labels": {"app": name},
                             "annotations": {"netpold.io/interface": name}},
                "status": {"phase": "Running", "podIP": f"10.0.0.{end}",
                           "podIPs": [{"ip": f"10.0.0.{end}"}, {"ip": f"fd00::{end}"}]}}
    items = [pod("p1", 7), pod("p2", 9)]
    if isolated:
        items.append({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
                      "metadata": {"name": "all", "namespace": "shop"},
                      "spec": {"podSelector": {"matchLabels": {"app": "p1" if isolated == "egress" else "p2"}},
                               "policyTypes": [isolated.capitalize()], isolated: rules or [{}]}})
    with open(path, "w", encoding="utf-8") as out:
        json.dump({"kind": "List", "apiVersion": "v1", "items": items}, out)


def none_is_stopped():
    """Without rules all of it passes, or the test says nothing."""
    with opened("p1peer") as sender, opened("p2peer") as receiver:
        for i, frame in enumerate(FRAMES):
            if not arrives(sender, receiver, frame.bytes(), i + 1):
                print(f"without rules, {frame.name} does not arrive")
                return False
    return True


def ingress_hook_sees(port):
    """Does a chain at the device's own hook see what comes by an ifb? The reason why ours are at others."""
    run("nft", f"add table netdev seen; add chain netdev seen c {{ type filter hook ingress device {port} priority "
               "-300; }; add rule netdev seen c counter drop")
    with opened("p1peer") as sender, opened("p2peer") as receiver:
        sender.send(mark(77))
        receiver.settimeout(2)
        try:
            return not receiver.recv(2048).startswith(mark(77)[:34])
        except TimeoutError:
            return True
        finally:
            run("nft", "delete table netdev seen")


def main():
    if os.geteuid() != 0 or not shutil.which("nft") or not shutil.which("ip"):
        print("needs root, nft and ip: skipped")
        return 77
    if len(sys.argv) == 1:
        return subprocess.run(["unshare", "-n", sys.executable, "-B", __file__, "inside"]).returncode
    tool = os.path.join(os.environ["top_builddir"], "tests/nft_tool")
    try:
        bridge()
    except (OSError, subprocess.CalledProcessError):
        print("needs bridges and veth: skipped")
        return 77
    wait_forwarding()
    if not none_is_stopped():
        return 99
    failed = 0
    with tempfile.TemporaryDirectory() as tmp:
        path = f"{tmp}/manifests.json"
        for shaped in (False, True):
            if shaped and not shape("p1"):
                print("needs tc with ifb and mirred: frames by an ifb are skipped")
                break
            if shaped and ingress_hook_sees("p1"):
                print("a chain at ingress of the device sees what comes by an ifb: the test says nothing")
                return 99
            for isolated in ("", "egress", "ingress"):
                what = f"{'by an ifb, ' if shaped else ''}isolated for {isolated or 'nothing'}"
                manifests(path, isolated)
                text = run(tool, "print", f"ports:{path}", stdout=subprocess.PIPE).stdout
                run("nft", "-f", "-", input=text)
                failed += check(f"{what}, text", isolated)
                run("nft", "flush", "ruleset")
                run(tool, "fresh", f"ports:{path}", env={**os.environ, "ALLOWED_SOURCES": ALLOWED})
                failed += check(f"{what}, allowed sources", isolated, ALLOWED_FRAMES)
                run("nft", "flush", "ruleset")
                run(tool, "fresh", f"ports:{path}")
                failed += check(f"{what}, netlink", isolated)
                run("nft", "flush", "ruleset")
        failed += police(tool, path)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
