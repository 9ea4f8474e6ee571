#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A pod's first packet. Its labels are known, its address is published by nobody; then its CNI plugin has answered, and
a kubelet goes on to start its containers without waiting. From before that on, the pod sends where it may not, and
somebody outside sends where it may not, each packet a new connection, one a millisecond. What still passes is measured
from the moment of the result; after AFTER_MS (50, ten times that on an emulated machine) nothing does, and what is allowed
passes.

PODS (12) of each mode, one after the other; MODE routed, bridged or both (default)."""
import os
import selectors
import socket
import statistics
import struct
import time

import harness

PODS = int(os.environ.get("PODS", "12"))
AFTER = float(os.environ.get("AFTER_MS", "50")) / 1000 * harness.TIME_FACTOR
EACH = 0.001
SERVER = ("10.1.0.1", "fd00:1::1")
OUTSIDE = ("198.51.100.7", "2001:db8::7")
ALLOWED, DENIED = 80, 81
OUT, IN = 0, 1  # from the pod, to the pod


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


class Blast:
    """Datagrams each from a socket of its own, and who hears them. What arrives says when it was sent."""

    def __init__(self):
        self.selector = selectors.DefaultSelector()
        self.heard = []  # (direction, port, when it was sent)
        self.stall = 0.0  # the longest time in which the machine did not let us send
        self.flows = []

    def add(self, source, target, port, direction):
        """From and to (namespace, address)."""
        space, address = target
        space.enter()
        made = socket.socket(family(address), socket.SOCK_DGRAM)
        made.bind((address, port))
        made.setblocking(False)
        self.selector.register(made, selectors.EVENT_READ, (direction, port))
        self.flows.append((*source, address, port))

    def send_all(self):
        for space, source, target, port in self.flows:
            space.enter()
            with socket.socket(family(source), socket.SOCK_DGRAM) as made:
                made.bind((source, 0))
                try:
                    made.sendto(struct.pack("d", time.monotonic()), (target, port))
                except OSError:
                    pass  # an interface that is not up yet: it did not pass

    def hear(self, seconds):
        for key, _ in self.selector.select(seconds):
            try:
                self.heard.append((*key.data, struct.unpack("d", key.fileobj.recv(64))[0]))
            except BlockingIOError:
                pass

    def go_on(self, seconds):
        last = time.monotonic()
        end = last + seconds
        while last < end:
            self.send_all()
            while self.selector.select(0):
                self.hear(0)
            time.sleep(max(0, last + EACH - time.monotonic()))
            now = time.monotonic()
            self.stall = max(self.stall, now - last - EACH)
            last = now
        while self.selector.select(0.02):
            self.hear(0)

    def close(self):
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()
        self.selector.close()


def one_pod(lab, number, check, mode):
    addresses = [f"10.1.1.{number}", f"fd00:1:1::{number:x}"]
    spec = {"namespace": "t", "name": f"late-{number}", "addresses": addresses, "node": harness.NODE, "interface": None}
    plugged = lab.plug(lab.spaces["fabric"], spec, 100 + number)
    blast = Blast()
    for own, server, outside in zip(addresses, SERVER, OUTSIDE):
        for port in (ALLOWED, DENIED):
            blast.add((plugged.space, own), (lab.where[server], server), port, OUT)
            blast.add((lab.where[outside], outside), (plugged.space, own), port, IN)
    blast.go_on(0.03)
    before = len(blast.heard)
    since = time.monotonic()
    result = lab.publish(plugged)
    blast.go_on(AFTER + 0.15)
    blast.close()
    window = max((sent - since for _, port, sent in blast.heard if port == DENIED and sent > since), default=0)
    limit = AFTER + blast.stall  # who was not let run, could not see it either
    check(f"{mode} pod {number}: before its result it is heard", before > 0)
    check(f"{mode} pod {number}: nothing forbidden passes {limit * 1000:.0f} ms after its result", window < limit,
          f"{window * 1000:.1f} ms")
    for direction, word in ((OUT, "from"), (IN, "to")):
        late = [sent for way, port, sent in blast.heard if (way, port) == (direction, ALLOWED) and sent > since + AFTER]
        check(f"{mode} pod {number}: what is allowed {word} it passes", late)
    lab.unplug(plugged, result)
    return window


def run(mode, check):
    directory = f"/run/{mode}/manifests"
    allow = [{"port": ALLOWED, "protocol": "UDP"}]
    harness.write(f"{directory}/all.json", [
        harness.pod("server", {"app": "server"}, SERVER),
        *(harness.pod(f"late-{number}", {"app": "late"}) for number in range(1, PODS + 1)),
        harness.policy("late", {"app": "late"}, ingress=[{"ports": allow}],
                       egress=[{"to": [{"podSelector": {"matchLabels": {"app": "server"}}}], "ports": allow}])])
    lab, agent = harness.start(directory, mode == "bridged", outside=OUTSIDE, scratch=f"/run/{mode}")
    windows = [one_pod(lab, number, check, mode) * 1000 for number in range(1, PODS + 1)]
    print(f"{mode}: from the result until nothing forbidden passes, {PODS} pods: median {statistics.median(windows):.1f} "
          f"ms, longest {max(windows):.1f} ms")
    agent.stop(15)
    for space in lab.spaces.values():
        harness.remove(space)


if __name__ == "__main__":
    harness.each_mode(run)
