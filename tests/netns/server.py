#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the daemon tells those who ask: metrics as Prometheus wants them, how long changes took to reach the kernel, and
what netpolctl status makes of it."""
import contextlib
import http.client
import json
import os
import re
import resource
import select
import socket
import subprocess
import sys
import time

TOP = os.environ.get("top_srcdir", os.path.join(os.path.dirname(os.path.realpath(__file__)), "../.."))
sys.path[:0] = [os.path.join(TOP, "contrib/lab"), os.path.join(TOP, "tests/e2e")]
sys.dont_write_bytecode = True
import harness  # noqa: E402
import nodes  # noqa: E402

# AddressSanitizer keeps 256 MB of freed memory by default, which a high-water mark would show.
os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1:thread_local_quarantine_size_kb=64"

SCRATCH = "/run/server"
MANIFESTS, CONTROL = f"{SCRATCH}/manifests", f"{SCRATCH}/run/control.sock"
METRICS = ("127.0.0.1", 9734)
HISTOGRAMS = ("netpold_commit_duration_seconds", "netpold_event_to_commit_seconds")
LOOP = "netpold_loop_iteration_seconds"
WEB = harness.pod("web", {"app": "web"}, ["10.9.0.2"])
check = harness.Checks()


class Daemon:
    def __init__(self, *options):
        self.log = open(f"{SCRATCH}/log", "a+", encoding="utf-8")
        self.process = subprocess.Popen(
            [harness.NETPOLD, "-f", MANIFESTS, "--control", CONTROL, "--metrics", "%s:%d" % METRICS,
             "--cni-results", f"{SCRATCH}/none", *options], stderr=self.log)
        harness.wait_for("the daemon is ready", lambda: (self.status() or {}).get("ready"))

    def status(self):
        if self.process.poll() is not None:
            sys.exit(f"FAIL the daemon has ended: {self.said()}")
        connection = nodes.UnixConnection(CONTROL)
        try:
            connection.request("GET", "/status")
            return json.loads(connection.getresponse().read())
        except OSError:
            return None
        finally:
            connection.close()

    def said(self):
        with open(f"{SCRATCH}/log", encoding="utf-8") as log:
            return log.read()

    def end(self):
        self.process.terminate()
        check("SIGTERM ends it well", self.process.wait(harness.PATIENCE) == 0, self.said())


def netpolctl_status():
    return subprocess.run([harness.NETPOLCTL, "status", "--control", CONTROL], stdout=subprocess.PIPE, text=True,
                          check=False).stdout


def readiness():
    connection = http.client.HTTPConnection(*METRICS, timeout=harness.PATIENCE)
    connection.request("GET", "/readyz")
    return connection.getresponse().status


def metrics():
    """By name and labels; and checks on the way that the text is what Prometheus reads."""
    connection = http.client.HTTPConnection(*METRICS, timeout=harness.PATIENCE)
    connection.request("GET", "/metrics")
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    check("the type of /metrics", answer.getheader("Content-Type") == "text/plain; version=0.0.4; charset=utf-8")
    values, types, helped = {}, {}, set()
    for line in text.splitlines():
        if line.startswith("# HELP "):
            helped.add(line.split(" ", 3)[2])
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            check(f"{name} has one type, after its help", name not in types and name in helped)
            types[name] = kind
        else:
            sample = re.fullmatch(r'([a-z_]+)(\{[a-z]+="[^"]*"(?:,[a-z]+="[^"]*")*\})? (\S+)', line)
            if not sample:
                sys.exit(f"FAIL not a sample: {line}")
            name = sample[1]
            base = re.sub("_(bucket|sum|count)$", "", name)
            kind = types.get(name) or (types.get(base) == "histogram" and "histogram")
            check(f"{name} has a type", kind)
            check(f"{name}: a counter ends in _total, nothing else does", (kind == "counter") == name.endswith("_total"))
            check(f"{line} stands once", name + (sample[2] or "") not in values)
            values[name + (sample[2] or "")] = float(sample[3])
    return values


def check_histogram(values, name):
    """Cumulative, and its last bucket is all."""
    counts = [value for key, value in values.items() if key.startswith(name + "_bucket{")]
    bounds = [float(key.split('"')[1]) for key in values if key.startswith(name + "_bucket{")]
    check(f"{name}: buckets", len(counts) > 10 and counts == sorted(counts), str(counts))
    check(f"{name}: bounds", bounds == sorted(bounds) and bounds[-1] == float("inf"), str(bounds))
    check(f"{name}: all are in the last bucket", counts[-1] == values[f"{name}_count"])


def write(*objects):
    harness.write(f"{MANIFESTS}/all.json", list(objects))


def wait_commits(daemon, wanted):
    harness.wait_for(f"{wanted} commits", lambda: daemon.status()["kernel"]["commits"] == wanted
                     and daemon.status()["kernel"]["upToDate"])


def rewrite(daemon, *objects):
    """Writes, and returns when that has been read and is enforced."""
    times = daemon.said().count("read: files")
    write(*objects)
    harness.wait_for("they are read again", lambda: daemon.said().count("read: files") > times
                     and daemon.status()["kernel"]["upToDate"])


def check_durations(daemon):
    duration, latency = HISTOGRAMS
    first = metrics()
    for name in (*HISTOGRAMS, LOOP):
        check_histogram(first, name)
    check("an iteration of the loop has taken some time", first["netpold_loop_longest_seconds"] > 0)
    check("status has it as well", daemon.status()["longestIterationMicroseconds"] >= first["netpold_loop_longest_seconds"])
    commits = first["netpold_commits_total"]
    check("each commit has its duration", first[f"{duration}_count"] == commits, str(first))
    check("the first has no event that it could be measured from", first[f"{latency}_count"] == 0)
    began = time.monotonic()
    write(WEB, harness.policy("closed", {}, ingress=[]))
    wait_commits(daemon, commits + 1)
    took = time.monotonic() - began
    then = metrics()
    for name in HISTOGRAMS:
        check_histogram(then, name)
    check("a change is one commit", then[f"{duration}_count"] == commits + 1)
    check("and one event", then[f"{latency}_count"] == 1, str(then))
    check("from the event it took longer than the commit alone, and not longer than we waited",
          then[f"{duration}_sum"] - first[f"{duration}_sum"] < then[f"{latency}_sum"] < took, str((then, took)))
    rewrite(daemon, WEB, harness.policy("closed", {}, ingress=[]))
    again = metrics()
    check("what changes nothing is not counted", again[f"{latency}_count"] == 1 and again[f"{duration}_count"] == commits + 1)


def check_words(daemon):
    check("status says when the kernel was changed", re.search(r"last change \d{4}-\S+ in \d+ us", netpolctl_status()))
    daemon.end()
    daemon = Daemon()
    text = netpolctl_status()
    check("status says it when nothing had to be", "up to date, nothing had to be changed yet" in text and "never" not in text, text)
    return daemon


def complicated():
    """Rules whose ranges nest: each with each is more than the graph takes."""
    rules = [{"ports": [{"port": 1 + number, "endPort": 65535 - number}]} for number in range(2200)]
    return harness.policy("nested", {"app": "web"}, ingress=rules)


def check_closed(daemon):
    line = "pod t/web is closed for ingress: more than 250000 pairs of rule and port range in t/nested"
    finding = 'netpold_pod_finding{pod="t/web",reason="ingress-too-complicated"}'
    check("nobody is closed", finding not in metrics() and daemon.status()["tooComplicated"] == [])
    write(WEB, complicated())
    harness.wait_for("the pod is closed", lambda: daemon.status()["tooComplicated"])
    check("status names it", daemon.status()["tooComplicated"] == [
        {"pod": "t/web", "direction": "ingress", "policies": ["t/nested"], "policiesLeftOut": 0}], daemon.status())
    check("it is an error", [(one["level"], one["subject"]) for one in daemon.status()["findings"] if one["id"] == "pod-over-limit"]
          == [("error", "pod t/web ingress")], daemon.status()["findings"])
    check("status and readiness go by it", daemon.status()["state"] == "degraded" and readiness() == 503 and
          metrics().get('netpold_findings{level="error",id="pod-over-limit"}') == 1, daemon.status()["state"])
    check("metrics name it", metrics().get(finding) == 1)
    text = netpolctl_status()
    check("so does netpolctl", "pod t/web for ingress: policies t/nested\n" in text, text)
    harness.wait_for("the log names it", lambda: line in daemon.said())
    rewrite(daemon, {**WEB, "metadata": {**WEB["metadata"], "labels": {"app": "web", "more": "yes"}}}, complicated())
    check("the log does so once", daemon.said().count(line) == 1)
    write(WEB)
    harness.wait_for("it is open again", lambda: "pod t/web is closed for ingress no more" in daemon.said())
    check("all is well", daemon.status()["state"] == "enforcing" and readiness() == 200, daemon.status()["state"])
    check("and told nowhere", finding not in metrics() and daemon.status()["tooComplicated"] == [])


def descriptors(daemon):
    return len(os.listdir(f"/proc/{daemon.process.pid}/fd"))


def crowd(n, connect):
    """As many clients as get in, who say nothing and stay."""
    clients = []
    for _ in range(n):
        client = socket.socket(socket.AF_UNIX if connect == CONTROL else socket.AF_INET)
        client.setblocking(False)
        with contextlib.suppress(BlockingIOError):  # not let in yet
            client.connect(connect)
        clients.append(client)
    return clients


def check_crowd(daemon, where, name, others):
    """Thousands at one address cost a bounded number of descriptors; those elsewhere are served, and all again after."""
    before = descriptors(daemon)
    clients = crowd(2000, where)
    harness.wait_for(f"{name}: some are let in", lambda: descriptors(daemon) > before + 50)
    others(clients)
    check(f"{name}: not all of them", descriptors(daemon) < before + 300, str(descriptors(daemon)))
    check(f"{name}: the daemon goes on", daemon.process.poll() is None)
    for client in clients:
        client.close()
    check(f"{name}: status afterwards", daemon.status() is not None and metrics()["netpold_ready"] == 1)
    harness.wait_for(f"{name}: all is given back", lambda: descriptors(daemon) <= before)


def check_crowds(daemon):
    def control_answers(_):
        check("the control socket answers beside a crowd at the other address", daemon.status() is not None)

    def policy_goes_on(_):
        """Nobody can ask: the log tells."""
        times = daemon.said().count("read: files")
        write(WEB)
        harness.wait_for("manifests are read beside a crowd", lambda: daemon.said().count("read: files") > times)

    check_crowd(daemon, METRICS, "metrics", control_answers)
    check_crowd(daemon, CONTROL, "control", policy_goes_on)


class Slow:
    """One who sends a byte now and then, and comes again when that is ended."""

    def __init__(self, where, poller):
        self.where, self.poller = where, poller
        self.made = None
        self.times = 0

    def begin(self):
        if self.made:
            self.made.close()
        self.times += 1
        self.made = socket.socket(socket.AF_UNIX if self.where == CONTROL else socket.AF_INET)
        self.made.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            self.made.connect(self.where)
        self.poller.register(self.made, select.EPOLLIN | select.EPOLLHUP | select.EPOLLRDHUP)

    def byte(self):
        with contextlib.suppress(BlockingIOError, OSError):
            self.made.send(b"G" if self.times % 2 else b"GET /healthz HTTP/1.1\r\nX-Slow: x")


def be_slow(n, where, until):
    """In a process of its own, until there is something to read."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (4 * n, 4 * n))
    poller = select.epoll()
    poller.register(until, select.EPOLLIN)
    clients = {}
    everybody = [Slow(where, poller) for _ in range(n)]
    for one in everybody:
        one.begin()
        clients[one.made.fileno()] = one
    turn = 0
    while True:
        for descriptor, _ in poller.poll(0.002):
            if descriptor == until:
                os._exit(0)
            one = clients.pop(descriptor)
            one.begin()
            clients[one.made.fileno()] = one
        for one in everybody[turn:turn + 10]:
            one.byte()
        turn = (turn + 10) % n


@contextlib.contextmanager
def slow_clients(n, where):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writer)
        be_slow(n, where, reader)
    os.close(reader)
    try:
        yield
    finally:
        os.close(writer)
        os.waitpid(child, 0)


def probe(where, path):
    """Seconds until the answer is there."""
    began = time.monotonic()
    connection = nodes.UnixConnection(CONTROL) if where == CONTROL else http.client.HTTPConnection(*where, timeout=harness.PATIENCE)
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    check(f"{path} at {where}", answer.status == 200, str(answer.status))
    return time.monotonic() - began


def check_slow(daemon):
    """Probes are answered beside a thousand who never end their requests, and the daemon goes on with its work."""
    for where in (METRICS, CONTROL):
        with slow_clients(1000, where):
            harness.wait_for("they are there", lambda: descriptors(daemon) > 100)
            took = sorted(probe(where, path) for path in ("/healthz", "/readyz") for _ in range(20))
            print(f"beside 1000 slow clients at {where}: median {took[20] * 1000:.0f} ms, longest {took[-1] * 1000:.0f} ms")
            check(f"probes at {where} are answered within a second", took[-1] < 1, str(took[-5:]))
            rewrite(daemon, WEB, harness.policy(f"slow-{len(str(where))}", {}, ingress=[]))
    write(WEB)


def wakeups(daemon):
    with open(f"/proc/{daemon.process.pid}/status", encoding="ascii") as status:
        return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", status.read(), re.M)[1])


def sleeps(daemon, seconds):
    """Does it, for so long? Asking takes no answer of the daemon's."""
    woken = wakeups(daemon)
    time.sleep(seconds)
    return wakeups(daemon) == woken


def idle_with_them(daemon):
    """Does the daemon sleep for a second while 50 idle connections last? They end after some, whatever else it does.
    A few older ones may end meanwhile."""
    before = descriptors(daemon)
    clients = crowd(50, METRICS)
    harness.wait_for("they are let in", lambda: descriptors(daemon) >= before + 40)
    slept = sleeps(daemon, 1) and descriptors(daemon) >= before + 40
    harness.wait_for("they are ended", lambda: descriptors(daemon) <= before)
    harness.wait_for("and then nothing is left of them", lambda: sleeps(daemon, 2))
    for client in clients:
        client.close()
    return slept


def check_idle(daemon):
    """Idle connections do not wake the daemon until they time out. Something else may, so several seconds are tried."""
    harness.wait_for("no connection is left, and the daemon is idle", lambda: descriptors(daemon) < 60 and sleeps(daemon, 2))
    check("idle connections wake nobody", any(idle_with_them(daemon) for _ in range(6)))


def memory(daemon):
    with open(f"/proc/{daemon.process.pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmHWM:\s+(\d+)", status.read()).group(1))


def check_endless_requests(daemon):
    """Whatever has no end: it is bounded, however it is framed. A chunk's length went on for 20 MB in the time it had."""
    limit_kb = 16384 if harness.is_sanitized() else 4096
    chunked = b"POST /explain HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    for where in (METRICS, CONTROL):
        for begin, again in ((b"GET /", b"x"), (b"GET / HTTP/1.1\r\nX: ", b"x"), (b"GET / HTTP/1.1\r\n", b"X: y\r\n"),
                             (chunked, b"1\r\nx\r\n"), (chunked + b"1;", b"x"), (chunked + b"0\r\n", b"X: y\r\n")):
            before, sent, block = memory(daemon), 0, again * (65536 // len(again))
            client = socket.socket(socket.AF_UNIX if where == CONTROL else socket.AF_INET)
            client.settimeout(harness.PATIENCE)
            try:
                client.connect(where)
                client.sendall(begin)
                while sent < 64 << 20:
                    client.sendall(block)
                    sent += len(block)
            except OSError:
                pass
            client.close()
            check(f"{where}: {begin[-10:]}, {again} without end", memory(daemon) - before < limit_kb and sent < 64 << 20,
                  f"{memory(daemon) - before} kB more, {sent} bytes taken")


def check_one_request_each():
    """Who has been answered is not kept."""
    connection = http.client.HTTPConnection(*METRICS, timeout=harness.PATIENCE)
    connection.request("GET", "/healthz")
    answer = connection.getresponse()
    check("an answer ends its connection", answer.getheader("Connection") == "close" and answer.read() == b"ok\n")
    connection.close()


def main():
    harness.begin(240)
    os.makedirs(MANIFESTS)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    write(WEB)
    daemon = Daemon()
    check_endless_requests(daemon)  # before anything else has taken memory
    check_durations(daemon)
    check_closed(daemon)
    check_crowds(daemon)
    check_slow(daemon)
    check_idle(daemon)
    check_one_request_each()
    daemon = check_words(daemon)
    daemon.end()
    check.end()


if __name__ == "__main__":
    main()
