#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The source against API servers that behave, and that do not. Needs no root and no network but the
loopback. usage: follow.py [NAME...] runs only the cases of these names."""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

from server import NAMESPACES, PODS, POLICIES, Certificates, Cluster, Proxy, Server

PATIENCE = 60  # seconds; a condition is met long before
BUILD = os.environ.get("top_builddir", ".")
SECRETS = ["s3cr3t-token-one", "s3cr3t-token-two", "s3cr3t-exec-token", "s3cr3t-proxy-password"]


class Failure(Exception):
    pass


def wait_for(what, condition):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        time.sleep(0.02)
    raise Failure("waited in vain for " + what)


class Dump:
    """A running apidump."""

    def __init__(self, directory, *args, env=None):
        self.lines = []
        self.errors = []
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

    @staticmethod
    def _read(stream, lines):
        for line in stream:
            lines.append(line.rstrip("\n"))

    def wait(self, pattern, times=1, errors=False):
        lines = self.errors if errors else self.lines
        return wait_for("%d × %s" % (times, pattern), lambda: (
            lambda found: found if len(found) >= times else None)(
                [line for line in list(lines) if re.search(pattern, line)]))

    def none(self, pattern):
        found = [line for line in self.lines if re.search(pattern, line)]
        if found:
            raise Failure("unexpected: " + found[0])

    def status(self, plural):
        before = len([line for line in self.lines if line.startswith("status")])
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        line = self.wait("^status", before + 1)[-1]
        state, version, *counts = re.search(r" %s=(\S+)" % plural, line).group(1).split(",")
        return {"state": state, "version": version,
                **{k: int(v) for k, v in (c.split(":") for c in counts)}}

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
        return "\n".join(["--- " + " ".join(self.args), *self.lines, "---", *self.errors])


class Test:
    """What a case works with, and what is cleaned up behind it."""

    def __init__(self, certs):
        self.certs = certs
        self.directory = tempfile.mkdtemp()
        self.servers = []
        self.dumps = []

    def server(self, *args, tls=True, **kwargs):
        server = Server(self.certs if tls else None, *args, **kwargs)
        self.servers.append(server)
        return server

    def write(self, name, text, mode=0o600):
        path = os.path.join(self.directory, name)
        with open(path + ".new", "w" if isinstance(text, str) else "wb") as file:
            file.write(text)
        os.chmod(path + ".new", mode)
        os.rename(path + ".new", path)
        return path

    def kubeconfig(self, server, name="config", user=None, host=None, **cluster):
        scheme = "https" if server.tls else "http"
        address = host or ("[%s]" % server.host if ":" in server.host else server.host)
        entry = {"server": "%s://%s:%d" % (scheme, address, server.port)}
        if server.tls and not cluster.get("insecure-skip-tls-verify"):
            entry["certificate-authority"] = self.certs.path("ca.pem")
        entry.update(cluster)
        entry = {k: v for k, v in entry.items() if v is not None}
        return self.write(name, json.dumps({
            "kind": "Config", "apiVersion": "v1", "current-context": "main",
            "clusters": [{"name": "c", "cluster": entry}],
            "users": [{"name": "u", "user": user or {}}],
            "contexts": [{"name": "main", "context": {"cluster": "c", "user": "u"}}]}))

    def dump(self, *args, **kwargs):
        dump = Dump(self.directory, *args, **kwargs)
        self.dumps.append(dump)
        return dump

    def once(self, *args, **kwargs):
        dump = self.dump("--once", *args, **kwargs)
        return dump, dump.exit()

    def follow(self, server, **kwargs):
        return self.dump(self.kubeconfig(server, **kwargs))

    def done(self):
        for dump in self.dumps:
            if dump.process.poll() is None:
                dump.exit()
        for server in self.servers:
            server.stop()
        shutil.rmtree(self.directory)


def expect(condition, what):
    if not condition:
        raise Failure(what)


def small_cluster():
    cluster = Cluster()
    cluster.put(NAMESPACES, {"metadata": {"name": "shop"}})
    cluster.pod("shop", "web")
    cluster.pod("shop", "api")
    cluster.policy("shop", "deny")
    return cluster


# Cases. Their names are what they hold.

def a_streaming_list_and_what_follows(t):
    server = t.server(small_cluster())
    dump = t.follow(server)
    dump.wait("^synced")
    dump.wait("^upsert Pod shop/web")
    dump.wait("^upsert NetworkPolicy shop/deny isolates=10")
    server.cluster.pod("shop", "late")
    dump.wait("^upsert Pod shop/late")
    server.cluster.delete(PODS, "shop", "web")
    dump.wait("^delete Pod shop/web")
    server.cluster.policy("shop", "deny", {"podSelector": {}, "policyTypes": ["Egress"]})
    dump.wait("^upsert NetworkPolicy shop/deny isolates=01")
    expect(not server.asked(PODS, limit="500"), "pages were asked for")
    expect(dump.status("pods")["objects"] == 2, "pods are miscounted")
    expect(dump.exit() == 0, "exit status")
    expect(not [e for e in dump.errors if "warning" in e], "a warning")


def pages_where_there_are_no_streaming_lists(t):
    server = t.server(small_cluster())
    server.streaming_lists = False
    server.page = 2
    for i in range(7):
        server.cluster.pod("shop", "p%d" % i)
    dump = t.follow(server)
    dump.wait("^synced")
    expect(len(set(line for line in dump.lines if line.startswith("upsert Pod"))) == 9, "pods")
    expect(len(server.asked(PODS, limit="500")) == 5, "pages")
    server.cluster.pod("shop", "late")
    dump.wait("^upsert Pod shop/late")


def pages_that_expire_are_read_at_once(t):
    server = t.server(small_cluster())
    server.streaming_lists = False
    server.page = 1

    def fault(handler):
        if "continue" not in handler.params or handler.resource != PODS:
            return False
        handler.status(410, "The provided continue parameter is too old",
                       metadata={"continue": "2"})
        return True
    server.fault = fault
    dump = t.follow(server)
    dump.wait("^synced")
    dump.wait("^upsert Pod shop/web")
    expect(len(server.asked(PODS, limit="500")) == 2, "requests for pages")


def an_expired_version_is_listed_anew_and_what_vanished_is_deleted(t):
    server = t.server(small_cluster())
    dump = t.follow(server)
    dump.wait("^synced")
    server.cluster.delete_unseen(PODS, "shop", "web")
    server.cluster.pod("shop", "new")
    server.cluster.compact()
    dump.wait("^delete Pod shop/web")
    dump.wait("^upsert Pod shop/new")
    dump.none("^delete Pod shop/api")
    wait_for("the watch", lambda: dump.status("pods")["state"] == "watching")
    expect(dump.status("pods")["lists"] == 2, "lists")
    expect(len([line for line in dump.lines if line == "synced"]) == 1, "synced twice")


def an_expired_version_as_the_status_of_the_answer(t):
    server = t.server(small_cluster())
    dump = t.follow(server)
    dump.wait("^synced")

    def fault(handler):
        if handler.resource != PODS or "resourceVersion" not in handler.params:
            return False
        handler.status(410, "too old resource version")
        return True

    def cut(handler, kind, obj):
        handler.cut()
        return True
    server.fault = fault
    server.on_event = cut
    server.cluster.delete_unseen(PODS, "shop", "web")
    server.cluster.pod("shop", "new")
    dump.wait("^delete Pod shop/web")
    dump.wait("^upsert Pod shop/new")


def a_proxy_that_cuts_an_object(t):
    server = t.server(small_cluster())
    dump = t.follow(server)
    dump.wait("^synced")
    cuts = []

    def cut(handler, kind, obj):
        if len(cuts) >= 2:
            return False
        cuts.append(obj)
        half = json.dumps({"type": kind, "object": obj}).encode()
        handler.chunk(half[:len(half) // 2])
        if len(cuts) == 1:
            handler.cut()
        else:
            handler.end()
        return True
    server.on_event = cut
    version = server.cluster.version
    server.cluster.pod("shop", "cut")
    dump.wait("^upsert Pod shop/cut")
    expect(len(cuts) == 2, "cuts")
    expect(len(server.asked(PODS, resourceVersion=str(version))) >= 2, "no resume from the version")
    expect(dump.status("pods")["lists"] == 1, "listed anew for nothing")
    dump.wait(r"watch of pods ended: .*; trying again in [0-9.]+ s from version %d" % version, 2,
              errors=True)


def a_server_that_restarts(t):
    server = t.server(small_cluster())
    dump = t.follow(server)
    dump.wait("^synced")
    server.stop()
    dump.wait("watch of pods ended: ", errors=True)
    server.cluster.pod("shop", "late")
    again = t.server(server.cluster, port=server.port)
    dump.wait("^upsert Pod shop/late")
    expect(not again.asked(PODS, sendInitialEvents="true"), "listed anew for nothing")


def busy_servers_are_given_the_time_they_ask_for(t):
    server = t.server(small_cluster())
    times = []

    def fault(handler):
        if handler.resource != PODS or len(times) >= 3:
            return False
        times.append(time.monotonic())
        if len(times) == 1:
            handler.status(429, "Too many requests", headers=[("Retry-After", "2")])
        elif len(times) == 2:
            handler.status(504, "Timeout: Too large resource version: 9, current: 8", details={
                "causes": [{"reason": "ResourceVersionTooLarge"}], "retryAfterSeconds": 1})
        else:
            handler.reply(503, b"<html>\x1b[31mno backend</html>", "text/html")
        return True
    server.fault = fault
    dump = t.follow(server)
    dump.wait("^synced")
    expect(times[1] - times[0] >= 2, "after 429: %.2f s" % (times[1] - times[0]))
    expect(times[2] - times[1] >= 1, "after 504: %.2f s" % (times[2] - times[1]))
    dump.wait("HTTP status 429: Too many requests; listing in [0-9.]+ s", errors=True)
    dump.wait(r"HTTP status 503: <html>\?\[31mno backend</html>", errors=True)


def a_server_that_closes_at_once_is_not_asked_in_a_loop(t):
    server = t.server(small_cluster())
    dump = t.follow(server)
    dump.wait("^synced")

    def fault(handler):
        if "resourceVersion" not in handler.params:
            return False
        handler.begin()
        handler.end()
        return True

    def close(handler, kind, obj):
        handler.event(kind, obj)
        handler.end()
        return True
    server.on_event = close
    server.fault = fault
    began = time.monotonic()
    server.cluster.pod("shop", "late")
    wait_for("four watches", lambda: len(server.asked(PODS, resourceVersion="105")) >= 4)
    expect(time.monotonic() - began >= 2, "four watches in %.2f s" % (time.monotonic() - began))


def a_rotated_token_is_read_anew(t):
    server = t.server(small_cluster())
    server.token = SECRETS[0]
    t.write("token", SECRETS[0] + "\n")
    dump = t.follow(server, user={"tokenFile": "token"})
    dump.wait("^synced")
    server.token = SECRETS[1]

    def cut(handler, kind, obj):
        handler.cut()
        return True
    server.on_event = cut
    server.cluster.pod("shop", "late")
    dump.wait("watch of pods ended: HTTP status 401: Unauthorized", errors=True)
    server.on_event = None
    t.write("token", SECRETS[1])
    dump.wait("^upsert Pod shop/late")


def a_role_that_lacks_something_is_told_what(t):
    server = t.server(small_cluster())

    def fault(handler):
        if handler.resource != POLICIES:
            return False
        handler.status(403, 'networkpolicies.networking.k8s.io is forbidden: User "u" cannot')
        return True
    server.fault = fault
    dump, code = t.once(t.kubeconfig(server))
    expect(code == 1, "exit status %d" % code)
    dump.wait(r'failed: https://127.0.0.1:\d+: forbidden: the role lacks "watch" on '
              r'"networkpolicies" of API group "networking.k8s.io"', errors=True)
    follow = t.follow(server)
    wait_for("the word", lambda: follow.status("networkpolicies")["state"] == "forbidden")
    follow.none("^synced")
    server.fault = None
    follow.wait("^synced")


def once_is_enough(t):
    server = t.server(small_cluster())
    dump, code = t.once(t.kubeconfig(server))
    expect(code == 0, "exit status %d" % code)
    expect(dump.lines[-1] == "synced" and len(dump.lines) == 5, "events")


def once_gives_up(t):
    server = t.server(small_cluster())
    config = t.kubeconfig(server)
    server.stop()
    dump, code = t.once(config)
    expect(code == 1, "exit status %d" % code)
    dump.wait("^failed: https://127.0.0.1:[0-9]+: .*connect", errors=True)
    server = t.server(small_cluster())
    server.token = SECRETS[0]
    dump, code = t.once(t.kubeconfig(server, user={"token": SECRETS[1]}))
    expect(code == 1, "exit status %d" % code)
    dump.wait("^failed: .*HTTP status 401: Unauthorized", errors=True)


def certificates_are_verified(t):
    server = t.server(small_cluster())
    for cluster in ({"certificate-authority": t.certs.path("other-ca.pem")},
                    {"certificate-authority": None}):
        dump, code = t.once(t.kubeconfig(server, **cluster))
        expect(code == 1, "exit status %d" % code)
        dump.wait("^failed: .*certificate", errors=True)
    named = t.server(small_cluster(), cert="named")
    dump, code = t.once(t.kubeconfig(named))
    expect(code == 1, "a certificate of another name was taken")
    dump.wait("^failed: .*certificate", errors=True)
    expect(not server.requests and not named.requests, "something was asked")


def a_certificate_of_another_name_that_is_expected(t):
    server = t.server(small_cluster(), cert="named")
    dump, code = t.once(t.kubeconfig(server, **{"tls-server-name": "api.cluster.example"}))
    expect(code == 0, "exit status %d" % code)
    expect(server.requests[0][2]["Host"] == "127.0.0.1:%d" % server.port, "Host")
    dump, code = t.once(t.kubeconfig(server, **{"tls-server-name": "other.example"}))
    expect(code == 1, "a certificate of another name was taken")


def insecure_only_where_the_file_says_so_and_then_with_a_warning(t):
    server = t.server(small_cluster(), cert="named")
    dump, code = t.once(t.kubeconfig(server, **{"insecure-skip-tls-verify": True}))
    expect(code == 0, "exit status %d" % code)
    dump.wait("warning: .*insecure-skip-tls-verify: certificates are not verified", errors=True)
    plain = t.server(small_cluster(), tls=False)
    dump, code = t.once(t.kubeconfig(plain))
    expect(code == 0, "exit status %d" % code)
    dump.wait("warning: .*server: not encrypted", errors=True)


def client_certificates_as_files_and_as_data(t):
    server = t.server(small_cluster(), client_ca="ca.pem")
    data = {"client-%s-data" % k: base64.b64encode(t.certs.read("client." + v)).decode()
            for k, v in (("certificate", "pem"), ("key", "key"))}
    files = {"client-certificate": t.certs.path("client.pem"),
             "client-key": t.certs.path("client.key")}
    ca = {"certificate-authority": None, "certificate-authority-data":
          base64.b64encode(t.certs.read("ca.pem")).decode()}
    for user in (data, files):
        dump, code = t.once(t.kubeconfig(server, user=user, **ca))
        expect(code == 0, "exit status %d" % code)
    dump, code = t.once(t.kubeconfig(server))
    expect(code == 1, "no certificate was asked for")


PLUGIN = """#!/bin/sh
echo run >> runs
[ ! -e broken ] || exit 3
printf '%s\\n' "$KUBERNETES_EXEC_INFO" > info
cat <<EOF
{"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1",
 "status": {"token": "$(cat token)-$WHO"$(cat expiry)}}
EOF
"""


def plugins_are_asked_again_when_refused_or_expired(t):
    server = t.server(small_cluster())
    server.token = SECRETS[2] + "-me"
    t.write("plugin", PLUGIN, 0o700)
    t.write("token", "stale")
    t.write("expiry", "")
    runs = lambda: open(os.path.join(t.directory, "runs"), encoding="ascii").read().count("run")
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "./plugin",
                     "interactiveMode": "Never", "provideClusterInfo": True,
                     "env": [{"name": "WHO", "value": "me"}]}}
    config = t.kubeconfig(server, user=user)
    dump = t.dump(config)
    dump.wait("HTTP status 401", errors=True)
    expect(runs() == 1, "one plugin for all")
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 30))
    t.write("expiry", ', "expirationTimestamp": "%s"' % soon)
    t.write("token", SECRETS[2])
    dump.wait("^synced")
    with open(os.path.join(t.directory, "info"), encoding="utf-8") as file:
        info = json.load(file)
    expect(info["spec"]["cluster"]["server"].endswith(str(server.port)), "cluster info")
    expect(base64.b64decode(info["spec"]["cluster"]["certificate-authority-data"]) ==
           t.certs.read("ca.pem"), "the authority")
    expect(info["spec"]["interactive"] is False, "interactive")
    dump.exit()

    t.write("expiry", ', "expirationTimestamp": "2020-01-01T00:00:00Z"')
    dump, code = t.once(config)
    expect(code == 1, "an expired credential was used")
    dump.wait("^failed: .*credential plugin .*plugin: what it gave has expired already",
              errors=True)
    before = runs()
    t.write("broken", "")
    dump, code = t.once(config)
    expect(code == 1 and runs() - before <= 12, "%d runs" % (runs() - before))
    dump.wait("^failed: .*credential plugin .*plugin: exit status 3", errors=True)
    user["exec"]["command"] = "no-such-plugin"
    user["exec"]["installHint"] = "install it"
    dump, code = t.once(t.kubeconfig(server, user=user))
    dump.wait("^failed: .*credential plugin no-such-plugin: No such file or directory: install it",
              errors=True)


def proxies(t):
    server = t.server(small_cluster())
    server.token = SECRETS[0]
    proxy = Proxy()
    dump, code = t.once(t.kubeconfig(server, user={"token": SECRETS[0]}, **{
        "proxy-url": "http://someone:%s@127.0.0.1:%d" % (SECRETS[3], proxy.port)}))
    expect(code == 0, "exit status %d" % code)
    expect(proxy.connects and proxy.connects[0].startswith(
        "CONNECT 127.0.0.1:%d " % server.port), "no CONNECT")
    expect(not [c for c in proxy.connects if SECRETS[0] in c], "the proxy saw the token")


def addresses_of_ipv6_and_names(t):
    for host in ("::1", "127.0.0.1"):
        server = t.server(small_cluster(), host=host)
        dump, code = t.once(t.kubeconfig(server))
        expect(code == 0, "%s: exit status %d" % (host, code))
    dump, code = t.once(t.kubeconfig(server, host="localhost"))
    expect(code == 0, "a name: exit status %d" % code)


def several_kubeconfig_files(t):
    server = t.server(small_cluster())
    server.token = SECRETS[1]
    other = {"current-context": "", "users": [{"name": "u", "user": {"token": SECRETS[1]}}]}
    env = {"KUBECONFIG": ":".join([t.write("users", json.dumps(other)), "/nonexistent",
                                   t.kubeconfig(server, user={"token": SECRETS[0]})])}
    dump, code = t.once(env=env)
    expect(code == 0, "exit status %d" % code)
    dump, code = t.once("--context", "nobody", env=env)
    expect(code == 2, "exit status %d" % code)
    dump.wait("contexts: nobody: expected context of this name, here or in the other files",
              errors=True)


def what_cannot_be_understood_is_named_and_the_rest_goes_on(t):
    cluster = small_cluster()
    cluster.policy("shop", "odd", {"podSelector": {"matchLabels": {"app": "web"}},
                                   "policyTypes": ["Egress"], "egress": [{"tomorrow": True}]})
    cluster.policy("shop", "nul", {"podSelector": {}, "policyTypes": ["Ingress"]})
    server = t.server(cluster)
    dump = t.follow(server)
    dump.wait("^synced")
    dump.wait("^broken NetworkPolicy shop/odd isolates=01 rules=0,0 selects=1 reason=.*tomorrow")
    dump.wait("^upsert NetworkPolicy shop/deny")
    cluster.put(POLICIES, {"metadata": {"namespace": "shop", "name": "nul", "uid": "u",
                                        "annotations": {"a": "x\x00y"}},
                           "spec": {"podSelector": {}, "policyTypes": ["Egress"]}})
    dump.wait("^upsert NetworkPolicy shop/nul isolates=01")
    cluster.put(PODS, {"metadata": {"namespace": "shop", "name": "odd"},
                       "status": {"podIP": "nonsense"}})
    dump.wait("^broken Pod shop/odd reason=status.podIP: \"nonsense\": expected an IP address")
    cluster.delete(PODS, "shop", "odd")
    dump.wait("^delete Pod shop/odd")
    cluster.pod("shop", "sly", annotations={"netpold.io/interface": "eth0"})
    dump.wait("^upsert Pod shop/sly interface=$")
    expect(dump.status("pods")["failures"] == 0, "failures")


def main():
    if not shutil.which("openssl"):
        print("skipped: openssl is missing, and so are certificates to test with")
        return 77
    cases = [
        a_streaming_list_and_what_follows, pages_where_there_are_no_streaming_lists,
        pages_that_expire_are_read_at_once,
        an_expired_version_is_listed_anew_and_what_vanished_is_deleted,
        an_expired_version_as_the_status_of_the_answer, a_proxy_that_cuts_an_object,
        a_server_that_restarts, busy_servers_are_given_the_time_they_ask_for,
        a_server_that_closes_at_once_is_not_asked_in_a_loop, a_rotated_token_is_read_anew,
        a_role_that_lacks_something_is_told_what, once_is_enough, once_gives_up,
        certificates_are_verified, a_certificate_of_another_name_that_is_expected,
        insecure_only_where_the_file_says_so_and_then_with_a_warning,
        client_certificates_as_files_and_as_data, plugins_are_asked_again_when_refused_or_expired,
        proxies, addresses_of_ipv6_and_names, several_kubeconfig_files,
        what_cannot_be_understood_is_named_and_the_rest_goes_on]
    failed = 0
    with tempfile.TemporaryDirectory() as directory:
        certs = Certificates(directory)
        for case in cases:
            if sys.argv[1:] and case.__name__ not in sys.argv[1:]:
                continue
            t = Test(certs)
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
            for secret in SECRETS:
                if secret in text:
                    problem = problem or "a secret in the output or on the command line"
            if "strings left behind" in text or "Sanitizer" in text:
                problem = problem or "a leak"
            print("%s %s%s" % ("FAIL" if problem else "ok  ", case.__name__.replace("_", " "),
                               ": " + problem if problem else ""), flush=True)
            if problem:
                failed += 1
                print(text)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
