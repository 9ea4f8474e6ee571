#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Services of kube-proxy in mode ipvs: its packets skip the forward hook on their way to a pod, and policy applies all
the same, to both directions, to the node's own servers, and in both families. Without IPVS in the kernel it is skipped.
MODE routed, bridged or both."""
import os
import select
import shutil
import signal
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../e2e"))
import harness  # noqa: E402
import cluster  # noqa: E402
import probes  # noqa: E402

SECONDS = 600  # it may run on an emulated machine
SILENCE = 0.5 if os.path.exists("/sys/module/kvm") else 2
NODE = ["192.168.0.1", "fd01::1"]
OUTSIDE = ["198.18.0.1", "2001:2::1"]
PODS = {"server": ["10.1.1.1", "fd00:1:1::1"], "open": ["10.1.1.2", "fd00:1:1::2"], "friend": ["10.1.1.3", "fd00:1:1::3"],
        "free": ["10.1.1.4", "fd00:1:1::4"], "closed": ["10.1.1.5", "fd00:1:1::5"]}
NETWORKS = ("10.1.1.0/24", "fd00:1:1::/64")
# Services, and who serves them: a pod that lets in a friend only, one that lets in everybody, the node itself.
SERVER, OPEN, OWN = ["10.96.0.1", "fd96::1"], ["10.96.0.2", "fd96::2"], ["10.96.0.3", "fd96::3"]


def skip_without_ipvs():
    subprocess.run(["modprobe", "-q", "ip_vs"], check=False, stderr=subprocess.DEVNULL) if shutil.which("modprobe") else None
    for missing, there in (("IPVS in the kernel", os.path.exists("/proc/net/ip_vs")), ("ipvsadm", shutil.which("ipvsadm"))):
        if not there:
            print(f"needs {missing}: skipped")
            sys.exit(77)


def objects():
    """`closed` may leave for nowhere, `friend` for the two servers and the node."""
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": harness.NODE},
            "status": {"addresses": [{"type": "InternalIP", "address": address} for address in NODE]}}
    to = [{"podSelector": {"matchLabels": {"app": name}}} for name in ("server", "open")]
    to += [{"ipBlock": {"cidr": f"{address}/{32 if '.' in address else 128}"}} for address in NODE]
    friends = [{"from": [{"podSelector": {"matchLabels": {"app": "friend"}}}], "ports": [{"port": 8080}]}]
    return [node, *(harness.pod(name, {"app": name}, addresses) for name, addresses in PODS.items()),
            harness.policy("server", {"app": "server"}, ingress=friends),
            harness.policy("friend", {"app": "friend"}, egress=[{"to": to}]),
            harness.policy("closed", {"app": "closed"}, ingress=[], egress=[])]


class Scene:
    def __init__(self, mode, check):
        self.name, self.check = mode, check
        directory = f"/run/{mode}"
        harness.write(f"{directory}/cluster.json", objects())
        chosen = harness.Options(directory)
        ends = [{"kind": "node", "nodes": [harness.NODE], "address": address} for address in NODE]
        ends += [{"kind": "external", "address": address} for address in OUTSIDE]
        os.makedirs(directory + "-lab")
        self.lab = cluster.Cluster(cluster.read_pods(chosen), ends, directory + "-lab", mode == "bridged")
        self.lab.build(chosen)
        self.lab.enforce(chosen)
        self.node, self.agent = self.lab.spaces[f"node-{harness.NODE}"], self.lab.agents[harness.NODE]
        self.pods = {name: self.lab.where[addresses[0]] for name, addresses in PODS.items()}

    def hooked(self):
        return "hook postrouting" in harness.listing(self.node, "table", "inet", "netpold")

    def add_services(self):
        """As kube-proxy does it: addresses on a dummy device, masquerading where a connection would not come back."""
        self.node.sysctl({"net/ipv4/vs/conntrack": 1})
        self.node.run(["ip", "link", "add", "kube-ipvs0", "type", "dummy"])
        for number in (0, 1):
            for addresses, server in ((SERVER, PODS["server"]), (OPEN, PODS["open"]), (OWN, NODE)):
                front, back = (f"[{one[number]}]" if number else one[number] for one in (addresses, server))
                self.node.run(["ip", "addr", "add", cluster.host(addresses[number]), "dev", "kube-ipvs0",
                               *(["nodad"] if number else [])])
                self.node.run(["ipvsadm", "-A", "-t", f"{front}:80", "-s", "rr"])
                self.node.run(["ipvsadm", "-a", "-t", f"{front}:80", "-r", f"{back}:8080", "-m"])
                cluster.Cluster.route(self.lab.spaces["fabric"], addresses[number], 1)
        self.lab.spaces["fabric"].flush()
        self.node.run(["nft", "-f", "-"], """table inet proxy { chain postrouting {
            type nat hook postrouting priority srcnat;
            fib saddr type local masquerade
        }\n}""")
        harness.wait_for("policy is hooked into postrouting", self.hooked)

    def tcp(self, what, source, place, to, wanted, bind=None):
        listener = harness.socket_in(place, probes.family(to), socket.SOCK_STREAM)
        listener.bind(("", 8080))
        listener.listen(16)
        client = harness.socket_in(source, probes.family(to), socket.SOCK_STREAM)
        if bind:
            client.bind((bind, 0))
        client.connect_ex((to, 80))
        ready = select.select([], [client], [], harness.PATIENCE if wanted else SILENCE)[1]
        got = bool(ready) and client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
        if got:
            select.select([listener], [], [], harness.PATIENCE)  # its side may take longer than the client's
            served = listener.accept()[0]
            served.send(b"reply")
            got = bool(select.select([client], [], [], harness.PATIENCE)[0]) and client.recv(16) == b"reply"
            served.close()
        self.check(f"{self.name}: {what}, {to}", got == wanted, "passes" if got else "does not pass")
        listener.close()
        client.close()

    def end(self):
        self.agent.stop(signal.SIGTERM)
        for space in self.lab.spaces.values():
            harness.remove(space)


def locked(scene, pods, outside):
    """The lockdown in the place of a daemon's rules: the same packets, which nothing but it stops."""
    scene.node.run([harness.NETPOLD, "--cleanup"])
    for number in (0, 1):
        scene.tcp("without any rules, to who lets in everybody", pods["free"], pods["open"], OPEN[number], True)
    scene.node.run([harness.NETPOLD, "--lockdown", *(word for one in NETWORKS for word in ("--pod-networks", one))])
    for number in (0, 1):
        scene.tcp("locked: to who lets in everybody", pods["free"], pods["open"], OPEN[number], False)
        scene.tcp("locked: from outside to that", outside, pods["open"], OPEN[number], False, OUTSIDE[number])
        scene.tcp("locked: to the node's own server", pods["free"], scene.node, OWN[number], False)
        scene.tcp("locked: from its own node to the server", scene.node, pods["server"], SERVER[number], True)


def run(mode, check):
    scene = Scene(mode, check)
    pods, node, outside = scene.pods, scene.node, scene.lab.spaces["outside"]
    check(f"{mode}: without IPVS nothing is in postrouting", not scene.hooked())
    scene.add_services()
    for number in (0, 1):
        server, everybody, own = SERVER[number], OPEN[number], OWN[number]
        scene.tcp("a friend to the server", pods["friend"], pods["server"], server, True)
        scene.tcp("another to the server", pods["free"], pods["server"], server, False)
        scene.tcp("from outside to the server", outside, pods["server"], server, False, OUTSIDE[number])
        scene.tcp("from its own node to the server", node, pods["server"], server, True)
        scene.tcp("to who lets in everybody", pods["free"], pods["open"], everybody, True)
        scene.tcp("from outside to that", outside, pods["open"], everybody, True, OUTSIDE[number])
        scene.tcp("a closed pod to that", pods["closed"], pods["open"], everybody, False)
        scene.tcp("to the node's own server", pods["free"], node, own, True)
        scene.tcp("a friend to the node's own server", pods["friend"], node, own, True)
        scene.tcp("a closed pod to the node's own server", pods["closed"], node, own, False)
    # Without our chain they are delivered: otherwise this would prove nothing.
    scene.agent.stop(signal.SIGKILL)
    scene.node.run(["nft", "delete chain inet netpold postrouting"])
    scene.tcp("with the chain taken away, another to the server", pods["free"], pods["server"], SERVER[0], True)
    locked(scene, pods, outside)
    scene.agent.start()
    harness.wait_for("it is put back", scene.hooked)
    scene.node.run(["ipvsadm", "-C"])
    scene.node.run(["ip", "link", "del", "kube-ipvs0"])
    harness.wait_for("nothing is left in postrouting", lambda: not scene.hooked())
    scene.end()


skip_without_ipvs()
harness.each_mode(run, SECONDS)
