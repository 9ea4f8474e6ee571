#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Somebody takes packets between a bridge's pods away from netfilter while the daemon runs, and nobody asks it
anything: it says so in its log by itself, and does not wake up for that while nothing happens."""
import os
import subprocess
import tempfile
import time

from daemon import Daemon, answers, check, end, enter, namespace, result, run, wait_for, write

IDLE_S = 4
SYSCTL = "/proc/sys/net/bridge/bridge-nf-call-iptables"
MANIFEST = """apiVersion: v1
kind: Pod
metadata: {name: web}
status: {podIPs: [{ip: 10.9.0.5}]}
---
apiVersion: v1
kind: Pod
metadata: {name: api}
status: {podIPs: [{ip: 10.9.0.6}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed}
spec: {podSelector: {}}
"""
OFF = "br-netfilter-off: Bridge cni0 has pods, but net.bridge.bridge-nf-call-iptables is 0"
GONE = "br-netfilter-off: no longer so: Bridge cni0"


def bridged(results):
    run("ip link add cni0 type bridge mcast_snooping 0")
    run("ip addr add 10.9.0.1/24 dev cni0")
    run("ip link set cni0 up")
    pods = {}
    for name, address in (("web", "10.9.0.5"), ("api", "10.9.0.6")):
        pod = pods[name] = namespace()
        run(f"ip link add veth-{name} type veth peer name eth0 netns {pod}")
        run(f"ip link set veth-{name} master cni0 up")
        run(f"ip addr add {address}/24 dev eth0", pod)
        run("ip link set eth0 up", pod)
        write(os.path.join(results, name), result(name, f"c-{name}", "bridge", ["cni0", f"veth-{name}"], address))
    return pods


def switches(daemon):
    """How often it has gone to sleep by itself."""
    with open(f"/proc/{daemon.process.pid}/status", encoding="utf-8") as status:
        return int(next(line for line in status if line.startswith("voluntary_ctxt_switches")).split()[1])


def sleeps(daemon):
    before = switches(daemon)
    time.sleep(IDLE_S)  # the span that is measured
    return switches(daemon) == before


def says(daemon, what, text, times):
    wait_for(f"{what}, {times} times: {text}", lambda: daemon.said().count(text) >= times)


def set_sysctl(value):
    with open(SYSCTL, "w", encoding="utf-8") as out:
        out.write(value)


def main():
    enter(("br_netfilter", "ip link add test0 type bridge && test -e " + SYSCTL))
    run("sysctl -q -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")
    with tempfile.TemporaryDirectory(prefix="netpold-sysctls-") as top:
        results = os.path.join(top, "cni/results")
        os.makedirs(results)
        write(os.path.join(top, "manifest.yaml"), MANIFEST)
        pods = bridged(results)
        daemon = Daemon(top)
        check("policy is enforced", not answers(pods["api"], "10.9.0.5", 1), daemon.said())
        wait_for(f"{IDLE_S} s without waking up", lambda: sleeps(daemon))
        set_sysctl("0")
        says(daemon, "the sysctl", OFF, 1)
        check("it is open, as is said", answers(pods["api"], "10.9.0.5"))
        check("status exits 1 and says so", daemon.status()[0] == 1 and "OPEN" in daemon.status()[1], daemon.status())
        set_sysctl("1")
        says(daemon, "the sysctl is back", GONE, 1)
        check("policy is enforced again", not answers(pods["api"], "10.9.0.5", 1), daemon.said())
        run("ip link set cni0 type bridge nf_call_iptables 1")
        set_sysctl("0")
        run("ip link set cni0 type bridge nf_call_iptables 0")
        says(daemon, "the bridge's own setting", OFF, 2)
        run("ip link set cni0 type bridge nf_call_iptables 1")
        says(daemon, "the bridge's own setting is back", GONE, 2)
        subprocess.run(["sysctl", "-q", "-w", "net.ipv4.ip_forward=0"], check=True)
        says(daemon, "forwarding", "forwarding-off: This host does not forward IPv4", 1)
        daemon.end()
    end()


if __name__ == "__main__":
    main()
