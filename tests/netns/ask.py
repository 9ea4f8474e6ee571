#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""netpolctl asks the running daemon: explain, test and graph answer byte for byte what they answer from the same
manifests, for all golden cases; and what is asked with bad will does no harm."""
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

INSIDE = "NETPOLD_ASK_INSIDE"
PATIENCE_S = 60
USER = 65534
BUILD = os.path.abspath(os.environ.get("top_builddir", "."))
SOURCE = os.path.abspath(os.environ.get("top_srcdir", os.path.join(os.path.dirname(os.path.realpath(__file__)), "../..")))
NETPOLD, NETPOLCTL = os.path.join(BUILD, "netpold"), os.path.join(BUILD, "netpolctl")
GOLDEN = os.path.join(SOURCE, "tests/golden")
BODY_MAX, FLOWS_MAX, PODS_MAX = 65536, 256, 256
POLICY = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: p, namespace: shop}
spec: {podSelector: {}, policyTypes: [Ingress], ingress: [%s]}
---
"""
POD = "{apiVersion: v1, kind: Pod, metadata: {name: %s, namespace: shop}, status: {podIP: %s}}\n---\n"


def skip(reason):
    print(f"{reason}: skipped")
    sys.exit(77)


def enter():
    """Runs itself again in namespaces of its own; with its first process all of it goes."""
    if not shutil.which("unshare"):
        skip("needs unshare")
    root = os.geteuid() == 0
    command = ["unshare", "--mount", "--net", "--pid", "--mount-proc", "--fork", "--kill-child"] + ([] if root else ["--map-root-user"])
    if subprocess.run([*command, NETPOLD, "--cleanup"], capture_output=True, check=False).returncode != 0:
        skip("needs network namespaces and nf_tables")
    sys.exit(subprocess.run([*command, sys.executable, "-B", os.path.realpath(__file__)],
                            env=dict(os.environ, **{INSIDE: "root" if root else "user"}), check=False).returncode)


def expect(what, holds, seen=""):
    if not holds:
        sys.exit(f"FAIL {what}: {seen}")


def wait(what, condition):
    until = time.monotonic() + PATIENCE_S
    while not condition():
        expect(what, time.monotonic() < until, "not in time")
        time.sleep(0.02)


class Daemon:
    def __init__(self, top, *options):
        self.top = top
        self.control = os.path.join(top, "control.sock")
        self.log = open(os.path.join(top, "log"), "w+", encoding="utf-8")
        config = os.path.join(top, "netpold.conf")
        with open(config, "w", encoding="utf-8"):
            pass
        self.process = subprocess.Popen(
            [NETPOLD, "--config", config, "--control", self.control, "--cni-results", os.path.join(top, "none"),
             *options], stderr=self.log)

    def __enter__(self):
        wait("the daemon answers", self.is_up)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        expect("SIGTERM ends it well", self.process.wait(timeout=PATIENCE_S) == 0, self.said())
        self.log.close()

    def said(self):
        self.log.flush()
        with open(self.log.name, encoding="utf-8") as text:
            return text.read()

    def is_up(self):
        expect("the daemon runs", self.process.poll() is None, self.said())
        return os.path.exists(self.control) and self.request("GET", "/healthz")[0] == 200

    def wait_synced(self):
        """And enforced: until then each answer says that the kernel is behind."""
        wait("manifests are read", lambda: self.request("GET", "/graph")[0] == 200)
        wait("they are enforced", lambda: "the rules of an earlier run stay" in self.said() or
             json.loads(self.request("GET", "/status")[2])["kernel"]["upToDate"])

    def connect(self):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(self.control)  # waits where too many others do
        connection.settimeout(PATIENCE_S)
        return connection

    def request(self, method, path, body=None):
        """(status, headers, text); (0, None, "") while nobody listens."""
        connection = http.client.HTTPConnection("netpold", timeout=PATIENCE_S)
        try:
            connection.sock = self.connect()
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()
        except ConnectionRefusedError:
            return 0, None, ""
        finally:
            connection.close()

    def ctl(self, *arguments, **more):
        return ctl("--control", self.control, *arguments, **more)


def ctl(*arguments, flows="", user=None, program=NETPOLCTL):
    return subprocess.run([program, *arguments], input=flows, capture_output=True, text=True, check=False,
                          timeout=PATIENCE_S, user=user)


def of_flows(text, path):
    """The lines of standard error that are about flows."""
    return [line for line in text.splitlines() if line.startswith((path + ":", "(standard input):"))]


def compare(daemon, manifests, path, *arguments, flows=""):
    """Both ways the same; the answer."""
    local = ctl("-f", manifests, *arguments, flows=flows)
    asked = daemon.ctl(*arguments, flows=flows)
    what = f"{manifests}: {' '.join(arguments)}"
    expect(f"{what}: the same answer", local.stdout == asked.stdout, asked.stdout + asked.stderr + local.stdout)
    expect(f"{what}: the same faults", of_flows(local.stderr, path) == of_flows(asked.stderr, path), asked.stderr)
    if not set(local.stderr.splitlines()) - set(of_flows(local.stderr, path)):
        expect(f"{what}: the same status", local.returncode == asked.returncode, (local, asked))
        expect(f"{what}: nothing else is said", local.stderr == asked.stderr, asked.stderr)
    return asked


def pods_of(manifests):
    listed = ctl("-f", manifests, "graph", "-o", "json").stdout.splitlines()
    return [f"{pod['namespace']}/{pod['name']}" for pod in map(json.loads, listed)]


def flows_of(case, manifests, top):
    """Its own, and between all of a few pods; a file of them."""
    lines = []
    if os.path.exists(os.path.join(case, "flows")):
        with open(os.path.join(case, "flows"), encoding="utf-8") as text:
            lines = text.read().splitlines()
    pods = pods_of(manifests)[:6] + ["203.0.113.9"]
    lines += [f"{a} -> {b} {proto} {word}" for a in pods for b in pods
              for proto, word in (("tcp/80", "allow"), ("any", "deny"), ("udp/dns", "allow"))]
    lines += ["a b", "# comment", "", "a/b -> c/d xyz allow", "a/b -> c/d tcp/1 perhaps", "a/b c/d tcp/1 allow"]
    path = os.path.join(top, "flows")
    with open(path, "w", encoding="utf-8") as out:
        out.write("\n".join(lines) + "\n")
    return path


def check_golden(top):
    cases = sorted(os.listdir(GOLDEN))
    checked = 0
    for name in cases:
        case = os.path.join(GOLDEN, name)
        if not os.path.isdir(case):
            continue
        with Daemon(top, "--metrics", "off", "-f", case) as daemon:
            daemon.wait_synced()
            path = flows_of(case, case, top)
            with open(path, encoding="utf-8") as text:
                flows = text.read()
            for form in ("text", "json"):
                compare(daemon, case, path, "explain", "-o", form, "-", flows=flows)
                compare(daemon, case, path, "test", "-o", form, path)
                compare(daemon, case, path, "test", "-v", "-o", form, path)
                compare(daemon, case, path, "graph", "-o", form)
        checked += 1
    expect("there are golden cases", checked > 20, checked)


def write(path, text):
    with open(path + ".new", "w", encoding="utf-8") as out:
        out.write(text)
    os.rename(path + ".new", path)


def check_many(top, manifests, daemon):
    """More than one request has room for; and one request is not answered at any length."""
    flows = "".join(f"shop/p{i % 700} -> shop/p{i * 7 % 700} tcp/{i} allow\n" for i in range(1, 5001))
    path = os.path.join(top, "flows")
    for form in ("text", "json"):
        answer = compare(daemon, manifests, path, "explain", "-o", form, "-", flows=flows)
        expect("all are answered", answer.returncode == 0 and answer.stdout.count("tcp/") >= 5000, answer.returncode)
        expect("some hold and some do not", compare(daemon, manifests, path, "test", "-o", form, "-",
                                                    flows=flows).returncode == 1)
        expect("pods in parts", len(compare(daemon, manifests, path, "graph", "-o", form).stdout.splitlines())
               >= 700)
    status, _, text = daemon.request("POST", "/explain", flows[:BODY_MAX // 2])
    answers = text.splitlines()
    expect("a part is answered", status == 200 and 1 <= len(answers) <= FLOWS_MAX, len(answers))
    expect("from the first on", json.loads(answers[0])["from"] == "shop/p1", answers[0])
    _, _, text = daemon.request("POST", "/explain", "a/b c/d tcp/1\n" * 4000)
    expect("not all that there is room for", 1 <= len(text.splitlines()) <= FLOWS_MAX, len(text.splitlines()))
    _, headers, text = daemon.request("GET", "/graph")
    expect("a part of the pods", len(text.splitlines()) == PODS_MAX and headers["Netpold-Next"], headers)
    one = compare(daemon, manifests, path, "explain", "shop/p1", "shop/p2", "tcp/80")
    expect("one flow", one.stdout.startswith("deny shop/p1 -> shop/p2 tcp/80\n") and one.returncode == 0, one.stdout)
    for bad in (["shop/p1", "shop/p2", "xyz"], ["shop/none", "shop/p2", "tcp/80"], ["p1", "p2", "tcp"]):
        expect("what does not exist", compare(daemon, manifests, path, "explain", *bad).returncode == 2)
    for line, words in (("a b", "expected: FROM -> TO PROTO"), ("a b c", "protocol c: expected tcp"),
                        ("a/b c/d tcp/1 no", "no: expected allow or deny"), ("x" * 512 + " b tcp", "name too long")):
        _, _, text = daemon.request("POST", "/explain?format=text", f"# comment\n\n{line}\nshop/p1 shop/p2 tcp/1")
        first = json.loads(text.splitlines()[0])  # there may be no time for the other
        expect("a line that is none", first["line"] == 3 and words in first["error"], first)
    _, _, text = daemon.request("POST", "/explain?format=text", "shop/p1 shop/p2 tcp/1")
    answer = json.loads(text)
    expect("text", answer["verdict"] == "deny" and answer["text"].startswith("deny shop/p1"), answer)


def check_large(top, manifests, daemon):
    """What would be long for the daemon is not listed by it."""
    answer = daemon.ctl("explain", "-o", "json", "shop/p1", "shop/p2", "any")
    expect("too much for the daemon", answer.returncode == 2 and "expected one port, or manifests" in answer.stderr
           and answer.stdout == "", answer)
    answer = daemon.ctl("test", "-o", "json", "-", flows="shop/p1 shop/p2 any allow\nshop/p1 shop/p2 tcp/1 allow\n")
    expect("the others are answered", answer.returncode == 2 and "(standard input):1: error: too many" in answer.stderr
           and len(answer.stdout.splitlines()) == 2, answer)
    compare(daemon, manifests, top, "explain", "shop/p1", "shop/p2", "any")


def check_change(top, manifests, daemon):
    flow = ("explain", "shop/p1", "shop/p2", "tcp/80")
    write(os.path.join(manifests, "policy.yaml"), POLICY % "{ports: [{port: 80}]}")
    wait("a change is seen", lambda: daemon.ctl(*flow).stdout.startswith("allow"))
    answer = compare(daemon, manifests, top, *flow)
    expect("with file and line", f"{manifests}/policy.yaml:" in answer.stdout, answer.stdout)


def hostile(daemon, data):
    """What is answered to bytes until nothing more comes."""
    answer = b""
    with daemon.connect() as connection:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while more := connection.recv(65536):
                answer += more
        except (BrokenPipeError, ConnectionResetError):
            pass
    return answer


def check_hostile(daemon):
    head = b"POST /explain HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
    left_open = [daemon.connect() for _ in range(20)]
    left_open[0].sendall(b"POST /explain HTTP/1.1\r\nContent-Le")
    left_open[1].sendall(head % 1000 + b"shop/p1 ")
    expect("a huge body", b" 200 " not in hostile(daemon, head % 100000000 + b"a b tcp/1\n" * 10000000))
    expect("a body beyond all", b" 200 " not in hostile(daemon, head % (1 << 63) + b"x"))
    expect("a body of less than nothing", b" 200 " not in hostile(daemon, head % -1 + b"x"))
    expect("a header without end", b" 200 " not in hostile(daemon, b"POST /explain HTTP/1.1\r\nX: " + b"x" * 10000000))
    expect("headers without end", b" 200 " not in hostile(daemon, b"GET /graph HTTP/1.1\r\n" + b"X: x\r\n" * 1000000))
    expect("garbage", b" 200 " not in hostile(daemon, os.urandom(100000)))
    for body in (b"", b"\n" * BODY_MAX, b"\0" * 1000, os.urandom(BODY_MAX), b"#" * BODY_MAX, b"/ / tcp\n" * 8000,
                 b"\xff/a b/\xff tcp/\xff", b"\xff/a b/\xff tcp/1", b"x" * BODY_MAX):
        for form in ("text", "json"):
            status, _, text = daemon.request("POST", f"/explain?format={form}", body)
            expect("odd bodies", status == 200, status)
            for line in text.split("\n")[:-1]:
                json.loads(line)
    expect("another format", daemon.request("POST", "/explain?format=xml", "a b tcp")[0] == 400)
    expect("GET is none", daemon.request("GET", "/explain")[0] == 405)
    for after in ("%00", "/", "zzz", "%ff%fe/x", "a/b/c", "x" * 5000, "%"):
        expect("odd places", daemon.request("GET", f"/graph?after={after}")[0] == 200, after)
    for connection in left_open:
        connection.close()
    expect("it runs as before", daemon.ctl("explain", "shop/p1", "shop/p2", "tcp/80").returncode == 0)


def check_metrics(top, manifests):
    """Only numbers there."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with Daemon(top, "--metrics", f"127.0.0.1:{port}", "-f", manifests) as daemon:
        daemon.wait_synced()
        for method, path in (("POST", "/explain"), ("GET", "/explain"), ("GET", "/graph"), ("GET", "/status")):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
            connection.request(method, path, "shop/p1 shop/p2 tcp/1\n" if method == "POST" else None)
            try:
                answer = connection.getresponse()
                expect(f"no {path} among the metrics", answer.status in (404, 501) and b"shop" not in answer.read(),
                       answer.status)
            except ConnectionError:  # it ends without reading the body: the RST may overtake the answer
                expect(f"no {path} among the metrics", method == "POST", method)
            connection.close()


def check_absent(top):
    control = os.path.join(top, "control.sock")
    expect("the socket is gone", not os.path.exists(control))
    commands = (["explain", "a/b", "c/d", "tcp/1"], ["test", "-"], ["graph"], ["status"])
    for command in commands:
        answer = ctl("--control", control, *command, flows="a/b c/d tcp/1 allow")
        expect("nobody there", answer.returncode == 1 and answer.stderr.count("\n") == 1 and answer.stdout == ""
               and "is netpold running on this node?" in answer.stderr, answer)
        expect("what else could be done", ("-f PATH" in answer.stderr) == (command != ["status"]), answer.stderr)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(control)
        answer = ctl("--control", control, "explain", "a/b", "c/d", "tcp/1")
        expect("nobody listens", answer.returncode == 1 and "Connection refused" in answer.stderr, answer)
    os.unlink(control)


def check_user(daemon):
    """Who may not ask is told who may."""
    if os.environ[INSIDE] != "root":
        return
    program = os.path.join(daemon.top, "netpolctl")  # the build may be where others do not get to
    shutil.copy(NETPOLCTL, program)
    os.chmod(program, 0o755)
    os.chmod(daemon.top, 0o755)
    answer = ctl("--control", daemon.control, "explain", "a/b", "c/d", "tcp/1", user=USER, program=program)
    os.chmod(daemon.top, 0o700)
    expect("another user", answer.returncode == 1 and "Permission denied: expected root" in answer.stderr, answer)


def check_not_synced(top):
    kubeconfig = os.path.join(top, "kubeconfig")
    write(kubeconfig, json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "c", "users": [{"name": "u", "user": {}}],
        "clusters": [{"name": "k", "cluster": {"server": "http://127.0.0.1:9"}}],
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}]}))
    with Daemon(top, "--metrics", "off", "--node", "n1", "--kubeconfig", kubeconfig) as daemon:
        for command in (["explain", "a/b", "c/d", "tcp/1"], ["graph"]):
            answer = daemon.ctl(*command)
            expect("not all has been read", answer.returncode == 1 and answer.stdout == ""
                   and "not all sources have been read yet: try again soon" in answer.stderr, answer)


def check_behind(top, manifests):
    """The rules of an earlier run are in the kernel while manifests have faults."""
    with Daemon(top, "--metrics", "off", "-f", manifests) as daemon:
        wait("the kernel is written", lambda: daemon.ctl("status").returncode == 0)
        answer = daemon.ctl("explain", "shop/p1", "shop/p2", "tcp/80")
        expect("nothing to tell", answer.stderr == "", answer.stderr)
    with open(os.path.join(manifests, "policy.yaml"), "a", encoding="utf-8") as out:
        out.write("\n{\n")
    with Daemon(top, "--metrics", "off", "-f", manifests) as daemon:
        wait("the rules are held", lambda: "an earlier run" in daemon.said())
        for command in (["explain", "shop/p1", "shop/p2", "tcp/80"], ["test", "-"], ["graph"]):
            answer = daemon.ctl(*command, flows="shop/p1 shop/p2 tcp/80 allow")
            expect("the kernel is behind", answer.stderr ==
                   "netpolctl: the kernel is behind: it has the rules of an earlier run, see netpold's log\n", answer)


def main():
    if INSIDE not in os.environ:
        enter()
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with tempfile.TemporaryDirectory(prefix="netpold-ask-") as top:
        check_golden(top)
        manifests = os.path.join(top, "m")
        os.mkdir(manifests)
        write(os.path.join(manifests, "pods.yaml"),
              "".join(POD % (f"p{i}", f"10.0.{i // 200}.{i % 200 + 1}") for i in range(700)))
        write(os.path.join(manifests, "policy.yaml"),
              POLICY % ", ".join("{ports: [{port: %d}]}" % (i * 10 + 5) for i in range(200)))
        with Daemon(top, "--metrics", "off", "-f", manifests) as daemon:
            daemon.wait_synced()
            check_many(top, manifests, daemon)
            check_large(top, manifests, daemon)
            check_user(daemon)
            check_change(top, manifests, daemon)
            check_hostile(daemon)
        check_metrics(top, manifests)
        check_absent(top)
        check_not_synced(top)
        check_behind(top, manifests)
    print("the daemon answers as manifests do, and to everybody")


main()
