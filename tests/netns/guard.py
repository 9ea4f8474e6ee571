#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The guard of a bridge port, with real frames: what it must stop does not come out at the bridge's other port,
what it must let pass does. Once loaded from the text, once sent as netlink."""
import os
import shutil
import socket
import struct
import subprocess
import sys

OWN = bytes.fromhex("0a0000000001")
OTHER = bytes.fromhex("0a0000000002")
BROADCAST = b"\xff" * 6
IP, ARP, IP6, VLAN, QINQ = 0x0800, 0x0806, 0x86DD, 0x8100, 0x88A8


def ip(source, ident=0):
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20, ident, 0, 64, 253, 0, socket.inet_aton(source),
                         socket.inet_aton("10.0.0.9"))
    total = sum(struct.unpack("!10H", header))
    return header[:10] + struct.pack("!H", 0xFFFF - total % 0xFFFF) + header[12:]


def ip6(source):
    return struct.pack("!IHBB16s16s", 6 << 28, 0, 59, 64, socket.inet_pton(socket.AF_INET6, source),
                       socket.inet_pton(socket.AF_INET6, "fd00::9"))


def arp(source, sender=OWN):
    return struct.pack("!HHBBH6s4s6s4s", 1, IP, 6, 4, 1, sender, socket.inet_aton(source), bytes(6),
                       socket.inet_aton("10.0.0.9"))


def icmp6(kind, source, about=None):
    """As the guard sees it: nobody looks at the checksum here."""
    body = struct.pack("!BBHI", kind, 0, 0, 0)
    body += socket.inet_pton(socket.AF_INET6, about) + b"\2\1" + OWN if about else bytes(8)
    return struct.pack("!IHBB16s16s", 6 << 28, len(body), 58, 255, socket.inet_pton(socket.AF_INET6, source),
                       socket.inet_pton(socket.AF_INET6, "ff02::1")) + body


def tag(kind, vid, inner):
    return kind, struct.pack("!HH", vid, inner[0]) + inner[1]


# Name, source MAC, (type, payload), passes.
FRAMES = [
    ("own address", OWN, (IP, ip("10.0.0.7")), True),
    ("another's address", OWN, (IP, ip("10.0.0.8")), False),
    ("another's MAC", OTHER, (IP, ip("10.0.0.7")), False),
    ("own IPv6 address", OWN, (IP6, ip6("fd00::7")), True),
    ("link-local address", OWN, (IP6, ip6("fe80::1")), True),
    ("unspecified IPv6 address", OWN, (IP6, ip6("::")), True),
    ("another's IPv6 address", OWN, (IP6, ip6("fd00::8")), False),
    ("ARP for own address", OWN, (ARP, arp("10.0.0.7")), True),
    ("ARP probe", OWN, (ARP, arp("0.0.0.0")), True),
    ("ARP for another's address", OWN, (ARP, arp("10.0.0.8")), False),
    ("ARP from another's MAC", OTHER, (ARP, arp("10.0.0.7")), False),
    ("advertisement of own address", OWN, (IP6, icmp6(136, "fe80::1", "fd00::7")), True),
    ("advertisement of own link-local address", OWN, (IP6, icmp6(136, "fd00::7", "fe80::800:ff:fe00:1")), True),
    ("advertisement of another's address", OWN, (IP6, icmp6(136, "fd00::7", "fd00::8")), False),
    ("advertisement of another's link-local address", OWN, (IP6, icmp6(136, "fd00::7", "fe80::1")), False),
    ("solicitation of another's address", OWN, (IP6, icmp6(135, "fd00::7", "fd00::8")), True),
    ("router solicitation", OWN, (IP6, icmp6(133, "fe80::1")), True),
    ("router advertisement", OWN, (IP6, icmp6(134, "fe80::1")), False),
    ("redirect", OWN, (IP6, icmp6(137, "fe80::1", "fd00::8")), False),
    ("tagged, own address", OWN, tag(VLAN, 5, (IP, ip("10.0.0.7"))), False),
    ("tagged, another's address", OWN, tag(VLAN, 5, (IP, ip("10.0.0.8"))), False),
    ("tagged for priority only", OWN, tag(VLAN, 0x6000, (IP, ip("10.0.0.7"))), False),
    ("tagged 802.1ad", OWN, tag(QINQ, 5, (IP, ip("10.0.0.7"))), False),
    ("tagged twice", OWN, tag(QINQ, 5, tag(VLAN, 6, (IP, ip("10.0.0.8")))), False),
    ("tagged ARP", OWN, tag(VLAN, 5, (ARP, arp("10.0.0.8"))), False),
]


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
        # The kernel's own neighbour discovery would be in the way.
        for name in (port, f"{port}peer"):
            with open(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6", "w", encoding="ascii") as knob:
                knob.write("1")
            run("ip", "link", "set", name, "up")
    run("ip", "link", "set", "br0", "up")


def ethernet(mac, kind, payload):
    return BROADCAST + mac + struct.pack("!H", kind) + payload + bytes(60)


def wait_forwarding():
    """Until the bridge passes frames on."""
    with opened("p1peer") as sender, opened("p2peer") as receiver:
        receiver.settimeout(0.05)
        for _ in range(600):
            sender.send(ethernet(OWN, IP, ip("10.0.0.7")))
            try:
                receiver.recv(2048)
                return
            except TimeoutError:
                pass
    raise TimeoutError("the bridge forwards nothing")


def arrives(sender, receiver, frame, ident):
    """Sends the frame, then one that passes: what has not come before that one, never will."""
    mark = ethernet(OWN, IP, ip("10.0.0.7", ident))
    sender.send(frame)
    sender.send(mark)
    seen = False
    while True:
        got = receiver.recv(2048)
        if got.startswith(mark[:34]):
            return seen
        seen = seen or got[6:12] == frame[6:12]


def check(how):
    failed = 0
    with opened("p1peer") as sender, opened("p2peer") as receiver:
        for i, (name, mac, (kind, payload), passes) in enumerate(FRAMES):
            frame = ethernet(mac, kind, payload)
            if arrives(sender, receiver, frame, i + 1) != passes:
                print(f"FAIL {how}: {name} {'is stopped' if passes else 'passes'}")
                failed += 1
    print(f"{how}: {len(FRAMES) - failed} of {len(FRAMES)} kinds of frames fare as they should")
    return failed


def main():
    if os.geteuid() != 0 or not shutil.which("nft") or not shutil.which("ip"):
        print("needs root, nft and ip: skipped")
        return 77
    if len(sys.argv) == 1:
        done = subprocess.run(["unshare", "-n", sys.executable, "-B", __file__, "inside"])
        return done.returncode
    tool = os.path.join(os.environ["top_builddir"], "tests/nft_tool")
    try:
        bridge()
    except (OSError, subprocess.CalledProcessError):
        print("needs bridges and veth: skipped")
        return 77
    wait_forwarding()
    # Without a guard all of it passes, or the test says nothing.
    with opened("p1peer") as sender, opened("p2peer") as receiver:
        for i, (name, mac, (kind, payload), _) in enumerate(FRAMES):
            if not arrives(sender, receiver, ethernet(mac, kind, payload), i + 1):
                print(f"without a guard, {name} does not arrive")
                return 99
    text = run(tool, "print", "guard:p1", stdout=subprocess.PIPE).stdout
    run("nft", "-f", "-", input=text)
    failed = check("text")
    run("nft", "flush", "ruleset")
    run(tool, "fresh", "guard:p1")
    return 1 if check("netlink") + failed else 0


if __name__ == "__main__":
    sys.exit(main())
