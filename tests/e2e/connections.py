# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections through a lab, with both of their ends: TCP, UDP, SCTP and ICMP; which of them go on and which have ended.
Where the kernel has no sockets of SCTP, its packets are made here."""
import select
import socket
import struct
import time

import harness

QUIET = 0.4  # seconds in which nothing of an ended connection arrives, with some retransmissions
SCTP, NETLINK_NETFILTER = 132, 12
IPCTNL_MSG_CT_DELETE, NFNL_SUBSYS_CTNETLINK = 2, 1  # linux/netfilter/nfnetlink_conntrack.h
SO_LINGER_NOW = struct.pack("ii", 1, 0)


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def place(address, port):
    """Of the namespace that one is in: a link-local address is one of its eth0."""
    if address.startswith("fe80"):
        return (address, port, 0, socket.if_nametoindex("eth0"))
    return (address, port)


def flush(space):
    """All entries of the namespace's connection tracking."""
    space.enter()
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as out:
        body = struct.pack("=BBH", socket.AF_UNSPEC, 0, 0)
        out.send(struct.pack("=IHHII", 16 + len(body), NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE,
                             1 | 4, 1, 0) + body)  # NLM_F_REQUEST, NLM_F_ACK
        answer = out.recv(4096)
        if struct.unpack_from("=i", answer, 16)[0]:
            raise OSError("ctnetlink does not flush")


class Connection:
    """One that is made by Kind(lab, source, target, port, [the Service's address, its port])."""
    proto, server_first = "", False
    # What the server sends after the end is of it; of UDP it is a connection of its own, which policy may allow.
    server_counts = True

    def __init__(self, source, target, port, through=None, through_port=None):
        self.source, self.target, self.port, self.through = source, target, port, through
        to = f"{target}{'' if port is None else f':{port}'}"
        self.name = f"{self.proto} {source} -> {to}{f' through {through}:{through_port}' if through else ''}"

    def from_client(self):
        """(what sends something, what it arrives at)"""
        raise NotImplementedError

    def from_server(self):
        return None

    @staticmethod
    def heard(into):
        """Takes one datagram; is it of the connection?"""
        try:
            return into.recv(4096) != b""
        except OSError:
            return False


def arrivals(sends, seconds):
    """Sends all, at once; those of which something arrives within that time: [(connection, (send, into))]."""
    for one, (send, _) in sends:
        try:
            send()
        except OSError:
            pass
    end, waiting, arrived = time.monotonic() + seconds, dict((into, one) for one, (_, into) in sends), set()
    while waiting and (left := end - time.monotonic()) > 0:
        for into in select.select(list(waiting), [], [], left)[0]:
            if waiting[into].heard(into):
                arrived.add(waiting.pop(into))
            elif isinstance(waiting[into], Tcp):
                del waiting[into]  # it is at its end
    return arrived


def stand(connections):
    """Those that carry something both ways, the server's first where the connection says so."""
    first = [(one, one.from_server() or one.from_client()) if one.server_first else (one, one.from_client())
             for one in connections]
    arrived = arrivals(first, harness.PATIENCE)
    second = [(one, one.from_client() if one.server_first else one.from_server()) for one in arrived]
    silent = {one for one, sends in second if not sends}
    return silent | arrivals([(one, sends) for one, sends in second if sends], harness.PATIENCE)


def revived(connections):
    """Those of which anything arrives, whoever sends first."""
    first = [(one, sends) for one in connections if one.server_counts and (sends := one.from_server())]
    return arrivals(first, QUIET) | arrivals([(one, one.from_client()) for one in connections], QUIET)


class Tcp(Connection):
    proto, number = "tcp", 0

    def __init__(self, lab, source, target, port, through=None, through_port=None):
        super().__init__(source, target, port, through, through_port)
        lab.where[target].enter()
        with socket.socket(family(target), socket.SOCK_STREAM, self.number) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(place(target, port))
            listener.listen()
            lab.where[source].enter()
            self.client = socket.socket(family(source), socket.SOCK_STREAM, self.number)
            self.client.settimeout(harness.PATIENCE)
            self.client.bind(place(source, 0))
            self.client.connect(place(through or target, through_port or port))
            listener.settimeout(harness.PATIENCE)
            self.server, _ = listener.accept()

    def from_client(self):
        return lambda: self.client.send(b"x"), self.server

    def from_server(self):
        return lambda: self.server.send(b"x"), self.client

    def close(self):
        for end in (self.client, self.server):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, SO_LINGER_NOW)
            end.close()


class Udp(Connection):
    """Datagrams there and back: established for the kernel from the first answer on."""
    proto, server_counts = "udp", False

    def __init__(self, lab, source, target, port, through=None, through_port=None):
        super().__init__(source, target, port, through, through_port)
        lab.where[target].enter()
        self.server = socket.socket(family(target), socket.SOCK_DGRAM)
        self.server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.server.bind(place(target, port))
        lab.where[source].enter()
        self.client = socket.socket(family(source), socket.SOCK_DGRAM)
        self.client.bind(place(source, 0))
        self.client.connect(place(through or target, through_port or port))
        self.client.send(b"hello")
        self.server.settimeout(harness.PATIENCE)
        try:
            _, peer = self.server.recvfrom(64)
        except TimeoutError as err:
            raise TimeoutError(self.name) from err
        self.server.connect(peer)
        if not stand([self]):
            raise TimeoutError(self.name)

    def from_client(self):
        return lambda: self.client.send(b"x"), self.server

    def from_server(self):
        return lambda: self.server.send(b"x"), self.client

    def close(self):
        self.client.close()
        self.server.close()


class Ping(Connection):
    """Echo requests of one identifier."""
    proto = "icmp"

    def __init__(self, lab, source, target):
        super().__init__(source, target, None)
        self.v6 = ":" in source
        lab.where[source].enter()
        with open("/proc/sys/net/ipv4/ping_group_range", "w", encoding="ascii") as out:
            out.write("0 0")
        self.out = socket.socket(family(source), socket.SOCK_DGRAM, socket.IPPROTO_ICMPV6 if self.v6 else socket.IPPROTO_ICMP)
        self.out.bind(place(source, 0))
        self.to, self.sequence = place(target, 0), 0
        if not stand([self]):
            raise TimeoutError(self.name)

    def from_client(self):
        self.sequence += 1
        request = struct.pack("!BBHHH", 128 if self.v6 else 8, 0, 0, 0, self.sequence)
        return lambda: self.out.sendto(request, self.to), self.out

    def close(self):
        self.out.close()


def crc32c(data):
    """RFC 9260, appendix A."""
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def sctp_has_sockets():
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, SCTP).close()
        return True
    except OSError:
        return False


class SctpSocket(Tcp):
    proto, number = "sctp", SCTP


class SctpPackets(Connection):
    """An association of which every packet is made here: INIT, INIT ACK, COOKIE ECHO, COOKIE ACK, then DATA; the server
    begins with a HEARTBEAT, from which conntrack would track an association anew (sctp_new() of
    nf_conntrack_proto_sctp.c)."""
    proto = "sctp"
    DATA, INIT, INIT_ACK, HEARTBEAT, COOKIE_ECHO, COOKIE_ACK = 0, 1, 2, 4, 10, 11
    next_port = 40000

    def __init__(self, lab, source, target, port):
        super().__init__(source, target, port)
        SctpPackets.next_port += 1
        self.ports = {"client": (self.next_port, port), "server": (port, self.next_port)}
        self.tags = {"client": 0x22222222, "server": 0x11111111}  # that of the other end
        self.tsn, self.ends, self.to = 0, {}, {}
        for end, own, other in (("client", source, target), ("server", target, source)):
            lab.where[own].enter()
            self.ends[end] = socket.socket(family(own), socket.SOCK_RAW, SCTP)
            self.ends[end].bind(place(own, 0))
            self.to[end] = place(other, 0)
        parameters = struct.pack("!IHHI", 65536, 1, 1, 1)
        for end, kind, tag, body in (
                ("client", self.INIT, 0, struct.pack("!I", self.tags["server"]) + parameters),
                ("server", self.INIT_ACK, self.tags["server"],
                 struct.pack("!I", self.tags["client"]) + parameters + struct.pack("!HHI", 7, 8, 1)),
                ("client", self.COOKIE_ECHO, self.tags["client"], b"\0\0\0\1"),
                ("server", self.COOKIE_ACK, self.tags["server"], b"")):
            if not arrivals([(self, self.sends(end, kind, body, tag))], harness.PATIENCE):
                raise TimeoutError(f"{self.name}: chunk {kind}")

    def sends(self, end, kind, body, tag=None):
        chunk = struct.pack("!BBH", kind, 3 if kind == self.DATA else 0, 4 + len(body)) + body
        head = struct.pack("!HHI", *self.ports[end], self.tags[end] if tag is None else tag)
        check = struct.pack("<I", crc32c(head + bytes(4) + chunk))
        into = self.ends["server" if end == "client" else "client"]
        return lambda: self.ends[end].sendto(head + check + chunk, self.to[end]), into

    def heard(self, into):
        """Others send to this address, too: of IPv4 it has the header."""
        packet = into.recv(4096)
        if into.family == socket.AF_INET:
            packet = packet[(packet[0] & 15) * 4:]
        return struct.unpack_from("!HH", packet) in self.ports.values()

    def from_client(self):
        self.tsn += 1
        return self.sends("client", self.DATA, struct.pack("!IHHI", self.tsn, 0, 0, 0) + b"data")

    def from_server(self):
        return self.sends("server", self.HEARTBEAT, struct.pack("!HHI", 1, 8, 0))

    def close(self):
        for end in self.ends.values():
            end.close()


Sctp = SctpSocket if sctp_has_sockets() else SctpPackets


def judge(kept, ended, when, check):
    going, back = stand(kept), revived(ended)
    for one in kept:
        check(f"{when}: {one.name} goes on", one in going)
    for one in ended:
        check(f"{when}: {one.name} ends", one not in back)


def close(connections):
    for one in connections:
        one.close()
