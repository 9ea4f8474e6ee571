#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Table flags owner and persist, under a stream of packets that policy forbids: a foreign `flush ruleset` opens nothing
and still flushes other tables; the daemon ends, is killed, and another adopts what it has left; --cleanup, --once and a
second daemon are told who owns the tables. With table-owner = none, the time until a flush is repaired is measured.

MODE: routed, bridged or both (default)."""
import os
import select
import signal
import socket
import struct
import subprocess
import threading
import time

import harness
import lockdown
from harness import cluster

ADDRESSES = lockdown.ADDRESSES
OWNER, PERSIST = 2, 4  # NFT_TABLE_F_*, linux/netfilter/nf_tables.h
FAMILIES = {"inet": 1, "bridge": 7}  # NFPROTO_*
FLUSHES = 10
OTHERS = "table ip other {\n\tchain c {\n\t\ttype filter hook forward priority 0; policy accept;\n\t}\n}\n"


def attributes(data):
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        yield kind, data[4:length]
        data = data[length + 3 & ~3:]


def table_state(space, family):
    """(flags, port of the owner's socket) of our table; None: there is none."""
    space.enter()
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as netlink:
        name = struct.pack("=HH8s", 12, 1, b"netpold")
        netlink.send(struct.pack("=IHHIIBBH", 20 + len(name), 10 << 8 | 1, 1, 1, 0, FAMILIES[family], 0, 0) + name)
        answer = netlink.recv(8192)
    if struct.unpack_from("=H", answer, 4)[0] == 2:  # NLMSG_ERROR
        return None
    found = dict(attributes(answer[20:struct.unpack_from("=I", answer)[0]]))
    return struct.unpack(">I", found[2])[0], struct.unpack(">I", found[7])[0] if 7 in found else 0


class Scene:
    def __init__(self, mode, check):
        self.mode, self.verdict = mode, check
        self.directory, self.state = f"/run/{mode}/manifests", f"/run/{mode}/state"
        os.makedirs(self.state)
        self.write()
        options = harness.Options(self.directory)
        options.enforce = "later"
        self.lab = cluster.Cluster(cluster.read_pods(options), [], f"/run/{mode}", mode == "bridged")
        self.lab.build(options)
        self.node = self.lab.spaces[f"node-{harness.NODE}"]
        self.a, self.b = (self.lab.where[ADDRESSES[name][0]] for name in "ab")
        self.tables = ["inet", "bridge"] if mode == "bridged" else ["inet"]
        self.agent = None

    def write(self, *more):
        harness.write(f"{self.directory}/all.json", [*lockdown.objects(), *more])

    def start(self, *options):
        chosen = harness.Options(self.directory, "--state-directory", self.state, *options)
        self.lab.agents.clear()
        self.lab.start_agents(chosen)
        self.agent = self.lab.agents[harness.NODE]

    def ready(self):
        self.agent.wait(self.lab.attached[harness.NODE])

    def check(self, what, holds, detail=""):
        self.verdict(f"{self.mode}: {what}", holds, detail)

    def states(self):
        return [table_state(self.node, family) for family in self.tables]

    def owned(self):
        return all(state and state[0] == OWNER | PERSIST and state[1] for state in self.states())

    def orphaned(self):
        return all(state == (PERSIST, 0) for state in self.states())

    def netpold(self, *options):
        self.node.enter()
        return subprocess.run([harness.NETPOLD, *options, "--control", "off"], stderr=subprocess.PIPE, text=True, check=False)

    def nft(self, script):
        self.node.enter()
        return subprocess.run(["nft", "-f", "-"], input=script, stderr=subprocess.PIPE, text=True, check=False)

    def rules(self):
        self.node.enter()
        return "".join(subprocess.run(["nft", "-a", "-s", "list", "table", family, "netpold"], stdout=subprocess.PIPE, text=True,
                                      check=True).stdout.split("{", 1)[1] for family in self.tables)

    def findings(self):
        return {finding["id"] for finding in self.agent.status()["findings"]}

    def end(self):
        self.agent.stop(signal.SIGTERM)
        for space in self.lab.spaces.values():
            harness.remove(space)

    def said(self, words):
        with open(self.agent.log, encoding="utf-8", errors="replace") as log:
            return words in log.read()


class Forbidden:
    """Streams that must not pass, of both families."""

    def __init__(self, scene):
        self.made = [lockdown.listener(scene.b, address, lockdown.DENIED) for address in ADDRESSES["b"]]
        self.streams = [lockdown.Stream(scene.a, source, target, lockdown.DENIED)
                        for source, target in zip(ADDRESSES["a"], ADDRESSES["b"])]

    def __enter__(self):
        for stream in self.streams:
            stream.start()
        self.flow()
        return self

    def flow(self, packets=500):
        """So many more have been sent of each."""
        before = [stream.sent for stream in self.streams]
        harness.wait_for("the streams flow", lambda: all(stream.sent > sent + packets
                                                         for stream, sent in zip(self.streams, before)))

    def heard(self):
        return sum(lockdown.heard(made) for made in self.made)

    def __exit__(self, *_):
        for stream in self.streams:
            stream.over.set()
        for stream in self.streams:
            stream.join()
        for made in self.made:
            made.close()


def foreign_flush(scene, forbidden):
    before = scene.rules()
    for _ in range(FLUSHES):
        scene.check("another program has a table", scene.nft(OTHERS).returncode == 0)
        done = scene.nft("flush ruleset\n")
        scene.check("it flushes the ruleset", done.returncode == 0, done.stderr)
        forbidden.flow(50)
        scene.check("which flushes its own table", "table ip other" not in harness.listing(scene.node, "tables"))
    scene.check("and not a rule of ours", scene.rules() == before)
    for script in ("add rule inet netpold forward accept", "delete table inet netpold", "flush chain inet netpold forward"):
        scene.check(f"refused: {script}", "not permitted" in scene.nft(script + "\n").stderr)
    scene.check("nothing forbidden has passed", not forbidden.heard())
    scene.check("others' listings work", "chain forward" in harness.listing(scene.node, "table", "inet", "netpold") and
                "chain forward" in harness.listing(scene.node, "ruleset"))


def others_are_told(scene):
    owner = f"owned by process {scene.agent.process.pid} (netpold)"
    before = scene.rules()
    for what, options in (("--cleanup", ["--cleanup"]), ("--once", ["--once", "-f", scene.directory, "--node", harness.NODE])):
        done = scene.netpold(*options)
        scene.check(f"{what} is told who owns the table", done.returncode == 1 and owner in done.stderr, done.stderr)
    done = scene.netpold("--lockdown", "--pod-networks", "10.1.0.0/16")
    scene.check("--lockdown leaves rules alone", done.returncode == 0 and "stay as they are" in done.stderr, done.stderr)
    scene.check("none of them changes a rule", scene.rules() == before)


def successor_waits(scene, forbidden):
    """Two at a time: the second is told, and takes over when the first is gone."""
    first, before = scene.agent, scene.rules()
    with open(first.log, "w", encoding="utf-8"):
        pass
    scene.start("--control", f"{scene.state}/second.sock")
    scene.agent.control = f"{scene.state}/second.sock"
    harness.wait_for("the second is told", lambda: scene.said(f"owned by process {first.process.pid} (netpold)"))
    status = scene.agent.status()
    scene.check("it is not up to date", not status["kernel"]["upToDate"] and not status["ready"], str(status["kernel"]))
    first.stop(signal.SIGKILL)
    harness.wait_for("the second owns the tables", scene.owned)
    scene.ready()
    scene.check("and has not written a rule", scene.rules() == before)
    forbidden.flow()
    scene.check("nothing forbidden passes while one follows the other", not forbidden.heard())


def hand_over(scene, forbidden):
    before = scene.rules()
    for word, number in (("SIGTERM", signal.SIGTERM), ("SIGKILL", signal.SIGKILL)):
        scene.agent.stop(number)
        scene.check(f"{word}: the tables stay, without an owner", scene.orphaned(), scene.states())
        scene.check(f"{word}: they can be listed", "chain forward" in harness.listing(scene.node, "table", "inet", "netpold"))
        forbidden.flow()
        scene.start()
        scene.ready()
        scene.check(f"{word}: the next daemon owns them", scene.owned(), scene.states())
        scene.check(f"{word}: and has not written a rule", scene.rules() == before)
        forbidden.flow()
        scene.check(f"{word}: nothing forbidden has passed", not forbidden.heard())


def held(scene, forbidden):
    """Nothing can be committed: the rules of an earlier run are adopted all the same."""
    scene.agent.stop(signal.SIGKILL)
    with open(f"{scene.directory}/broken.json", "w", encoding="utf-8") as out:
        out.write("{")
    scene.start()
    harness.wait_for("rules of an earlier run are held", lambda: scene.said("rules of an earlier run stay"))
    scene.check("held rules have an owner", scene.owned(), scene.states())
    scene.nft("flush ruleset\n")
    forbidden.flow()
    scene.check("a flush does not open what is held", not forbidden.heard())
    os.unlink(f"{scene.directory}/broken.json")
    scene.ready()


def one_socket(scene, forbidden):
    """Whatever happens, it is the same socket that owns the tables."""
    before = scene.states()
    scene.agent.process.send_signal(signal.SIGHUP)
    for number in range(3):
        commits = scene.agent.status()["kernel"]["commits"]
        scene.write(harness.policy("more", {"app": "a"}, egress=[{"ports": [{"port": 7000 + number, "protocol": "UDP"}]},
                                                                 {"to": [{"podSelector": {"matchLabels": {"app": "b"}}}]}]))
        harness.wait_for("a commit", lambda commits=commits: scene.agent.status()["kernel"]["commits"] > commits)
    scene.check("the owner is the same socket", scene.states() == before, f"{before}, {scene.states()}")
    forbidden.flow()
    scene.check("nothing forbidden passes meanwhile", not forbidden.heard())
    scene.write()


def another_user(scene, forbidden):
    scene.agent.stop(signal.SIGTERM)
    scene.start("--user", "nobody", "--state-directory", "off", "--control", f"/run/{scene.mode}/nobody/control.sock")
    scene.agent.control = f"/run/{scene.mode}/nobody/control.sock"
    scene.ready()
    scene.check("as another user it owns the tables", scene.owned(), scene.states())
    one_socket(scene, forbidden)
    scene.nft("flush ruleset\n")
    forbidden.flow()
    scene.check("and a flush opens nothing", not forbidden.heard())


def locked_down(scene):
    scene.agent.stop(signal.SIGTERM)
    scene.check("without a daemon --cleanup works", scene.netpold("--cleanup").returncode == 0 and
                not any(scene.states()), scene.states())
    done = scene.netpold("--lockdown", "--pod-networks", "10.1.0.0/16", "--pod-networks", "fd00:1::/64")
    state = table_state(scene.node, "inet")
    scene.check("--lockdown leaves a table that can be adopted", done.returncode == 0 and state == (PERSIST, 0), state)
    with Forbidden(scene) as forbidden:
        scene.start()
        scene.ready()
        scene.check("the daemon owns it", scene.owned(), scene.states())
        forbidden.flow()
        scene.check("nothing forbidden passes while it takes over", not forbidden.heard())


def made_by_nft(scene):
    """Such a table cannot get the flags: rules are not given up for that, and a finding says so."""
    scene.agent.stop(signal.SIGTERM)
    scene.netpold("--cleanup")
    scene.node.enter()
    text = subprocess.run([harness.NETPOLD, "--dry-run", "-f", scene.directory, "--node", harness.NODE], text=True, check=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    scene.check("nft loads a dry run", scene.nft(text).returncode == 0)
    scene.start()
    scene.ready()
    scene.check("a table that nft has made has no owner", table_state(scene.node, "inet") == (0, 0))
    scene.check("which is a finding", "table-not-owned" in scene.findings(), scene.findings())
    scene.nft("delete table inet netpold\n")
    harness.wait_for("it is made anew, with an owner", scene.owned)
    harness.wait_for("the finding is gone", lambda: "table-not-owned" not in scene.findings())


class Beginnings(threading.Thread):
    """Forbidden datagrams, each from a port of its own, so that each is a connection of its own."""

    def __init__(self, scene):
        super().__init__()
        self.made = lockdown.listener(scene.b, ADDRESSES["b"][0], lockdown.DENIED)
        self.space, self.over, self.sent = scene.a, threading.Event(), 0

    def run(self):
        self.space.enter()
        while not self.over.is_set():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
                out.bind((ADDRESSES["a"][0], 0))
                try:
                    out.sendto(b"x", (ADDRESSES["b"][0], lockdown.DENIED))
                    self.sent += 1
                except OSError:
                    pass

    def heard(self, quiet=0.1):
        """How many arrive until nothing does for so long, and the time from the first to the last."""
        count = first = last = 0
        while select.select([self.made], [], [], quiet)[0]:
            self.made.recv(16)
            last = time.monotonic()
            first = first or last
            count += 1
        return count, last - first


def window(scene):
    """Without an owner: what passes after a flush, and for how long."""
    windows, total = [], 0
    sender = Beginnings(scene)
    sender.start()
    end = time.monotonic() + harness.PATIENCE
    while len(windows) < FLUSHES and time.monotonic() < end:
        repairs = scene.agent.status()["kernel"]["repairs"]
        scene.nft("flush ruleset\n")
        count, seconds = sender.heard()
        harness.wait_for("it is repaired", lambda repairs=repairs: scene.agent.status()["kernel"]["repairs"] > repairs)
        if count:
            windows.append(seconds)
            total += count
    sender.over.set()
    sender.join()
    sender.made.close()
    scene.check("without an owner a flush opens, which shows", windows)
    if windows:
        print(f"{scene.mode}: without an owner {len(windows)} flushes let {total} connections of {sender.sent} begin, for "
              f"{max(windows) * 1000:.1f} ms at most, the median {sorted(windows)[len(windows) // 2] * 1000:.1f} ms")


def run(mode, check):
    scene = Scene(mode, check)
    scene.start("--table-owner", "none")
    scene.ready()
    scene.check("nobody owns a table that is shared", [state and state[0] for state in scene.states()] == [0] * len(scene.tables))
    scene.check("as was asked for, so it is no finding", not scene.findings() & {"table-not-owned", "table-owner-unsupported"})
    window(scene)
    scene.agent.stop(signal.SIGTERM)
    scene.netpold("--cleanup")
    scene.start()
    scene.ready()
    if "table-owner-unsupported" in scene.findings():
        scene.check("a kernel without the flags", [state and state[0] for state in scene.states()] == [0] * len(scene.tables))
        scene.end()
        print(f"needs table flags owner and persist, Linux 6.9: not tested on {os.uname().release}")
        return
    scene.check("the daemon owns its tables", scene.owned(), scene.states())
    others_are_told(scene)
    with Forbidden(scene) as forbidden:
        for step in (foreign_flush, hand_over, successor_waits, held, one_socket, another_user):
            step(scene, forbidden)
    print(f"{mode}: {sum(stream.sent for stream in forbidden.streams)} packets sent to the owned tables")
    locked_down(scene)
    made_by_nft(scene)
    scene.end()


if __name__ == "__main__":
    harness.each_mode(run, 240)
