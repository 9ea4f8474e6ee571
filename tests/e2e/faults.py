# SPDX-License-Identifier: GPL-2.0-or-later
"""What can befall an API server and who follows it. Each fault is a generator: it begins, yields how objects can be
changed meanwhile (through kubectl, or only behind everybody's back), and ends. It has struck every node when it yields."""
import signal

import harness
import kube

KUBECTL, BEHIND = True, False  # what can be used meanwhile
SMALL = [f"fault_{name}" for name in (
    "watch_cut_within_an_object", "watch_cut_by_a_proxy", "garbage", "410_as_an_event", "410_as_a_status",
    "a_list_cut_within_an_object", "429", "500", "503", "504", "403")]


class Faults:
    def __init__(self, cluster, luck):
        self.kube = cluster
        self.do = cluster.do
        self.luck = luck
        self.turn = luck.randrange(len(kube.RESOURCES))

    def all(self):
        """Each one, in random order; of those that strike one resource two at a time."""
        found = [getattr(self, name) for name in dir(self) if name.startswith("fault_")]
        self.luck.shuffle(found)
        small = [one for one in found if one.__name__ in SMALL]
        groups = [[one] for one in found if one.__name__ not in SMALL]
        groups += [small[at:at + 2] for at in range(0, len(small), 2)]
        self.luck.shuffle(groups)
        return groups

    def resource(self):
        """Each in its turn: whoever fails often is asked less and less often."""
        self.turn += 1
        return kube.RESOURCES[self.turn % len(kube.RESOURCES)]

    def failures(self):
        return {name: self.kube.failures(name) for name in self.kube.agents}

    def struck(self, before):
        for name in self.kube.agents:
            harness.wait_for(f"{name} notices", lambda name=name: self.kube.failures(name) > before[name])

    def said(self, resource, words):
        """Each node says in its status what is wrong."""
        for name in self.kube.agents:
            harness.wait_for(f"{name} says {words}", lambda name=name: words in (
                self.kube.resource(name, resource)["error"] or ""))

    def streams(self, how, **where):
        before = self.failures()
        self.do("streams", how=how, **where)
        self.struck(before)
        yield KUBECTL

    def refused(self, how, times=1, **more):
        """The watch of one resource ends, and the next requests for it are answered so."""
        resource = self.resource()
        before = self.failures()
        self.do("fail", resource=resource, how=how, user="node", times=times * len(self.kube.agents), **more)
        self.do("streams", how="reset", resource=resource)
        self.struck(before)
        yield KUBECTL

    # A watch that ends

    def fault_watch_cut_within_an_object(self):
        yield from self.streams("cut", resource=self.resource())

    def fault_watch_cut_by_a_proxy(self):
        yield from self.streams("cut-clean", resource=self.resource())

    def fault_garbage(self):
        resource = self.resource()
        before = self.failures()
        self.do("streams", how="garbage", what=self.luck.choice(["object", "type"]), resource=resource)
        self.struck(before)
        yield KUBECTL

    def fault_connections_reset(self):
        before = self.failures()
        self.do("drop-connections")
        self.struck(before)
        yield KUBECTL

    def fault_silence(self):
        """Nothing is told any more, until the connections break."""
        self.do("streams", how="silent")
        yield KUBECTL
        before = self.failures()
        self.do("drop-connections")
        self.struck(before)

    # Versions that have expired

    def fault_410_as_an_event(self):
        self.do("compact")
        yield from self.streams("410-event", resource=self.resource())

    def fault_410_as_a_status(self):
        self.do("compact")
        yield from self.refused("410", verb="watch")

    def fault_410_and_pages(self):
        """No streaming lists, and pages that expire."""
        self.do("streaming-lists", on=False, how="refused")
        self.do("compact")
        yield from self.streams("410-event", resource=self.resource())
        self.kube.settle()
        self.do("streaming-lists", on=True)

    def fault_a_list_cut_within_an_object(self):
        resource = self.resource()
        before = self.failures()
        self.do("fail", resource=resource, verb="watch", how="cut", skip=1, user="node", times=2)
        self.do("streams", how="410-event", resource=resource)
        self.struck(before)
        yield KUBECTL

    def fault_a_list_in_which_something_has_vanished(self):
        """The watch is gone while a pod and a policy go, and what happened meanwhile nobody knows any more."""
        cluster = self.kube
        for name in {"stays", "goes"} & set(cluster.pods):
            cluster.forget(cluster.pods[name])
        for number, (name, where) in enumerate((("stays", "n1"), ("goes", "n2")), 1):
            cluster.run_pod(name, {"app": "x"}, where, (f"10.1.3.{number}", f"fd00:1:3::{number}"))
        cluster.server.load(harness.policy("goes", {"app": "x"}, ingress=[], namespace=kube.NAMESPACE))
        cluster.settle()
        before = self.failures()
        for resource in ("pods", "networkpolicies"):
            self.do("fail", resource=resource, verb="watch", how="503", user="node", times=None)
            self.do("streams", how="reset", resource=resource)
        self.struck(before)
        yield BEHIND
        cluster.remove("NetworkPolicy", "goes")
        if "goes" in cluster.pods:
            cluster.forget(cluster.pods["goes"])
        self.do("compact")
        self.do("heal")
        cluster.settle()

    # Statuses

    def fault_429(self):
        yield from self.refused("429", retry_after=1)

    def fault_500(self):
        yield from self.refused("500")

    def fault_503(self):
        yield from self.refused("503", times=2)

    def fault_504(self):
        yield from self.refused("504")

    def fault_401_and_a_rotated_token(self):
        """The old token is refused before the kubelet has written the new one."""
        path = self.kube.server.path("token-node")
        old = self.kube.server.token("node")
        new = self.do("rotate-token", user="node")["token"]
        with open(path, "w", encoding="ascii") as file:
            file.write(old)
        resource = self.resource()
        self.do("streams", how="reset", resource=resource)
        self.said(resource, "401")
        yield KUBECTL
        with open(path, "w", encoding="ascii") as file:
            file.write(new + "\n")

    def fault_403(self):
        resource = self.resource()
        self.do("deny", rules=[{"user": "node", "resource": resource}])
        self.do("streams", how="reset", resource=resource)
        self.said(resource, "forbidden: the role lacks")
        for name in self.kube.agents:
            if self.kube.resource(name, resource)["state"] != "forbidden":
                raise kube.Failed(f"{name} does not say that {resource} are forbidden")
        yield KUBECTL
        self.do("deny", rules=[])

    # The server itself

    def away(self, begin, words):
        before = self.failures()
        begin()
        self.do("drop-connections")
        self.struck(before)
        for resource in kube.RESOURCES:
            self.said(resource, words)
        for name, agent in self.kube.agents.items():
            ups = [line for line in agent.ask("/metrics").splitlines()
                   if any(f'netpold_api_up{{resource="{resource}"}}' in line for resource in kube.RESOURCES)]
            if len(ups) != len(kube.RESOURCES) or any(not line.endswith(" 0") for line in ups):
                raise kube.Failed(f"{name}'s metrics do not say that the API server is away: {ups}")
        yield BEHIND
        self.do("heal")

    def fault_server_stopped(self):
        yield from self.away(lambda: self.do("listen", on=False), "connect")

    def fault_tls_of_another_authority(self):
        yield from self.away(lambda: self.do("tls", how="wrong-ca"), "certificate")

    def fault_tls_handshake_reset(self):
        yield from self.away(lambda: self.do("tls", how="reset"), "")

    def fault_tls_silent(self):
        """New connections are taken and never answered."""
        before = self.failures()
        self.do("tls", how="silent")
        self.do("drop-connections")
        self.struck(before)
        yield BEHIND
        self.do("heal")

    # netpold itself

    def fault_netpold_killed(self):
        for agent in self.kube.agents.values():
            agent.stop(signal.SIGKILL)
        yield KUBECTL
        for agent in self.kube.agents.values():
            agent.start()

    def fault_netpold_starts_without_a_server(self):
        """What it finds in the kernel stays until it knows better."""
        self.do("listen", on=False)
        self.do("drop-connections")
        for agent in self.kube.agents.values():
            agent.stop(signal.SIGTERM)
            agent.start()
            harness.wait_for("it answers", agent.status)
        yield BEHIND
        self.do("heal")
