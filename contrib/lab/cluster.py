# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab's network: pods behind their node, by routed veths or on a bridge; nodes and an outside host around a fabric.

    pod eth0 --- veth [bridge] node uplink --- fabric --- outside

Addresses of the links are link-local, so that those of the manifests can be anything. Each pod that has been connected
gets a file as libcni's cache would have it, and each node runs netpold, or the ruleset of its dry run."""
import collections
import ctypes
import ipaddress
import json
import os
import subprocess
import sys

import nodes
import services

CLONE_NEWNET = 0x40000000
MS_BIND = 0x1000
RUN_NETNS = "/run/netns"  # where ip looks for names
LIBC = ctypes.CDLL(None, use_errno=True)
NO_NODE = "node"  # of pods that name none
OUTSIDE = "outside"
POD_GATEWAY = "169.254.255.1"  # every pod's, on every node
BRIDGE = "cni0"

# A pod that is connected: its namespace and hardware address, the interface of its node, its bridge or None.
Plugged = collections.namedtuple("Plugged", "pod node space link bridge mac")


def read_pods(options):
    command = [options.netpolctl, "graph", "-o", "json"]
    for path in options.manifests:
        command += ["-f", path]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.exit("lab: the manifests have faults")
    return [json.loads(line) for line in done.stdout.splitlines()]


def version(address):
    return ipaddress.ip_address(address).version


def host(address):
    return f"{address}/{32 if version(address) == 4 else 128}"


def call(name, *arguments):
    """Of the C library; OSError where it fails."""
    if getattr(LIBC, name)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")


class Netns:
    """A network namespace, by name; its commands are collected and run at once."""

    def __init__(self, name):
        self.name = name
        self.lines = []
        self.handle = None
        self.bridge = False

    def ip(self, line):
        self.lines.append(line)

    def make(self):
        """As ip netns add, without a process of its own."""
        path = os.path.join(RUN_NETNS, self.name)
        os.makedirs(RUN_NETNS, exist_ok=True)
        with open(path, "xb"):
            pass
        call("unshare", CLONE_NEWNET)
        call("mount", b"/proc/self/ns/net", path.encode(), None, MS_BIND, None)
        self.handle = os.open(path, os.O_RDONLY)
        self.sysctl({"net/ipv4/conf/all/forwarding": 1, "net/ipv6/conf/all/forwarding": 1,
                     "net/ipv4/conf/all/rp_filter": 0, "net/ipv4/conf/default/rp_filter": 0,
                     "net/ipv6/conf/all/accept_dad": 0, "net/ipv6/conf/default/accept_dad": 0,
                     "net/ipv4/icmp_ratelimit": 0, "net/ipv4/ip_nonlocal_bind": 1, "net/ipv6/ip_nonlocal_bind": 1})
        self.ip("link set lo up")

    def enter(self):
        call("setns", self.handle, CLONE_NEWNET)

    def sysctl(self, values):
        self.enter()
        for key, value in values.items():
            try:
                with open(f"/proc/sys/{key}", "w", encoding="ascii") as out:
                    out.write(str(value))
            except FileNotFoundError:
                pass  # a kernel without IPv6, say

    def run(self, command, text=None):
        self.enter()
        subprocess.run(command, input=text, text=True, check=True)

    def flush(self):
        if self.lines:
            subprocess.run(["ip", "-n", self.name, "-batch", "-"], input="\n".join(self.lines) + "\n", text=True,
                           check=True, stdout=subprocess.DEVNULL)
        self.lines = []


class Cluster:
    def __init__(self, pods, ends, scratch, bridged=False):
        self.bridged = bridged
        self.pods = [pod for pod in pods if pod["addresses"] and pod["role"] == "pod"]
        self.scratch = scratch
        self.spaces = {}
        self.where = {}  # address -> its namespace
        self.nodes = {}  # name -> addresses of its own
        self.outside = set()
        self.owners = {}  # address -> who has it: a pod, a node, the outside
        self.agents = {}  # node -> its netpold
        self.attached = collections.Counter()  # node -> pods whose device its netpold can know
        self.bridge_ends = {}  # node -> (address, namespace) of the pods on its bridge
        self.claims = collections.Counter(address for pod in self.pods for address in pod["addresses"])
        for pod in self.pods:
            self.nodes.setdefault(self.node_of(pod), set())
            for address in pod["addresses"]:
                self.owners.setdefault(address, set()).add("pod")
        for end in ends:
            if end["kind"] == "node" and end["nodes"]:
                self.nodes.setdefault(end["nodes"][0], set()).add(end["address"])
                self.owners.setdefault(end["address"], set()).update(f"node {node}" for node in end["nodes"])
            elif end["kind"] != "pod":  # or on a node that nobody names
                self.outside.add(end["address"])
                self.owners.setdefault(end["address"], set()).add(OUTSIDE)

    @staticmethod
    def node_of(pod):
        return pod["node"] or NO_NODE

    def space(self, name):
        if name not in self.spaces:
            self.spaces[name] = Netns(name)
            self.spaces[name].make()
        return self.spaces[name]

    def has_one(self, end):
        """Is there exactly one who has the address? Manifests may claim more; a network cannot."""
        return len(self.owners[end["address"]]) == 1

    def of_end(self, end):
        """The namespace that an end of a flow lives in."""
        return self.where[end["address"]]

    def build(self, options=None):
        """All of it; with options, each node's netpold runs before its first pod is there."""
        fabric = self.space("fabric")
        for number, (name, addresses) in enumerate(sorted(self.nodes.items()), 1):
            self.add_host(fabric, self.space(f"node-{name}"), number, addresses)
        self.add_host(fabric, self.space(OUTSIDE), len(self.nodes) + 1, self.outside)
        for space in self.spaces.values():
            space.flush()
        if options and options.enforce == "daemon":
            self.start_agents(options)
        for plugged in self.connect([self.lay(fabric, pod, number) for number, pod in enumerate(self.pods, 1)]):
            if all(self.claims[address] == 1 for address in plugged.pod["addresses"]):
                self.publish(plugged)

    def add_host(self, fabric, space, number, addresses):
        """A node, or the outside host: everything it does not know goes to the fabric."""
        near, far = f"169.254.{number}.1", f"169.254.{number}.2"
        fabric.ip(f"link add fab{number} type veth peer name uplink netns {space.name}")
        fabric.ip(f"addr add {near}/30 dev fab{number}")
        fabric.ip(f"addr add fe80::{number:x}:1/64 dev fab{number} nodad")
        fabric.ip(f"link set fab{number} up")
        fabric.flush()
        space.ip(f"addr add {far}/30 dev uplink")
        space.ip(f"addr add fe80::{number:x}:2/64 dev uplink nodad")
        space.ip("link set uplink up")
        space.ip(f"route add default via {near}")
        space.ip(f"route add ::/0 via fe80::{number:x}:1 dev uplink")
        for address in sorted(addresses):
            self.give(fabric, space, number, address)

    def give(self, fabric, space, number, address):
        space.ip(f"addr add {host(address)} dev lo" + (" nodad" if version(address) == 6 else ""))
        self.route(fabric, address, number)
        self.where[address] = space

    def change_outside(self, addresses):
        """What the outside host answers for, from now on."""
        fabric, space = self.spaces["fabric"], self.spaces[OUTSIDE]
        for address in sorted(self.outside - addresses):
            space.ip(f"addr del {host(address)} dev lo")
            del self.where[address]
        for address in sorted(addresses - self.outside):
            self.give(fabric, space, len(self.nodes) + 1, address)
        self.outside = addresses
        fabric.flush()
        space.flush()

    @staticmethod
    def route(fabric, address, number):
        via = f"169.254.{number}.2" if version(address) == 4 else f"fe80::{number:x}:2"
        fabric.ip(f"route replace {host(address)} via {via} dev fab{number}")

    def plug(self, fabric, pod, number):
        """A pod's network, as a CNI plugin makes it."""
        return self.connect([self.lay(fabric, pod, number)])[0]

    def connect(self, laid):
        """What has been laid becomes real: it works when this returns it."""
        for space in self.spaces.values():
            space.flush()
        for name in {plugged.node for plugged in laid}:
            nodes.wait_until_up(self.spaces[f"node-{name}"], {one.link for one in laid if one.node == name})
        return laid

    def lay(self, fabric, pod, number):
        """Collects all that makes a pod's network: nodes come before pods in self.spaces, so links before addresses."""
        name = self.node_of(pod)
        node = self.spaces[f"node-{name}"]
        space = self.space(f"pod-{number}")
        link = pod["interface"] or f"veth{number}"
        bridge = BRIDGE if self.bridged else None
        mac = f"0a:58:{number >> 24 & 255:02x}:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"
        node.ip(f"link add {link} type veth peer name eth0 address {mac} netns {space.name}")
        if bridge:
            self.add_bridge(node)
            node.ip(f"link set {link} master {bridge}")
            node.ip(f"link set {link} type bridge_slave hairpin on")  # to itself, through a Service
        else:
            node.ip(f"addr add {POD_GATEWAY}/32 dev {link}")
            node.ip(f"addr add fe80::1/64 dev {link} nodad")
        node.ip(f"link set {link} up")
        self.configure(space, pod)
        for address in pod["addresses"]:
            node.ip(f"route replace {host(address)} dev {bridge or link}")
            self.route(fabric, address, sorted(self.nodes).index(name) + 1)
            self.where[address] = space
            if bridge:
                self.neighbours(address, space, name)
        return Plugged(pod, name, space, link, bridge, mac)

    def publish(self, plugged):
        """Its result, as libcni caches it; the file's path."""
        self.attached[plugged.node] += 1
        return nodes.write_result(self.results(plugged.node), plugged.pod, plugged.link, plugged.bridge, plugged.mac)

    def unplug(self, plugged, result):
        """CNI DEL, and the end of the sandbox."""
        os.unlink(result)
        self.attached[plugged.node] -= 1
        node = self.spaces[f"node-{plugged.node}"]
        node.ip(f"link del {plugged.link}")
        for address in plugged.pod["addresses"]:
            del self.where[address]
            if plugged.bridge:
                node.ip(f"route del {host(address)} dev {plugged.bridge}")
                node.ip(f"neigh flush to {address} dev {plugged.bridge}")
                self.forget(address, plugged)
        for space in self.spaces.values():
            space.flush()
        os.close(plugged.space.handle)
        subprocess.run(["ip", "netns", "del", plugged.space.name], check=True)
        del self.spaces[plugged.space.name]

    @staticmethod
    def configure(space, pod):
        space.ip("link set eth0 up")
        for address in pod["addresses"]:
            space.ip(f"addr add {host(address)} dev eth0" + (" nodad" if version(address) == 6 else ""))
            if version(address) == 4:
                space.ip(f"route replace {POD_GATEWAY} dev eth0")
                space.ip(f"route replace default via {POD_GATEWAY} dev eth0")
            else:
                space.ip("route replace ::/0 via fe80::1 dev eth0")

    def add_bridge(self, node):
        if node.bridge:
            return
        node.bridge = True
        # As the plugin does: without an address of its own, a bridge's changes with its ports.
        node.ip(f"link add {BRIDGE} address {nodes.BRIDGE_MAC} type bridge")
        node.ip(f"addr add {POD_GATEWAY}/32 dev {BRIDGE}")
        node.ip(f"addr add fe80::1/64 dev {BRIDGE} nodad")
        node.ip(f"link set {BRIDGE} up")
        node.sysctl({"net/bridge/bridge-nf-call-iptables": 1, "net/bridge/bridge-nf-call-ip6tables": 1})

    def neighbours(self, address, space, node):
        """Pods on one bridge reach each other without the node routing, as in one subnet."""
        for other, where in self.bridge_ends.setdefault(node, []):
            if version(other) == version(address) and where is not space:
                where.ip(f"route replace {host(address)} dev eth0")
                space.ip(f"route replace {host(other)} dev eth0")
        self.bridge_ends[node].append((address, space))

    def forget(self, address, plugged):
        """Its neighbours would not notice that the address now belongs to another, or to one of another node."""
        ends = self.bridge_ends[plugged.node]
        ends[:] = [end for end in ends if end[1] is not plugged.space]
        for other, where in ends:
            if version(other) == version(address):
                where.ip(f"route del {host(address)} dev eth0")
                where.ip(f"neigh flush to {address} dev eth0")

    def results(self, node):
        directory = os.path.join(self.scratch, f"results-{node}")
        os.makedirs(directory, exist_ok=True)
        return directory

    def start_agents(self, options):
        for name in self.nodes:
            self.agents[name] = nodes.Agent(self.spaces[f"node-{name}"], None if name == NO_NODE else name,
                                            self.results(name), self.scratch, options)

    def enforce(self, options):
        """Waits until every node's netpold has what it can know; or loads the rulesets of the dry run with nft."""
        if options.enforce == "daemon":
            for name, agent in self.agents.items():
                agent.wait(self.attached[name])
            return
        for name in self.nodes:
            ruleset = os.path.join(self.scratch, f"{name}.nft")
            with open(ruleset, "wb") as out:
                command = [options.netpold, "--dry-run", *nodes.inputs(None if name == NO_NODE else name, options),
                           *getattr(options, "netpold_options", [])]
                if subprocess.run(command, stdout=out, check=False).returncode != 0:
                    sys.exit("lab: the dry run failed")
            self.spaces[f"node-{name}"].run(["nft", "-f", ruleset])

    def serve(self, frontends):
        """Services, on every node."""
        if frontends:
            for name in self.nodes:
                self.spaces[f"node-{name}"].run(["nft", "-f", "-"], services.ruleset(frontends))
