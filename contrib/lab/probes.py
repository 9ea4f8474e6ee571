# SPDX-License-Identifier: GPL-2.0-or-later
"""Real packets: a TCP connection, a UDP datagram, an SCTP INIT, an ICMP echo; each either arrives or does not.

One process holds the sockets of all namespaces: a socket stays in the one where it was made."""
import errno
import os
import selectors
import socket
import struct
import time

BATCH = 200  # probes under way at once
PATIENCE = 0.4  # seconds after the last packet: everything is on this machine
SCTP = 132


class Probe:
    """Through a Service, a packet goes to one place and arrives at one of several."""

    def __init__(self, lab, source, target, protocol, port, expected, front=None):
        self.source, self.target = source["address"], target["address"]
        self.from_space = lab.of_end(source)
        self.protocol, self.port = protocol, port
        self.to = (front.address, front.port) if front else (self.target, port)
        arrivals = [(one.address, one.port) for one in front.backends] if front else [self.to]
        self.arrivals = [(lab.where[address], address, at) for address, at in arrivals]
        self.expected = expected
        self.passed = False
        self.datagram = None  # what was sent, to be sent again
        self.client = None
        self.token = os.urandom(8)


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


CRC32C = []
for byte in range(256):
    for _ in range(8):
        byte = (byte >> 1) ^ 0x82F63B78 if byte & 1 else byte >> 1
    CRC32C.append(byte)


def crc32c(data):
    crc = 0xFFFFFFFF
    for octet in data:
        crc = (crc >> 8) ^ CRC32C[(crc ^ octet) & 0xFF]
    return crc ^ 0xFFFFFFFF


class Exchange:
    """The sockets of a batch and what arrives at them."""

    def __init__(self):
        self.selector = selectors.DefaultSelector()
        self.listeners = {}
        self.waiting = {}  # token or (id) -> probe

    def open(self, space, address, kind, protocol=0):
        space.enter()
        made = socket.socket(family(address), kind, protocol)
        made.setblocking(False)
        return made

    def listen(self, probe):
        if probe.protocol != "icmp":  # the kernel itself answers an echo
            for arrival in probe.arrivals:
                self.listener(probe.protocol, *arrival)

    def listener(self, wanted, space, address, port):
        key = (space.name, address, wanted, port if wanted in ("tcp", "udp") else 0)
        if key in self.listeners:
            return
        kind, protocol = {"tcp": (socket.SOCK_STREAM, 0), "udp": (socket.SOCK_DGRAM, 0),
                          "sctp": (socket.SOCK_RAW, SCTP)}[wanted]
        made = self.open(space, address, kind, protocol)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((address, key[3]))
        if wanted == "tcp":
            made.listen(128)
        else:
            self.selector.register(made, selectors.EVENT_READ, self.datagram)
        self.listeners[key] = made

    def send(self, probe):
        self.waiting[probe.token] = probe
        getattr(self, f"send_{probe.protocol}")(probe)

    def client(self, probe, kind, protocol=0):
        probe.client = self.open(probe.from_space, probe.source, kind, protocol)
        probe.client.bind((probe.source, 0))
        return probe.client

    def send_tcp(self, probe):
        client = self.client(probe, socket.SOCK_STREAM)
        outcome = client.connect_ex(probe.to)
        if outcome == 0:
            probe.passed = True
        elif outcome == errno.EINPROGRESS:
            self.selector.register(client, selectors.EVENT_WRITE, lambda made: self.connected(made, probe))

    def connected(self, client, probe):
        probe.passed = client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
        self.selector.unregister(client)

    def send_udp(self, probe):
        self.try_send(probe, self.client(probe, socket.SOCK_DGRAM), probe.token, probe.to)

    def send_sctp(self, probe):
        """An INIT chunk; the token is its verification tag and initial TSN."""
        chunk = struct.pack("!BBHIIHHI", 1, 0, 20, int.from_bytes(probe.token[:4], "big") or 1, 65536, 1, 1,
                            int.from_bytes(probe.token[4:], "big"))
        header = struct.pack("!HHI", int.from_bytes(os.urandom(2), "big") | 0x8000, probe.to[1], 0)
        crc = struct.pack("<I", crc32c(header + b"\0\0\0\0" + chunk))
        client = self.client(probe, socket.SOCK_RAW, SCTP)
        self.try_send(probe, client, header + crc + chunk, (probe.to[0], 0))

    def send_icmp(self, probe):
        six = family(probe.target) == socket.AF_INET6
        client = self.client(probe, socket.SOCK_RAW, socket.IPPROTO_ICMPV6 if six else socket.IPPROTO_ICMP)
        echo = struct.pack("!BBHHH", 128 if six else 8, 0, 0, int.from_bytes(probe.token[:2], "big"), 1) + probe.token
        if not six:  # the kernel fills in ICMPv6's
            echo = echo[:2] + struct.pack("!H", checksum(echo)) + echo[4:]
        self.selector.register(client, selectors.EVENT_READ, self.reply)
        self.try_send(probe, client, echo, (probe.target, 0))

    @staticmethod
    def try_send(probe, client, data, to):
        probe.datagram = (client, data, to)
        try:
            client.sendto(data, to)
        except OSError:
            pass  # an ICMP error for an earlier packet: it did not pass

    def send_again(self, probes):
        """TCP repeats by itself; a datagram may have been lost while its neighbour was looked for."""
        for probe in probes:
            if probe.datagram and not probe.passed:
                self.try_send(probe, *probe.datagram)

    def datagram(self, listener):
        """Something came where it was sent to: a token in its last or (SCTP) other bytes."""
        try:
            data = listener.recv(2048)
        except OSError:
            return
        probe = self.waiting.get(data)
        if probe is None and len(data) >= 32:
            start = 20 if listener.family == socket.AF_INET else 0  # raw IPv4 sockets see the header
            tag, tsn = data[start + 16:start + 20], data[start + 28:start + 32]
            probe = self.waiting.get(tag + tsn)
        if probe:
            probe.passed = True

    def reply(self, client):
        try:
            data = client.recv(2048)
        except OSError:
            return
        start = 20 if client.family == socket.AF_INET else 0
        probe = self.waiting.get(data[start + 8:start + 16])
        if probe and data[start] in (0, 129):
            probe.passed = True

    def collect(self, seconds):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            for key, _ in self.selector.select(left):
                key.data(key.fileobj)

    def close(self):
        self.selector.close()
        for made in self.listeners.values():
            made.close()
        for probe in self.waiting.values():
            if probe.client:
                probe.client.close()


def run(probes):
    """Sends them in batches; probe.passed tells afterwards."""
    for start in range(0, len(probes), BATCH):
        batch = probes[start:start + BATCH]
        exchange = Exchange()
        for probe in batch:
            exchange.listen(probe)
        for probe in batch:
            exchange.send(probe)
        waited = 0.0
        while waited < PATIENCE and not all(probe.passed or not probe.expected for probe in batch):
            exchange.collect(0.05)
            waited += 0.05
            exchange.send_again(batch)
        exchange.collect(0.1)  # what should not arrive gets its chance
        exchange.close()
