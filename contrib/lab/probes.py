# SPDX-License-Identifier: GPL-2.0-or-later
"""Real packets: a TCP connection, a UDP datagram, an SCTP INIT, an ICMP echo; each either arrives or does not.

One process holds the sockets of all namespaces: a socket stays in the one where it was made. All that listen are there
before the first packet, which therefore arrives or is denied. What arrives is believed at once; a denial when its pod's
drop counter has it, too."""
import collections
import errno
import itertools
import os
import resource
import selectors
import socket
import struct
import time

BATCH = 1000  # probes under way at once
PATIENCE = 5  # seconds for what should arrive, or be counted: only a disagreement takes as long
QUIET = 0.4  # seconds for what should not arrive and is counted nowhere: everything is on this machine
GRACE = 0.02  # seconds in which what was counted as dropped gets its chance to arrive all the same
AGAIN = 0.2  # seconds after which a datagram is repeated: it may have been lost while a neighbour was looked for
SCTP = 132
# Source ports of connections, each after all others: connection tracking lets a packet that has the ports of one that
# was refused seconds ago pass as a part of it.
PORTS = itertools.cycle(range(20000, 60000))


class Probe:
    """Through a Service, a packet goes to one place and arrives at one of several."""

    def __init__(self, lab, point, front=None):
        source, target, protocol, port = point.source, point.target, point.protocol, point.port
        self.source, self.target = source["address"], target["address"]
        self.from_space = lab.of_end(source)
        self.protocol, self.port = protocol, port
        self.to = (front.address, front.port) if front else (self.target, port)
        arrivals = [(one.address, one.port) for one in front.backends] if front else [self.to]
        self.arrivals = [(lab.where[address], address, at) for address, at in arrivals]
        self.expected = point.passes
        self.dropped_at = None if front else point.dropped_at  # of a Service, chance chooses the pod
        self.passed = False
        self.sent = 0  # packets
        self.datagram = None  # what was sent, to be sent again
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
        self.clients = []
        self.raw_clients = {}
        self.waiting = {}  # token -> probe

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

    def client(self, probe, kind, protocol=0, port=0):
        made = self.open(probe.from_space, probe.source, kind, protocol)
        made.bind((probe.source, port))
        self.clients.append(made)
        return made

    def raw_client(self, probe, protocol):
        """Of a pod's address one is enough: the packets say what they belong to."""
        key = (probe.from_space.name, probe.source, protocol)
        if key not in self.raw_clients:
            self.raw_clients[key] = self.client(probe, socket.SOCK_RAW, protocol)
            if protocol != SCTP:
                self.selector.register(self.raw_clients[key], selectors.EVENT_READ, self.reply)
        return self.raw_clients[key]

    def send_tcp(self, probe):
        client = self.client_at_free_port(probe)
        outcome = client.connect_ex(probe.to)
        probe.sent += 1
        if outcome == 0:
            probe.passed = True
        elif outcome == errno.EINPROGRESS:
            self.selector.register(client, selectors.EVENT_WRITE, lambda made: self.connected(made, probe))

    def connected(self, client, probe):
        probe.passed = client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) in (0, errno.ECONNREFUSED)
        self.selector.unregister(client)

    def send_udp(self, probe):
        self.try_send(probe, self.client(probe, socket.SOCK_DGRAM), probe.token, probe.to)

    def send_sctp(self, probe):
        """An INIT chunk; the token is its verification tag and initial TSN."""
        chunk = struct.pack("!BBHIIHHI", 1, 0, 20, int.from_bytes(probe.token[:4], "big") or 1, 65536, 1, 1,
                            int.from_bytes(probe.token[4:], "big"))
        header = struct.pack("!HHI", int.from_bytes(os.urandom(2), "big") | 0x8000, probe.to[1], 0)
        crc = struct.pack("<I", crc32c(header + b"\0\0\0\0" + chunk))
        client = self.raw_client(probe, SCTP)
        self.try_send(probe, client, header + crc + chunk, (probe.to[0], 0))

    def send_icmp(self, probe):
        six = family(probe.target) == socket.AF_INET6
        client = self.raw_client(probe, socket.IPPROTO_ICMPV6 if six else socket.IPPROTO_ICMP)
        echo = struct.pack("!BBHHH", 128 if six else 8, 0, 0, int.from_bytes(probe.token[:2], "big"), 1) + probe.token
        if not six:  # the kernel fills in ICMPv6's
            echo = echo[:2] + struct.pack("!H", checksum(echo)) + echo[4:]
        self.try_send(probe, client, echo, (probe.target, 0))

    def client_at_free_port(self, probe):
        """Bound at once: between a look and another bind somebody else may take the port."""
        while True:
            made = self.open(probe.from_space, probe.source, socket.SOCK_STREAM)
            try:
                made.bind((probe.source, next(PORTS)))
            except OSError:  # somebody has it
                made.close()
                continue
            self.clients.append(made)
            return made

    @staticmethod
    def try_send(probe, client, data, to):
        probe.datagram = (client, data, to)
        try:
            client.sendto(data, to)
            probe.sent += 1
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
        for made in [*self.listeners.values(), *self.clients]:
            made.close()


def unaccounted(batch, before, after):
    """Places where fewer packets were dropped than were to be: what could not even be sent is missing, too."""
    wanted = collections.Counter()
    for probe in batch:
        if probe.dropped_at and not probe.expected:
            wanted[probe.dropped_at] += max(probe.sent, 1)
    return {where for where, packets in wanted.items() if after[where] - before[where] < packets}


def settle(exchange, batch, drops, before):
    """Waits until all that should arrive has, and all else has been counted as dropped."""
    began = time.monotonic()
    again = began + AGAIN
    silent = any(not probe.expected and not probe.dropped_at for probe in batch)
    while (now := time.monotonic()) < began + PATIENCE:
        missing = [probe for probe in batch if probe.expected and not probe.passed]
        uncounted = [] if missing else unaccounted(batch, before, drops.read())
        if not missing and not uncounted and not (silent and now < began + QUIET):
            break
        exchange.collect(0.01)
        if now >= again:
            again = now + AGAIN
            exchange.send_again(missing)
    exchange.collect(GRACE)
    uncounted = unaccounted(batch, before, drops.read())
    for probe in batch:
        probe.uncounted = probe.dropped_at in uncounted and not probe.expected


def run(probes, drops):
    """Sends them in batches; probe.passed tells afterwards, and probe.uncounted where a denial is not to be believed."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    for start in range(0, len(probes), BATCH):
        batch = probes[start:start + BATCH]
        exchange = Exchange()
        for probe in batch:
            exchange.listen(probe)
        before = drops.read()
        for probe in batch:
            exchange.send(probe)
        settle(exchange, batch, drops, before)
        exchange.close()
