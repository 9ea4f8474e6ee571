#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""No iteration of the loop takes long, whatever comes in: many pods at once, a namespace that many are in, a policy that
means all of them, another's flush of our tables, and a listener that makes the kernel slow. Judged is the processor time
of the thread, against five times the budget of 50 ms that `make bench` keeps: others on the machine cost caches, and
what is not divided takes longer than that. /healthz is asked all the while.

LOOP_PODS (100000; QUICK=1: 20000) pods elsewhere; LOOP_LOCAL (250) here; LOOP_SCENES some of the functions; LOOP_LIMIT_MS
(250), for sanitizers four times as much."""
import http.client
import json
import os
import re
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
import harness  # noqa: E402
import nodes  # noqa: E402

PODS = int(os.environ.get("LOOP_PODS", "20000" if os.environ.get("QUICK") else "100000"))
LOCAL = int(os.environ.get("LOOP_LOCAL", "250"))
SCRATCH = "/run/loop"
MANIFESTS, CONTROL = f"{SCRATCH}/manifests", f"{SCRATCH}/run/control.sock"
METRICS = ("127.0.0.1", 9735)
LIMIT_MS = float(os.environ.get("LOOP_LIMIT_MS", "1000" if harness.is_sanitized() else "250"))
ARRIVING = 1000
PARTS = 2  # policies with peers of their own: with more, a namespace has no room for sets of all pods (NAMESPACE_BYTES_MAX)
RESULTS = min(PODS, 16384)  # CNI_RESULTS_MAX
SETTLED = 120  # seconds
check = harness.Checks()


def elsewhere(number):
    third, fourth = divmod(number, 250)
    return harness.pod(f"there-{number}", {"there": "yes", "part": f"p{number % 10}"},
                       [f"10.{100 + third // 250}.{third % 250}.{fourth + 1}"], node="n2")


def local(number):
    return harness.pod(f"here-{number}", {"group": f"g{number % 25}"}, [f"10.1.{number // 200}.{number % 200 + 1}"])


def namespace(**labels):
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "t", "labels": labels}}


def peers(**selectors):
    return [{"from": [dict(selectors)], "ports": [{"port": 80}]}]


class Probe(threading.Thread):
    """Asks for /healthz all the time, from the first time that somebody answers."""

    def __init__(self):
        super().__init__(daemon=True)
        self.longest, self.failed, self.asked, self.running = 0.0, 0, 0, True

    def run(self):
        while self.running:
            began = time.monotonic()
            try:
                connection = http.client.HTTPConnection(*METRICS, timeout=harness.PATIENCE)
                connection.request("GET", "/healthz")
                self.failed += connection.getresponse().status != 200
                connection.close()
                self.asked += 1
            except OSError:
                self.failed += self.asked > 0
            self.longest = max(self.longest, time.monotonic() - began)
            time.sleep(0.005)


class Daemon:
    def __init__(self, manifests=MANIFESTS, results=f"{SCRATCH}/none"):
        self.log = open(f"{SCRATCH}/log", "a+", encoding="utf-8")
        self.at = 0
        self.process = subprocess.Popen(
            [harness.NETPOLD, "-f", manifests, "--node", harness.NODE, "--control", CONTROL, "--metrics", "%s:%d" % METRICS,
             "--log-level", "debug", "--cni-results", results,
             "--table-owner", "none"], stderr=self.log)

    def processor(self):
        """Seconds of it that have been used."""
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as stat:
            return sum(map(int, stat.read().rsplit(") ", 1)[1].split()[11:13])) / os.sysconf("SC_CLK_TCK")

    def status(self):
        connection = nodes.UnixConnection(CONTROL)
        try:
            connection.request("GET", "/status")
            return json.loads(connection.getresponse().read())
        except OSError:
            if self.process.poll() is not None:
                sys.exit("FAIL the daemon has ended: " + self.said()[-2000:])
            return None
        finally:
            connection.close()

    def said(self):
        with open(f"{SCRATCH}/log", encoding="utf-8") as log:
            return log.read()

    def end(self):
        self.process.terminate()
        check("SIGTERM ends it well", self.process.wait(harness.PATIENCE) == 0)

    def new_lines(self):
        text = self.said()
        new, self.at = text[self.at:], len(text)
        return new

    def settled(self, commits):
        """Up to date, after so many commits at least."""
        end = time.monotonic() + SETTLED
        while time.monotonic() < end:
            kernel = (self.status() or {"kernel": {}})["kernel"]
            if kernel.get("upToDate") and kernel["commits"] >= commits:
                return kernel
            time.sleep(0.02)
        sys.exit(f"FAIL not up to date after {SETTLED} s: {str(self.status())[:2000]}: {self.said()[-2000:]}")


def measure(daemon, what, probe, act, commits=1):
    """The longest iteration while something happens."""
    before = (daemon.status() or {"kernel": {"commits": 0}})["kernel"]["commits"]
    daemon.new_lines()
    probe.longest = 0.0
    began, processor = time.monotonic(), daemon.processor()
    act()
    daemon.settled(before + commits)
    took, processor = time.monotonic() - began, daemon.processor() - processor
    long = [int(us) / 1000 for us in re.findall(r"an iteration of the loop took (\d+) us", daemon.new_lines())]
    print(f"{what}: {took:.2f} s, {processor:.2f} s of the processor; iterations over 50 ms: {len(long)}, the longest {max(long, default=0):.0f} ms; /healthz "
          f"answered within {probe.longest * 1000:.0f} ms")
    check(what, max(long, default=0) <= LIMIT_MS, f"{long[:10]}")


def yaml_pod(number):
    third, fourth = divmod(number, 250)
    return (f"- apiVersion: v1\n  kind: Pod\n  metadata:\n    name: there-{number}\n    namespace: t\n    labels: {{there: 'yes'}}\n"
            f"  spec: {{nodeName: n2}}\n  status:\n    phase: Running\n    podIPs: [{{ip: 10.{third // 250}.{third % 250}.{fourth + 1}}}]\n")


def starts(probe, what, manifests, results=f"{SCRATCH}/none", then=None):
    """A daemon of its own, that has this to read; and what happens then."""
    with open(f"{SCRATCH}/log", "w", encoding="ascii"):
        pass
    subprocess.run(["nft", "flush", "ruleset"], check=True)  # with faults, an earlier run's rules would stay
    daemon = Daemon(manifests, results)
    measure(daemon, what, probe, lambda: None)
    if then:
        measure(daemon, f"{what}, and one more", probe, then)
    daemon.end()


def one_document(probe):
    os.makedirs(f"{SCRATCH}/yaml")
    with open(f"{SCRATCH}/yaml/all.yaml", "w", encoding="ascii") as out:
        out.write("apiVersion: v1\nkind: List\nitems:\n")
        out.writelines(map(yaml_pod, range(PODS)))
        out.write(yaml_pod(PODS).replace("n2", harness.NODE))
        size = out.tell() / (1 << 20)
    starts(probe, f"one document of {size:.0f} MiB of YAML", f"{SCRATCH}/yaml")


def many_files(probe):
    """Each of them wrong: that is told as well."""
    os.makedirs(f"{SCRATCH}/files")
    for number in range(PODS // 10):
        with open(f"{SCRATCH}/files/{number}.yaml", "w", encoding="ascii") as out:
            out.write(f"apiVersion: v1\nkind: Pod\nmetadata: {{name: p{number}, namespace: t}}\nspec: {{nodeName: 7}}\n")
    harness.write(f"{SCRATCH}/files/here.json", [local(0)])
    starts(probe, f"{PODS // 10} files with faults", f"{SCRATCH}/files")


def links():
    """250, with routes to as many addresses as results are read."""
    if subprocess.run(["ip", "link", "show", "veth0"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0:
        return
    for number in range(250):
        subprocess.run(["ip", "link", "add", f"veth{number}", "type", "veth", "peer", "name", f"peer{number}"], check=True)
        subprocess.run(["ip", "link", "set", f"veth{number}", "up"], check=True)
    batch = "".join(f"route add 10.{200 + number // 60000}.{number % 60000 // 250}.{number % 250 + 1} dev veth{number % 250}\n"
                    for number in range(RESULTS))
    subprocess.run(["ip", "-batch", "-"], input=batch, text=True, check=True)


def many_results(probe):
    """As many results of CNI plugins as are read, with a link for some and a route for each."""
    os.makedirs(f"{SCRATCH}/results")
    links()

    def result(number):
        address = f"10.{200 + number // 60000}.{number % 60000 // 250}.{number % 250 + 1}"
        with open(f"{SCRATCH}/results/net-{number}-eth0", "w", encoding="ascii") as out:
            json.dump({"kind": "cniCacheV1", "containerId": f"{number}", "ifName": "eth0", "networkName": "net",
                       "cniArgs": [["K8S_POD_NAMESPACE", "t"], ["K8S_POD_NAME", f"here-{number}"]],
                       "result": {"cniVersion": "0.4.0", "interfaces": [{"name": f"veth{number % 250}"}, {"name": "eth0", "sandbox": "/x"}],
                                  "ips": [{"version": "4", "interface": 1, "address": f"{address}/32"}]}}, out)

    for number in range(1, RESULTS):
        result(number)
    harness.write(f"{SCRATCH}/few/here.json", [local(number) for number in range(LOCAL)])
    starts(probe, f"{RESULTS} results of CNI plugins, and as many routes", f"{SCRATCH}/few", f"{SCRATCH}/results",
           lambda: result(0))


def others_rules(probe):
    """As many rules of another firewall as a cluster has Services without pods, and each second somebody who asks."""
    rules = "".join(f"add rule ip others forward ip daddr 10.96.{number // 250}.{number % 250} counter reject\n"
                    for number in range(min(PODS, 20000)))
    ruleset = f"add table ip others\nadd chain ip others forward {{ type filter hook forward priority 10; }}\n{rules}"
    harness.write(f"{SCRATCH}/some/here.json", [local(number) for number in range(LOCAL)])
    links()
    daemon = Daemon(f"{SCRATCH}/some")
    measure(daemon, "some pods", probe, lambda: None)
    subprocess.run(["nft", "-f", "-"], input=ruleset, text=True, check=True)
    measure(daemon, "somebody asks beside another's rules", probe, lambda: [daemon.status() for _ in range(3)], 0)
    daemon.end()


def changes(probe):
    harness.write(f"{MANIFESTS}/namespace.json", [namespace()])
    harness.write(f"{MANIFESTS}/here.json", [local(number) for number in range(LOCAL)])
    harness.write(f"{MANIFESTS}/there.json", [elsewhere(number) for number in range(PODS)])
    harness.write(f"{MANIFESTS}/policies.json", [
        harness.policy(f"part-{part}", {"group": f"g{part}"}, ingress=peers(podSelector={"matchLabels": {"part": f"p{part}"}}))
        for part in range(PARTS)])
    daemon = Daemon()
    measure(daemon, "start", probe, lambda: None)

    def write(name, *objects):
        return lambda: harness.write(f"{MANIFESTS}/{name}.json", list(objects))

    team = {"matchLabels": {"team": "a"}}
    measure(daemon, "a policy that means every pod", probe, write("all", harness.policy(
        "all", {}, ingress=peers(podSelector={}, namespaceSelector={}))))
    measure(daemon, "another one, by label of namespaces", probe, write("team", harness.policy(
        "team", {"group": "g3"}, ingress=peers(namespaceSelector=team), egress=[{"to": [{"namespaceSelector": team}]}])))
    measure(daemon, "the namespace gets that label", probe, write("namespace", namespace(team="a")))
    measure(daemon, "and loses it", probe, write("namespace", namespace()))
    arrive = [local(number) for number in range(LOCAL + ARRIVING)]
    measure(daemon, f"{ARRIVING} more pods here at once", probe, write("here", *arrive))
    print(f"    in one commit of {daemon.status()['kernel']['lastMicroseconds'] / 1000:.0f} ms, in parts")
    measure(daemon, "another's flush", probe, lambda: subprocess.run(["nft", "flush", "ruleset"], check=True))
    listener = subprocess.Popen(["nft", "monitor"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    measure(daemon, "another's flush, and it listens", probe, lambda: subprocess.run(["nft", "flush", "ruleset"], check=True))
    listener.kill()
    measure(daemon, "the policy is gone", probe, write("all"))
    check("every probe was answered", probe.failed == 0 and probe.asked > 0, f"{probe.failed} of {probe.asked}")
    daemon.end()


def main():
    harness.begin(900, megabytes=4096)
    os.makedirs(SCRATCH)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    probe = Probe()
    probe.start()
    for scene in (changes, one_document, many_files, many_results, others_rules):
        if scene.__name__ in os.environ.get("LOOP_SCENES", scene.__name__).split():
            scene(probe)
    probe.running = False
    check.end()


if __name__ == "__main__":
    main()
