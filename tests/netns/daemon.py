# SPDX-License-Identifier: GPL-2.0-or-later
"""What tests of one daemon in a network namespace share: the namespace, pods, CNI results, and the daemon with what it
says."""
import base64
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import time

INSIDE = "NETPOLD_INSIDE"
TOP = os.path.abspath(os.environ.get("top_builddir", "."))
PATIENCE = 60
PORT = 9734
counts = {True: 0, False: 0}


def check(what, holds, detail=""):
    counts[bool(holds)] += 1
    if not holds:
        print(f"FAIL {what}: {detail}")


def end():
    """Says how it went, and exits."""
    print(f"{counts[True]} as expected, {counts[False]} not")
    sys.exit(counts[False] > 0)


def skip(reason):
    print(f"{reason}: skipped")
    sys.exit(77)


def run(line, pod=None):
    inside = ["nsenter", "-t", str(pod), "-n"] if pod else []
    subprocess.run([*inside, *line.split()], check=True)


def enter(*needed):
    """Runs the script again in namespaces of its own; with its first process all of it goes. `needed`: what must work,
    in words and as commands of a shell."""
    if os.environ.get(INSIDE):
        run("mount -t sysfs sysfs /sys")
        run("ip link set lo up")
        return
    if os.geteuid() != 0:
        skip("needs root")
    for tool in ("ip", "nft", "unshare", "nsenter"):
        if not shutil.which(tool):
            skip(f"needs {tool}")
    for what, command in (("network namespaces and nf_tables", "nft list tables"), *needed):
        if subprocess.run(["unshare", "-n", "sh", "-c", command], capture_output=True, check=False).returncode:
            skip(f"needs {what}")
    command = ["unshare", "--mount", "--net", "--pid", "--mount-proc", "--fork", "--kill-child", sys.executable, "-B",
               os.path.realpath(sys.argv[0])]
    sys.exit(subprocess.run(command, env=dict(os.environ, **{INSIDE: "1"}), check=False).returncode)


def wait_for(what, condition):
    end = time.monotonic() + PATIENCE
    while not (value := condition()):
        if time.monotonic() > end:
            sys.exit(f"FAIL not within {PATIENCE} s: {what}")
        time.sleep(0.02)
    return value


def namespace():
    process = subprocess.Popen(["unshare", "-n", "sleep", "infinity"])
    own = os.readlink("/proc/self/ns/net")
    wait_for("a namespace", lambda: os.readlink(f"/proc/{process.pid}/ns/net") != own)
    run("ip link set lo up", process.pid)
    return process.pid


def result(pod, container, plugin, links, address, ifname="eth0"):
    config = base64.b64encode(json.dumps({"name": "net", "plugins": [{"type": plugin}]}).encode()).decode()
    interfaces = [{"name": link} for link in links] + [{"name": ifname, "sandbox": f"/run/{container}"}]
    return json.dumps({
        "kind": "cniCacheV1", "containerId": container, "config": config, "ifName": ifname, "networkName": f"{plugin}-net",
        "cniArgs": [["K8S_POD_NAMESPACE", "default"], ["K8S_POD_NAME", pod]],
        "result": {"cniVersion": "1.0.0", "interfaces": interfaces,
                   "ips": [{"address": f"{address}/24", "interface": len(links)}]}})


def write(path, text):
    with open(path + ".new", "w", encoding="utf-8") as out:
        out.write(text)
    os.rename(path + ".new", path)


def answers(pod, address, patience=5):
    """Does a connection from the pod reach the address, where nobody listens but the pod's kernel answers?"""
    code = ("import socket, sys\ns = socket.socket(); s.settimeout(float(sys.argv[2]))\n"
            "try: s.connect((sys.argv[1], 9))\nexcept ConnectionRefusedError: print('refused')\nexcept OSError: pass\n")
    return subprocess.run(["nsenter", "-t", str(pod), "-n", sys.executable, "-c", code, address, str(patience)], check=True,
                          stdout=subprocess.PIPE, text=True).stdout == "refused\n"


class Daemon:
    def __init__(self, top):
        self.control = os.path.join(top, "socket")
        self.log = open(os.path.join(top, "log"), "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [os.path.join(TOP, "netpold"), "--config", "/dev/null", "--control", self.control, "--cni-results",
             os.path.join(top, "cni/results"), "-f", os.path.join(top, "manifest.yaml")], stderr=self.log)
        wait_for("the first commit", lambda: "the kernel is up to date" in self.said())

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def status(self):
        """The exit status and what is said."""
        answer = subprocess.run([os.path.join(TOP, "netpolctl"), "--control", self.control, "status"],
                                stdout=subprocess.PIPE, text=True, check=False)
        return answer.returncode, answer.stdout

    def findings(self):
        """Those that are errors, as (id, subject, open)."""
        answer = subprocess.run([os.path.join(TOP, "netpolctl"), "--control", self.control, "status", "-o", "json"],
                                stdout=subprocess.PIPE, text=True, check=False)
        return [(one["id"], one["subject"], one["open"]) for one in json.loads(answer.stdout)["findings"]
                if one["level"] == "error"]

    def wait(self, what, *findings):
        wait_for(f"{what}: {findings}", lambda: self.findings() == list(findings))

    def get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=PATIENCE)
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        check("it ends well", self.process.wait(PATIENCE) == 0, self.said())
