#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon as root starts it by hand: it gives up every right but CAP_NET_ADMIN and CAP_DAC_READ_SEARCH, becomes the
user that it is told, and everything still works: manifests, a kubeconfig's token and CNI results that are root's alone,
also when they are replaced; the control socket, for root and at the next start. What it runs has no capability."""
import json
import os
import pwd
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time

TOP = os.environ.get("top_srcdir", os.path.join(os.path.dirname(os.path.realpath(__file__)), "../.."))
sys.path[:0] = [os.path.join(TOP, "contrib/lab"), os.path.join(TOP, "tests/e2e")]
sys.path.append(os.path.join(TOP, "tests/apiserver"))
sys.dont_write_bytecode = True
import harness  # noqa: E402  of tests/e2e
import client  # noqa: E402
import nodes  # noqa: E402

KEPT = 1 << 12 | 1 << 2  # CAP_NET_ADMIN, CAP_DAC_READ_SEARCH
USERS = (None, "nobody", "65532")  # who it is told to be: an account, a number without one
MANIFEST = "manifests/deep/all.json"
NETPOLD, NETPOLCTL = harness.NETPOLD, harness.NETPOLCTL
check = harness.Checks()


def result(address):
    return {"kind": "cniCacheV1", "containerId": "abc", "config": "", "ifName": "eth0", "networkName": "net",
            "cniArgs": [["K8S_POD_NAMESPACE", "t"], ["K8S_POD_NAME", "web"], ["K8S_POD_INFRA_CONTAINER_ID", "abc"]],
            "result": {"cniVersion": "1.0.0", "interfaces": [{"name": "veth0"}, {"name": "eth0", "sandbox": "/x"}],
                       "ips": [{"address": f"{address}/32", "interface": 1}]}}


class Place:
    """A directory that others may pass, in which everything is root's alone."""

    def __init__(self, top):
        self.top = top
        os.chmod(top, 0o755)
        os.umask(0o077)
        self.program = self.path("netpold")
        shutil.copy(NETPOLD, self.program)
        os.chmod(self.program, 0o755)
        for name in ("results", "manifests"):
            os.mkdir(self.path(name))
        self.write("netpold.conf", "metrics: off\n")

    def path(self, name):
        return os.path.join(self.top, name)

    def write(self, name, text):
        """Renamed into its place, as whoever rotates a file does."""
        with open(self.path(name) + "~", "w", encoding="utf-8") as out:
            out.write(text)
        os.rename(self.path(name) + "~", self.path(name))

    def command(self, *options):
        return [self.program, "--config", self.path("netpold.conf"), "--cni-results", self.path("results"), *options]


def environment():
    # A leak cannot be looked for in a process that may not be traced.
    return dict(os.environ, ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0")


class Daemon:
    def __init__(self, place, user, *options, directory="run"):
        self.place, self.user = place, user
        # A directory that it makes itself, in one that is root's, as in /run.
        self.control = place.path(f"{directory}-{user}/control.sock")
        words = place.command("--control", self.control, *options) + (["--user", user] if user else [])
        self.log = open(place.path("log"), "w+", encoding="utf-8")
        self.process = subprocess.Popen(words, stderr=self.log, env=environment())

    def status(self):
        connection = nodes.UnixConnection(self.control)
        try:
            connection.request("GET", "/status")
            return json.loads(connection.getresponse().read())
        except OSError:
            return None
        finally:
            connection.close()

    def wait(self, what, condition):
        def holds():
            if self.process.poll() is not None:
                sys.exit(f"FAIL the daemon has ended: {open(self.log.name, encoding='utf-8').read()}")
            status = self.status()
            return status and status["kernel"]["upToDate"] and condition(status)
        harness.wait_for(what, holds)

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(harness.PATIENCE)
        check(f"{self.user}: SIGTERM ends it well", code == 0, open(self.log.name, encoding="utf-8").read())
        check(f"{self.user}: the socket is gone", not os.path.exists(self.control))


def process_status(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as lines:
        return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def check_rights(daemon):
    seen = process_status(daemon.process.pid)
    for name, wanted in (("CapEff", KEPT), ("CapPrm", KEPT), ("CapBnd", KEPT), ("CapAmb", 0), ("CapInh", 0)):
        check(f"{daemon.user}: {name}", int(seen[name], 16) == wanted, seen[name])
    check(f"{daemon.user}: NoNewPrivs", seen["NoNewPrivs"] == "1")
    number = {None: 0, "nobody": pwd.getpwnam("nobody").pw_uid, "65532": 65532}[daemon.user]
    check(f"{daemon.user}: Uid", seen["Uid"].split() == [str(number)] * 4, seen["Uid"])
    check(f"{daemon.user}: Gid", seen["Gid"].split() == [str(number)] * 4, seen["Gid"])
    if daemon.user:
        check(f"{daemon.user}: Groups", set(seen["Groups"].split()) <= {str(number)}, seen["Groups"])
    mode = os.stat(daemon.control)
    check(f"{daemon.user}: the socket is its own", (mode.st_uid, stat.S_IMODE(mode.st_mode)) == (number, 0o600))


def tables():
    return subprocess.run(["nft", "list", "ruleset"], check=True, stdout=subprocess.PIPE, text=True).stdout


def manifests(place, *objects):
    os.makedirs(place.path("manifests/deep"), exist_ok=True)
    place.write(MANIFEST, json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))


def check_manifests(place, user):
    web, closed = harness.pod("web", {"app": "web"}, ["10.9.0.2"]), harness.policy("closed", {}, ingress=[])
    place.write("results/net-abc-eth0", json.dumps(result("10.9.0.2")))
    manifests(place, web)
    daemon = Daemon(place, user, "-f", place.path(MANIFEST))
    daemon.wait("CNI results that are root's", lambda status: status["pods"]["withDevice"] == 1)
    check_rights(daemon)
    manifests(place, web, closed)
    daemon.wait("a manifest that is replaced", lambda status: status["pods"]["isolatedIngress"] == 1)
    check(f"{user}: the pod is closed", "chain i_veth0" in tables(), tables())
    os.unlink(place.path("results/net-abc-eth0"))
    daemon.wait("a result that goes", lambda status: status["pods"]["withDevice"] == 0)
    place.write("results/net-abc-eth0", json.dumps(result("10.9.0.3")))
    daemon.wait("a result that comes", lambda status: status["pods"]["withDevice"] == 1)
    check(f"{user}: its address counts", "10.9.0.3" in tables(), tables())
    done = subprocess.run([NETPOLCTL, "status", "--control", daemon.control], stdout=subprocess.PIPE, check=False)
    check(f"{user}: netpolctl status by root", done.returncode == 0, done)
    daemon.process.kill()  # and the socket stays
    daemon.process.wait()
    again = Daemon(place, user, "-f", place.path(MANIFEST))
    again.wait("a restart over the socket of before", lambda status: status["ready"])
    again.end()
    last = Daemon(place, user, "-f", place.path(MANIFEST))
    last.wait("a restart", lambda status: status["ready"])
    last.end()


def check_once(place, user):
    words = ["--user", user] if user else []
    for mode, holds in ((["--once", "-f", place.path(MANIFEST)], lambda: "chain i_veth0" in tables()),
                        (["--cleanup"], lambda: "netpold" not in tables())):
        done = subprocess.run(place.command(*mode, *words), stderr=subprocess.PIPE, text=True, env=environment(), check=False)
        check(f"{user}: {mode[0]}", done.returncode == 0 and holds(), done.stderr)


PLUGIN = """#!/bin/sh
grep -E '^(Cap|Uid|NoNew)' /proc/self/status > "$SEEN.new" && mv "$SEEN.new" "$SEEN"
echo '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "'"$TOKEN"'"}}'
"""


def kubeconfig(place, server, user):
    """JSON is YAML, too."""
    place.write("kubeconfig", json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": server.url, "certificate-authority": server.path("ca.crt")}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}], "users": [{"name": "u", "user": user}]}))
    return ["--kubeconfig", place.path("kubeconfig"), "--node", harness.NODE]


def check_token(place, server, user):
    """A token that is root's alone, and another in its place, which the next request needs."""
    server.load({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "t"}})
    server.load(harness.pod("web", {"app": "web"}, ["10.9.0.2"]), raw=True)
    daemon = Daemon(place, user, *kubeconfig(place, server, {"tokenFile": server.path("token-node")}))
    daemon.wait("an API server is read", lambda status: status["pods"]["here"] == 1)
    check_rights(daemon)
    mode = os.stat(server.path("token-node")).st_mode
    check("the token is root's alone", stat.S_IMODE(mode) == 0o600, oct(mode))
    server.control("rotate_token", user="node")
    server.control("drop_connections")
    server.load(harness.policy("closed", {}, ingress=[]))
    daemon.wait("a policy, with another token", lambda status: status["pods"]["isolatedIngress"] == 1)
    daemon.end()


def check_plugin(place, server, user):
    os.mkdir(place.path("seen"))
    os.chmod(place.path("seen"), 0o777)
    place.write("plugin", PLUGIN)
    os.chmod(place.path("plugin"), 0o755)
    seen = place.path(f"seen/{user}")
    ask = {"apiVersion": "client.authentication.k8s.io/v1", "command": place.path("plugin"), "interactiveMode": "Never",
           "env": [{"name": "TOKEN", "value": server.token("node")}, {"name": "SEEN", "value": seen}]}
    daemon = Daemon(place, user, *kubeconfig(place, server, {"exec": ask}))
    daemon.wait("a credential plugin is run", lambda status: status["pods"]["here"] == 1)
    daemon.end()
    with open(seen, encoding="ascii") as lines:
        found = dict(line.split(":\t", 1) for line in lines)
    for name in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
        check(f"{user}: a plugin's {name}", int(found[name], 16) == 0, found[name])
    check(f"{user}: a plugin's way to more", int(found["CapBnd"], 16) == KEPT and int(found["NoNewPrivs"]) == 1, found)
    shutil.rmtree(place.path("seen"))


def check_directory(place):
    """One that is there already is not given away, and one that was another user's is not taken."""
    os.mkdir(place.path("theirs"), 0o755)
    for user, name in (("nobody", "theirs"), ("nobody", "run-65532")):
        before = os.stat(place.path(name))
        done = subprocess.run(place.command("-f", "/dev/null", "--control", place.path(f"{name}/control.sock"), "--user", user),
                              stderr=subprocess.PIPE, text=True, env=environment(), check=False)
        check("a directory that others own is told", done.returncode == 1 and "may write to" in done.stderr, done.stderr)
        check("and stays theirs", os.stat(place.path(name)) == before)


def may_connect(path, user, groups):
    """By a process of that user in these groups."""
    child = os.fork()
    if child == 0:
        os.setgroups(groups)
        os.setgid(user)
        os.setuid(user)
        with socket.socket(socket.AF_UNIX) as one:
            os._exit(one.connect_ex(path) != 0)
    return os.waitpid(child, 0)[1] == 0


def check_group(place, user):
    """Whoever is in control-group may ask, with --user and without, and nobody else."""
    operators = 65530
    daemon = Daemon(place, user, "-f", "/dev/null", "--control-group", str(operators), directory="group")
    daemon.wait("a group's socket", lambda status: status["ready"])
    found = os.stat(daemon.control)
    check(f"{user}: the socket is the group's", (found.st_gid, stat.S_IMODE(found.st_mode)) == (operators, 0o660), found)
    check(f"{user}: a member may ask", may_connect(daemon.control, 65531, [operators]))
    check(f"{user}: others may not", not may_connect(daemon.control, 65531, [65529]))
    for name in (signal.SIGUSR1, signal.SIGUSR2):
        daemon.process.send_signal(name)
    daemon.wait("SIGUSR1 and SIGUSR2 end nobody", lambda status: status["ready"])
    with open(daemon.log.name, encoding="utf-8") as log:
        lines = [line for line in log.read().splitlines() if not line.startswith("==")]  # a sanitizer's
    check("each line of the log has its time", all(re.match(r"\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}Z (notice|warning|err): ", line) for line in lines), lines)
    daemon.end()


def check_unknown_group(place):
    done = subprocess.run(place.command("-f", "/dev/null", "--control-group", "no-such-group"),
                          stderr=subprocess.PIPE, text=True, env=environment(), check=False)
    check("a group that is not there", done.returncode == 2 and "group no-such-group: no such group: expected" in done.stderr, done.stderr)


def main():
    harness.begin(240)
    os.setgroups([1, 2])  # as a login has some
    why = client.can_run()
    for line in ("link set lo up", "link add veth0 type veth peer name pod0", "link set veth0 up"):
        subprocess.run(["ip", *line.split()], check=True)
    with tempfile.TemporaryDirectory(prefix="netpold-rights-") as top:
        place = Place(top)
        for user in USERS:
            check_manifests(place, user)
            check_once(place, user)
        for user in USERS:
            check_group(place, user)
        check_unknown_group(place)
        check_directory(place)
        if why:
            print(f"{why}: not checked: tokens and credential plugins")
        for user in () if why else USERS:
            with client.ApiServer() as server:
                check_token(place, server, user)
                check_plugin(place, server, user)
    check.end()


if __name__ == "__main__":
    main()
