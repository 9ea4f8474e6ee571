# SPDX-License-Identifier: GPL-2.0-or-later
"""A cluster of the lab that has an API server: the one of tests/apiserver, at an address of the fabric. Each node's
netpold follows it with a token that is a file, as a pod's service account is. Pods live as a kubelet and a CNI plugin
have them live: scheduled, connected, started, published, finished, removed."""
import json
import os
import shutil
import sys
import tempfile
import time

import harness

sys.path.append(os.path.join(harness.TOP, "tests/apiserver"))
import client  # noqa: E402
import drops  # noqa: E402
import flows  # noqa: E402
import probes  # noqa: E402

HOSTS = ("192.0.2.100", "2001:db8:ffff::100")
NODES = {"n1": ("192.0.2.1", "2001:db8:ffff::1"), "n2": ("192.0.2.2", "2001:db8:ffff::2")}
OUTSIDE = ("198.51.100.7", "2001:db8::7")
RESOURCES = ("namespaces", "nodes", "pods", "networkpolicies")
PLURALS = {"Pod": "pods", "NetworkPolicy": "networkpolicies", "Namespace": "namespaces", "Node": "nodes"}
NAMESPACE = "t"


def begin(seconds, megabytes=None):
    """As harness.begin(); also without an API server or kubectl there is nothing to do."""
    why_not = client.can_run()
    if why_not:
        print(f"{why_not}: skipped")
        sys.exit(77)
    if not shutil.which(os.environ.get("KUBECTL", "kubectl")):
        print("needs kubectl (package kubernetes-client): skipped")
        sys.exit(77)
    harness.begin(seconds, megabytes)
    tempfile.tempdir = "/run"  # which goes with us
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        del os.environ[name]


def namespace(name, **labels):
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def node(name):
    addresses = [{"type": "InternalIP", "address": address} for address in NODES.get(name, ())]
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "status": {"addresses": addresses}}


def pod(name, labels, where, addresses=(), phase=None):
    made = harness.pod(name, labels, addresses, where, NAMESPACE)
    made["spec"]["containers"] = [{"name": "c", "image": "example/image"}]
    made["status"]["phase"] = phase or made["status"]["phase"]
    return made


def resources(status):
    """Those that the server has; of others it is only looked, now and then, whether they are there."""
    return [one for one in status["api"]["resources"] if one["state"] != "absent"]


def selecting(**labels):
    """A peer of a rule."""
    return {"podSelector": {"matchLabels": labels}}


class Failed(Exception):
    """Something did not come about, or a tool refused."""


class Options(harness.Options):
    def __init__(self, *netpold_options):
        super().__init__(None, *netpold_options)
        self.manifests = []
        self.kubeconfig = None


class Life:
    """A pod, from its object to its end."""

    def __init__(self, name, labels, where, addresses):
        self.name, self.labels, self.where, self.addresses = name, labels, where, list(addresses)
        self.plugged = self.result = None
        self.published = False
        self.understood = True  # netpold can know the device that it is behind

    def object(self, phase=None):
        addresses = self.addresses if self.published else ()
        return pod(self.name, self.labels, self.where, addresses, phase)


class Kube:
    def __init__(self, scratch, bridged, host, *netpold_options):
        os.makedirs(scratch)
        ends = [{"kind": "external", "address": address} for address in OUTSIDE]
        ends += [{"kind": "node", "nodes": [name], "address": address} for name in NODES for address in NODES[name]]
        self.lab = harness.cluster.Cluster([], ends, scratch, bridged)
        self.lab.build()
        self.fabric = self.lab.spaces["fabric"]
        self.fabric.ip(f"addr add {harness.cluster.host(host)} dev lo" + (" nodad" if ":" in host else ""))
        self.fabric.flush()
        self.fabric.enter()
        self.server = client.ApiServer(host).start()
        self.do = self.server.control
        self.options = Options(*netpold_options)
        self.options.kubeconfig = self.server.kubeconfig("netpold.yaml")
        self.admin = self.server.kubeconfig("admin.yaml", "admin", "certificate")
        self.pods = {}
        self.number = 0
        self.server.load(namespace(NAMESPACE, team="t"), *map(node, NODES))

    def start_agents(self):
        self.lab.start_agents(self.options)
        self.agents = self.lab.agents

    # Tools, as an operator has them: from outside of the nodes

    def kubectl(self, *words, item=None):
        self.fabric.enter()
        done = self.server.kubectl(*words, text=item and json.dumps(item))
        if done.returncode:
            raise Failed(f"kubectl {' '.join(words)}: {done.stderr}")
        return done.stdout

    def explain(self, questions, *source):
        """One answer for each "FROM -> TO PROTO"."""
        self.fabric.enter()
        command = [harness.NETPOLCTL, "explain", "-o", "json", *(source or ("--kubeconfig", self.admin)), "-"]
        done = harness.subprocess.run(command, input="\n".join(questions) + "\n", capture_output=True, text=True,
                                      check=False)
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        if len(answers) != len(questions):
            raise Failed(f"netpolctl explain: {done.stderr}")
        return answers

    def remove(self, kind, name):
        """At once, whoever likes it; without kubectl."""
        self.do("remove", resource=PLURALS[kind], namespace=NAMESPACE, name=name)

    # Pods

    def schedule(self, name, labels, where, addresses):
        """The scheduler has chosen a node."""
        life = self.pods[name] = Life(name, labels, where, addresses)
        self.server.load(life.object())
        return life

    def connect(self, life):
        """The CNI plugin has answered; containers start."""
        self.number += 1
        spec = {"namespace": NAMESPACE, "name": life.name, "addresses": life.addresses, "node": life.where,
                "interface": None}
        life.plugged = self.lab.plug(self.fabric, spec, self.number)
        life.result = self.lab.publish(life.plugged)

    def publish(self, life):
        """The kubelet tells the API server."""
        life.published = True
        self.server.load(life.object())

    def run_pod(self, name, labels, where, addresses):
        life = self.schedule(name, labels, where, addresses)
        self.connect(life)
        self.publish(life)
        return life

    def disconnect(self, life):
        """Its sandbox ends; its object may stay."""
        self.lab.unplug(life.plugged, life.result)
        life.plugged = None

    def forget(self, life):
        self.remove("Pod", life.name)
        if life.plugged:
            self.disconnect(life)
        del self.pods[life.name]

    # Are we there?

    def behind(self, name, version):
        """What a node does not know or has not written yet; "": nothing."""
        status = self.agents[name].status()
        if not status:
            return f"{name} does not answer"
        for one in resources(status):
            if one["state"] != "watching" or int(one["version"] or 0) < version:
                return f"{name} has {one['resource']} {one['version']} of {version}, {one['state']}"
        connected = sum(1 for life in self.pods.values() if life.plugged and life.understood and life.where == name)
        if not status["kernel"]["upToDate"] or status["pods"]["withDevice"] < connected:
            return f"{name} has not written all: {connected} pods are connected, {status['pods']}"
        return ""

    def laggards(self, seconds=harness.PATIENCE):
        """Who is not up to date within so long, and why. An event that tells the version is sent after all others, so
        whoever has that has all."""
        version = self.do("version")["version"]
        end = time.monotonic() + seconds
        while True:
            self.do("streams", how="bookmark")
            found = {name: why for name in self.agents if (why := self.behind(name, version))}
            if not found or time.monotonic() > end:
                return found
            time.sleep(0.02)

    def settle(self):
        found = self.laggards()
        if found:
            for name in found:
                with open(self.agents[name].log, encoding="utf-8", errors="replace") as log:
                    print(f"--- {name}\n" + "".join(log.readlines()[-40:]), flush=True)
                print(self.agents[name].status(), flush=True)
            raise Failed(f"not within {harness.PATIENCE} s: {'; '.join(found.values())}")

    def failures(self, name):
        """Requests of a node's netpold that have failed."""
        status = self.agents[name].status()
        return sum(one["failures"] for one in status["api"]["resources"]) if status else 0

    def resource(self, name, plural):
        status = self.agents[name].status()
        return next(one for one in status["api"]["resources"] if one["resource"] == plural)

    def close(self):
        for agent in self.agents.values():
            agent.stop(15)
        self.server.stop()
        for space in self.lab.spaces.values():
            harness.remove(space)


# Packets against answers

def compare(kube, questions, *source, closed=()):
    """Sends what is asked about, and returns what fares otherwise than the evaluator says; and how much was sent.
    `closed`: names of pods that nothing leaves or reaches, whatever it says, but for themselves."""
    sent = []
    for question, answer in zip(questions, kube.explain(questions, *source)):
        ends = question.replace("->", " ").split()[:2]
        shut = ends[0] != ends[1] and any(f"{NAMESPACE}/{name}" in ends for name in closed)
        for point in flows.points(answer):
            if shut:
                point = point._replace(passes=False, dropped_at=None)  # it is counted under no name
            if all(end["address"] in kube.lab.where for end in (point.source, point.target)):
                sent.append(probes.Probe(kube.lab, point))
    probes.PATIENCE = harness.PATIENCE  # for those that are to arrive
    probes.run(sent, drops.Drops(kube.lab))
    return [f"{one.source} -> {one.to[0]} {one.protocol}/{one.to[1]} {'passes' if one.passed else 'is dropped'}"
            for one in sent if one.passed != one.expected], len(sent)


def pairs(kube, ports=(80, 81), between=None):
    """All pods that are connected, and the outside."""
    names = [f"{NAMESPACE}/{life.name}" for life in kube.pods.values() if life.plugged]
    everybody = [*names, *OUTSIDE]
    return [f"{a} -> {b} tcp/{port}" for a in everybody for b in everybody for port in ports
            if not (a in OUTSIDE and b in OUTSIDE) and (between is None or a in between or b in between)]
