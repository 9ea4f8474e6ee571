#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Two nodes follow an API server. Pods are scheduled, connected, published, relabelled, moved, and die; policies are
applied, replaced, patched and deleted with kubectl; the API server fails in every way that it knows, and so does
netpold. After each step real packets fare as netpolctl says of the same server. All the time new connections are tried:
what policy never allows never passes, what it always allows is never held up, what stands is never cut.

E2E_SECONDS (20) how long faults go on once each has struck; SEED what happens; MODE routed, bridged, or both (one, by
the seed). usage: apiserver.py [FAULT...], only these: the names of faults.py without fault_."""
import os
import random
import signal
import sys
import time

import faults
import harness
import kube
import traffic

# Never changed. a may reach b and b2 at 80 and 8080; c may reach d there and nobody else; a and d are not isolated.
FIXED = {"a": ("a", "n1"), "b": ("b", "n1"), "c": ("c", "n1"), "a2": ("a", "n2"), "b2": ("b", "n2"), "d": ("d", "n2")}
OPEN, SHUT = 8080, 8081
LONG, HURRY = 60, 2  # seconds: in a run that is not long, so long a node may wait before it asks again
FLOWS = [("a", "b", OPEN, True), ("a", "b", SHUT, False), ("a", "b2", OPEN, True), ("a2", "b", OPEN, True),
         ("a2", "b2", SHUT, False), ("c", "b", OPEN, False), ("d", "b", OPEN, False), ("d", "b2", OPEN, False),
         ("c", "d", OPEN, True), ("c", "d", SHUT, False), ("c", "a", OPEN, False), ("a", "d", SHUT, True),
         ("outside", "b", OPEN, False), ("outside", "d", OPEN, True)]
PORTS = [{"port": 80}, {"port": OPEN}]


def fixed_policies():
    friends = [kube.selecting(app="a"), kube.selecting(group="g1")]
    yield harness.policy("fixed", {"app": "b"}, ingress=[{"from": friends, "ports": PORTS}])
    yield harness.policy("fixed-egress", {"app": "c"}, egress=[{"to": [kube.selecting(app="d")], "ports": PORTS}])


def addresses(number):
    return (f"10.1.{number // 250}.{number % 250 + 1}", f"fd00:1::{number + 1:x}")


class World:
    def __init__(self, mode, seed, check):
        self.luck = random.Random(seed)
        self.check = check
        self.kube = kube.Kube(f"/run/{mode}", mode == "bridged", self.luck.choice(kube.HOSTS), "--commit-interval", "10")
        self.number = 100
        self.policies = {}
        self.packets = self.steps = 0
        self.kubectl_works = True

    def start(self):
        self.kube.server.load(*fixed_policies())
        self.kube.do("set", kubelet_seconds=None)
        for number, (name, (app, where)) in enumerate(FIXED.items(), 1):
            life = self.kube.schedule(name, {"app": app}, where, addresses(number))
            self.kube.connect(life)
            self.kube.publish(life)
        self.kube.start_agents()
        self.kube.settle()
        self.traffic = traffic.Traffic(list(self.flows()), list(self.servers()))
        self.traffic.start()

    def ends(self, name):
        """(namespace, address) of each family."""
        found = kube.OUTSIDE if name == "outside" else self.kube.pods[name].addresses
        return [(self.kube.lab.where[address], address) for address in found]

    def flows(self):
        for source, target, port, allowed in FLOWS:
            for near, far in zip(self.ends(source), self.ends(target)):
                yield traffic.Flow(f"{source} -> {target}", near, far, port, allowed)

    def servers(self):
        for target, port in sorted({(target, port) for _, target, port, _ in FLOWS}):
            yield from ((*end, port) for end in self.ends(target))

    # Whether all is as it should be

    def verify(self, when, between=None, *source, closed=()):
        """When all nodes are up to date: packets of all pairs, or of those with one of these."""
        self.kube.settle()
        questions = kube.pairs(self.kube, (80, 81), between)
        wrong, sent = kube.compare(self.kube, questions, *source, closed=closed)
        self.packets += sent
        self.check(f"packets fare as explained: {when}", sent > 0 and not wrong, "; ".join(wrong[:10]))

    # Steps

    def put(self, item):
        """As an operator does, or behind everybody's back."""
        words = self.luck.choice([("apply", "-f", "-"), ("replace", "-f", "-")])
        known = item["metadata"]["name"] in self.policies
        if not self.kubectl_works:
            self.kube.server.load(item)
        else:
            self.kube.kubectl(*(words if known else ("create", "-f", "-")), item=item)

    def peers(self):
        luck = self.luck
        block = {"cidr": "198.51.100.0/24", "except": ["198.51.100.7/32"]} if luck.random() < 0.3 else {
            "cidr": luck.choice(["198.51.100.0/24", "2001:db8::/64", "0.0.0.0/0"])}
        return luck.sample([kube.selecting(app=luck.choice("abcd")), kube.selecting(app="x"),
                            kube.selecting(group=luck.choice(["g1", "g2"])),
                            {"namespaceSelector": {"matchLabels": {"team": luck.choice(["t", "u"])}}},
                            {"ipBlock": block}], luck.randint(1, 2))

    def policy(self):
        """Of the pods that come and go; the fixed ones keep what they have."""
        luck = self.luck
        rules = [{"ports": [{"port": luck.choice([80, 81])}]},
                 {"ports": [{"port": 79, "endPort": luck.choice([80, 81])}]}, {}]
        ingress, egress = luck.choice(rules), luck.choice(rules)
        subject = luck.choice([{"app": "x"}, {"group": "g1"}, {"group": "g2"}, {"group": "g2", "app": "x"}])
        directions = luck.choice(["ingress", "egress", "both"])
        return harness.policy(f"p{luck.randrange(5)}", subject,
                              [{"from": self.peers(), **ingress}] if directions != "egress" else None,
                              [{"to": self.peers(), **egress}] if directions != "ingress" else None, kube.NAMESPACE)

    def step_policy(self):
        item = self.policy()
        name = item["metadata"]["name"]
        self.put(item)
        self.policies[name] = item
        return f"policy {name}"

    def step_patch_policy(self):
        if not self.policies or not self.kubectl_works:
            return self.step_policy()
        name = self.luck.choice(sorted(self.policies))
        patch = ('{"spec": {"podSelector": {"matchLabels": {"group": "%s"}}}}' % self.luck.choice(["g1", "g2"]))
        self.kube.kubectl("-n", kube.NAMESPACE, "patch", "networkpolicy", name, "--type", "merge", "-p", patch)
        return f"policy {name} patched"

    def step_drop_policy(self):
        if not self.policies:
            return self.step_policy()
        name = self.luck.choice(sorted(self.policies))
        del self.policies[name]
        if self.kubectl_works:
            self.kube.kubectl("-n", kube.NAMESPACE, "delete", "networkpolicy", name)
        else:
            self.kube.remove("NetworkPolicy", name)
        return f"policy {name} deleted"

    def step_relabel_namespace(self):
        self.kube.server.load(kube.namespace(kube.NAMESPACE, team=self.luck.choice(["t", "u"])))
        return "the namespace relabelled"

    def fleeting(self):
        return [life for name, life in self.kube.pods.items() if name not in FIXED]

    def step_relabel(self):
        if not self.fleeting():
            return self.step_new_pod()
        life = self.luck.choice(self.fleeting())
        life.labels = {"app": "x", "group": self.luck.choice(["g1", "g2", "g3"])}
        if self.kubectl_works:
            self.kube.kubectl("-n", kube.NAMESPACE, "label", "--overwrite", "pod", life.name,
                              f"group={life.labels['group']}")
        else:
            self.kube.server.load(life.object())
        return f"{life.name} relabelled"

    def step_new_pod(self, name=None, taken=None):
        """taken: the addresses that another one has left."""
        self.number += 1
        life = self.kube.run_pod(name or f"x{self.number}", {"app": "x", "group": self.luck.choice(["g1", "g2"])},
                                 self.luck.choice(sorted(kube.NODES)), taken or addresses(self.number))
        return f"{life.name} on {life.where} at {life.addresses[0]}"

    def step_move(self):
        """Made again elsewhere; somebody else gets its addresses."""
        if not self.fleeting():
            return self.step_new_pod()
        life = self.luck.choice(self.fleeting())
        self.kube.forget(life)
        return f"{self.step_new_pod(life.name)}; {self.step_new_pod(None, life.addresses)}"

    def step_end(self):
        if len(self.fleeting()) < 2:
            return self.step_new_pod()
        life = self.luck.choice(self.fleeting())
        self.kube.forget(life)
        return f"{life.name} ended"

    def step(self):
        steps = [self.step_policy] * 4 + [self.step_patch_policy, self.step_drop_policy, self.step_relabel,
                 self.step_relabel, self.step_relabel_namespace, self.step_move, self.step_end]
        self.steps += 1
        return (self.step_end if len(self.fleeting()) > 3 else self.luck.choice(steps))()

    # What happens

    def life_of_pods(self):
        """From the Pending object to the address that another has."""
        cluster, first = self.kube, addresses(50)
        cluster.kubectl("apply", "-f", "-", item=harness.policy(
            "x", {"app": "x"}, [{"from": [kube.selecting(app="a")], "ports": PORTS}],
            [{"to": [kube.selecting(app="d")], "ports": PORTS}]))
        cluster.kubectl("create", "-f", "-", item=kube.pod("x", {"app": "x"}, "n1"))
        life = cluster.pods["x"] = kube.Life("x", {"app": "x"}, "n1", first)
        cluster.settle()
        cluster.connect(life)
        on_node = {f"{kube.NAMESPACE}/{name}" for name in "abc"} | set(kube.OUTSIDE)

        def publish(item):
            if (item["kind"], item["metadata"]["name"]) == ("Pod", "x"):
                item["status"]["podIPs"] = [{"ip": address} for address in first]

        source = self.export(publish)
        cluster.settle()
        questions = [question for question in kube.pairs(cluster, (80, 81), [f"{kube.NAMESPACE}/x"])
                     if on_node & set(question.split())]
        wrong, sent = kube.compare(cluster, questions, "-f", source)
        self.check("a pod is enforced before its address is published", sent > 0 and not wrong, "; ".join(wrong))
        cluster.publish(life)
        self.verify("a pod whose address is published")
        cluster.kubectl("-n", kube.NAMESPACE, "label", "--overwrite", "pod", "x", "app=y", "group=g1")
        life.labels = {"app": "y", "group": "g1"}
        self.verify("a pod with other labels")
        self.reuse(life, first)
        cluster.kubectl("-n", kube.NAMESPACE, "delete", "networkpolicy", "x")
        self.verify("without its policy")

    def reuse(self, life, first):
        """Pods that have finished or are terminating, and others that have their addresses."""
        cluster = self.kube
        cluster.disconnect(life)
        cluster.server.load(life.object(self.luck.choice(["Succeeded", "Failed"])))
        second = cluster.run_pod("x2", {"app": "x"}, "n2", first)
        self.verify("another pod has the addresses of one that has finished")
        cluster.kubectl("-n", kube.NAMESPACE, "delete", "pod", "x", "--force", "--grace-period=0")
        del cluster.pods["x"]
        self.verify("the one that had finished is deleted")
        cluster.kubectl("-n", kube.NAMESPACE, "delete", "pod", "x2", "--wait=false")
        self.verify("a pod that is terminating")
        cluster.disconnect(second)
        third = cluster.run_pod("x3", {"app": "y", "group": "g1"}, "n2", first)
        self.verify("another pod has the addresses of one that is terminating")
        cluster.remove("Pod", "x2")
        del cluster.pods["x2"]
        self.verify("the one that was terminating is gone")
        cluster.forget(third)

    def export(self, change):
        """A file of all objects, each of them changed."""
        path = f"{self.kube.lab.scratch}/export.json"
        found = kube.json.loads(self.kube.kubectl("get", "namespaces,nodes,pods,networkpolicies", "-A", "-o", "json"))
        for item in found["items"]:
            change(item)
        with open(path, "w", encoding="utf-8") as file:
            kube.json.dump(found, file)
        return path

    def fault(self, group):
        name = " and ".join(begin.__name__.removeprefix("fault_").replace("_", " ") for begin in group)
        print(f"  {name}:", end="", flush=True)
        began = time.monotonic()
        going = [begin() for begin in group]
        self.kubectl_works = all([next(one) for one in going])
        what = ", ".join(self.step() for _ in range(self.luck.randint(1, 3)))
        print(f" {what}", end="", flush=True)
        for one in going:
            next(one, None)
        self.kubectl_works = True
        self.hurry()
        self.verify(f"{name}: {what}")
        print(f" ({time.monotonic() - began:.1f} s)", flush=True)

    def hurry(self):
        """In a short run nobody waits for long: who would is killed and started again."""
        for name in self.kube.laggards(self.patience):
            agent = self.kube.agents[name]
            agent.stop(signal.SIGKILL)
            agent.start()
            print(f"; {name} killed", end="")

    def faults(self, seconds):
        """Each at least once."""
        self.patience = HURRY if seconds < LONG else harness.PATIENCE
        known = faults.Faults(self.kube, self.luck)
        end = time.monotonic() + seconds
        waiting = known.all()
        if sys.argv[1:]:
            waiting = [[getattr(known, f"fault_{name}")] for name in sys.argv[1:]]
        while waiting or time.monotonic() < end:
            self.fault(waiting.pop() if waiting else self.luck.choice(known.all()))

    def end(self):
        tried = self.traffic.stop()
        for when, what in self.traffic.faults[:20]:
            print(f"  {when:.3f} {what}")
        self.check("never open, never cut", not self.traffic.faults, f"{len(self.traffic.faults)} times")
        return tried


def dump_logs(world):
    for name, agent in world.kube.lab.agents.items():
        with open(agent.log, encoding="utf-8", errors="replace") as log:
            print(f"--- {name}\n" + "".join(log.readlines()[-60:]))


def run(mode, seed, seconds, check):
    world = World(mode, seed, check)
    try:
        world.start()
        world.verify("at the start")
        world.life_of_pods()
        world.faults(seconds)
        tried = world.end()
    except (kube.Failed, kube.client.ControlError, TimeoutError) as failed:
        check("all goes on", False, str(failed))
        dump_logs(world)
        return
    if check.failed:
        dump_logs(world)
    errors = world.kube.do("stats")["errors"]
    check("the API server is well", not errors, str(errors))
    print(f"{mode}: {world.steps} steps, {world.packets} probes, {tried} connections meanwhile of which "
          f"{world.traffic.connected} came about")
    world.kube.close()


def main():
    kube.begin(600 + 10 * float(os.environ.get("E2E_SECONDS", "20")))
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"seed {seed}", flush=True)
    check = harness.Checks()
    modes = harness.modes()
    run(modes[seed % len(modes)], seed, float(os.environ.get("E2E_SECONDS", "20")), check)
    check.end()


if __name__ == "__main__":
    sys.exit(main())
