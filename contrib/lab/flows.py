# SPDX-License-Identifier: GPL-2.0-or-later
"""Flows: what netpolctl says of them, what is sent for them, and whether the two agree."""
import collections
import ipaddress
import json
import subprocess
import sys

import drops
import probes

# What is sent: the ends as netpolctl has them, and where it is counted if it does not pass.
Point = collections.namedtuple("Point", "source target protocol port passes dropped_at")


def explain(options, questions):
    """What netpolctl says, an object for each."""
    command = [options.netpolctl, "explain", "-o", "json", "--local-node-egress",
               getattr(options, "local_node_egress", "policy")]
    for path in options.manifests:
        command += ["-f", path]
    done = subprocess.run([*command, "-"], input="".join(f"{line}\n" for line in questions), stdout=subprocess.PIPE,
                          text=True, check=False)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    if len(answers) != len(questions):
        sys.exit("lab: the manifests or the flows have faults")  # netpolctl has told them
    return answers


def read(paths):
    """(place, FROM, TO, PROTO, expectation or None) for each line."""
    found = []
    for path in paths:
        try:
            with open(path, encoding="utf-8") as source:
                lines = source.readlines()
        except (OSError, UnicodeDecodeError) as error:
            sys.exit(f"lab: {path}: {getattr(error, 'strerror', None) or error}")
        for number, line in enumerate(lines, 1):
            words = [word for word in line.split("#")[0].split() if word != "->"]
            if words and (len(words) not in (3, 4) or words[3:] not in ([], ["allow"], ["deny"])):
                sys.exit(f"lab: {path}:{number}: expected FROM -> TO PROTO, and perhaps allow or deny")
            if words:
                found.append((f"{path}:{number}", *words[:3], words[3] if len(words) > 3 else None))
    return found


class Flow:
    """A flow of the list, and all that the evaluator is asked about it: to a Service, one question for each of the
    pods that answer there."""

    def __init__(self, words, fronts):
        self.place, self.source, self.target, self.proto, self.expected = words
        self.front = next((front for front in fronts if front.address == self.target and
                           f"{front.protocol}/{front.port}" == self.proto), None)
        if self.front:
            self.questions = [f"{self.source} -> {backend.address} {self.front.protocol}/{backend.port}"
                              for backend in self.front.backends]
        else:
            self.questions = [f"{self.source} -> {self.target} {self.proto}"]
        self.answers, self.probes = [], []

    def verdict(self):
        verdicts = {answer["verdict"] for answer in self.answers}
        return verdicts.pop() if len(verdicts) == 1 else "some" if verdicts else "deny"

    def points(self):
        """One for each stretch of ports."""
        found = [point for answer in self.answers for point in points(answer)]
        if not self.front:
            return found
        if len({point.passes for point in found}) != 1:
            return []  # one of its pods answers, another does not: chance decides
        return list({point.source["address"]: point for point in found}.values())


def sendable(address):
    """A unicast address that somebody can have; None: nobody knows it yet."""
    value = ipaddress.ip_address(address) if address else None
    return value and not (value.is_multicast or value.is_unspecified or value.is_loopback or value.is_link_local or
                          address == "255.255.255.255")


def dropped_at(pair, stretch):
    """Egress comes first; None: nobody denies it."""
    for direction, end in (("egress", "from"), ("ingress", "to")):
        if (stretch.get(direction) or {}).get("answer") == "no":
            return drops.place(direction, pair[end]["pod"])
    return None


def is_tunnel(pair, protocol, port):
    """What a pod must not send whatever policies say: no node here has a tunnel, so the standard ports."""
    return pair["from"]["kind"] == "pod" and protocol == "udp" and port in (4789, 6081, 8472)


def points(answer):
    for pair in answer["pairs"]:
        if not (sendable(pair["from"]["address"]) and sendable(pair["to"]["address"])):
            continue
        for stretch in pair["ports"]:
            at = dropped_at(pair, stretch)
            if stretch["protocol"] == "other":
                yield Point(pair["from"], pair["to"], "icmp", 0, stretch["answer"] == "yes", at)
            elif stretch["last"] > 0:  # nobody can listen at port 0
                passes = stretch["answer"] == "yes" and not is_tunnel(pair, stretch["protocol"], stretch["last"])
                yield Point(pair["from"], pair["to"], stretch["protocol"], stretch["last"], passes, at)


def describe(probe):
    port = f"/{probe.to[1]}" if probe.protocol != "icmp" else ""
    return f"{probe.source} -> {probe.to[0]} {probe.protocol}{port}"


def ask(options, asked):
    """What netpolctl says of them."""
    questions = [(flow, question) for flow in asked for question in flow.questions]
    for (flow, _), answer in zip(questions, explain(options, [question for _, question in questions])):
        flow.answers.append(answer)


def send(lab, asked):
    """Their packets; how many probes that were."""
    for flow in asked:
        flow.probes = [probes.Probe(lab, point, flow.front) for point in flow.points()
                       if lab.has_one(point.source) and lab.has_one(point.target)]
    sent = [probe for flow in asked for probe in flow.probes]
    probes.run(sent, drops.Drops(lab))
    return len(sent)


def judge(options, asked):
    """Prints a line for each flow and returns how many are wrong."""
    wrong = 0
    for flow in asked:
        differing = [probe for probe in flow.probes if probe.passed != probe.expected or probe.uncounted]
        unexpected = flow.expected not in (None, flow.verdict())
        bad = bool(differing) or unexpected
        wrong += bad
        if bad or (options.flows and not options.quiet):
            passed = sum(probe.passed for probe in flow.probes)
            packets = f"{passed} of {len(flow.probes)} probes passed" if flow.probes else "not sent"
            print(f"{'FAIL' if bad else 'ok  '} {flow.source} -> {flow.target} {flow.proto}: {flow.verdict()}, {packets}")
        if unexpected:
            print(f"     {flow.place} expects {flow.expected}")
        for probe in differing:
            fate = "pass" if probe.passed else "are lost, and not by policy" if probe.uncounted else "are dropped"
            print(f"     packets {fate}: {describe(probe)}")
    return wrong
