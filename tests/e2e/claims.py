#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the node has seen goes before what objects claim. Objects that say that a pod's address is theirs, or that a pod
of this node has an outside host's, change nothing: not the ruleset, not what arrives; whether they come before the pod,
after it, or are there when netpold starts. MODE routed, bridged or both."""
import os
import re
import signal

import harness
import flows
import probes

VICTIM, SERVER, OTHER = ("10.1.0.1", "fd00:1::1"), ("10.1.0.2", "fd00:1::2"), ("10.1.0.3", "fd00:1::3")
LATE, OUTSIDE = ("10.1.0.4", "fd00:1::4"), ("198.51.100.7", "2001:db8::7")
YOUNG = "2026-02-01T00:00:00Z"
FRIENDS = [{"podSelector": {"matchLabels": {"app": "friend"}}}]


class NoDrops:
    """Nobody asks who has dropped what."""

    @staticmethod
    def read():
        return {}


def forged(name, app, addresses, node=harness.NODE, **status):
    """Younger than all others, and running."""
    made = harness.pod(name, {"app": app}, addresses, node)
    made["metadata"]["creationTimestamp"] = YOUNG
    made["status"].update(status)
    return made


def on_host(pod):
    pod["spec"]["hostNetwork"] = True
    return pod


def claims(who, addresses):
    """The subjects of findings."""
    return {f"{who} {address}" for address in addresses}


def attacks():
    """(what, objects, what is found of them)"""
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n2"},
            "status": {"addresses": [{"type": "InternalIP", "address": address} for address in VICTIM]}}
    forger = claims("Pod t/f", VICTIM)
    yield "a pod of another node has the victim's addresses", [forged("f", "friend", VICTIM, "n2")], forger
    yield "a pod of no node has them", [forged("f", "friend", VICTIM, "")], forger
    yield "another pod of this node has them, and no policy", [forged("f", "open", VICTIM)], forger
    yield "another pod of this node has them, and is a friend", [forged("f", "friend", VICTIM)], forger
    yield "a pod on this host's network has them", [on_host(forged("f", "friend", VICTIM))], claims("Node n1", VICTIM)
    yield ("a pod on another host's network has them", [on_host(forged("f", "friend", VICTIM, "n2"))],
           claims("Node n2", VICTIM))
    yield ("a pod has them as its host's", [forged("f", "open", (), "n2", hostIPs=[{"ip": one} for one in VICTIM])],
           claims("Node n2", VICTIM))
    yield "a finished pod has them", [forged("f", "friend", VICTIM, phase="Succeeded")], set()
    yield "a node has them", [node], claims("Node n2", VICTIM)
    forger = claims("Pod t/f", OUTSIDE)
    yield "a pod of this node has an outside host's, and is isolated", [forged("f", "victim", OUTSIDE)], forger
    yield "a pod of this node has an outside host's, and is a friend", [forged("f", "friend", OUTSIDE)], forger
    yield "a pod on this host's network has an outside host's", [on_host(forged("f", "victim", OUTSIDE))], set()
    yield ("pods of this node have each other's", [forged("f", "friend", VICTIM), forged("g", "open", SERVER)],
           claims("Pod t/f", VICTIM) | claims("Pod t/g", SERVER))
    nobodys = ("127.0.0.1", "ff02::1"), ("224.0.0.1", "fe80::1")
    yield ("pods of this node have what nobody may", [forged("f", "victim", nobodys[0]), forged("g", "victim", nobodys[1])],
           claims("Pod t/f", nobodys[0]) | claims("Pod t/g", nobodys[1]))


class Scene:
    """The victim and the server are isolated, and a friend may reach both; there is none."""

    def __init__(self, mode, check):
        self.mode, self.check = mode, check
        self.directory = f"/run/{mode}/manifests"
        harness.write(f"{self.directory}/all.json", self.objects())
        self.lab, self.agent = harness.start(self.directory, mode == "bridged", outside=OUTSIDE, scratch=f"/run/{mode}")
        self.before = self.settled()
        self.passed = self.fate()
        self.expect_scene()

    @staticmethod
    def objects(*more):
        return [harness.pod("victim", {"app": "victim"}, VICTIM), harness.pod("server", {"app": "server"}, SERVER),
                harness.pod("other", {"app": "other"}, OTHER), *more,
                harness.policy("victim", {"app": "victim"}, ingress=[{"from": FRIENDS}]),
                harness.policy("server", {"app": "server"}, ingress=[{"from": FRIENDS}])]

    def settled(self):
        """The ruleset, when all that has been written was read and is enforced."""
        harness.wait_for("all is enforced", lambda: (status := self.agent.status()) and status["kernel"]["upToDate"] and
                         status["files"]["synced"])
        return harness.normal(self.agent.space)

    def peers(self):
        """The addresses that the sets of peers have; other sets have all that pods here are known by."""
        found, inside = set(), False
        for line in self.settled():
            if not line.startswith(" "):
                inside = re.match(r"inet netpold set p[46]_", line)
            elif inside and "element" in line:
                found.update(line.split("element", 1)[1].split())
        return found

    def fate(self):
        """What passes: between pods, and to and from the outside."""
        ends = {"victim": VICTIM, "server": SERVER, "other": OTHER, "outside": OUTSIDE}
        sent = {}
        for source, target in ((a, b) for a in ends for b in ends if a != b):
            for a, b in zip(ends[source], ends[target]):
                point = flows.Point({"address": a}, {"address": b}, "tcp", 80, False, None)
                sent[f"{source} to {target}, {'IPv6' if ':' in a else 'IPv4'}"] = probes.Probe(self.lab, point)
        probes.run(list(sent.values()), NoDrops)
        return {what for what, probe in sent.items() if probe.passed}

    def expect_scene(self):
        open_ones = {f"{source} to {target}, {family}" for family in ("IPv4", "IPv6") for target in ("other", "outside")
                     for source in ("victim", "server", "other", "outside") if source != target}
        self.check(f"{self.mode}: at first", self.passed == open_ones, str(sorted(self.passed ^ open_ones)))

    def reads(self):
        with open(self.agent.log, encoding="utf-8") as log:
            return log.read().count("read: files")

    def write(self, objects):
        """And waits until that has been read; an empty list takes it back."""
        before = self.reads()
        harness.write(f"{self.directory}/forged.json", objects)
        harness.wait_for("it is read", lambda: self.reads() > before)
        return self.settled()

    def unchanged(self, what):
        ruleset = self.settled()
        changed = [line for line in ruleset if line not in self.before] + \
                  [f"-{line}" for line in self.before if line not in ruleset]
        self.check(f"{self.mode}: {what}: the ruleset", ruleset == self.before, "; ".join(changed[:6]))
        passed = self.fate()
        self.check(f"{self.mode}: {what}: packets", passed == self.passed, str(sorted(passed ^ self.passed)))

    def findings(self):
        return {one["subject"] for one in self.agent.status()["findings"]
                if one["id"] in ("address-contested", "address-unseen")}

    def attack(self, what, objects, subjects):
        self.write(objects)
        self.unchanged(what)
        for subject in subjects:
            self.check(f"{self.mode}: {what}: {subject} is found", subject in self.findings(), str(self.findings()))
        if not subjects:
            self.check(f"{self.mode}: {what}: nothing to be found", not self.findings(), str(self.findings()))

    def restart(self, what):
        self.agent.stop(signal.SIGKILL)
        self.agent.start()
        self.agent.wait(3)
        self.unchanged(f"{what}, at a start")

    def late(self):
        """Whose address another claims already: the CNI result comes, then the object."""
        self.write([forged("f", "friend", LATE, "n2")])
        self.check(f"{self.mode}: until there is a pod, another node's may have the address",
                   LATE[0] in self.peers())
        spec = {"namespace": "t", "name": "late", "addresses": LATE, "node": harness.NODE, "interface": None}
        plugged = self.lab.plug(self.lab.spaces["fabric"], spec, 100)
        result = self.lab.publish(plugged)
        harness.wait_for("the result is read", lambda: LATE[0] not in self.peers())
        sent = []
        for a, b in zip(LATE, SERVER):
            sent.append(probes.Probe(self.lab, flows.Point({"address": a}, {"address": b}, "tcp", 80, False, None)))
        probes.run(sent, NoDrops)
        self.check(f"{self.mode}: with its result the late pod is nobody's friend", not any(one.passed for one in sent))
        harness.write(f"{self.directory}/all.json", self.objects(harness.pod("late", {"app": "victim"}, LATE)))
        self.agent.wait(4)
        with_it = self.settled()
        self.write([])
        self.check(f"{self.mode}: the late pod is what it would be alone", with_it == self.settled())
        harness.write(f"{self.directory}/all.json", self.objects())
        self.lab.unplug(plugged, result)
        harness.wait_for("nothing is left of it", lambda: self.settled() == self.before)


def run(mode, check):
    os.makedirs(f"/run/{mode}")
    scene = Scene(mode, check)
    for what, objects, subjects in attacks():
        scene.attack(what, objects, subjects)
    everything = [one | {"metadata": one["metadata"] | {"name": f"{one['metadata']['name']}{number}"}}
                  for number, (_, objects, _) in enumerate(attacks()) for one in objects]
    scene.attack("all of them", everything, {f"Pod t/f0 {VICTIM[0]}", f"Node n2 {VICTIM[1]}", f"Pod t/f9 {OUTSIDE[0]}"})
    scene.restart("all of them")
    scene.write([])
    check(f"{mode}: when all is taken back nothing is found", not scene.findings(), str(scene.findings()))
    scene.late()
    scene.agent.stop(signal.SIGTERM)
    for space in scene.lab.spaces.values():
        harness.remove(space)


if __name__ == "__main__":
    harness.each_mode(run, 240)
