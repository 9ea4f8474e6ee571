#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Pods at interfaces that this host's netfilter does not see: a macvlan pod that a policy isolates is reached all the
same, and the daemon says so by name; so it does of a further network that Multus has made. Where the host sees the pod,
or no policy selects it, nothing is said."""
import base64
import http.client
import json
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

INSIDE = "NETPOLD_INTERFACES_INSIDE"
TOP = os.path.abspath(os.environ.get("top_builddir", "."))
PATIENCE = 60
PORT = 9734
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
failed = passed = 0


def check(what, holds, detail=""):
    global failed, passed
    passed, failed = passed + bool(holds), failed + (not holds)
    if not holds:
        print(f"FAIL {what}: {detail}")


def skip(reason):
    print(f"{reason}: skipped")
    sys.exit(77)


def run(line, pod=None):
    enter = ["nsenter", "-t", str(pod), "-n"] if pod else []
    subprocess.run([*enter, *line.split()], check=True)


def enter():
    if os.geteuid() != 0:
        skip("needs root")
    for tool in ("ip", "nft", "unshare", "nsenter"):
        if not shutil.which(tool):
            skip(f"needs {tool}")
    if subprocess.run(["unshare", "-n", "nft", "list", "tables"], capture_output=True, check=False).returncode:
        skip("needs network namespaces and nf_tables")
    if subprocess.run(["unshare", "-n", "sh", "-c", "ip link add test0 type veth peer name test1 && "
                       "ip link add test2 link test0 type macvlan"], capture_output=True, check=False).returncode:
        skip("needs a kernel with macvlan")
    command = ["unshare", "--mount", "--net", "--pid", "--mount-proc", "--fork", "--kill-child", sys.executable, "-B",
               os.path.realpath(__file__)]
    sys.exit(subprocess.run(command, env=dict(os.environ, **{INSIDE: "1"}), check=False).returncode)


def wait_for(what, condition):
    end = time.monotonic() + PATIENCE
    while not (value := condition()):
        if time.monotonic() > end:
            sys.exit(f"FAIL not within {PATIENCE} s: {what}")
        time.sleep(0.02)
    return value


def namespace():
    process = subprocess.Popen(["unshare", "-n", "sleep", "infinity"])
    own = os.readlink("/proc/self/ns/net")
    wait_for("a namespace", lambda: os.readlink(f"/proc/{process.pid}/ns/net") != own)
    run("ip link set lo up", process.pid)
    return process.pid


def result(pod, container, plugin, links, address, ifname="eth0"):
    config = base64.b64encode(json.dumps({"name": "net", "plugins": [{"type": plugin}]}).encode()).decode()
    interfaces = [{"name": link} for link in links] + [{"name": ifname, "sandbox": f"/run/{container}"}]
    return json.dumps({
        "kind": "cniCacheV1", "containerId": container, "config": config, "ifName": ifname, "networkName": f"{plugin}-net",
        "cniArgs": [["K8S_POD_NAMESPACE", "default"], ["K8S_POD_NAME", pod]],
        "result": {"cniVersion": "1.0.0", "interfaces": interfaces,
                   "ips": [{"address": f"{address}/24", "interface": len(links)}]}})


def write(path, text):
    with open(path + ".new", "w", encoding="utf-8") as out:
        out.write(text)
    os.rename(path + ".new", path)


def answers(pod, address):
    """Does a connection from the pod reach the address, where nobody listens but the pod's kernel answers?"""
    code = ("import socket, sys\ns = socket.socket(); s.settimeout(float(sys.argv[2]))\n"
            "try: s.connect((sys.argv[1], 9))\nexcept ConnectionRefusedError: print('refused')\nexcept OSError: pass\n")
    return subprocess.run(["nsenter", "-t", str(pod), "-n", sys.executable, "-c", code, address, "5"], check=True,
                          stdout=subprocess.PIPE, text=True).stdout == "refused\n"


class Daemon:
    def __init__(self, top):
        self.control = os.path.join(top, "socket")
        self.log = open(os.path.join(top, "log"), "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [os.path.join(TOP, "netpold"), "--config", "/dev/null", "--control", self.control, "--cni-results",
             os.path.join(top, "cni/results"), "-f", os.path.join(top, "manifest.yaml")], stderr=self.log)
        wait_for("the first commit", lambda: "the kernel is up to date" in self.said())

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def status(self):
        """The exit status and what is said."""
        answer = subprocess.run([os.path.join(TOP, "netpolctl"), "--control", self.control, "status"],
                                stdout=subprocess.PIPE, text=True, check=False)
        return answer.returncode, answer.stdout

    def findings(self):
        """Those that are errors, as (id, subject, open)."""
        answer = subprocess.run([os.path.join(TOP, "netpolctl"), "--control", self.control, "status", "-o", "json"],
                                stdout=subprocess.PIPE, text=True, check=False)
        return [(one["id"], one["subject"], one["open"]) for one in json.loads(answer.stdout)["findings"]
                if one["level"] == "error"]

    def wait(self, what, *findings):
        wait_for(f"{what}: {findings}", lambda: self.findings() == list(findings))

    def get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=PATIENCE)
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        check("it ends well", self.process.wait(PATIENCE) == 0, self.said())


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
    if not os.environ.get(INSIDE):
        enter()
    run("ip link set lo up")
    with tempfile.TemporaryDirectory(prefix="netpold-interfaces-") as top:
        results, manifest = os.path.join(top, "cni/results"), os.path.join(top, "manifest.yaml")
        os.makedirs(results)
        write(manifest, PODS + POLICY)
        daemon = Daemon(top)
        macvlan(daemon, results, manifest)
        further(daemon, results)
        overlay(daemon)
        daemon.end()
    print(f"{passed} as expected, {failed} not")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
