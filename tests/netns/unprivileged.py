#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon as contrib/systemd and contrib/kubernetes start it: an ordinary user with CAP_NET_ADMIN and
CAP_DAC_READ_SEARCH, and nothing else; by ambient capabilities as a service, by those of the file as a container that
may gain no privileges. It reads what is root's alone, and says which capability is missing."""
import ctypes
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

INSIDE = "NETPOLD_UNPRIVILEGED_INSIDE"
PATIENCE_S = 60
USER = 65534
CAPABILITIES = {"net_admin": 12, "dac_read_search": 2}
PR_SET_KEEPCAPS, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 8, 24, 38, 47
NETPOLD = os.path.abspath(os.path.join(os.environ.get("top_builddir", "."), "netpold"))
POLICY = """
apiVersion: v1
kind: Pod
metadata: {name: web}
spec: {}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed}
spec: {podSelector: {}}
"""
RESULT = {
    "kind": "cniCacheV1", "containerId": "abc", "config": "", "ifName": "eth0", "networkName": "net",
    "cniArgs": [["K8S_POD_NAMESPACE", "default"], ["K8S_POD_NAME", "web"], ["K8S_POD_INFRA_CONTAINER_ID", "abc"]],
    "result": {"cniVersion": "1.0.0", "interfaces": [{"name": "veth0"}, {"name": "eth0", "sandbox": "/x"}],
               "ips": [{"address": "10.9.0.2/32", "interface": 1}]}}
libc = ctypes.CDLL(None, use_errno=True)


def skip(reason):
    print(f"{reason}: skipped")
    sys.exit(77)


def enter():
    """Runs itself again in namespaces of its own; with its first process all of it goes."""
    if os.geteuid() != 0:
        skip("needs root")
    for tool in ("ip", "nft", "setcap", "unshare"):
        if not shutil.which(tool):
            skip(f"needs {tool}")
    if subprocess.run(["unshare", "-n", "ip", "link", "add", "test0", "type", "veth"], capture_output=True,
                      check=False).returncode != 0:
        skip("needs network namespaces and veth")
    command = ["unshare", "--mount", "--net", "--pid", "--mount-proc", "--fork", "--kill-child", sys.executable, "-B",
               os.path.realpath(__file__)]
    sys.exit(subprocess.run(command, env=dict(os.environ, **{INSIDE: "1"}), check=False).returncode)


def must(answer):
    if answer != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def prctl(option, first, second=0):
    must(libc.prctl(option, ctypes.c_ulong(first), ctypes.c_ulong(second), 0, 0))


def set_capabilities(mask, inheritable):
    """capset(2), of which the second version has two words of each set."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    data = (ctypes.c_uint32 * 6)(mask, mask, mask if inheritable else 0, 0, 0, 0)
    must(libc.capset(ctypes.byref(header), ctypes.byref(data)))


def become(names, ambient):
    """In the child: the user, with these capabilities and no way to others."""
    numbers = [CAPABILITIES[name] for name in names]
    last = int(open("/proc/sys/kernel/cap_last_cap", encoding="ascii").read())
    for number in range(last + 1):
        if number not in numbers and number != 8:  # CAP_SETPCAP, to go on dropping
            prctl(PR_CAPBSET_DROP, number)
    prctl(PR_CAPBSET_DROP, 8)
    prctl(PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(USER, USER, USER)
    os.setresuid(USER, USER, USER)
    set_capabilities(sum(1 << number for number in numbers), ambient)
    for number in numbers if ambient else []:
        prctl(PR_CAP_AMBIENT, 2, number)
    prctl(PR_SET_NO_NEW_PRIVS, 1)


class Place:
    """What all runs have in common, below a directory that everybody may pass and nothing in it is anybody's but
    root's, except where the control socket is to be."""

    def __init__(self, top):
        self.top = top
        os.chmod(top, 0o755)
        os.umask(0o077)
        os.mkdir(self.path("results"))
        os.mkdir(self.path("run"))
        os.chown(self.path("run"), USER, USER)
        self.write("results/net-abc-eth0", json.dumps(RESULT))
        self.write("policy.yaml", POLICY)
        self.write("netpold.conf", "")  # the default one may be where this user may not look
        os.chmod(self.path("netpold.conf"), 0o644)
        self.plain, self.marked = self.path("netpold"), self.path("netpold-marked")
        for copy in (self.plain, self.marked):
            shutil.copy(NETPOLD, copy)
            os.chmod(copy, 0o755)
        if subprocess.run(["setcap", "cap_net_admin,cap_dac_read_search+ep", self.marked], check=False).returncode:
            skip("needs a file system with capabilities")

    def path(self, name):
        return os.path.join(self.top, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as out:
            out.write(text)

    def start(self, names, ambient, *options):
        program = self.plain if ambient else self.marked
        # A leak cannot be looked for in a process that may not be traced.
        asan = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
        return subprocess.Popen(
            [program, "--config", self.path("netpold.conf"), "--control", self.path("run/control.sock"), "--cni-results", self.path("results"), *options],
            stderr=subprocess.PIPE, text=True, env=dict(os.environ, ASAN_OPTIONS=asan),
            preexec_fn=lambda: become(names, ambient))


def ask(place, what):
    """None while nobody answers."""
    connection = http.client.HTTPConnection("netpold", timeout=PATIENCE_S)
    connection.sock = socket.socket(socket.AF_UNIX)
    try:
        connection.sock.connect(place.path("run/control.sock"))
        connection.request("GET", what)
        return connection.getresponse().read().decode()
    except (FileNotFoundError, ConnectionError):
        return None
    finally:
        connection.close()


def wait_status(place, process):
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        answer = ask(place, "/status")
        if answer and json.loads(answer)["ready"]:
            return json.loads(answer)
        if process.poll() is not None:
            sys.exit(f"FAIL the daemon has ended: {process.stderr.read()}")
        time.sleep(0.02)
    sys.exit("FAIL the daemon does not become ready")


def end(process):
    process.terminate()
    said = process.communicate(timeout=PATIENCE_S)[1]
    expect("SIGTERM ends it well", process.returncode == 0, said)
    return said


def expect(what, holds, seen=""):
    if not holds:
        sys.exit(f"FAIL {what}: {seen}")


def tables():
    return subprocess.run(["nft", "list", "ruleset"], check=True, capture_output=True, text=True).stdout


def check_enough(place, ambient):
    process = place.start(CAPABILITIES, ambient, "-f", place.path("policy.yaml"))
    status = wait_status(place, process)
    expect("root's CNI results are read", status["pods"]["withDevice"] == 1, status)
    expect("nothing is missing", not any(one["id"].endswith(("closed", "privileges")) for one in status["findings"]),
           status["findings"])
    expect("the pod is closed", "chain i_veth0" in tables() and "chain s_veth0" in tables(), tables())
    with open(f"/proc/{process.pid}/status", encoding="ascii") as lines:
        rights = dict(line.split(":\t", 1) for line in lines if line.startswith(("CapAmb", "NoNewPrivs")))
    expect("what it runs has no capability", int(rights["CapAmb"], 16) == 0 and int(rights["NoNewPrivs"]) == 1, rights)
    expect("the socket is its user's alone", os.stat(place.path("run/control.sock")).st_mode & 0o777 == 0o600)
    end(process)
    expect("the rules stay", "chain i_veth0" in tables(), tables())
    process = place.start(CAPABILITIES, ambient, "--cleanup")
    process.communicate(timeout=PATIENCE_S)
    expect("--cleanup", process.returncode == 0 and "netpold" not in tables(), tables())


def check_missing_read(place, ambient):
    process = place.start(["net_admin"], ambient, "--metrics", "off", "-f", "/dev/null")
    status = wait_status(place, process)
    expect("status tells of CNI results", "cni-results-closed" in [one["id"] for one in status["findings"]], status)
    said = end(process)
    expect("the log names the capability", "CAP_DAC_READ_SEARCH" in said, said)


def check_missing_admin(place, ambient, names):
    for mode in ([], ["--once"], ["--cleanup"]):
        process = place.start(names, ambient, "-f", "/dev/null", *mode)
        said = process.communicate(timeout=PATIENCE_S)[1]
        expect(f"{mode} names the capability, and it alone",
               process.returncode == 1 and said.count("\n") == 1 and "CAP_NET_ADMIN" in said, said)


def check_directory(place):
    process = place.start(CAPABILITIES, True, "-f", "/dev/null", "--control", place.path("other/control.sock"))
    said = process.communicate(timeout=PATIENCE_S)[1]
    expect("a directory that cannot be made", process.returncode == 1 and "may write to" in said, said)


def main():
    if INSIDE not in os.environ:
        enter()
    for line in ("link set lo up", "link add veth0 type veth peer name pod0", "link set veth0 up"):
        subprocess.run(["ip", *line.split()], check=True)
    subprocess.run("ip route add 10.9.0.2/32 dev veth0".split(), check=True)
    with tempfile.TemporaryDirectory(prefix="netpold-unprivileged-") as top:
        place = Place(top)
        for ambient in (True, False):
            check_enough(place, ambient)
        check_missing_read(place, True)
        check_missing_admin(place, True, ["dac_read_search"])
        check_missing_admin(place, True, [])
        check_directory(place)
    print("an ordinary user with two capabilities is enough, with ambient ones and with those of the file")


main()
