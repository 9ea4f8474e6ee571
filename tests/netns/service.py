#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon as a service: what it tells its manager and when, numbers and health where the host has no address but the
loopback's, what of the host is in the way as metrics, and manifests that are replaced in all the ways that occur."""
import http.client
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

NETPOLD = os.path.abspath(os.path.join(os.environ.get("top_builddir", "."), "netpold"))
INSIDE = "NETPOLD_SERVICE_INSIDE"
PATIENCE = 60
PORT = 9734
POLICY = """apiVersion: v1
kind: Pod
metadata: {name: web}
status: {podIPs: [{ip: 10.9.0.2}, {ip: "fd00:9::2"}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: %s}
spec: {podSelector: {}}
"""
failed = passed = 0


def check(what, holds, detail=""):
    global failed, passed
    passed, failed = passed + bool(holds), failed + (not holds)
    if not holds:
        print(f"FAIL {what}: {detail}")


def run(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def wait_for(what, condition):
    end = time.monotonic() + PATIENCE
    while not (value := condition()):
        if time.monotonic() > end:
            sys.exit(f"FAIL not within {PATIENCE} s: {what}")
        time.sleep(0.01)
    return value


def get(path, host="127.0.0.1"):
    connection = http.client.HTTPConnection(host, PORT, timeout=PATIENCE)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except OSError:
        return 0, ""
    finally:
        connection.close()


class Service:
    """netpold with a manager that listens."""

    def __init__(self, top, *options, watchdog_us=0, prepare=None):
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.manager.settimeout(PATIENCE)
        path = os.path.join(top, "notify")
        if os.path.exists(path):
            os.unlink(path)
        self.manager.bind(path)
        environment = dict(os.environ, NOTIFY_SOCKET=path)
        if watchdog_us:
            environment["WATCHDOG_USEC"] = str(watchdog_us)
        self.log = open(os.path.join(top, "log"), "w+", encoding="utf-8")
        self.process = subprocess.Popen([NETPOLD, "--control", os.path.join(top, "socket"), "--cni-results",
                                         os.path.join(top, "results"), "--config", "/dev/null", *options], stderr=self.log,
                                        env=environment, preexec_fn=prepare)

    def told(self):
        return self.manager.recv(4096).decode()

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        messages = []
        while not messages or "STOPPING=1" not in messages[-1]:
            messages.append(self.told())
        check("SIGTERM ends it well", self.process.wait(PATIENCE) == 0, self.said())
        self.log.close()


def listing():
    return subprocess.run(["nft", "list", "table", "inet", "netpold"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True, check=False).stdout


def generation():
    """The kernel's count of changes to its rulesets."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as netlink:
        netlink.send(struct.pack("=IHHIIBBH", 20, 10 << 8 | 16, 1, 1, 0, 0, 0, 0))
        return struct.unpack_from(">I", netlink.recv(4096), 24)[0]


def nothing_new_is_not_written(top, manifest):
    service = Service(top, "-f", manifest)
    service.told()
    before = generation()
    for reads, again in enumerate((lambda: service.process.send_signal(signal.SIGHUP), lambda: os.utime(manifest)), 2):
        again()
        wait_for("it is read again", lambda reads=reads: service.said().count("read: files") >= reads)
        wait_for("it is through", lambda: "netpold_up_to_date 1" in get("/metrics")[1])
    check("nothing is written", generation() == before, f"{before}, {generation()}")
    service.end()


def the_manager_is_told(top, manifest):
    service = Service(top, "-f", manifest, watchdog_us=200000)
    messages = [service.told()]
    while messages[-1] == "WATCHDOG=1":  # a start may take longer than half its time
        messages.append(service.told())
    check("ready, in the first message of its own", "READY=1" in messages[-1], messages)
    check("not before the kernel has it", "default: one" in listing(), listing())
    beats = [service.told() for _ in range(4)]
    check("the watchdog is served", beats == ["WATCHDOG=1"] * 4, beats)
    service.end()


def numbers_without_an_address(top, manifest):
    """No interface but the loopback has an IPv4 address here: a host with IPv6 alone, or one that is just starting."""
    run("ip", "addr", "add", "fd00:9::1/64", "dev", "veth1", "nodad")
    for host in ("127.0.0.1", "::1"):
        service = Service(top, "-f", manifest, "--metrics", f"[{host}]:{PORT}" if ":" in host else f"{host}:{PORT}")
        check(f"it starts with {host}", "READY=1" in service.told(), service.said())
        check("ready", get("/readyz", host) == (200, "ok\n"), get("/readyz", host))
        service.end()
    service = Service(top, "-f", manifest, "--metrics", f"192.0.2.1:{PORT}")
    check("an address that is not here", service.process.wait(PATIENCE) == 1 and
          f"192.0.2.1:{PORT}: Cannot assign requested address" in service.said(), service.said())


def series(text):
    return [line.rsplit(" ", 1)[0] for line in text.splitlines() if not line.startswith("#")]


def findings_are_metrics(top, manifest):
    other = os.path.join(top, "other.yaml")
    with open(other, "w", encoding="utf-8") as out:
        out.write("apiVersion: policy.networking.k8s.io/v1alpha1\nkind: AdminNetworkPolicy\nmetadata: {name: admin}\n")
    service = Service(top, "-f", manifest, "-f", other)
    service.told()
    text = get("/metrics")[1]
    check("each series once", len(series(text)) == len(set(series(text))), text)
    check("two families are not forwarded", 'netpold_findings{level="warning",id="forwarding-off"} 2' in text, text)
    check("a kind that is not enforced", 'netpold_findings{level="warning",id="policies-not-enforced"} 1' in text, text)
    with open(other, "a", encoding="utf-8") as out:
        out.write("---\napiVersion: v1\nkind: Pod\nmetadata: {name: 7}\n")
    wait_for("a fault", lambda: 'netpold_findings{level="warning",id="manifest-errors"} 1' in get("/metrics")[1])
    check("nothing is open for that", "netpold_open 0\n" in text, text)
    check("and it is ready", get("/readyz") == (200, "ok\n"), get("/readyz"))
    # Nobody asks for the status, and no pod comes: who reads the metrics learns of it all the same.
    run("nft", "add table ip other; add chain ip other f { type filter hook forward priority 0; policy drop; }")
    wait_for("another firewall among the metrics", lambda: 'id="forward-drop"' in get("/metrics")[1])
    run("nft", "delete table ip other")
    wait_for("and gone from them", lambda: 'id="forward-drop"' not in get("/metrics")[1])
    service.end()


def manifests_are_replaced(top):
    """As a ConfigMap is, by an editor, in parts; and the directory goes and comes back."""
    directory = os.path.join(top, "mounted")
    os.mkdir(directory)

    def version(name):
        os.mkdir(os.path.join(directory, f"..{name}"))
        with open(os.path.join(directory, f"..{name}", "policy.yaml"), "w", encoding="utf-8") as out:
            out.write(POLICY % name)
        os.symlink(f"..{name}", os.path.join(directory, "..data_tmp"))
        os.rename(os.path.join(directory, "..data_tmp"), os.path.join(directory, "..data"))

    version("one")
    os.symlink("..data/policy.yaml", os.path.join(directory, "policy.yaml"))
    service = Service(top, "-f", directory)
    service.told()
    check("behind two links", "default: one" in listing(), listing())
    version("two")
    shutil.rmtree(os.path.join(directory, "..one"))
    wait_for("..data leads elsewhere", lambda: "default: two" in listing())
    with open(os.path.join(directory, "policy.yaml~"), "w", encoding="utf-8") as out:
        out.write(POLICY % "three")
    os.rename(os.path.join(directory, "policy.yaml~"), os.path.join(directory, "policy.yaml"))
    wait_for("a rename over it", lambda: "default: three" in listing())
    half = (POLICY % "four")[:-40]
    with open(os.path.join(directory, "policy.yaml"), "w", encoding="utf-8") as out:
        out.write(half)
    wait_for("half a file is told", lambda: re.search(r"read: .* errors [1-9]", service.said()))
    check("and what was there is enforced", "default: three" in listing(), listing())
    with open(os.path.join(directory, "policy.yaml"), "w", encoding="utf-8") as out:
        out.write(POLICY % "four")
    wait_for("the rest of it", lambda: "default: four" in listing())
    os.rename(directory, directory + ".away")
    wait_for("the directory goes", lambda: "No such file" in service.said())
    check("and what it said stays", "default: four" in listing(), listing())
    os.mkdir(directory)
    with open(os.path.join(directory, "other.yaml"), "w", encoding="utf-8") as out:
        out.write(POLICY % "five")
    wait_for("it comes back with another file", lambda: "default: five" in listing() and "four" not in listing())
    service.end()


def descriptors_that_were_closed(top):
    """Messages go to descriptor 2. Were it libevent's pipe for signals, their bytes would be signals: here SIGTERM."""
    directory = os.path.join(top, "named")
    os.mkdir(directory)
    service = Service(top, "-f", directory, prepare=lambda: os.closerange(0, 3))
    service.told()
    found = [os.readlink(f"/proc/{service.process.pid}/fd/{fd}") for fd in range(3)]
    check("descriptors 0 to 2 are nobody's", found == ["/dev/null"] * 3, found)
    with open(os.path.join(directory, f"{chr(signal.SIGTERM)}.yaml"), "w", encoding="utf-8") as out:
        out.write("kind: NetworkPolicy\n")
    wait_for("its error is reported", lambda: service.process.poll() is not None or
             re.search("netpold_manifest_errors [1-9]", get("/metrics")[1]))
    check("a name in a message ends nothing", service.process.poll() is None, service.process.poll())
    service.end()


def main():
    if INSIDE not in os.environ:
        if os.geteuid() != 0:
            print("needs root: skipped")
            sys.exit(77)
        for tool in ("ip", "nft", "unshare"):
            if not shutil.which(tool):
                print(f"needs {tool}: skipped")
                sys.exit(77)
        if subprocess.run(["unshare", "-n", "ip", "link", "add", "test0", "type", "veth"], capture_output=True,
                          check=False).returncode != 0:
            print("needs network namespaces and veth: skipped")
            sys.exit(77)
        command = ["unshare", "--net", "--pid", "--mount-proc", "--fork", "--kill-child", sys.executable, "-B",
                   os.path.realpath(__file__)]
        sys.exit(subprocess.run(command, env=dict(os.environ, **{INSIDE: "1"}), check=False).returncode)
    for line in ("link set lo up", "link add veth1 type veth peer name pod1", "link set veth1 up", "link set pod1 up",
                 "route add 10.9.0.2/32 dev veth1", "route add fd00:9::2/128 dev veth1"):
        run("ip", *line.split())
    with tempfile.TemporaryDirectory(prefix="netpold-service-") as top:
        os.mkdir(os.path.join(top, "results"))
        manifest = os.path.join(top, "policy.yaml")
        with open(manifest, "w", encoding="utf-8") as out:
            out.write(POLICY % "one")
        the_manager_is_told(top, manifest)
        nothing_new_is_not_written(top, manifest)
        numbers_without_an_address(top, manifest)
        findings_are_metrics(top, manifest)
        manifests_are_replaced(top)
        descriptors_that_were_closed(top)
    print(f"{passed} hold, {failed} do not")
    sys.exit(1 if failed else 0)


main()
