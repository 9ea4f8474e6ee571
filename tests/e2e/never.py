#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Never open, never cut: connections are tried every few milliseconds while policies change, pods come and go, the
daemon is killed and started again, manifests break and directories disappear. No forbidden one ever passes, no allowed
one is refused, and those that stand live on. Others' changes to our tables are the one exception: what passes until
they are put right is measured.

NEVER_SECONDS (20) how long; SEED what happens when; MODE routed, bridged or both (default)."""
import collections
import difflib
import itertools
import json
import os
import random
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import harness  # noqa: E402
import traffic  # noqa: E402
from harness import canonical, cluster  # noqa: E402

OTHERS = "table inet others {\n chain c {\n type filter hook forward priority 10;\n }\n}\n"
EACH = 0.004  # seconds between two attempts of one probe
PATIENCE = 1.0  # seconds in which an allowed connection must stand
REPAIR = 0.1  # seconds that a repair may take

# Never changed: a may reach b at 80 and never at 81; c is a client of b that policy never allows; d is not isolated;
# of the outside, one address may reach b at 80 and the other may not.
FIXED = """
apiVersion: v1
kind: Namespace
metadata: {name: t}
---
%s
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: fixed, namespace: t}
spec:
  podSelector: {matchLabels: {app: b}}
  ingress: [{from: [{podSelector: {matchLabels: {app: a}}}, {ipBlock: {cidr: 198.51.100.0/25}},
                    {ipBlock: {cidr: '2001:db8::/64'}}], ports: [{port: 80}]}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: fixed-egress, namespace: t}
spec:
  podSelector: {matchLabels: {app: c}}
  policyTypes: [Egress]
  egress: [{to: [{podSelector: {matchLabels: {app: d}}}], ports: [{port: 80}]}]
"""
CONFIG_MAP = """apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: fixed-a, namespace: t}
spec:
  podSelector: {matchLabels: {app: a}}
  ingress: []
"""
POD = """apiVersion: v1
kind: Pod
metadata: {name: %s, namespace: t, labels: {app: %s%s}}
spec: {nodeName: n1}
status: {phase: Running, podIPs: [{ip: %s}, {ip: '%s'}]}
---
"""
ADDRESSES = {name: (f"10.1.0.{i}", f"fd00:1::{i}") for i, name in enumerate("abcd", 10)}
PODS = tuple(ADDRESSES)
OUTSIDE = {"friend": ("198.51.100.7", "2001:db8::7"), "stranger": ("198.51.100.200", "2001:db8:1::7")}
ADDRESSES.update(OUTSIDE)
# (from, to, port, does policy let it pass)
FLOWS = [("a", "b", 80, True), ("a", "b", 81, False), ("c", "b", 80, False), ("d", "b", 80, False),
         ("c", "d", 80, True), ("c", "d", 81, False), ("c", "a", 80, False), ("a", "d", 81, True),
         ("friend", "b", 80, True), ("friend", "b", 81, False), ("stranger", "b", 80, False), ("c", "friend", 80, False)]


def pod(name, more=""):
    return POD % (name, name, more, *ADDRESSES[name])


class Options:
    netpold = os.path.abspath(os.path.join(os.environ.get("top_builddir", "."), "netpold"))
    netpolctl = os.path.abspath(os.path.join(os.environ.get("top_builddir", "."), "netpolctl"))
    enforce = "daemon"
    netpold_options = ["--commit-interval", "10"]

    def __init__(self, *manifests):
        self.manifests = list(manifests)


class Probe:
    """One flow, tried again and again: each time a new connection."""

    def __init__(self, lab, flow, family):
        self.source, self.target, self.port, self.expected = flow
        self.family = family
        self.space = lab.where[ADDRESSES[self.source][family]]
        self.ports = itertools.cycle(traffic.PORTS)
        self.next = 0.0
        self.under_way = collections.OrderedDict()  # socket -> when it began
        self.passed = self.tried = 0

    def __str__(self):
        return f"{self.source} -> {self.target} tcp/{self.port} over IPv{4 if self.family == 0 else 6}"

    def try_one(self, selector, now):
        self.space.enter()
        made = socket.socket(socket.AF_INET6 if self.family else socket.AF_INET, socket.SOCK_STREAM)
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        traffic.bind(made, ADDRESSES[self.source][self.family], self.ports)
        made.connect_ex((ADDRESSES[self.target][self.family], self.port))
        selector.register(made, selectors.EVENT_WRITE, self)
        self.under_way[made] = now
        self.tried += 1
        self.next = now + EACH

    def finish(self, selector, made):
        selector.unregister(made)
        del self.under_way[made]
        made.close()


class Traffic:
    def __init__(self, lab):
        self.selector = selectors.DefaultSelector()
        self.faults = []
        self.holes = []  # (from, until) in which others had changed our tables
        self.through_holes = 0
        self.listeners = [self.listen(lab, name, family, port) for name in ADDRESSES for family in (0, 1)
                          for port in (80, 81)]
        self.probes = [Probe(lab, flow, family) for flow in FLOWS for family in (0, 1)]
        self.streams = [self.stream(lab, family) for family in (0, 1)]

    def listen(self, lab, name, family, port):
        address = ADDRESSES[name][family]
        lab.where[address].enter()
        made = socket.socket(socket.AF_INET6 if family else socket.AF_INET, socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((address, port))
        made.listen(1024)
        made.setblocking(False)
        self.selector.register(made, selectors.EVENT_READ, None)
        return made

    def stream(self, lab, family):
        """A connection that was allowed once and is used all the time."""
        lab.where[ADDRESSES["a"][family]].enter()
        made = socket.create_connection((ADDRESSES["b"][family], 80), timeout=10)
        server = next(one for one in self.listeners if one.getsockname()[0] == ADDRESSES["b"][family] and
                      one.getsockname()[1] == 80)
        end = time.monotonic() + 10
        while True:
            try:
                accepted = server.accept()[0]
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise
        made.setblocking(False)
        accepted.setblocking(False)
        return {"client": made, "server": accepted, "sent": 0, "got": 0, "moved": time.monotonic(), "longest": 0.0}

    def turn(self, seconds):
        """Traffic for so long."""
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            for probe in self.probes:
                if now >= probe.next:
                    probe.try_one(self.selector, now)
            for key, _ in self.selector.select(EACH / 2):
                if key.data is None:
                    traffic.accept(key.fileobj)
                else:
                    self.connected(key.data, key.fileobj)
            self.give_up()
            self.move_streams()

    def in_hole(self, began, ended):
        return any(began <= until and ended >= since for since, until in self.holes)

    def connected(self, probe, made):
        code = made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        lost = traffic.retransmits(made) if code == 0 else 0
        began = probe.under_way[made]
        probe.finish(self.selector, made)
        if code == 0:
            probe.passed += 1
            if probe.expected and lost and not self.in_hole(began, time.monotonic()):
                self.faults.append(f"{probe}: cut, it took {lost + 1} attempts, begun at {began:.3f}")
        if code == 0 and not probe.expected:
            if self.in_hole(began, time.monotonic()):
                self.through_holes += 1
            else:
                self.faults.append(f"{probe}: passes, at {time.monotonic():.3f}")

    def give_up(self):
        now = time.monotonic()
        for probe in self.probes:
            patience = PATIENCE + 3 if probe.expected else PATIENCE
            while probe.under_way:
                made, began = next(iter(probe.under_way.items()))
                if now - began < patience:
                    break
                probe.finish(self.selector, made)
                if probe.expected and not self.in_hole(began, now):
                    self.faults.append(f"{probe}: refused, begun at {began:.3f}")

    def move_streams(self):
        for one in self.streams:
            try:
                one["sent"] += one["client"].send(b"x" * 100)
            except BlockingIOError:
                pass
            try:
                one["got"] += len(one["server"].recv(65536))
                one["moved"] = time.monotonic()
            except BlockingIOError:
                one["longest"] = max(one["longest"], time.monotonic() - one["moved"])

    def close(self):
        for one in self.streams:
            if one["got"] == 0 or one["longest"] > 3:
                self.faults.append(f"a connection that stands was cut: {one['got']} bytes, "
                                   f"silent for {one['longest']:.2f} s")


class World:
    """The manifests, the cluster, and what happens to them."""

    def __init__(self, scratch, bridged, seed):
        self.random = random.Random(seed)
        self.directory = os.path.join(scratch, "manifests")
        os.mkdir(self.directory)
        self.more = {}  # file -> text
        self.write("fixed.yaml", FIXED % "".join(pod(name) for name in PODS))
        self.config_map = os.path.join(scratch, "config-map")
        os.mkdir(self.config_map)
        self.versions = 0
        self.swap_config_map()
        os.symlink("..data/policies.yaml", os.path.join(self.config_map, "policies.yaml"))
        self.late = []  # pods that came later, and their results
        self.names = 0
        self.options = Options(self.directory, self.config_map)
        # With an owner others cannot do harm, without one it is repaired: the seed decides, as for the mode.
        self.options.netpold_options = [*Options.netpold_options, "--table-owner", "none" if seed & 2 else "self"]
        pods = cluster.read_pods(self.options)
        ends = [{"kind": "external", "address": address} for pair in OUTSIDE.values() for address in pair]
        self.lab = cluster.Cluster(pods, ends, scratch, bridged)
        self.lab.build(self.options)
        self.lab.enforce(self.options)
        self.agent = self.lab.agents["n1"]
        self.space = self.lab.spaces["node-n1"]
        self.space.run(["nft", "-f", "-"], OTHERS)
        self.others = self.list("inet", "others")
        self.happened = collections.Counter()
        self.repairs = []
        self.journal = []  # when what happened

    def write(self, name, text):
        """As editors save."""
        path = os.path.join(self.directory, name)
        with open(path + "~", "w", encoding="utf-8") as out:
            out.write(text)
        os.rename(path + "~", path)

    def list(self, family, table):
        self.space.enter()
        return subprocess.run(["nft", "list", "table", family, table], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True, check=False).stdout

    def policy(self):
        """Whatever: none of it touches the fixed flows."""
        r = self.random
        subjects = ["{matchExpressions: [{key: app, operator: In, values: [a, d]}]}", "{matchLabels: {app: a}}",
                    "{matchLabels: {app: d}}", "{matchLabels: {extra: x}}"]
        peers = r.choice(["[{podSelector: {matchLabels: {app: a}}}]", "[{ipBlock: {cidr: 192.0.2.0/24}}]",
                          "[{podSelector: {matchLabels: {extra: x}}}, {ipBlock: {cidr: 198.51.100.0/24}}]"])
        ports = ", ".join(f"{{port: {r.randrange(1000, 2000)}}}" for _ in range(r.randrange(1, 14)))
        name = f"p{r.randrange(6)}"
        return name, f"""apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: {name}, namespace: t}}
spec:
  podSelector: {{matchLabels: {{app: b}}}}
  ingress: [{{from: {peers}, ports: [{ports}]}}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: {name}-e, namespace: t}}
spec:
  podSelector: {r.choice(subjects)}
  policyTypes: [Egress]
  egress: [{{to: [{{podSelector: {{matchExpressions: [{{key: app, operator: In, values: [b, d]}}]}}}}], ports: [{{port: 80}}]}},
           {{to: [{{podSelector: {{matchLabels: {{app: d}}}}}}], ports: [{{port: 81}}, {{port: {r.randrange(3000, 4000)}}}]}}]
"""

    # What happens. None of it changes what the flows may do.

    def change_policy(self):
        name, text = self.policy()
        self.more[f"{name}.yaml"] = text
        self.write(f"{name}.yaml", text)

    def drop_policy(self):
        if self.more:
            name = self.random.choice(sorted(self.more))
            del self.more[name]
            os.unlink(os.path.join(self.directory, name))

    def relabel(self):
        more = {name: self.random.choice(["", ", extra: x", ", extra: z"]) if name != "c" else "" for name in PODS}
        self.write("fixed.yaml", FIXED % "".join(pod(name, more[name]) for name in PODS))

    def break_a_file(self):
        path = os.path.join(self.directory, "fixed.yaml")
        with open(path, "a", encoding="utf-8") as out:
            out.write("---\n  bad: [")

    def half_written(self):
        """Truncated and written again, slowly, in place."""
        path = os.path.join(self.directory, "fixed.yaml")
        text = FIXED % "".join(pod(name) for name in PODS)
        with open(path, "w", encoding="utf-8") as out:
            out.write(text[:self.random.randrange(len(text))])
            out.flush()
            self.traffic.turn(0.03)
            out.seek(0)
            out.truncate()
            out.write(text)

    def lose_directory(self):
        os.rename(self.directory, self.directory + ".away")
        self.traffic.turn(0.3)
        os.rename(self.directory + ".away", self.directory)

    def other_pods(self):
        """Of another node, by the hundred."""
        n = self.random.randrange(0, 300)
        self.write("others.json", json.dumps({"apiVersion": "v1", "kind": "List", "items": [
            {"apiVersion": "v1", "kind": "Pod",
             "metadata": {"name": f"x{i}", "namespace": "t", "labels": {"app": "x", "extra": "x"}},
             "spec": {"nodeName": "n2"}, "status": {"phase": "Running", "podIPs": [{"ip": f"10.9.{i // 250}.{i % 250 + 1}"}]}}
            for i in range(n)]}))

    def swap_config_map(self):
        """As the kubelet does it: the old and the new version stand beside each other, and one link is swapped."""
        self.versions += 1
        version = os.path.join(self.config_map, f"..{self.versions}")
        os.mkdir(version)
        with open(os.path.join(version, "policies.yaml"), "w", encoding="utf-8") as out:
            out.write(CONFIG_MAP + "---\n" + self.policy()[1].replace("name: p", "name: cm"))
        os.symlink(os.path.basename(version), os.path.join(self.config_map, "..data_tmp"))
        os.rename(os.path.join(self.config_map, "..data_tmp"), os.path.join(self.config_map, "..data"))
        if self.versions > 1:
            shutil.rmtree(os.path.join(self.config_map, f"..{self.versions - 1}"))

    def pod_comes(self):
        """Known by labels that isolate it, or not known at all."""
        self.names += 1
        number = self.names % 200 + 1
        addresses = (f"10.1.1.{number}", f"fd00:1:1::{number:x}")
        spec = {"namespace": "t", "name": f"late-{self.names}", "addresses": addresses, "node": "n1", "interface": None}
        if self.random.random() < 0.7:
            self.write("late.yaml", POD % (spec["name"], "b", "", *addresses))
        plugged = self.lab.plug(self.lab.spaces["fabric"], spec, 100 + self.names)
        self.late.append((plugged, self.lab.publish(plugged)))

    def pod_goes(self):
        if self.late:
            self.lab.unplug(*self.late.pop(self.random.randrange(len(self.late))))

    def kill(self):
        self.agent.stop(signal.SIGKILL)
        self.traffic.turn(self.random.random() * 0.2)
        self.agent.start()

    def restart(self):
        self.agent.stop(signal.SIGTERM)
        self.agent.start()

    def hang_up(self):
        self.agent.process.send_signal(signal.SIGHUP)

    def sabotage(self):
        """What passes until it is put right is the saboteur's."""
        wish = self.random.choice(["flush ruleset", "delete table inet netpold", "flush chain inet netpold forward",
                                   "insert rule inet netpold forward accept", "insert rule inet netpold to_pod accept",
                                   f"flush map inet netpold ingress_{'ip4' if self.lab.bridged else 'if'}"])
        self.relabel()  # started with a broken file, netpold holds what an earlier run enforced, and does not know more
        self.agent.wait(0)
        if "flags owner" in self.list("inet", "netpold"):
            self.refused(wish)
            return
        repairs = self.agent.status()["kernel"]["repairs"]
        since = time.monotonic()
        self.traffic.holes.append((since, float("inf")))
        self.space.enter()
        done = subprocess.run(["nft", "-f", "-"], input=wish + "\n", text=True, check=False, stderr=subprocess.DEVNULL)
        changed = time.monotonic()
        while done.returncode == 0:
            status = self.agent.status()
            if status and status["kernel"]["repairs"] > repairs and status["kernel"]["upToDate"]:
                break
            if time.monotonic() - changed > 10:
                self.traffic.faults.append(f"sabotage is not put right: {wish}")
                break
        until = time.monotonic()
        if done.returncode == 0:
            self.repairs.append(until - changed)
        self.traffic.holes[-1] = (since, until)
        if wish == "flush ruleset":
            self.space.run(["nft", "-f", "-"],
                           OTHERS)

    def refused(self, wish):
        """The daemon owns its tables: this harms nobody but others."""
        self.space.enter()
        done = subprocess.run(["nft", "-f", "-"], input=wish + "\n", text=True, check=False, stderr=subprocess.DEVNULL)
        if (done.returncode == 0) != (wish == "flush ruleset"):
            self.traffic.faults.append(f"not refused, or no flush: {wish}")
        if done.returncode == 0:
            self.space.run(["nft", "-f", "-"], OTHERS)
        self.happened["refused"] += 1

    def run(self, seconds):
        self.traffic = Traffic(self.lab)
        events = [self.change_policy] * 8 + [self.drop_policy] * 3 + [self.relabel] * 3 + [self.other_pods] * 2 + [
            self.break_a_file, self.half_written, self.lose_directory, self.kill, self.kill, self.restart, self.hang_up,
            self.sabotage, self.sabotage] + [self.swap_config_map] * 3 + [self.pod_comes] * 3 + [self.pod_goes] * 3
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            event = self.random.choice(events)
            self.happened[event.__name__] += 1
            self.journal.append(f"{time.monotonic():.3f} {event.__name__}")
            event()
            self.traffic.turn(self.random.random() * 0.25)
        self.relabel()
        self.traffic.turn(1.0)
        self.agent.wait(4)
        self.traffic.turn(0.5)
        self.traffic.close()
        self.compare()

    @staticmethod
    def without_cuts(listing):
        """The connections that were cut meanwhile are remembered; a fresh start knows of none."""
        lines, skip = [], ""
        for line in canonical.canonical(listing):
            if not line.startswith(" "):
                # The chain is there only while a connection to the node itself has been cut.
                skip = "  " if line.endswith(" chain output") else "  element" if " set cut_ip" in line else "-"
                if skip == "  ":
                    continue
            if not line.startswith(skip):
                lines.append(line)
        return lines

    def compare(self):
        """After all that: what a fresh start makes, and others' tables as they were."""
        tables = [self.list("inet", "netpold")]
        if self.list("inet", "others") != self.others:
            self.traffic.faults.append("a foreign table is not as it was")
        self.agent.stop(signal.SIGTERM)
        self.space.run([Options.netpold, "--cleanup"])
        self.agent.start()
        self.agent.wait(4)
        fresh = [self.list("inet", "netpold")]
        for mine, theirs in zip(tables, fresh):
            mine, theirs = self.without_cuts(mine), self.without_cuts(theirs)
            if mine != theirs:
                self.traffic.faults.append("the table is not that of a fresh start")
                print("\n".join(difflib.unified_diff(mine, theirs, lineterm="")))


def run(mode, seconds, seed):
    with tempfile.TemporaryDirectory(dir="/run") as scratch:  # gone with our mounts
        world = World(scratch, mode == "bridged", seed)
        world.run(seconds)
        seen = world.traffic
        tried = sum(probe.tried for probe in seen.probes)
        for fault in seen.faults[:20]:
            print("FAIL", fault)
        if seen.faults:
            print("\n".join(world.journal))
            with open(world.agent.log, encoding="utf-8", errors="replace") as log:
                sys.stdout.write("".join(log.readlines()[-60:]))
        longest = max(world.repairs, default=0)
        if longest > REPAIR:
            print(f"note: the longest repair took {longest * 1000:.0f} ms as seen from outside")
        print(f"{mode}: {tried} connections, {sum(world.happened.values())} events "
              f"({', '.join(f'{name} {n}' for name, n in sorted(world.happened.items()))}); repairs "
              f"{len(world.repairs)}, the longest {longest * 1000:.1f} ms, through them {seen.through_holes}; "
              f"faults {len(seen.faults)}")
        world.agent.stop(signal.SIGTERM)
        return len(seen.faults)


def main():
    seconds = float(os.environ.get("NEVER_SECONDS", "20"))
    harness.begin(10 * seconds + 120)
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(1 << 32))
    modes = ("routed", "bridged") if os.environ.get("MODE", "both") == "both" else (os.environ["MODE"],)
    print(f"seed {seed}")
    sys.exit(1 if run(modes[0] if len(modes) == 1 else modes[seed % 2], seconds, seed) else 0)


if __name__ == "__main__":
    main()
