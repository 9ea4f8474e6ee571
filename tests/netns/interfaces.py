#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Pods at interfaces that this host's netfilter does not see: a macvlan pod that a policy isolates is reached all the
same, and the daemon says so by name; so it does of a further network that Multus has made. Where the host sees the pod,
or no policy selects it, nothing is said."""
import json
import os
import subprocess
import tempfile

from daemon import TOP, Daemon, answers, check, end, enter, namespace, result, run, wait_for, write

PODS = """apiVersion: v1
kind: Node
metadata: {name: worker-2}
status: {addresses: [{type: InternalIP, address: 192.168.0.2}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
status: {podIPs: [{ip: 10.9.0.5}]}
---
apiVersion: v1
kind: Pod
metadata: {name: free}
status: {podIPs: [{ip: 10.9.0.6}]}
---
apiVersion: v1
kind: Pod
metadata: {name: db, labels: {app: db}}
status: {podIPs: [{ip: 10.8.0.5}]}
"""
POLICY = """---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed}
spec: {podSelector: {matchExpressions: [{key: app, operator: Exists}]}}
"""

def macvlan(daemon, results, manifest):
    outside, web = namespace(), namespace()
    run(f"ip link add uplink type veth peer name eth0 netns {outside}")
    run("ip addr add 10.9.0.1/24 dev uplink")
    run("ip link set uplink up")
    run("ip addr add 10.9.0.9/24 dev eth0", outside)
    run("ip link set eth0 up", outside)
    run(f"ip link add link uplink name pod0 netns {web} type macvlan mode bridge")
    run("ip link set pod0 name eth0", web)
    run("ip addr add 10.9.0.5/24 dev eth0", web)
    run("ip link set eth0 up", web)
    check("without findings", daemon.status()[0] == 0 and daemon.get("/readyz") == (200, "ok\n"), daemon.status())
    write(os.path.join(results, "free"), result("free", "c0", "macvlan", [], "10.9.0.6"))
    write(os.path.join(results, "web"), result("web", "c1", "macvlan", [], "10.9.0.5"))
    one = ("pod-interface-unseen", "pod default/web eth0", True)
    daemon.wait("a macvlan pod that is isolated", one)
    check("it is open, as is said", answers(outside, "10.9.0.5"))
    code, text = daemon.status()
    check("status exits 1", code == 1, code)
    check("and says that a path is open", text.startswith("state      OPEN\n"), text)
    for words in ("error pod-interface-unseen (OPEN): pod default/web eth0", "of type macvlan", "Attach the pod by a plugin"):
        check(f"it says: {words}", words in text, text)
    check("not ready", daemon.get("/readyz")[0] == 503 and "pod-interface-unseen" in daemon.get("/readyz")[1],
          daemon.get("/readyz"))
    metrics = daemon.get("/metrics")[1]
    check("metrics", 'netpold_findings{level="error",id="pod-interface-unseen"} 1\n' in metrics and
          "netpold_open 1\n" in metrics, metrics)
    check("the log, once", daemon.said().count("Pod default/web has its interface eth0") == 1, daemon.said())
    write(manifest, PODS)
    daemon.wait("no policy selects it any more")
    write(manifest, PODS + POLICY)
    daemon.wait("a policy selects it again", one)
    os.unlink(os.path.join(results, "web"))
    daemon.wait("the pod's network is taken down")
    check("ready again", daemon.get("/readyz") == (200, "ok\n") and daemon.status()[0] == 0, daemon.status())
    check("the log says that, too", "pod-interface-unseen: no longer so" in daemon.said(), daemon.said())


def further(daemon, results):
    """A routed pod, which Multus has attached to a second network."""
    pod = namespace()
    multus = os.path.join(os.path.dirname(results), "multus", "results")
    run(f"ip link add veth0 type veth peer name eth0 netns {pod}")
    run("ip link set veth0 up")
    run("ip route add 10.8.0.5 dev veth0")
    write(os.path.join(results, "db"), result("db", "c2", "multus", ["veth0"], "10.8.0.5"))
    os.makedirs(multus)
    write(os.path.join(multus, "gone"), result("db", "c9", "macvlan", [], "10.7.0.4", "net1"))
    write(os.path.join(multus, "db-eth0"), result("db", "c2", "ptp", ["veth0"], "10.8.0.5"))
    wait_for("its device", lambda: "veth0" in subprocess.run(
        ["nft", "list", "map", "inet", "netpold", "ingress_if"], stdout=subprocess.PIPE, text=True, check=False).stdout)
    check("a pod network of Multus is one like any other", daemon.status()[0] == 0, daemon.status())
    write(os.path.join(multus, "db-net1"), result("db", "c2", "sriov", [], "10.7.0.5", "net1"))
    daemon.wait("a further network", ("pod-further-interface", "pod default/db net1", True))
    check("status exits 1 for that", daemon.status()[0] == 1 and "of type sriov" in daemon.status()[1], daemon.status())
    os.unlink(os.path.join(multus, "db-net1"))
    daemon.wait("a further network that is gone")


def overlay(daemon):
    """A node's own packets do not come from its own address there: who asks about that address is told."""
    def ask(source, output):
        return subprocess.run([os.path.join(TOP, "netpolctl"), "--control", daemon.control, "explain", "-o", output, source,
                               "default/db", "tcp/80"], check=True, stdout=subprocess.PIPE, text=True).stdout

    check("without a tunnel there is nothing to say", "note" not in ask("192.168.0.2", "text"), ask("192.168.0.2", "text"))
    run("ip link add flannel.1 type vxlan id 1 dstport 8472 local 192.168.0.1 nolearning")
    run("ip addr add 10.244.1.0/32 dev flannel.1")
    run("ip link set flannel.1 up")
    wait_for("the tunnel", lambda: "here that is 10.244.1.0 of flannel.1" in ask("192.168.0.2", "text"))
    check("in JSON", "flannel.1" in json.loads(ask("192.168.0.2", "json"))["note"], ask("192.168.0.2", "json"))
    check("not of other addresses", "note" not in ask("10.244.2.0", "text"), ask("10.244.2.0", "text"))
    check("not of pods", "note" not in ask("default/web", "json"), ask("default/web", "json"))


def main():
    enter(("a kernel with macvlan",
           "ip link add test0 type veth peer name test1 && ip link add test2 link test0 type macvlan"))
    with tempfile.TemporaryDirectory(prefix="netpold-interfaces-") as top:
        results, manifest = os.path.join(top, "cni/results"), os.path.join(top, "manifest.yaml")
        os.makedirs(results)
        write(manifest, PODS + POLICY)
        daemon = Daemon(top)
        macvlan(daemon, results, manifest)
        further(daemon, results)
        overlay(daemon)
        daemon.end()
    end()


if __name__ == "__main__":
    main()
