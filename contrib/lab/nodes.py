# SPDX-License-Identifier: GPL-2.0-or-later
"""What runs on the lab's nodes: netpold, and the results that a CNI plugin leaves."""
import hashlib
import http.client
import json
import os
import socket
import subprocess
import sys
import time

BRIDGE_MAC = "0a:00:00:00:00:01"
PATIENCE = 60  # seconds, for a machine that is busy with other things

def inputs(node, options):
    words = ["--node", node] if node else []
    if getattr(options, "kubeconfig", None):
        return [*words, "--kubeconfig", options.kubeconfig]
    for path in options.manifests:
        words += ["-f", path]
    return words


def show(space, link=None):
    """A link; without its name all of them, by name."""
    space.enter()
    done = subprocess.run(["ip", "-j", "link", "show", *([link] if link else [])], stdout=subprocess.PIPE, check=True)
    links = json.loads(done.stdout)
    return links[0] if link else {one["ifname"]: one for one in links}


def wait_until_up(space, links):
    """A bridge takes its time to see that a port has a carrier; the bridge plugin waits for it too."""
    end = time.monotonic() + PATIENCE
    while down := [name for name, link in show(space).items() if name in links and link["operstate"] != "UP"]:
        if time.monotonic() > end:
            sys.exit(f"lab: {', '.join(down)} does not come up")
        time.sleep(0.01)


def write_result(directory, pod, link, bridge, pod_mac):
    """As libcni caches it: complete from its first moment, as it is renamed into place."""
    name = f"{pod['namespace']}/{pod['name']}"
    container = hashlib.sha256(name.encode()).hexdigest()
    interfaces = ([{"name": bridge, "mac": BRIDGE_MAC}] if bridge else []) + [{"name": link}]
    interfaces.append({"name": "eth0", "mac": pod_mac, "sandbox": "/var/run/netns/cni-" + container[:8]})
    ips = [{"address": f"{address}/{32 if '.' in address else 128}", "interface": len(interfaces) - 1}
           for address in pod["addresses"]]
    result = {"kind": "cniCacheV1", "containerId": container, "ifName": "eth0", "networkName": "lab",
              "cniArgs": [["IgnoreUnknown", "1"], ["K8S_POD_NAMESPACE", pod["namespace"]],
                          ["K8S_POD_NAME", pod["name"]], ["K8S_POD_INFRA_CONTAINER_ID", container]],
              "result": {"cniVersion": "1.0.0", "interfaces": interfaces, "ips": ips}}
    path = os.path.join(directory, f"lab-{container}-eth0")
    with open(path + ".tmp", "w", encoding="utf-8") as out:
        json.dump(result, out)
    os.rename(path + ".tmp", path)
    return path


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("netpold", timeout=PATIENCE)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


class Agent:
    """netpold on a node."""

    def __init__(self, space, node, results, scratch, options):
        self.space = space
        self.name = node or "node"
        self.control = os.path.join(scratch, f"{self.name}.sock")
        self.log = os.path.join(scratch, f"{self.name}.log")
        self.command = [options.netpold, *inputs(node, options), "--cni-results", results, "--control", self.control,
                        "--metrics", "off", *getattr(options, "netpold_options", [])]
        self.process = None
        self.start()

    def start(self):
        self.space.enter()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, stderr=log)

    def stop(self, signal):
        self.process.send_signal(signal)
        return self.process.wait()

    def ask(self, path):
        """Its answer as text; None while it does not."""
        connection = UnixConnection(self.control)
        try:
            connection.request("GET", path)
            return connection.getresponse().read().decode()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def status(self):
        """None while it does not answer."""
        answer = self.ask("/status")
        return answer and json.loads(answer)

    def wait(self, attached):
        """Until the kernel has everything, and so many pods are known by their device."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            status = self.status()
            if status and status["kernel"]["upToDate"] and status["pods"]["withDevice"] >= attached:
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.01)
        with open(self.log, encoding="utf-8", errors="replace") as log:
            sys.stderr.write(log.read())
        sys.exit(f"lab: netpold on {self.name} did not get ready")
