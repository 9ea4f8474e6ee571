#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Pods whose network stands and that no source knows: --unknown-pods=drop closes them from the moment when the CNI result
is there, allow leaves them open; both until their object is read. MODE routed, bridged or both."""
import os
import signal

import harness
import flows
import probes

SECONDS = 120
OLD, NEW, OUTSIDE = ["10.1.1.1", "fd00:1:1::1"], ["10.1.1.2", "fd00:1:1::2"], ["198.18.0.1", "2001:2::1"]
SPEC = {"namespace": "t", "name": "new", "addresses": NEW, "node": harness.NODE, "interface": None}


class NoDrops:
    """These pods' drops are counted under no name."""

    @staticmethod
    def read():
        return {}


def fate(lab):
    """What passes to and from the new pod, and all that was tried."""
    ways = {"from old": (OLD, NEW), "to old": (NEW, OLD), "from outside": (OUTSIDE, NEW), "to outside": (NEW, OUTSIDE)}
    sent = {}
    for way, (sources, targets) in ways.items():
        for source, target in zip(sources, targets):
            for protocol in ("tcp", "udp", "icmp"):
                point = flows.Point({"address": source}, {"address": target}, protocol, 80, False, None)
                sent[way, protocol, source] = probes.Probe(lab, point)
    probes.run(list(sent.values()), NoDrops)
    return {way for way, probe in sent.items() if probe.passed}, set(sent)


def known(directory, *pods):
    harness.write(os.path.join(directory, "pods.json"), [harness.pod("old", {"app": "old"}, OLD), *pods])


def scene(check, mode, word):
    directory = f"/run/{mode}-{word}"
    known(directory)
    os.makedirs(directory + "-lab")
    lab, agent = harness.start(directory, mode == "bridged", "--unknown-pods", word, outside=OUTSIDE,
                               scratch=directory + "-lab")
    plugged = lab.plug(lab.spaces["fabric"], SPEC, 100)
    result = lab.publish(plugged)

    def closed():
        return "t/new" in harness.listing(agent.space, "ruleset")

    def settled(endpoints, withdevice):
        status = agent.status()
        return status and status["kernel"]["upToDate"] and (status["pods"]["here"], status["pods"]["withDevice"]) == (
            endpoints, withdevice)

    if word == "drop":
        harness.wait_for("the unknown pod is closed", closed)
    passed, all_ways = fate(lab)
    check(f"{mode} {word}: an unknown pod", passed == (set() if word == "drop" else all_ways), sorted(passed))
    known(directory, harness.pod("new", {"app": "new"}))
    harness.wait_for("it is known", lambda: settled(2, 2))
    passed, _ = fate(lab)
    check(f"{mode} {word}: known, and no policy selects it", passed == all_ways, sorted(all_ways - passed))
    known(directory)
    harness.wait_for("it is gone", lambda: settled(1, 1))
    if word == "drop":
        harness.wait_for("it is closed again", closed)
    passed, _ = fate(lab)
    check(f"{mode} {word}: unknown again", passed == (set() if word == "drop" else all_ways), sorted(passed))
    lab.unplug(plugged, result)
    harness.wait_for("nothing is left of it", lambda: not closed())
    agent.stop(signal.SIGTERM)
    for space in lab.spaces.values():
        harness.remove(space)


def main():
    harness.begin(SECONDS)
    check = harness.Checks()
    for mode in harness.modes():
        for word in ("drop", "allow"):
            scene(check, mode, word)
    check.end()


main()
