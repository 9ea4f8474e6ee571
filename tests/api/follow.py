#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The source against an API server that behaves, and that does not (tests/apiserver). Needs no root and no network
but the loopback. usage: follow.py [NAME...] runs only the cases of these names. NETPOLD_SEED repeats the last one."""

import base64
import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../apiserver"))
import hostile  # noqa: E402
from client import ApiServer, can_run  # noqa: E402

PATIENCE = 100  # seconds; a condition is met long before
CHURN_SECONDS = float(os.environ.get("CHURN_SECONDS", "15"))
BUILD = os.environ.get("top_builddir", ".")
GONE = "s3cr3t-of-nobody"  # a token that no server knows
PASSWORD = "s3cr3t-proxy-password"


class Failure(Exception):
    pass


def expect(condition, what):
    if not condition:
        raise Failure(what)


def read_head(client):
    """The head of a request; nothing where the client ends before it does."""
    head = b""
    while b"\r\n\r\n" not in head:
        data = client.recv(4096)
        if not data:
            return b""
        head += data
    return head


def wait_for(what, condition):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        time.sleep(0.02)
    raise Failure("waited in vain for " + what)


class Dump:
    """A running apidump, and what is there by what it says."""

    def __init__(self, directory, *args, env=None):
        self.lines = []
        self.errors = []
        self.objects = set()
        self.args = [os.path.join(BUILD, "tests/apidump"), *args]
        clean = {k: v for k, v in os.environ.items()
                 if not k.lower().endswith("_proxy") and k not in ("KUBECONFIG", "HOME")
                 and not k.startswith("KUBERNETES_")}
        self.process = subprocess.Popen(self.args, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, cwd=directory,
                                        env={**clean, "HOME": directory, **(env or {})})
        self.threads = [threading.Thread(target=self._read, args=pair, daemon=True)
                        for pair in ((self.process.stdout, self.lines),
                                     (self.process.stderr, self.errors))]
        for thread in self.threads:
            thread.start()

    def _read(self, stream, lines):
        for line in stream:
            words = line.split()
            if lines is self.lines and words[0] in ("upsert", "broken"):
                self.objects.add(" ".join(words[1:3]))
            elif lines is self.lines and words[0] == "delete":
                if " ".join(words[1:3]) not in self.objects:
                    lines.append("deleted twice: " + line)
                self.objects.discard(" ".join(words[1:3]))
            lines.append(line.rstrip("\n"))

    def wait(self, pattern, times=1, errors=False):
        lines = self.errors if errors else self.lines
        return wait_for("%d × %s" % (times, pattern), lambda: (
            lambda found: found if len(found) >= times else None)(
                [line for line in list(lines) if re.search(pattern, line)]))

    def wait_hurried(self, pattern, times=1):
        """The waits between its requests are cut short."""
        end = time.monotonic() + PATIENCE
        while len([line for line in list(self.lines) if re.search(pattern, line)]) < times:
            expect(time.monotonic() < end, "waited in vain for %d × %s" % (times, pattern))
            self.hurry()
            time.sleep(0.2)

    def none(self, pattern):
        for line in list(self.lines):
            expect(not re.search(pattern, line), "unexpected: " + line)

    def status(self, plural):
        before = len([line for line in list(self.lines) if line.startswith("status")])
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        line = self.wait("^status", before + 1)[-1]
        state, version, *counts = re.search(r" %s=(\S+)" % plural, line).group(1).split(",")
        return {"state": state, "version": version,
                **{k: int(v) for k, v in (c.split(":") for c in counts)}}

    def hurry(self):
        self.process.stdin.write("!")
        self.process.stdin.flush()

    def exit(self):
        try:
            self.process.stdin.close()
        except OSError:
            pass
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Failure("apidump does not end") from None
        for thread in self.threads:
            thread.join(PATIENCE)
        return code

    def output(self):
        lines = [line for line in self.lines if not line.startswith("status")]
        return "\n".join(["--- " + " ".join(self.args), *lines, "---", *self.errors])


class Proxy(threading.Thread):
    """An HTTP proxy that knows CONNECT."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.heads = []
        self.start()

    def run(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        head = read_head(client)
        if not head:
            return
        self.heads.append(head.decode())
        host, port = head.split()[1].decode().rsplit(":", 1)
        server = socket.create_connection((host.strip("[]"), int(port)))
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        threading.Thread(target=self.pump, args=(server, client), daemon=True).start()
        self.pump(client, server)

    @staticmethod
    def pump(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass
        for sock in (source, target):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def pod(name, **metadata):
    return {"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": "shop", "labels": {"app": name}, **metadata},
            "spec": {"nodeName": "n1", "containers": [{"name": "c", "image": "i"}]},
            "status": {"phase": "Running", "podIP": "10.0.0.1"}}


def policy(name, **spec):
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": name, "namespace": "shop"}, "spec": {"podSelector": {}, **spec}}


class Test:
    """What a case works with: a server with a small cluster, and what is cleaned up behind it."""

    def __init__(self, host="127.0.0.1"):
        self.directory = tempfile.mkdtemp()
        self.server = ApiServer(host).start()
        self.secrets = [GONE, PASSWORD, self.server.token("node")]
        self.dumps = []
        self.do = self.server.control
        self.do("set", kubelet_seconds=0)
        self.server.load({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}},
                         {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}},
                         pod("web"), pod("api"), policy("deny"))

    def remove(self, resource, name):
        self.do("remove", resource=resource, namespace="shop", name=name)

    def remove_in(self, resource, namespace, name):
        self.do("remove", resource=resource, namespace=namespace, name=name)

    def asked(self, resource, **query):
        """The requests for a resource with these members of the query, among others."""
        return [entry for entry in self.do("log")["log"] if entry["resource"] == resource and
                all(entry["query"].get(k) == v for k, v in query.items())]

    def write(self, name, text, mode=0o600):
        path = os.path.join(self.directory, name)
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path + ".new", mode)
        os.rename(path + ".new", path)
        return path

    def kubeconfig(self, user=None, name="config", **cluster):
        entry = {"server": self.server.url, "certificate-authority": self.server.path("ca.crt")}
        entry.update({k.replace("_", "-"): v for k, v in cluster.items()})
        if user is None:
            user = {"tokenFile": self.server.path("token-node")}
        return self.write(name, json.dumps({
            "kind": "Config", "apiVersion": "v1", "current-context": "main",
            "clusters": [{"name": "c", "cluster": {k: v for k, v in entry.items() if v}}],
            "users": [{"name": "u", "user": user}],
            "contexts": [{"name": "main", "context": {"cluster": "c", "user": "u"}}]}))

    def dump(self, *args, **kwargs):
        self.dumps.append(Dump(self.directory, *args, **kwargs))
        return self.dumps[-1]

    def once(self, *args, code=0, **kwargs):
        dump = self.dump("--once", *args, **kwargs)
        expect(dump.exit() == code, "exit status %s" % dump.process.returncode)
        return dump

    def follow(self):
        """One that is up to date and watches all."""
        dump = self.dump(self.kubeconfig())
        dump.wait("^synced")
        self.all_watched()
        return dump

    def all_watched(self):
        wait_for("the watches", lambda: all(
            self.server.watches(resource) == 1
            for resource in ("pods", "nodes", "namespaces", "networkpolicies")))

    def done(self):
        for dump in self.dumps:
            if dump.process.poll() is None:
                dump.exit()
        errors = self.do("stats")["errors"]
        self.server.stop()
        shutil.rmtree(self.directory)
        expect(not errors, "the server: %s" % errors)


# Cases. Their names are what they hold.

def a_streaming_list_and_what_follows(t):
    dump = t.follow()
    expect(dump.objects >= {"Pod shop/web", "NetworkPolicy shop/deny", "Node n1", "Namespace shop"},
           "objects")
    t.server.load(pod("late"), policy("deny", policyTypes=["Egress"]))
    t.remove("pods", "web")
    dump.wait("^upsert Pod shop/late")
    dump.wait("^delete Pod shop/web")
    dump.wait("^upsert NetworkPolicy shop/deny isolates=01")
    expect(not t.asked("pods", limit="500"), "pages were asked for")
    expect(dump.status("pods")["objects"] == 2, "pods are miscounted")
    expect(dump.exit() == 0, "exit status")
    expect(not [e for e in dump.errors if "warning" in e], "a warning")


def pages_where_streaming_lists_are_refused(t):
    t.do("generate", pods=1100, nodes=3, namespaces=3)
    t.do("streaming-lists", on=False, how="refused")
    dump = t.dump(t.kubeconfig())
    dump.wait("^synced")
    expect(len([o for o in dump.objects if o.startswith("Pod")]) == 1102, "pods")
    expect(len(t.asked("pods", limit="500")) == 3, "pages")
    t.server.load(pod("late"))
    dump.wait("^upsert Pod shop/late")


def pages_where_streaming_lists_are_ignored(t):
    t.do("streaming-lists", on=False, how="ignored")
    dump = t.dump(t.kubeconfig())
    t.all_watched()
    dump.none("^synced")
    t.do("streams", how="end")  # which else would take minutes
    dump.wait("^synced")
    expect(len(t.asked("pods", limit="500")) == 1, "pages")


def pages_where_streaming_lists_do_not_come_through(t):
    for how, more in (("cut", {"skip": 1}), ("cut-clean", {"skip": 1}), ("reset-body", {"skip": 1}), ("reset", {}),
                      ("garbage", {"what": "json", "skip": 1}), ("garbage", {"what": "type"}), ("404", {}), ("500", {}),
                      ("503", {}), ("504", {}), ("429", {}), ("410-event", {}), ("429-event", {}), ("500-event", {}),
                      ("503-event", {})):
        t.do("stats", reset=True)
        t.do("fail", resource="pods", verb="watch", how=how, **more)
        dump = t.dump(t.kubeconfig())
        dump.wait("^synced")
        expect(len(t.asked("pods", sendInitialEvents="true")) == 1, "streaming lists with " + how)
        expect(len(t.asked("pods", limit="500")) == 1, "pages with " + how)
        dump.wait("^upsert Pod shop/web")
        dump.exit()


def pages_where_the_storage_is_too_old_for_streaming_lists(t):
    """What an API server of 1.34 with etcd 3.4 answered, in a response with status 200. It is no reason to wait."""
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": "InternalError",
              "message": "a watch stream was requested by the client but the required storage feature "
                         "RequestWatchProgress is disabled", "code": 500}
    t.do("set", bookmark_seconds=1)
    for line in ({"type": "ERROR", "object": status}, {"object": status, "type": "ERROR"}):
        t.do("stats", reset=True)
        t.do("fail", verb="watch", how="garbage", line=json.dumps(line, separators=(",", ":")) + "\n", times=7)
        dump = t.dump(t.kubeconfig())
        dump.wait("^synced")
        wait_for("the watch behind the pages", lambda: len(t.asked("pods")) >= 3)
        asked = t.asked("pods")
        expect(["sendInitialEvents" in entry["query"] for entry in asked[:3]] == [True, False, False], "requests")
        expect(asked[1]["at"] - asked[0]["at"] < 0.7, "it waited")
        dump.wait("pods: no streaming list: an ERROR event with code 500: a watch stream was requested", errors=True)
        dump.exit()


def pages_that_expire_are_read_at_once(t):
    t.do("generate", pods=600, nodes=3, namespaces=3)
    t.do("streaming-lists", on=False, how="refused")
    t.do("fail", resource="pods", verb="list", how="slow", delay=0.01)  # the first page goes well
    t.do("fail", resource="pods", verb="list", how="410")
    dump = t.dump(t.kubeconfig())
    dump.wait("^synced")
    expect(len([o for o in dump.objects if o.startswith("Pod")]) == 602, "pods")
    expect([entry["query"].get("limit") for entry in t.asked("pods") if entry["verb"] == "list"] ==
           ["500", "500", None], "requests")


def what_vanished_unseen_is_deleted_after_a_new_list(t):
    for how in ("410", "410-event"):
        dump = t.follow()
        lists = dump.status("pods")["lists"]
        t.server.load(pod("gone"))
        dump.wait("^upsert Pod shop/gone")
        t.do("fail", resource="pods", verb="watch", how="503")
        t.do("fail", resource="pods", verb="watch", how=how)
        t.do("streams", resource="pods", how="reset")
        dump.wait("watch of pods ended: HTTP status 503", errors=True)
        t.remove("pods", "gone")
        t.server.load(pod("new-" + how))
        t.do("compact")
        dump.wait("^delete Pod shop/gone")
        dump.wait("^upsert Pod shop/new-" + how)
        dump.none("^delete Pod shop/api")
        expect(dump.status("pods")["lists"] == lists + 1, "lists")
        expect(dump.lines.count("synced") == 1, "synced twice")
        dump.exit()


def an_object_that_is_cut_is_resumed_from_the_last_version(t):
    dump = t.follow()
    version = dump.status("pods")["version"]
    for how in ("cut", "cut-clean", "reset"):
        t.do("streams", resource="pods", how=how)
        t.server.load(pod(how))
        dump.wait("^upsert Pod shop/%s " % how)
        t.all_watched()
    expect(t.asked("pods", resourceVersion=version), "no resume from version " + version)
    expect(dump.status("pods")["lists"] == 1, "listed anew for nothing")
    dump.wait(r"watch of pods ended: .*; trying again in [0-9.]+ s from version [0-9]+", 3, errors=True)


def a_server_that_restarts_is_not_listed_anew(t):
    dump = t.follow()
    t.do("listen", on=False)
    t.do("drop-connections")
    dump.wait("watch of pods ended: .*onnect", 2, errors=True)
    t.server.load(pod("late"))
    t.do("stats", reset=True)
    t.do("listen", on=True)
    dump.wait("^upsert Pod shop/late")
    t.all_watched()
    expect(not t.asked("pods", sendInitialEvents="true"), "listed anew for nothing")


def busy_servers_get_the_time_that_they_ask_for(t):
    for how, more in (("429", {"retry_after": 2}), ("504", {}), ("502", {})):
        t.do("fail", resource="pods", how=how, **more)
    dump = t.dump(t.kubeconfig())
    dump.wait("^synced")
    times = [entry["at"] for entry in t.asked("pods")]
    expect(times[1] - times[0] >= 2, "after 429: %.2f s" % (times[1] - times[0]))
    expect(times[2] - times[1] >= 1, "after 504: %.2f s" % (times[2] - times[1]))
    dump.wait("pods not listed: HTTP status 429: Too many requests.*; listing in [0-9.]+ s", errors=True)
    dump.wait("HTTP status 502: <html><body><h1>502 Bad Gateway", errors=True)


def a_watch_that_ends_at_once_is_no_reason_to_hurry(t):
    dump = t.follow()
    t.do("stats", reset=True)
    t.do("fail", resource="pods", verb="watch", how="500-event", times=None)
    began = time.monotonic()
    t.do("streams", resource="pods", how="end")
    wait_for("four watches", lambda: len(t.asked("pods")) >= 4)
    expect(time.monotonic() - began >= 2, "four watches in %.2f s" % (time.monotonic() - began))
    dump.none("^delete")


def a_rotated_token_is_read_anew(t):
    dump = t.follow()
    with open(t.server.path("token-node"), encoding="ascii") as file:
        old = file.read()
    t.do("rotate-token", user="node")
    new = t.server.token("node")
    t.secrets.append(new)
    with open(t.server.path("token-node"), "w", encoding="ascii") as file:
        file.write(old)  # the kubelet is late
    t.do("streams", how="end")
    dump.wait("watch of pods ended: HTTP status 401: Unauthorized", errors=True)
    with open(t.server.path("token-node"), "w", encoding="ascii") as file:
        file.write("  " + new)
    t.server.load(pod("late"))
    dump.wait("^upsert Pod shop/late")


def a_role_that_lacks_something_is_told_what(t):
    t.do("deny", rules=[{"resource": "networkpolicies"}])
    dump = t.once(t.kubeconfig(), code=1)
    dump.wait(r'^failed: https://127.0.0.1:\d+: forbidden: the role lacks "watch" on "networkpolicies" of API '
              r'group "networking.k8s.io"', errors=True)
    dump = t.dump(t.kubeconfig())
    wait_for("the word", lambda: dump.status("networkpolicies")["state"] == "forbidden")
    dump.none("^synced")
    t.do("heal")
    dump.wait("^synced")


def kinds_that_are_not_enforced_come_and_go(t):
    dump = t.follow()
    wait_for("the absence", lambda: dump.status("clusternetworkpolicies")["state"] == "absent")
    t.do("register", group="policy.networking.k8s.io", version="v1alpha2", resource="clusternetworkpolicies",
         kind="ClusterNetworkPolicy")
    t.server.load(*({"apiVersion": "policy.networking.k8s.io/v1alpha2", "kind": "ClusterNetworkPolicy",
                     "metadata": {"name": name}, "spec": {"tier": "Admin", "priority": 1}} for name in ("one", "two")))
    dump.hurry()
    dump.wait("^upsert ClusterNetworkPolicy.policy.networking.k8s.io one$")
    dump.wait("^upsert ClusterNetworkPolicy.policy.networking.k8s.io two$")
    t.do("remove", resource="clusternetworkpolicies", name="two")
    dump.wait("^delete ClusterNetworkPolicy.policy.networking.k8s.io two$")
    t.do("unregister", resource="clusternetworkpolicies")
    dump.hurry()
    dump.wait("^delete ClusterNetworkPolicy.policy.networking.k8s.io one$")
    wait_for("the absence", lambda: dump.status("clusternetworkpolicies")["state"] == "absent")


def a_role_may_not_know_kinds_that_are_not_enforced(t):
    t.do("register", group="policy.networking.k8s.io", version="v1alpha2", resource="clusternetworkpolicies",
         kind="ClusterNetworkPolicy")
    t.do("deny", rules=[{"resource": "clusternetworkpolicies"}])
    dump = t.follow()
    wait_for("the word", lambda: dump.status("clusternetworkpolicies")["state"] == "forbidden")
    expect(len([line for line in dump.errors if "whether there are any is not known" in line]) == 1, "said once")
    dump.hurry()
    wait_for("another look", lambda: len(t.asked("clusternetworkpolicies")) > 1)
    t.once(t.kubeconfig())
    expect(len([line for line in dump.errors if "whether there are any is not known" in line]) == 1, "said again")


def once_is_enough(t):
    dump = t.once(t.kubeconfig())
    expect(dump.lines[-1] == "synced", "the last line")
    expect("Pod shop/web" in dump.objects, "objects")


def once_gives_up(t):
    dump = t.once(t.kubeconfig(user={"token": GONE}), code=1)
    dump.wait("^failed: .*HTTP status 401: Unauthorized", errors=True)
    t.do("listen", on=False)
    dump = t.once(t.kubeconfig(), code=1)
    dump.wait("^failed: https://127.0.0.1:[0-9]+: .*connect", errors=True)


def certificates_are_verified(t):
    for how in ("wrong-ca", "wrong-name", "expired"):
        t.do("tls", how=how)
        t.once(t.kubeconfig(), code=1).wait("^failed: .*certificate|^failed: .*host name", errors=True)
    t.do("tls", how="ok")
    t.once(t.kubeconfig(certificate_authority=None), code=1).wait("^failed: .*certificate", errors=True)
    expect(not t.asked("pods"), "something was asked")


def a_certificate_of_another_name_that_is_expected(t):
    t.once(t.kubeconfig(tls_server_name="kubernetes.default.svc"))
    t.once(t.kubeconfig(tls_server_name="kubernetes.default"), code=1)


def insecure_only_where_the_file_says_so_and_then_with_a_warning(t):
    t.do("tls", how="wrong-ca")
    dump = t.once(t.kubeconfig(insecure_skip_tls_verify=True, certificate_authority=None))
    dump.wait("warning: .*insecure-skip-tls-verify: certificates are not verified", errors=True)
    t.do("tls", how="plain")
    dump = t.once(t.kubeconfig(server=t.server.url.replace("https", "http")))
    dump.wait("warning: .*server: not encrypted", errors=True)


def client_certificates_as_files_and_as_data(t):
    t.do("rotate-token", user="node")
    paths = {"client-certificate": t.server.path("client-node.crt"),
             "client-key": t.server.path("client-node.key"), "ca": t.server.path("ca.crt")}
    data = {}
    for name, path in paths.items():
        with open(path, "rb") as file:
            data[name] = base64.b64encode(file.read()).decode()
    ca = data.pop("ca")
    del paths["ca"]
    t.once(t.kubeconfig(user=paths))
    t.once(t.kubeconfig(user={k + "-data": v for k, v in data.items()}, certificate_authority=None,
                        certificate_authority_data=ca))
    expect({entry["user"] for entry in t.asked("pods")} == {"node"}, "users")


PLUGIN = """#!/bin/sh
echo run >> runs
[ ! -e broken ] || exit 3
printf '%s\\n' "$KUBERNETES_EXEC_INFO" > info
cat <<EOF
{"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1",
 "status": {"token": "$(cat "$TOKEN")"$(cat expiry)}}
EOF
"""


def plugins_are_asked_again_when_refused_or_expired(t):
    def runs():
        with open(os.path.join(t.directory, "runs"), encoding="ascii") as file:
            return file.read().count("run")

    t.write("plugin", PLUGIN, 0o700)
    t.write("token", GONE)
    t.write("expiry", "")
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "./plugin",
                     "interactiveMode": "Never", "provideClusterInfo": True,
                     "env": [{"name": "TOKEN", "value": "token"}]}}
    config = t.kubeconfig(user=user)
    dump = t.dump(config)
    dump.wait("HTTP status 401", errors=True)
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 300))
    t.write("expiry", ', "expirationTimestamp": "%s"' % soon)
    t.write("token", t.server.token("node"))
    dump.wait("^synced")
    with open(os.path.join(t.directory, "info"), encoding="utf-8") as file:
        spec = json.load(file)["spec"]
    with open(t.server.path("ca.crt"), "rb") as file:
        expect(base64.b64decode(spec["cluster"]["certificate-authority-data"]) == file.read(), "the authority")
    expect(spec["cluster"]["server"] == t.server.url and spec["interactive"] is False, "cluster info")
    dump.exit()

    t.write("expiry", ', "expirationTimestamp": "2020-01-01T00:00:00Z"')
    t.once(config, code=1).wait("^failed: .*plugin .*plugin: what it gave has expired already", errors=True)
    before = runs()
    t.write("broken", "")
    t.once(config, code=1).wait("^failed: .*plugin .*plugin: exit status 3", errors=True)
    expect(runs() - before <= 12, "%d runs" % (runs() - before))
    user["exec"] |= {"command": "no-such-plugin", "installHint": "install it"}
    t.once(t.kubeconfig(user=user), code=1).wait(
        "^failed: .*plugin no-such-plugin: No such file or directory: install it", errors=True)


def proxies_do_not_see_the_token(t):
    proxy = Proxy()
    t.once(t.kubeconfig(proxy_url="http://someone:%s@127.0.0.1:%d" % (PASSWORD, proxy.port)))
    expect(proxy.heads and proxy.heads[0].startswith("CONNECT 127.0.0.1:%d " % t.server.port), "no CONNECT")
    expect("uthorization: Basic" in proxy.heads[0], "no password for the proxy")
    expect(not [head for head in proxy.heads if t.server.token("node") in head], "the proxy saw the token")


def a_name_with_more_addresses_than_servers(t):
    t.once(t.kubeconfig(server=t.server.url.replace("127.0.0.1", "localhost")))


def an_address_of_ipv6(t):
    other = Test("::1")
    try:
        other.once(other.kubeconfig())
    finally:
        t.dumps += other.dumps
        other.done()


NGINX = """daemon off; master_process off; error_log stderr error; pid %(dir)s/pid;
events {}
http {
  access_log %(dir)s/access; client_body_temp_path %(dir)s; proxy_temp_path %(dir)s;
  fastcgi_temp_path %(dir)s; uwsgi_temp_path %(dir)s; scgi_temp_path %(dir)s;
  server {
    listen 127.0.0.1:%(port)d ssl http2; ssl_certificate %(ca)s/server.crt; ssl_certificate_key %(ca)s/server.key;
    location / { proxy_pass %(server)s; proxy_http_version 1.1; proxy_buffering off; proxy_ssl_verify off; }
  }
}
"""


def http2_has_all_on_one_connection(t):
    nginx = os.environ.get("NGINX") or shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
    if not nginx:
        print("     not tried: nginx is missing, and Python has no HTTP/2")
        return
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = t.write("nginx.conf", NGINX % {"dir": t.directory, "port": port, "ca": t.server.directory,
                                            "server": t.server.url})
    with subprocess.Popen([nginx, "-c", config, "-p", t.directory], stderr=subprocess.DEVNULL) as process:
        try:
            dump = t.dump(t.kubeconfig(server="https://127.0.0.1:%d" % port))
            dump.wait("^synced")
            t.server.load(pod("late"))
            dump.wait("^upsert Pod shop/late")
            sockets = "/proc/%d/net/tcp" % dump.process.pid
            with open(sockets, encoding="ascii") as file:
                open_ones = [line for line in file if line.split()[2].endswith(":%04X" % port)
                             and line.split()[3] == "01"]
            expect(len(open_ones) == 1, "%d connections" % len(open_ones))
            expect(dump.exit() == 0, "exit status")
        finally:
            process.terminate()
    with open(os.path.join(t.directory, "access"), encoding="utf-8") as file:
        versions = re.findall(r"HTTP/[0-9.]+", file.read())
    expect(versions and set(versions) == {"HTTP/2.0"}, "versions: %s" % versions)


def requests_that_cannot_share_a_connection_do_not_wait_for_each_other(t):
    """The test server has HTTP/1.1 only. No answer comes; the four required kinds are asked for all the same."""
    t.do("fail", how="silent", verb="watch", headers=False, times=None)
    begin = time.monotonic()
    t.dump(t.kubeconfig())
    wait_for("all four requests", lambda: t.do("faults")["faults"][0]["struck"] >= 4)
    expect(time.monotonic() - begin < 60, "they wait until the first is given up, after 65 s")


def several_kubeconfig_files(t):
    users = t.write("users", json.dumps({"current-context": "", "users": [
        {"name": "u", "user": {"token": t.server.token("node")}}]}))
    env = {"KUBECONFIG": ":".join([users, "/nonexistent", t.kubeconfig(user={"token": GONE})])}
    t.once(env=env)
    t.once("--context", "nobody", env=env, code=2).wait(
        "contexts: nobody: expected context of this name, here or in the other files", errors=True)


def what_cannot_be_understood_is_named_and_the_rest_goes_on(t):
    odd = policy("odd", podSelector={"matchLabels": {"app": "web"}}, policyTypes=["Egress"],
                 egress=[{"tomorrow": True}])
    t.do("load", objects=[odd], raw=True)
    dump = t.follow()
    dump.wait("^broken NetworkPolicy shop/odd isolates=01 rules=0,0 selects=1 reason=.*tomorrow")
    dump.wait("^upsert NetworkPolicy shop/deny")
    nul = policy("nul", policyTypes=["Egress"])
    nul["metadata"]["annotations"] = {"a": "x\x00y"}
    t.do("load", objects=[nul], raw=True)
    dump.wait("^upsert NetworkPolicy shop/nul isolates=01")
    t.do("load", objects=[pod("odd") | {"status": {"podIP": "nonsense"}}], raw=True)
    dump.wait("^broken Pod shop/odd reason=status.podIP: \"nonsense\": expected an IP address")
    t.remove("pods", "odd")
    dump.wait("^delete Pod shop/odd")
    t.server.load(pod("sly", annotations={"netpold.io/interface": "eth0"}))
    dump.wait("^upsert Pod shop/sly interface=$")
    expect(dump.status("pods")["failures"] == 0, "failures")


def inject(t, found):
    """Every hostile object, and after each few an ordinary pod and policy."""
    for at in range(0, len(found), 50):
        batch = found[at:at + 50]
        t.do("inject", objects=[{"resource": one.resource, "namespace": one.namespace, "name": one.name,
                                 "parts": one.parts} for one in batch])
        t.server.load(pod("ordinary%d" % at), policy("ordinary%d" % at))
    return {"%s shop/ordinary%d" % (kind, at) for kind in ("Pod", "NetworkPolicy") for at in range(0, len(found), 50)}


def one_object_never_stops_a_stream(t):
    """Lists in pages, streaming lists, watches: whatever a field has, ordinary objects before and after arrive, what is
    never read does not matter, and who is not understood is named."""
    found = [one for one in hostile.cases() if one.named]
    ordinary = inject(t, found)
    for how in ("pages", "stream", "watch"):
        t.do("streaming-lists", on=how != "pages", how="refused")
        if how == "watch":
            for one in found:
                t.remove_in(one.resource, one.namespace, one.name)
            for key in ordinary:
                t.remove("pods" if key.startswith("Pod") else "networkpolicies", key.split("/")[1])
        dump = t.dump(t.kubeconfig())
        dump.wait("^synced")
        if how == "watch":
            t.all_watched()
            inject(t, found)
        wait_for("ordinary objects", lambda: ordinary <= dump.objects)
        wait_for("the others", lambda: {one.key for one in found if one.kept} <= dump.objects)
        understood = {" ".join(line.split()[1:3]) for line in list(dump.lines) if line.startswith("upsert")}
        for one in found:
            expect(not one.harmless or one.key in understood, "%s: %s is not understood" % (how, one.what))
        for resource in hostile.MODELS:
            status = dump.status(resource)
            expect((status["state"], status["failures"], status["lists"]) == ("watching", 0, 1), "%s: %s" % (how, status))
        expect(not [line for line in dump.errors if line.startswith("warning")], "a warning")
        expect(dump.exit() == 0, "exit status")


def objects_without_a_name_or_an_end_are_passed_by(t):
    """A list is asked for object by object until they are behind it; what was told before stays meanwhile."""
    nameless = next(one for one in hostile.cases() if one.resource == "pods" and not one.named).parts
    endless = [('{"metadata":{"name":"endless","namespace":"shop"},"x":', 1), ("[", 1000), ("}", 1)]
    for how, parts, key in (("pages", nameless, "(no namespace)/(no name)"), ("watch", nameless, "(no namespace)/(no name)"),
                            ("pages", endless, "shop/endless")):
        t.do("streaming-lists", on=how == "watch", how="refused")
        if how == "watch":
            dump = t.follow()
        t.server.load(pod("before"))
        t.do("inject", resource="pods", namespace="shop", name="odd", parts=parts)
        t.server.load(pod("zz-behind"))
        if how == "pages":
            dump = t.dump(t.kubeconfig())
        dump.wait_hurried("^upsert Pod shop/zz-behind")
        dump.wait_hurried("^broken Pod " + re.escape(key))
        dump.wait("^synced")
        t.server.load(pod("later"))
        dump.wait_hurried("^upsert Pod shop/later")
        dump.none("^delete Pod")
        dump.exit()
        for name in ("before", "odd", "zz-behind", "later"):
            t.remove("pods", name)


def what_makes_no_progress_is_told(t):
    """From the start; later, whatever the failures are; never without one; until there is an object or a bookmark."""
    t.do("fail", resource="pods", how="503", times=None)
    dump = t.dump("--deadline", "1000", t.kubeconfig())
    dump.wait("^stalled pods: HTTP status 503", 2)
    t.do("heal")
    dump.wait("^moving pods")
    dump.wait("^synced")
    t.all_watched()
    t.do("set", bookmark_seconds=1)
    for turn, (how, words) in enumerate((("500-event", "an ERROR event with code 500"), ("reset", ".*onnection reset"),
                                         ("404", "HTTP status 404"), ("410", "HTTP status 410")), 2):
        t.do("fail", resource="pods", how=how, times=None)
        t.do("streams", resource="pods", how="end")
        dump.wait_hurried("^stalled pods: " + words)
        t.do("heal")
        dump.wait_hurried("^moving pods", turn)
    dump.none("^(stalled|moving) (nodes|namespaces|clusternetworkpolicies)")


FAILURES = ("401", "403", "410", "429", "500", "502", "503", "504", "reset", "reset-body", "cut", "cut-clean",
            "410-event", "500-event")
STREAMS = ("bookmark", "end", "cut", "cut-clean", "reset", "garbage", "410-event", "500-event")


def misbehave(t, luck):
    where = luck.choice([{}, {"resource": "pods"}, {"resource": "networkpolicies"}])
    what = luck.randrange(20)
    if what < 8:
        t.do("streams", how=luck.choice(STREAMS), **where)
    elif what < 14:
        t.do("fail", how=luck.choice(FAILURES), times=luck.randint(1, 2), **where)
    elif what == 14:
        t.do("fail", how="garbage", what=luck.choice(["object", "json", "type"]), **where)
    elif what == 15:
        t.do("compact")
    elif what == 16:
        t.do("drop-connections")
    elif what == 17:
        t.do("streaming-lists", on=luck.random() < 0.5, how="refused")
    elif what == 18:
        t.do("tls", how=luck.choice(["plain", "reset", "garbage", "wrong-ca", "wrong-name"]))
    else:
        t.do("rotate-token", user="node")
        t.secrets.append(t.server.token("node"))
        t.do("heal")


def churn(t, luck, names):
    """Makes, changes and removes something; `names` is what is there."""
    resource, make, kind = luck.choice([("pods", pod, "Pod"), ("networkpolicies", policy, "NetworkPolicy")])
    name = "x%d" % luck.randrange(60)
    key = "%s shop/%s" % (kind, name)
    if key in names and luck.random() < 0.4:
        t.remove(resource, name)
        names.remove(key)
        return
    one = make(name)
    one["metadata"]["labels"] = {"v": str(luck.randrange(1000))}
    t.server.load(one)
    names.add(key)


def after_any_misbehaviour_it_knows_what_is_there(t):
    seed = int(os.environ.get("NETPOLD_SEED") or random.SystemRandom().randrange(1 << 32))
    print("     NETPOLD_SEED=%d" % seed)
    luck = random.Random(seed)
    names = {"Namespace shop", "Node n1", "Pod shop/web", "Pod shop/api", "NetworkPolicy shop/deny"}
    t.do("set", bookmark_seconds=1)
    dump = t.dump(t.kubeconfig())
    end = time.monotonic() + CHURN_SECONDS
    while time.monotonic() < end:
        for _ in range(luck.randint(1, 10)):
            churn(t, luck, names)
        if luck.random() < 0.5:
            misbehave(t, luck)
        time.sleep(luck.random() * 0.2)  # the pace of the churn; nothing is expected meanwhile
    t.do("heal")
    wait_for("the truth", lambda: {o for o in dump.objects if not re.match("Namespace (?!shop)", o)} == names)
    dump.none("^broken|^deleted twice")


CASES = [value for name, value in list(globals().items())
         if getattr(value, "__code__", None) and value.__code__.co_varnames[:1] == ("t",)
         and value.__code__.co_argcount == 1]


def run(case):
    """None, or what was wrong, and all that was said."""
    t = Test()
    problem = None
    try:
        case(t)
    except Failure as failure:
        problem = str(failure)
    try:
        t.done()
    except Failure as failure:
        problem = problem or str(failure)
    text = "\n".join(dump.output() for dump in t.dumps)
    if any(secret in text for secret in t.secrets):
        problem = problem or "a secret in the output or on the command line"
    if "strings left behind" in text or "Sanitizer" in text:
        problem = problem or "a leak"
    return problem, text


def main():
    why_not = can_run()
    if why_not:
        print("skipped: " + why_not)
        return 77
    failed = 0
    for case in CASES:
        if sys.argv[1:] and case.__name__ not in sys.argv[1:]:
            continue
        problem, text = run(case)
        print("%s %s%s" % ("FAIL" if problem else "ok  ", case.__name__.replace("_", " "),
                           ": " + problem if problem else ""), flush=True)
        if problem:
            failed += 1
            print(text)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
