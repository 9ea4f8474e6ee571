#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Recorded cases of others with real packets: a seeded sample of them, routed and bridged, with netpold in every node.

One cluster of two nodes sees one case after the other: pods come and go, manifests are replaced under running daemons,
and then all flows of the case are sent. Each fares as was recorded, and as the evaluator says. CASES (100) how many, SEED
which, MODE routed, bridged or both, CORPORA where they are."""
import glob
import json
import lzma
import os
import random
import signal
import socket
import struct
import sys
import time
import zlib

TOP = os.environ.get("top_srcdir", os.path.join(os.path.dirname(os.path.realpath(__file__)), "../.."))
sys.path[:0] = [os.path.join(TOP, "tests/e2e"), os.path.join(TOP, "tests/oracle")]
sys.dont_write_bytecode = True
import harness  # noqa: E402  (it knows where the lab is)
import corpora  # noqa: E402
import flows  # noqa: E402

NETLINK_NETFILTER, CT_DELETE, NLM_F_REQUEST, NLM_F_ACK = 12, 1 << 8 | 2, 1, 4
NODES = ("n1", "n2")
SECONDS = 3600  # for all of them, at most


def sample(paths, count, seed):
    """As many cases, evenly from all files, without holding them all. In a file's order: steps follow each other."""
    chosen = []
    for path in paths:
        generator = random.Random(f"{seed} {os.path.basename(path)}")
        kept = []
        with lzma.open(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines):
                if len(kept) < -(-count // len(paths)):
                    kept.append((number, line))
                elif (place := generator.randrange(number + 1)) < len(kept):
                    kept[place] = (number, line)
        chosen.append([json.loads(line) for _, line in sorted(kept)])
    return chosen


def forget_connections(space):
    """Else one of the case before, which was allowed, lends its ports to one that is not."""
    space.enter()
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as netlink:
        body = struct.pack("BBH", socket.AF_UNSPEC, 0, 0)
        netlink.send(struct.pack("=IHHII", 16 + len(body), CT_DELETE, NLM_F_REQUEST | NLM_F_ACK, 1, 0) + body)
        error, = struct.unpack_from("=i", netlink.recv(4096), 16)
        if error:
            raise OSError(-error, "cannot forget connections")


class Scene:
    """A cluster, and the case that it is in."""

    def __init__(self, mode, seed):
        self.mode, self.seed = mode, seed
        self.directory = f"/run/{mode}"
        self.plugged = {}  # name and addresses -> what stands for the pod
        self.number = 0
        os.makedirs(self.directory)
        self.put(self.write([]))
        self.lab = harness.cluster.Cluster([], [], f"/run/{mode}-lab", mode == "bridged")
        os.makedirs(self.lab.scratch)
        for node in NODES:
            self.lab.nodes[node] = set()
        self.lab.build(harness.Options(self.directory))

    def write(self, objects):
        """Where nobody follows it yet, with a time at which it is no longer being written."""
        path = f"/run/{self.mode}.json"
        with open(path, "w", encoding="utf-8") as out:
            json.dump({"apiVersion": "v1", "kind": "List", "items": objects}, out)
        os.utime(path, (time.time() - 10,) * 2)
        return path

    def put(self, path):
        os.rename(path, os.path.join(self.directory, "case.json"))

    def pod_of(self, item):
        namespace, name = item["metadata"]["namespace"], item["metadata"]["name"]
        return {"namespace": namespace, "name": name, "interface": None,
                "node": NODES[zlib.crc32(f"{self.seed} {namespace}/{name}".encode()) % len(NODES)],
                "addresses": [one["ip"] for one in item["status"]["podIPs"]]}

    def play(self, case):
        """Its flows: how many there are, and how many fare not as they should."""
        objects, pods = corpora.objects_of(case), {}
        for item in objects:
            if item["kind"] == "Pod":
                spec = self.pod_of(item)
                item["spec"]["nodeName"] = spec["node"]
                pods[spec["namespace"], spec["name"], *spec["addresses"]] = spec
        path = self.write(objects)
        asked = [flows.Flow((case["name"], *corpora.flow_of(probe), probe["expect"]), [])
                 for probe in case["probes"] if not probe.get("loopback")]
        flows.ask(harness.Options(path), asked)
        self.enter(path, pods, {end["address"] for flow in asked for point in flow.points()
                                for end in (point.source, point.target) if end["kind"] == "external"})
        flows.send(self.lab, asked)
        return len(asked), flows.judge(QUIET, asked)

    def enter(self, path, pods, outside):
        """These pods and nobody else, these manifests in the kernel, others at these addresses."""
        for key in [key for key in self.plugged if key not in pods]:
            self.lab.unplug(*self.plugged.pop(key))
        self.lab.change_outside(outside)
        seen = {node: self.reads(node) for node in NODES}
        self.put(path)
        for key, spec in pods.items():
            if key not in self.plugged:
                self.number += 1
                plugged = self.lab.plug(self.lab.spaces["fabric"], spec, self.number)
                self.plugged[key] = (plugged, self.lab.publish(plugged))
        for node in NODES:
            forget_connections(self.lab.spaces[f"node-{node}"])
            harness.wait_for("the manifests are read", lambda node=node: self.reads(node) > seen[node])
            harness.wait_for("the kernel has them", lambda node=node: self.is_through(node))
        self.lab.owners = {address: {"one"} for address in self.lab.where}

    def end(self):
        for agent in self.lab.agents.values():
            agent.stop(signal.SIGTERM)
        for space in self.lab.spaces.values():
            harness.remove(space)

    def reads(self, node):
        with open(self.lab.agents[node].log, encoding="utf-8") as log:
            return sum("read: files" in line for line in log)

    def is_through(self, node):
        status = self.lab.agents[node].status()
        return status and status["kernel"]["upToDate"] and status["pods"]["withDevice"] == self.lab.attached[node]


class QUIET:
    """What judge() is told: differences only."""
    flows, quiet = True, True


def main():
    where = os.environ.get("CORPORA", os.path.join(TOP, "../shared/corpora"))
    paths = sorted(path for path in glob.glob(os.path.join(where, "*.jsonl.xz"))
                   if os.path.basename(path).split(".")[0] not in corpora.OTHER_KINDS)
    if not paths:
        print("needs the recorded cases, where CORPORA names a directory of them: skipped")
        sys.exit(77)
    # The same seed outside and inside of the namespaces.
    seed = os.environ.setdefault("SEED", str(random.SystemRandom().randrange(1 << 32)))
    harness.begin(SECONDS, megabytes=4096)
    print(f"seed {seed}")
    chosen = [case for file in sample(paths, int(os.environ.get("CASES", "100")), seed) for case in file]
    modes = harness.modes()
    played = flows_played = bad = 0
    for turn, mode in enumerate(modes):
        scene = Scene(mode, seed)
        for case in chosen[turn::len(modes)]:
            count, wrong = scene.play(case)
            played, flows_played, bad = played + 1, flows_played + count, bad + bool(wrong)
            if wrong:
                print(f"FAIL {case['name']} step {case['step']} {mode}: {wrong} of {count} flows", flush=True)
        scene.end()
    print(f"{played} recorded cases, {flows_played} flows: {played - bad} cases as recorded, {bad} not")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
