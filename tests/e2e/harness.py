# SPDX-License-Identifier: GPL-2.0-or-later
"""What the end-to-end tests have in common: where things are, when to skip, a cluster of the lab with one node."""
import json
import os
import select
import shutil
import socket
import subprocess
import sys
import time

TOP = os.environ.get("top_srcdir", os.path.join(os.path.dirname(os.path.realpath(__file__)), "../.."))
sys.path[:0] = [os.path.join(TOP, "contrib/lab"), os.path.join(TOP, "tests/netns")]
sys.dont_write_bytecode = True
import canonical  # noqa: E402
import cluster  # noqa: E402
import confine  # noqa: E402

NODE = "n1"
NETPOLD = os.path.abspath(os.path.join(os.environ.get("top_builddir", "."), "netpold"))
NETPOLCTL = os.path.abspath(os.path.join(os.environ.get("top_builddir", "."), "netpolctl"))
TIME_FACTOR = int(os.environ.get("TIME_FACTOR", "1"))  # how much longer everything may take, on an emulated machine
# Seconds for what takes milliseconds, on a machine that is busy with other things. Shorter than netpold waits for a list
# or watch that has gone silent (LIST_SILENCE_MS and WATCH_SILENCE_MS of src/source/reflector.c): one that loses bytes is
# a failure, and not made good unseen.
PATIENCE = 60 * TIME_FACTOR


def begin(seconds, megabytes=None):
    """Skips, or goes on in namespaces of the test's own, for so long and with so much memory at most."""
    if os.geteuid() != 0:
        print("needs root: skipped")
        sys.exit(77)
    for tool in ("nft", "ip", "unshare", "mount"):
        if not shutil.which(tool):
            print(f"needs {tool}: skipped")
            sys.exit(77)
    if subprocess.run(["unshare", "-n", "nft", "list", "tables"], stderr=subprocess.DEVNULL, check=False).returncode:
        print("needs network namespaces and nf_tables: skipped")
        sys.exit(77)
    if megabytes and "MEMORY_LIMITED" not in os.environ:
        os.execvp("sh", ["sh", os.path.join(TOP, "tests/lib/limited.sh"), str(megabytes), sys.executable, *sys.argv])
    confine.confine(seconds * TIME_FACTOR)


def is_sanitized():
    """Such a program takes more time and memory, and keeps what was freed for a while."""
    with open(NETPOLD, "rb") as program:
        return b"__asan_init" in program.read()


def modes():
    """MODE: routed, bridged or both."""
    mode = os.environ.get("MODE", "both")
    return ("routed", "bridged") if mode == "both" else (mode,)


class Options:
    netpold, netpolctl = NETPOLD, NETPOLCTL
    enforce = "daemon"

    def __init__(self, manifests, *netpold_options):
        self.manifests = [manifests]
        self.netpold_options = list(netpold_options)


def pod(name, labels=None, addresses=(), node=NODE, namespace="t"):
    status = {"phase": "Running" if addresses else "Pending"}
    if addresses:
        status["podIPs"] = [{"ip": address} for address in addresses]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace, "labels": labels or {}},
            "spec": {"nodeName": node}, "status": status}


def policy(name, subject, ingress=None, egress=None, namespace="t"):
    """Of those directions that have rules, if only an empty list."""
    spec = {"podSelector": {"matchLabels": subject}, "policyTypes": []}
    for word, rules in (("Ingress", ingress), ("Egress", egress)):
        if rules is not None:
            spec["policyTypes"].append(word)
            spec[word.lower()] = rules
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def write(path, objects):
    """As editors save."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + "~", "w", encoding="utf-8") as out:
        json.dump({"apiVersion": "v1", "kind": "List", "items": objects}, out)
    os.rename(path + "~", path)


def start(directory, bridged, *options, outside=(), scratch="/run"):
    """The lab of the manifests in a directory: its cluster, and the node's netpold."""
    chosen = Options(directory, *options)
    ends = [{"kind": "external", "address": address} for address in outside]
    lab = cluster.Cluster(cluster.read_pods(chosen), ends, scratch, bridged)
    lab.nodes.setdefault(NODE, set())
    lab.build(chosen)
    lab.enforce(chosen)
    return lab, lab.agents[NODE]


def listing(space, *what):
    """The text of nft list."""
    space.enter()
    return subprocess.run(["nft", "list", *what], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                          check=False).stdout


def normal(space):
    """Our tables in a form that does not tell how they came about."""
    return list(canonical.canonical(listing(space, "ruleset")))


def socket_in(space, family, kind, protocol=0):
    """One that stays in the namespace where it was made."""
    space.enter()
    made = socket.socket(family, kind, protocol)
    made.setblocking(False)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    if family == socket.AF_INET6 and kind != socket.SOCK_RAW:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return made


def arrives(listener, send, token, wanted, grace=0.1, tries=100):
    """Sends until the token is there; or, if it should not be, once, and waits a moment."""
    for _ in range(tries if wanted else 1):
        send(token)
        end = time.monotonic() + grace
        while (left := end - time.monotonic()) > 0:
            if select.select([listener], [], [], left)[0] and token in listener.recv(4096):
                return True
    return False


def remove(space):
    os.close(space.handle)
    subprocess.run(["ip", "netns", "del", space.name], check=True)


def wait_for(what, condition):
    end = time.monotonic() + PATIENCE
    while not (value := condition()):
        if time.monotonic() > end:
            raise TimeoutError(f"not within {PATIENCE} s: {what}")
        time.sleep(0.005)
    return value


def each_mode(run, seconds=120):
    """A test that is run(mode, check), for so long at most."""
    begin(seconds)
    check = Checks()
    for mode in modes():
        run(mode, check)
    check.end()


class Checks:
    """What holds and what does not; the exit status."""

    def __init__(self):
        self.passed = self.failed = 0

    def __call__(self, what, holds, detail=""):
        if holds:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAIL {what}{': ' if detail else ''}{detail}")

    def end(self):
        print(f"{self.passed} hold, {self.failed} do not")
        sys.exit(1 if self.failed else 0)
