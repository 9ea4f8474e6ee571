#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What following an API server costs: api.py NETPOLD PODS

Starts netpold with the API server of tests/apiserver and so many pods, a tenth as many policies, and 250 pods to a
node. Prints a name and numbers on each line: how long one connection takes to read the pods and throw them away; when
the kernel had all of it, and how much of that time netpold itself ran, in seconds; its memory at the peak and then, in
MB; bytes on the wire until then and for each event; processor time at EVENTS pod events a second, in percent; and the
longest iteration of its loop in all that time, in milliseconds. Wants namespaces of its own: `unshare -mn --propagation
private`."""
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

import idle

sys.path.append(os.path.join(idle.HERE, "..", "apiserver"))
from client import ApiServer  # noqa: E402

EVENTS, EVENT_SECONDS = 100, 10
BATCH_SECONDS = 0.1
HERE = 250  # pods to a node
APPS = 200  # of generated pods


def policy(number, namespaces):
    def app(which):
        return {"podSelector": {"matchLabels": {"app": f"app-{which % APPS:03}"}}}

    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": f"policy-{number}", "namespace": f"team-{number % namespaces:03}"},
            "spec": {**app(number), "policyTypes": ["Ingress"],
                     "ingress": [{"from": [app(number + 1), app(number + 2)], "ports": [{"port": 8080}]}]}}


def ran(pid):
    """Seconds of processor time."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid, key):
    with open(f"/proc/{pid}/status", encoding="ascii") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(key)) / 1000


def on_the_wire():
    """Bytes with their headers, in both directions, also those that only acknowledge."""
    with open("/proc/net/dev", encoding="ascii") as lines:
        return next(int(line.split()[1]) for line in lines if line.strip().startswith("lo:"))


def fill(server, pods):
    namespaces = max(1, pods // 100)
    server.control("generate", pods=pods, nodes=max(1, pods // HERE), namespaces=namespaces)
    policies = [policy(number, namespaces) for number in range(pods // 10)]
    for at in range(0, len(policies), 500):
        server.control("load", objects=policies[at:at + 500], raw=True)


def read_pods(server):
    """As netpold asks for them; the bytes are looked at for their end only."""
    began, rest = time.monotonic(), b""
    stream = server.watch("/api/v1/pods?allowWatchBookmarks=true&sendInitialEvents=true&"
                          "resourceVersionMatch=NotOlderThan", timeout=idle.READY_SECONDS)
    while b"k8s.io/initial-events-end" not in rest:
        rest = rest[-100:] + stream.response.read1(1 << 20)
    stream.close()
    return time.monotonic() - began


def events(server, process):
    """So many a second."""
    def heard():
        return server.control("stats")["events_sent"]
    wire, cpu, before = on_the_wire(), ran(process.pid), heard()
    began = time.monotonic()
    sent = 0
    while (now := time.monotonic()) < began + EVENT_SECONDS:
        due = int((now - began) * EVENTS) - sent
        if due > 0:
            server.control("touch", count=due)
            sent += due
        time.sleep(BATCH_SECONDS)  # the pace of events
    took = time.monotonic() - began
    print("event-bytes", (on_the_wire() - wire) / max(1, heard() - before))
    print("busy", 100 * (ran(process.pid) - cpu) / took)


def longest(netpold, control):
    status = subprocess.run([os.path.join(os.path.dirname(netpold), "netpolctl"), "status", "-o", "json", "--control",
                             control], stdout=subprocess.PIPE, check=False)
    return json.loads(status.stdout)["longestIterationMicroseconds"] / 1000


def main():
    netpold, pods = sys.argv[1], int(sys.argv[2])
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "bench", "/run"], check=True)
    with tempfile.TemporaryDirectory(dir="/run") as tmp, ApiServer() as server:
        fill(server, pods)
        print("read", read_pods(server))
        config = server.kubeconfig("node.yaml")
        wire, began = on_the_wire(), time.monotonic()
        process = idle.start([netpold, "--node", "node-0000", "--kubeconfig", config, "--control", f"{tmp}/control",
                              "--cni-results", tmp], tmp)
        try:
            print("commit", time.monotonic() - began, ran(process.pid))
            print("list-bytes", on_the_wire() - wire)
            print("memory", memory(process.pid, "VmHWM"), memory(process.pid, "VmRSS"))
            server.wait_for(lambda: server.watches("pods") == 1)
            events(server, process)
            print("longest", longest(netpold, f"{tmp}/control"))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


if __name__ == "__main__":
    main()
