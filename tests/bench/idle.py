#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a daemon costs when nothing happens: idle.py NETPOLD files|api SECONDS

Starts it with a small cluster, from manifests or from the API server of tests/apiserver, waits until it enforces, and
then leaves it alone. Prints its resident memory and how much of that is its own, in kB, and how often it woke up. Wants
namespaces of its own: `unshare -mn --propagation private`."""
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(HERE, "..", "apiserver"))
READY_SECONDS = 60
SETTLED_SECONDS = 12  # curl has a timer for connecting, which runs out once


def status(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as lines:
        values = dict(line.split(":", 1) for line in lines)
    return {key: int(values[key].split()[0]) for key in
            ("VmRSS", "RssAnon", "voluntary_ctxt_switches")}


def wake_ups(pid):
    """It has slept so often, after as many times awake."""
    return status(pid)["voluntary_ctxt_switches"]


def start(command, tmp):
    """The daemon, when it says that it is ready."""
    path = os.path.join(tmp, "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(path)
        notify.settimeout(READY_SECONDS)
        daemon = subprocess.Popen(command, env={**os.environ, "NOTIFY_SOCKET": path}, stderr=subprocess.DEVNULL)
        while b"READY=1" not in notify.recv(4096):
            pass
    return daemon


def measure(command, seconds, tmp):
    daemon = start(command + ["--control", f"{tmp}/control", "--cni-results", tmp], tmp)
    try:
        time.sleep(SETTLED_SECONDS)
        before = wake_ups(daemon.pid)
        time.sleep(seconds)  # idleness takes its time
        after = status(daemon.pid)
        print(after["VmRSS"], after["RssAnon"], after["voluntary_ctxt_switches"] - before)
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.wait()


def objects():
    """Of the API server: as small a cluster as the examples'."""
    yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": {"team": "shop"}}}
    for i in range(10):
        yield {"apiVersion": "v1", "kind": "Pod",
               "metadata": {"name": f"pod-{i}", "namespace": "shop", "labels": {"app": "web" if i % 2 else "db"}},
               "spec": {"nodeName": "here" if i < 5 else "there", "containers": [{"name": "c", "image": "i"}]},
               "status": {"phase": "Running", "podIP": f"10.0.0.{i + 1}", "podIPs": [{"ip": f"10.0.0.{i + 1}"}]}}
    yield {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
           "metadata": {"name": "db", "namespace": "shop"},
           "spec": {"podSelector": {"matchLabels": {"app": "db"}},
                    "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "web"}}}], "ports": [{"port": 5432}]}]}}


def main():
    netpold, source, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3])
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    # A path is watched with the directories above it: what others do in /tmp would wake the daemon.
    subprocess.run(["mount", "-t", "tmpfs", "bench", "/run"], check=True)
    tempfile.tempdir = "/run"
    with tempfile.TemporaryDirectory() as tmp:
        if source == "files":
            shutil.copytree(os.path.join(HERE, "..", "..", "contrib", "examples"), f"{tmp}/manifests")
            measure([netpold, "-f", f"{tmp}/manifests"], seconds, tmp)
            return
        from client import ApiServer
        with ApiServer() as server:
            server.load(*objects())
            measure([netpold, "--node", "here", "--kubeconfig", server.kubeconfig("node.yaml")], seconds, tmp)


if __name__ == "__main__":
    main()
