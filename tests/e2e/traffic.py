# SPDX-License-Identifier: GPL-2.0-or-later
"""New connections without end, in a thread of their own: those that policy never allows must never pass, those that it
always allows must pass at once, and what stands must go on. A connection that needed a packet again was lost for a
moment, and counts as refused."""
import collections
import errno
import itertools
import selectors
import socket
import struct
import threading
import time

EACH = 0.01  # seconds between two attempts of one flow
DENIED_PATIENCE = 0.9  # seconds: before TCP tries again, so that each attempt is one packet
ALLOWED_PATIENCE = 15
CUT = 5  # seconds of silence
RETRANSMITS_AT = 100  # tcpi_total_retrans
# Of each flow, one after the other: when the ports are those of a connection that ended seconds ago, some packets in a
# million are lost, without any rules as well (3 of 483,000 connections, and none of 464,000 with other ports).
PORTS = range(20000, 60000)


class Flow:
    """From (namespace, address) to (namespace, address), both of one family."""

    def __init__(self, name, source, target, port, allowed):
        self.name = name
        self.space, self.source = source
        self.target, self.port, self.allowed = target[1], port, allowed
        self.family = socket.AF_INET6 if ":" in self.target else socket.AF_INET
        self.ports = itertools.cycle(PORTS)
        self.next = 0.0
        self.under_way = collections.OrderedDict()  # socket -> when it began
        self.tried = 0

    def __str__(self):
        return f"{self.name} {self.source} -> {self.target} tcp/{self.port}"


def retransmits(made):
    """TCP tries again by itself: a moment without a way shows only here."""
    info = made.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    return struct.unpack_from("I", info, RETRANSMITS_AT)[0]


def accept(listener):
    """All that have come, and lets them go."""
    try:
        while True:
            listener.accept()[0].close()
    except BlockingIOError:
        pass


def bind(made, source, ports):
    """To the next that is free."""
    while True:
        try:
            made.bind((source, next(ports)))
            return
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise


class Traffic(threading.Thread):
    """From start() to stop(); what went wrong is in `faults`."""

    def __init__(self, flows, servers):
        """servers: (namespace, address, port)."""
        super().__init__(daemon=True)
        self.flows = flows
        self.faults = []
        self.stopping = threading.Event()
        self.selector = selectors.DefaultSelector()
        self.servers = {(address, port): self.listen(space, address, port) for space, address, port in servers}
        self.streams = [self.stream(flow) for flow in flows if flow.allowed]
        self.connected = 0

    def listen(self, space, address, port):
        space.enter()
        made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((address, port))
        made.listen(4096)
        made.setblocking(False)
        self.selector.register(made, selectors.EVENT_READ, None)
        return made

    def stream(self, flow):
        """A connection that is used all the time. Nobody else has connected yet, so it is the one to be accepted."""
        flow.space.enter()
        made = socket.create_connection((flow.target, flow.port), 30, (flow.source, 0))
        server = self.servers[flow.target, flow.port]
        server.setblocking(True)
        accepted = server.accept()[0]
        server.setblocking(False)
        made.setblocking(False)
        accepted.setblocking(False)
        return {"flow": flow, "client": made, "server": accepted, "moved": time.monotonic(), "longest": 0.0}

    def run(self):
        for one in self.streams:
            one["moved"] = time.monotonic()
        while not self.stopping.is_set():
            now = time.monotonic()
            for flow in self.flows:
                if now >= flow.next:
                    self.attempt(flow, now)
            for key, _ in self.selector.select(EACH / 4):
                if key.data is None:
                    accept(key.fileobj)
                else:
                    self.finished(key.data, key.fileobj)
            self.give_up()
            self.move_streams()

    def attempt(self, flow, now):
        flow.space.enter()
        made = socket.socket(flow.family, socket.SOCK_STREAM)
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        bind(made, flow.source, flow.ports)
        made.connect_ex((flow.target, flow.port))
        self.selector.register(made, selectors.EVENT_WRITE, flow)
        flow.under_way[made] = now
        flow.tried += 1
        flow.next = now + EACH

    def drop(self, flow, made):
        self.selector.unregister(made)
        made.close()
        return flow.under_way.pop(made)

    def finished(self, flow, made):
        passed = made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
        again = retransmits(made) if passed else 0
        began = self.drop(flow, made)
        self.connected += passed
        if passed and not flow.allowed:
            self.fault(f"{flow}: passes", began)
        if flow.allowed and (again or not passed):
            self.fault(f"{flow}: {f'{again} packets were lost' if passed else 'is refused'}", began)

    def give_up(self):
        now = time.monotonic()
        for flow in self.flows:
            patience = ALLOWED_PATIENCE if flow.allowed else DENIED_PATIENCE
            while flow.under_way:
                made, began = next(iter(flow.under_way.items()))
                if now - began < patience:
                    break
                self.drop(flow, made)
                if flow.allowed:
                    self.fault(f"{flow}: is dropped", began)

    def fault(self, what, began):
        self.faults.append((began, what))

    def move_streams(self):
        now = time.monotonic()
        for one in self.streams:
            try:
                one["client"].send(b"x" * 100)
            except BlockingIOError:
                pass
            try:
                one["server"].recv(65536)
                one["moved"] = now
            except BlockingIOError:
                one["longest"] = max(one["longest"], now - one["moved"])

    def stop(self):
        """How many attempts there were."""
        self.stopping.set()
        self.join()
        for one in self.streams:
            if one["longest"] > CUT:
                self.fault(f"{one['flow']}: a connection that stands was silent for {one['longest']:.1f} s", one["moved"])
        for flow in self.flows:
            for made in list(flow.under_way):
                self.drop(flow, made)
        for made in [*self.servers.values(), *(one[end] for one in self.streams for end in ("client", "server"))]:
            made.close()
        return sum(flow.tried for flow in self.flows)
