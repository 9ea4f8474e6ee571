#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What netpold does while it does not know. Before all kinds of objects have been read nothing is written: no table is
made, and one of an earlier run stays as it is. An object that cannot be understood is named, and what it could have
opened is closed, while all else is enforced; mended, it counts again. No object, whatever it is like, keeps others from
being enforced, and a watch that makes no progress is no secret. What it knows reaches the kernel soon, and what comes
together is written together. A node that the API server does not know, and one that has no results of CNI plugins, say
so.

SEED what is held back how; MODE routed, bridged, or both (one, by the seed)."""
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import time

import harness
import kube
import hostile  # of tests/apiserver

PODS = {"a": ("a", "n1"), "b": ("b", "n1"), "b2": ("b", "n2"), "d": ("d", "n2")}
SOON_MS, BURST = 100, 300


class World:
    def __init__(self, mode, luck, check):
        self.luck, self.check = luck, check
        self.kube = kube.Kube(f"/run/{mode}", mode == "bridged", luck.choice(kube.HOSTS), "--commit-interval", "10",
                              "--api-progress-deadline", "1")
        self.kube.server.load(self.policy("b", 80))
        for number, (name, (app, where)) in enumerate(PODS.items(), 1):
            life = self.kube.schedule(name, {"app": app}, where, (f"10.1.0.{number}", f"fd00:1::{number}"))
            self.kube.connect(life)
            self.kube.publish(life)
        self.kube.start_agents()
        self.kube.settle()

    @staticmethod
    def policy(name, port):
        return harness.policy(name, {"app": name}, ingress=[{"from": [kube.selecting(app="a")], "ports": [{"port": port}]}])

    def verify(self, when, *source, closed=()):
        self.kube.settle()
        wrong, sent = kube.compare(self.kube, kube.pairs(self.kube), *source, closed=closed)
        self.check(when, sent > 0 and not wrong, "; ".join(wrong[:8]))

    def kernel(self, name):
        """With handles: what is made anew is not what it was. Whose the tables are is no part of it: the daemon owns them
        from its start on, also where it writes nothing."""
        self.kube.lab.spaces[f"node-{name}"].enter()
        listed = subprocess.run(["nft", "-a", "list", "ruleset"], stdout=subprocess.PIPE, text=True, check=True).stdout
        return "\n".join(re.sub(r" progname \S+", "", line) for line in listed.splitlines()
                         if not re.match(r"\s*(flags( owner)?( ?,? ?persist)? *)?$", line))

    # Before the first commit

    def hold_back(self, resource):
        """A kind of which nothing comes, or not all."""
        how = self.luck.choice([{"how": "503"}, {"how": "403"}, {"how": "silent", "skip": 1, "verb": "watch"}])
        self.kube.do("fail", resource=resource, times=None, user="node", **how)
        return f"{resource} by {how['how']}"

    def waits(self, name, held):
        """All but that one have been read."""
        status = self.kube.agents[name].status()
        return status and all((one["state"] == "watching") == (one["resource"] != held)
                              for one in kube.resources(status))

    def nothing_is_written(self, held, before):
        what = self.hold_back(held)
        for name, agent in self.kube.agents.items():
            agent.start()
            harness.wait_for(f"{name} waits for {held}", lambda name=name: self.waits(name, held))
        for name, agent in self.kube.agents.items():
            status = agent.status()
            self.check(f"without {what} nothing is written", self.kernel(name) == before[name])
            self.check(f"without {what} it is not ready", not status["ready"] and not status["kernel"]["upToDate"] and
                       "not all sources have been read" in agent.ask("/readyz"))
            expected = "earlier-rules" if before[name] else "not-enforced-yet"
            self.check(f"without {what} the state is said", expected in self.findings(name) and
                       (before[name] or status["state"] == "open"), str(status))
        self.kube.do("heal")
        self.kube.do("drop-connections")

    def first_commits(self):
        for port, held in enumerate(kube.RESOURCES, 80):
            for name, agent in self.kube.agents.items():
                agent.stop(signal.SIGKILL)
                self.kube.lab.spaces[f"node-{name}"].run([harness.NETPOLD, "--cleanup", "--log-level", "err"])
            self.nothing_is_written(held, {name: "" for name in self.kube.agents})
            self.kube.settle()
            for agent in self.kube.agents.values():
                agent.stop(signal.SIGKILL)
            self.kube.server.load(self.policy("b", port))  # which the tables do not have
            self.nothing_is_written(held, {name: self.kernel(name) for name in self.kube.agents})
            self.verify(f"after {held} have come all is enforced")

    # What cannot be understood

    def export(self, *mended):
        """What the API server has, and these objects instead of what it has of that name; as a file."""
        path = f"{self.kube.lab.scratch}/export.json"
        found = kube.json.loads(self.kube.kubectl("get", "namespaces,nodes,pods,networkpolicies", "-A", "-o", "json"))
        named = {(item["kind"], item["metadata"]["name"]): item for item in mended}
        found["items"] = [item for item in found["items"] if (item["kind"], item["metadata"]["name"]) not in named]
        found["items"] += mended
        with open(path, "w", encoding="utf-8") as file:
            kube.json.dump(found, file)
        return "-f", path

    def is_named(self, where, key, words):
        """In the log, in the status, among the metrics."""
        agent = self.kube.agents[where]
        status = agent.status()["api"]["broken"]
        self.check(f"the status of {where} names {key}",
                   any(one["object"] == key and words in one["reason"] for one in status), str(status))
        with open(agent.log, encoding="utf-8") as log:
            self.check(f"the log of {where} names {key}", any(f"{key} cannot be understood" in line for line in log))
        metrics = dict(line.rsplit(" ", 1) for line in agent.ask("/metrics").splitlines() if line[0] != "#")
        self.check(f"the metrics of {where} count {key}", float(metrics["netpold_api_broken_objects"]) == len(status),
                   str(metrics))

    def load_raw(self, item):
        self.kube.do("load", objects=[item], raw=True)
        self.kube.settle()

    def policies(self):
        operator = {"matchExpressions": [{"key": "app", "operator": "Near", "values": ["a"]}]}
        odd = harness.policy("odd", {"app": "d"}, ingress=[{"from": [{"podSelector": operator}]}], egress=[{}])
        shut = harness.policy("odd", {"app": "d"}, [], [])
        self.load_raw(odd)
        for name in self.kube.agents:
            self.is_named(name, "NetworkPolicy t/odd", "Near")
        self.verify("what an odd policy selects is closed, all else is enforced", *self.export(shut))
        odd["spec"] = {"podSelector": operator, "policyTypes": ["Ingress"]}
        shut = harness.policy("odd", {}, [])
        self.load_raw(odd)
        self.verify("where it cannot be told what it selects, all that it may is closed", *self.export(shut))
        self.kube.kubectl("replace", "-f", "-",
                          item=harness.policy("odd", {"app": "d"}, [{"from": [kube.selecting(app="b")]}]))
        self.verify("mended, it counts")
        for name, agent in self.kube.agents.items():
            self.check(f"{name} names it no more", not agent.status()["api"]["broken"])
        self.kube.kubectl("-n", kube.NAMESPACE, "delete", "networkpolicy", "odd")
        self.verify("without it")

    def odd_pods(self):
        """Those that were understood before; those that were not, before and after their CNI result; those without."""
        self.kube.do("set", kubelet_seconds=0)
        for case, wait, has_result in ((1, True, True), (2, False, True), (3, True, False)):
            name = f"odd{case}"
            life = kube.Life(name, {"app": "odd"}, "n1", (f"10.1.1.{case}", f"fd00:1:1::{case}"))
            self.kube.pods[name] = life
            good, odd = life.object(), life.object()
            odd["metadata"]["labels"] = {"app": 7}
            life.understood = wait and has_result
            self.load_raw(good if wait else odd)
            self.connect(life, has_result)
            life.published = True
            if wait:
                self.load_raw(life.object())
                self.verify(f"{name} is as others")
                life.understood = False
                self.load_raw(odd | {"status": life.object()["status"]})
            self.is_named("n1", f"Pod t/{name}", "")
            self.verify(f"{name} is closed, all else is enforced", *self.export(life.object()), closed=(name,))
            life.understood = has_result
            self.load_raw(life.object())
            self.verify(f"{name} is mended")
            if has_result:
                self.kube.forget(life)
        self.verify("without odd pods")

    def connect(self, life, has_result):
        self.kube.connect(life)
        if not has_result:
            os.unlink(life.result)
            self.kube.lab.attached["n1"] -= 1

    # What would stop it all

    def hostile_objects(self):
        """Anything in any field, of a tenant's pods and policies and of namespaces: all else goes on, also after a start."""
        self.kube.do("load", objects=[kube.namespace("shop")])
        found = [one for one in hostile.cases() if one.kept and one.resource != "nodes"]
        self.kube.do("inject", objects=[{"resource": one.resource, "namespace": one.namespace, "name": one.name,
                                         "parts": one.parts} for one in found])
        self.kube.server.load(self.policy("b", 80))
        self.verify("behind hostile objects all is enforced")
        self.kube.agents["n1"].stop(signal.SIGKILL)
        self.kube.server.load(self.policy("b", 81))
        self.kube.agents["n1"].start()
        self.verify("a start among hostile objects is a start")
        for name, agent in self.kube.agents.items():
            named = {one["object"] for one in agent.status()["api"]["broken"]}
            keys = {one.key for one in found}
            self.check(f"{name} names some of them, and no other", named and named < keys, str(named - keys))
        for one in found:
            self.kube.do("remove", resource=one.resource, namespace=one.namespace, name=one.name)
        self.verify("without hostile objects")
        for name, agent in self.kube.agents.items():
            self.check(f"{name} names none any more", not agent.status()["api"]["broken"])

    def stalled(self, name, words=""):
        return [one for one in self.kube.agents[name].status()["findings"]
                if one["id"] == "watch-stalled" and words in one["text"]]

    def numbers(self, name):
        text = self.kube.agents[name].ask("/metrics")
        return [number for number in (0, 1) if f"netpold_ready {number}\n" in text and f"netpold_up_to_date {number}\n" in text]

    def a_watch_that_makes_no_progress(self):
        self.kube.do("fail", resource="networkpolicies", verb="watch", user="node", how="500-event", times=None)
        self.kube.do("streams", resource="networkpolicies", how="end")
        for name, agent in self.kube.agents.items():
            found = harness.wait_for(f"{name} says that nothing is read, and why",
                                     lambda name=name: self.stalled(name, "ERROR event with code 500"))[0]
            self.check("the finding says what and since when", found["subject"] == "networkpolicies" and found["since"],
                       str(found))
            self.check("the state follows", agent.status()["state"] == "behind", agent.status()["state"])
            self.check("readiness follows", "watch-stalled" in agent.ask("/readyz"), agent.ask("/readyz"))
            self.check("the metrics follow", self.numbers(name) == [0])
        self.kube.do("heal")
        self.kube.do("set", bookmark_seconds=1)
        for name, agent in self.kube.agents.items():
            harness.wait_for(f"{name} reads again", lambda name=name: not self.stalled(name))
            self.check("the metrics say so", self.numbers(name) == [1])
            self.check("nor in the state", agent.status()["state"] != "behind", agent.status()["state"])

    # How soon

    def commits(self, name):
        return self.kube.agents[name].status()["kernel"]["commits"]

    def soon_and_together(self):
        """A policy after a time of quiet; then many at once."""
        took = []
        for turn in range(20):
            self.kube.settle()
            before, began = self.commits("n1"), time.monotonic()
            self.kube.server.load(self.policy("b", 80 + turn % 2))
            harness.wait_for("the commit", lambda before=before: self.commits("n1") > before)
            took.append((time.monotonic() - began) * 1000)
        print(f"from the API server's store to the kernel and back: median {statistics.median(took):.1f} ms, longest "
              f"{max(took):.1f} ms")
        self.check("a policy is in the kernel within milliseconds", statistics.median(took) < SOON_MS, str(took))
        before = self.commits("n1")
        self.kube.do("load", objects=[self.policy("b", 80) | {"metadata": {"name": f"burst-{number}", "namespace": "t"}}
                                      for number in range(BURST)])
        self.kube.settle()
        commits = self.commits("n1") - before
        print(f"{BURST} policies at once: {commits} commits")
        self.check("what comes together is written together", commits < BURST / 4, f"{commits} commits")
        self.verify("all of it is enforced")
        for number in range(BURST):
            self.kube.remove("NetworkPolicy", f"burst-{number}")

    # What a node cannot know

    def restart(self, name, old, new):
        """With another word in its command line."""
        agent = self.kube.agents[name]
        agent.stop(signal.SIGTERM)
        agent.command[agent.command.index(old)] = new
        agent.start()
        return agent

    def findings(self, name):
        return [one["id"] for one in self.kube.agents[name].status()["findings"]]

    def a_node_without_results(self):
        """Pods are enforced all the same, by what the API server says of them; only later, and that is told."""
        mine = self.kube.pods["b2"], self.kube.pods["d"]
        self.check("a node with results does not miss any", "cni-results-missing" not in self.findings("n2"))
        results, nowhere = self.kube.lab.results("n2"), "/run/no-results"
        self.restart("n2", results, nowhere)
        for life in mine:
            life.understood = False
        self.verify("without CNI results pods are enforced as well")
        self.check("a node without results says so", "cni-results-missing" in self.findings("n2"), str(self.findings("n2")))
        self.restart("n2", nowhere, results)
        for life in mine:
            life.understood = True
        self.verify("with CNI results again")

    def a_node_that_nobody_knows(self):
        before = self.kernel("n1")
        agent = self.restart("n1", "n1", "n9")
        with open(agent.log, encoding="utf-8") as log:
            def says():
                return any("node n9: no such node" in line for line in log)
            harness.wait_for("it says that it is unknown", says)
        self.check("an unknown node leaves what it finds", self.kernel("n1") == before)
        self.restart("n1", "n9", "n1")
        self.verify("with its name again")


def run(mode, seed, check):
    world = World(mode, random.Random(seed), check)
    try:
        world.verify("at the start")
        world.first_commits()
        world.policies()
        world.odd_pods()
        world.hostile_objects()
        world.a_watch_that_makes_no_progress()
        world.soon_and_together()
        world.a_node_without_results()
        world.a_node_that_nobody_knows()
    except (kube.Failed, kube.client.ControlError, TimeoutError) as failed:
        check("all goes on", False, str(failed))
    if check.failed:
        for name, agent in world.kube.agents.items():
            with open(agent.log, encoding="utf-8", errors="replace") as log:
                print(f"--- {name}\n" + "".join(log.readlines()[-40:]))
    world.kube.close()


def main():
    kube.begin(600)
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(1 << 32))
    modes = harness.modes()
    print(f"seed {seed}, {modes[seed % len(modes)]}", flush=True)
    check = harness.Checks()
    run(modes[seed % len(modes)], seed, check)
    check.end()


if __name__ == "__main__":
    sys.exit(main())
