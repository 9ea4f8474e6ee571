#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The CNI plugin: pods start through real plugins (ptp or bridge, host-local, netpold-cni last), as libcni runs a
conflist, while policies and other pods change and the daemon is killed and started again. From the moment that ADD
returns, a pod sends where it may not and is sent what it must not get: not one such packet arrives. Without netpold-cni
in the list they do, so the test can see them.

STARTS (100; 25 when QUICK is set) pods of each mode; MODE routed, bridged or both (default)."""
import concurrent.futures
import glob
import json
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
import harness  # noqa: E402
from harness import cluster  # noqa: E402

STARTS = int(os.environ.get("STARTS", "25" if os.environ.get("QUICK") else "100"))
AT_ONCE = 4  # as a kubelet starts them
PLUGIN = os.path.abspath(os.path.join(os.environ.get("top_builddir", "."), "netpold-cni"))
PLUGINS = ("/opt/cni/bin", "/usr/lib/cni")  # where the reference plugins may be
OUTSIDE = "198.51.100.7"
ALLOWED, DENIED = 80, 81
POD_NETWORK = {"routed": "10.7.0.0/16", "bridged": "10.8.0.0/16"}


def find_plugins():
    for directory in PLUGINS:
        if all(os.path.exists(f"{directory}/{name}") for name in ("ptp", "bridge", "host-local")):
            return directory
    print("needs the CNI plugins ptp, bridge and host-local (package containernetworking-plugins): skipped")
    sys.exit(77)


class PluginFailed(Exception):
    def __init__(self, answer):
        super().__init__(answer.get("msg", str(answer)))
        self.answer = answer


class Runtime:
    """Runs a list of plugins as libcni does: each gets the result of the one before; the last one's goes to the cache
    when all have succeeded."""

    def __init__(self, node, directory, conflist, cache):
        self.node, self.directory, self.conflist, self.cache = node, directory, conflist, cache
        os.makedirs(cache, exist_ok=True)

    def run(self, command, config, container, name, previous=None):
        config = {**config, "cniVersion": self.conflist["cniVersion"], "name": self.conflist["name"]}
        if previous is not None:
            config["prevResult"] = previous
        path = PLUGIN if config["type"] == "netpold-cni" else f"{self.directory}/{config['type']}"
        environment = {**os.environ, "CNI_COMMAND": command, "CNI_CONTAINERID": container, "CNI_IFNAME": "eth0",
                       "CNI_NETNS": f"/run/netns/{container}", "CNI_PATH": self.directory,
                       "CNI_ARGS": f"IgnoreUnknown=1;K8S_POD_NAMESPACE=t;K8S_POD_NAME={name};"
                                   f"K8S_POD_INFRA_CONTAINER_ID={container};K8S_POD_UID=uid-{name}"}
        done = subprocess.run(["ip", "netns", "exec", self.node, path], input=json.dumps(config), env=environment,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            raise PluginFailed(json.loads(done.stdout) if done.stdout.strip() else {"msg": done.stderr})
        return json.loads(done.stdout) if done.stdout.strip() else None

    def cached(self, container):
        return f"{self.cache}/{self.conflist['name']}-{container}-eth0"

    def add(self, container, name):
        result = None
        for config in self.conflist["plugins"]:
            result = self.run("ADD", config, container, name, result)
        cached = {"kind": "cniCacheV1", "containerId": container, "ifName": "eth0", "networkName": self.conflist["name"],
                  "cniArgs": [["K8S_POD_NAMESPACE", "t"], ["K8S_POD_NAME", name], ["K8S_POD_UID", f"uid-{name}"]],
                  "result": result}
        with open(self.cached(container), "w", encoding="utf-8") as out:
            json.dump(cached, out)
        return result

    def check(self, container, name, result):
        for config in self.conflist["plugins"]:
            self.run("CHECK", config, container, name, result)

    def delete(self, container, name, result):
        for config in reversed(self.conflist["plugins"]):
            self.run("DEL", config, container, name, result)
        if os.path.exists(self.cached(container)):
            os.unlink(self.cached(container))


def conflist(mode, with_netpold=True, timeout=60, version="1.0.0"):
    ipam = {"type": "host-local", "dataDir": f"/run/ipam-{mode}", "ranges": [[{"subnet": POD_NETWORK[mode]}]],
            "routes": [{"dst": "0.0.0.0/0"}]}
    first = {"type": "ptp", "ipam": ipam} if mode == "routed" else \
        {"type": "bridge", "bridge": "cni0", "isGateway": True, "ipam": ipam}
    plugins = [first]
    if with_netpold:
        plugins.append({"type": "netpold-cni", "socket": f"/run/{mode}.sock", "resultsDir": f"/run/netpold-cni-{mode}",
                        "timeout": timeout})
    return {"cniVersion": version, "name": f"pods-{mode}", "plugins": plugins}


class Node:
    """A node's network namespace, an address outside of it, and its netpold."""

    def __init__(self, mode):
        self.mode, self.name = mode, f"node-{mode}"
        self.manifests = f"/run/manifests-{mode}"
        for line in (f"netns add {self.name}", f"netns add out-{mode}",
                     f"-n {self.name} link add fab type veth peer name eth0 netns out-{mode}",
                     f"-n {self.name} link set lo up", f"-n {self.name} addr add 198.51.100.1/24 dev fab",
                     f"-n {self.name} link set fab up", f"-n out-{mode} addr add {OUTSIDE}/24 dev eth0",
                     f"-n out-{mode} link set eth0 up", f"-n out-{mode} link set lo up",
                     f"-n out-{mode} route add default via 198.51.100.1"):
            subprocess.run(["ip", *line.split()], check=True)
        subprocess.run(["ip", "netns", "exec", self.name, "sysctl", "-qw", "net.ipv4.ip_forward=1"], check=True)
        self.process = None

    def write(self, objects):
        harness.write(f"{self.manifests}/all.json", objects)

    def start(self, *options):
        with open(f"/run/{self.mode}.log", "ab") as log:
            self.process = subprocess.Popen(
                ["ip", "netns", "exec", self.name, harness.NETPOLD, "-f", self.manifests, "--node", harness.NODE,
                 "--cni-results", f"/run/cache-{self.mode}", "--cni-plugin-results", f"/run/netpold-cni-{self.mode}",
                 "--control", f"/run/{self.mode}.sock", "--metrics", "off", *options], stderr=log)

    def kill(self, number=signal.SIGKILL):
        self.process.send_signal(number)
        self.process.wait()


def in_namespace(name, function):
    """In a thread of its own, whose namespace it is."""
    def run():
        with open(f"/run/netns/{name}", "rb") as handle:
            if cluster.LIBC.setns(handle.fileno(), cluster.CLONE_NEWNET):
                raise OSError("setns")
        return function()
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        return executor.submit(run).result()


def listener(name, address, port):
    def make():
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind((address, port))
        made.setblocking(False)
        return made
    return in_namespace(name, make)


def send(name, target, ports, times=3):
    def go():
        for _ in range(times):
            for port in ports:
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
                    made.sendto(struct.pack("d", time.monotonic()), (target, port))
    in_namespace(name, go)


def heard(made):
    """How many datagrams have arrived."""
    count = 0
    while True:
        try:
            made.recv(64)
            count += 1
        except BlockingIOError:
            return count


class Start:
    """One pod's life: made, started, tried, gone."""

    def __init__(self, node, runtime, outside, number):
        self.node, self.runtime, self.outside = node, runtime, outside
        self.name = self.container = f"p-{node.mode}-{number}"
        self.passed = self.denied = 0

    def allowed_arrives(self, address, into):
        end = time.monotonic() + harness.PATIENCE
        while time.monotonic() < end:
            send(f"out-{self.node.mode}", address, [ALLOWED], 1)
            if heard(into):
                return True
            time.sleep(0.01)
        return False

    def live(self):
        subprocess.run(["ip", "netns", "add", self.container], check=True)
        result = None
        try:
            result = self.runtime.add(self.container, self.name)
            address = result["ips"][0]["address"].split("/")[0]
            # What a container's process does first; and a client that has waited for it.
            send(self.container, OUTSIDE, [DENIED])
            bad, good = (listener(self.container, address, port) for port in (DENIED, ALLOWED))
            with bad, good:
                send(f"out-{self.node.mode}", address, [DENIED])
                self.passed = self.allowed_arrives(address, good)
                self.denied += heard(bad)
        finally:
            if result:
                self.runtime.delete(self.container, self.name, result)
            subprocess.run(["ip", "netns", "del", self.container], check=True)
        return self


def objects(mode, numbers, churn=0):
    allow = [{"port": ALLOWED, "protocol": "UDP"}]
    pods = [harness.pod(f"p-{mode}-{number}", {"app": "web"}) for number in numbers]
    for pod in pods:
        pod["metadata"]["uid"] = f"uid-{pod['metadata']['name']}"
    return [*pods, harness.policy("web", {"app": "web"}, ingress=[{"ports": allow}], egress=[{"ports": allow}]),
            harness.policy(f"churn-{churn}", {"app": f"other-{churn}"}, ingress=[]),
            harness.pod(f"elsewhere-{churn}", {"app": f"x{churn}"}, [f"10.99.0.{churn % 250 + 1}"], "n2")]


class Trouble(threading.Thread):
    """Other policies and pods come and go, and the daemon dies now and then."""

    def __init__(self, node, numbers):
        super().__init__()
        self.node, self.numbers, self.over = node, numbers, threading.Event()
        self.kills = self.changes = 0

    def run(self):
        dice = random.Random(1)
        while not self.over.wait(0.05 + 0.2 * dice.random()):
            self.changes += 1
            self.node.write(objects(self.node.mode, self.numbers, self.changes))
            if dice.random() < 0.35:
                self.kills += 1
                self.node.kill()
                self.over.wait(0.2 * dice.random())
                self.node.start()


def churn(node, runtime, outside, check):
    numbers = range(STARTS)
    trouble = Trouble(node, numbers)
    trouble.start()
    before = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as executor:
        starts = list(executor.map(lambda number: Start(node, runtime, outside, number).live(), numbers))
    trouble.over.set()
    trouble.join()
    mode = node.mode
    print(f"{mode}: {len(starts)} pods in {time.monotonic() - before:.1f} s, {trouble.changes} changes, {trouble.kills} "
          "times killed")
    check(f"{mode}: the daemon was killed meanwhile", trouble.kills > 0)
    check(f"{mode}: nothing forbidden reaches a pod from its start on", not sum(one.denied for one in starts),
          [one.name for one in starts if one.denied])
    check(f"{mode}: what is allowed reaches every pod", all(one.passed for one in starts),
          [one.name for one in starts if not one.passed])
    check(f"{mode}: nothing forbidden leaves a pod from its start on", not heard(outside))
    check(f"{mode}: no result is left behind", not glob.glob(f"/run/netpold-cni-{mode}/*"))


def without(node, directory, outside, check):
    """The same without the plugin, while no daemon runs."""
    mode = node.mode
    node.kill()
    runtime = Runtime(node.name, directory, conflist(mode, with_netpold=False), f"/run/cache-{mode}")
    Start(node, runtime, outside, 0).live()
    check(f"{mode}: without the plugin and the daemon a first packet leaves, and is seen", heard(outside))


def no_daemon(node, directory, check):
    """ADD waits for the daemon, with a bound; DEL needs none."""
    mode, name = node.mode, f"p-{node.mode}-0"
    runtime = Runtime(node.name, directory, conflist(mode, timeout=1), f"/run/cache-{mode}")
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        runtime.add(name, name)
        check(f"{mode}: ADD fails without a daemon", False)
    except PluginFailed as failed:
        check(f"{mode}: ADD without a daemon says to try again", failed.answer.get("code") == 11, failed.answer)
        check(f"{mode}: and why", "is netpold running" in failed.answer.get("msg", ""), failed.answer)
    runtime.delete(name, name, None)
    check(f"{mode}: DEL works without a daemon", not glob.glob(f"/run/netpold-cni-{mode}/*"))
    patient = Runtime(node.name, directory, conflist(mode), f"/run/cache-{mode}")
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        waiting = executor.submit(patient.add, name, name)
        harness.wait_for("the result is handed over", lambda: glob.glob(f"/run/netpold-cni-{mode}/*"))
        check(f"{mode}: ADD waits for a daemon", not waiting.done())
        node.start()
        result = waiting.result(harness.PATIENCE)
    patient.check(name, name, result)
    newest = Runtime(node.name, directory, conflist(mode, version="1.1.0"), f"/run/cache-{mode}")
    own = newest.conflist["plugins"][-1]
    check(f"{mode}: STATUS is fine", newest.run("STATUS", own, name, name) is None)
    check(f"{mode}: CHECK of a container that is not the pod's fails",
          fails(lambda: patient.run("CHECK", own, "other", name, result), 100))
    newest.run("GC", {**own, "cni.dev/valid-attachments": [{"containerID": name, "ifname": "eth0"}]}, name, name)
    check(f"{mode}: GC keeps what is valid", len(glob.glob(f"/run/netpold-cni-{mode}/*")) == 1)
    newest.run("GC", {**own, "cni.dev/valid-attachments": []}, name, name)
    check(f"{mode}: GC removes what is not", not glob.glob(f"/run/netpold-cni-{mode}/*"))
    patient.delete(name, name, result)
    subprocess.run(["ip", "netns", "del", name], check=True)
    node.kill(signal.SIGTERM)
    check(f"{mode}: STATUS without a daemon is not available",
          fails(lambda: newest.run("STATUS", own, name, name), 50))


def fails(function, code):
    try:
        function()
    except PluginFailed as failed:
        return failed.answer.get("code") == code
    return False


def run(mode, check):
    node = Node(mode)
    node.write(objects(mode, range(STARTS)))
    os.makedirs(f"/run/cache-{mode}")
    outside = listener(f"out-{mode}", OUTSIDE, DENIED)
    runtime = Runtime(node.name, PLUGIN_DIRECTORY, conflist(mode), f"/run/cache-{mode}")
    node.start()
    churn(node, runtime, outside, check)
    without(node, PLUGIN_DIRECTORY, outside, check)
    no_daemon(node, PLUGIN_DIRECTORY, check)


PLUGIN_DIRECTORY = find_plugins()
if __name__ == "__main__":
    os.environ.setdefault("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
    harness.each_mode(run, 240)
