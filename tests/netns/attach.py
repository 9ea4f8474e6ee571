#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A host that is made up of real links, routes, bridges, traffic and CNI results: what is attached to it, step by step,
and after a random churn. After each step an observer that saw all of it knows what a new one finds. SEED repeats a
churn, STEPS (400) says how long it is."""
import json
import os
import random
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

INSIDE = "NETPOLD_ATTACH_INSIDE"
PATIENCE_S = 30


def skip(reason):
    print(f"{reason}: skipped")
    sys.exit(77)


def enter():
    """Runs itself again in namespaces of its own; with its first process all of it goes."""
    if os.geteuid() != 0:
        skip("needs root")
    for tool in ("ip", "bridge", "unshare", "nsenter"):
        if not shutil.which(tool):
            skip(f"needs {tool}")
    if subprocess.run(["unshare", "-n", "ip", "link", "add", "test0", "type", "veth"], capture_output=True,
                      check=False).returncode != 0:
        skip("needs network namespaces and veth")
    command = ["unshare", "--mount", "--net", "--pid", "--mount-proc", "--fork", "--kill-child", sys.executable, "-B",
               os.path.realpath(__file__)]
    sys.exit(subprocess.run(command, env=dict(os.environ, **{INSIDE: "1"}), check=False).returncode)


def run(*words, check=True):
    return subprocess.run(words, check=check, capture_output=not check, text=True)


def ip(line, check=True):
    return run("ip", *line.split(), check=check)


def batch(lines):
    """Many at once; those that cannot be done are left."""
    subprocess.run(["ip", "-force", "-batch", "-"], input="\n".join(lines) + "\n", text=True, check=False,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Pod:
    """A namespace, held by a process that sleeps."""

    def __init__(self):
        self.process = subprocess.Popen(["unshare", "-n", "sleep", "infinity"])
        own = os.readlink("/proc/self/ns/net")
        until = time.monotonic() + PATIENCE_S
        while os.readlink(f"/proc/{self.process.pid}/ns/net") == own:
            assert time.monotonic() < until, "no namespace for a pod"
            time.sleep(0.001)
        self.pid = self.process.pid
        self.ip("link set lo up")

    def ip(self, line):
        run("nsenter", "-t", str(self.pid), "-n", "ip", *line.split())

    def speak(self, target):
        """The pod asks who has the address, so whoever has it learns who asked."""
        run("nsenter", "-t", str(self.pid), "-n", sys.executable, "-c",
            "import socket, sys; socket.socket(type=socket.SOCK_DGRAM).sendto(b'', (sys.argv[1], 9))", target)

    def end(self):
        self.process.kill()
        self.process.wait()


class Watch:
    """An observer; `events` are the lines that it told."""

    def __init__(self, results):
        program = os.path.join(os.environ.get("top_builddir", "."), "tests/attach_watch")
        self.process = subprocess.Popen([program, results], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        stderr=subprocess.DEVNULL)
        self.events = []
        self.resyncs = 0
        self.ready = self.process.stdout.readline()
        if not self.ready.startswith("ready"):
            sys.exit(f"attach_watch does not start: {self.ready}")

    def all(self):
        self.process.stdin.write("all\n")
        self.process.stdin.flush()
        lines = []
        while True:
            line = self.process.stdout.readline().rstrip("\n")
            if line == ".":
                return lines
            if not line and self.process.poll() is not None:
                sys.exit("attach_watch has ended")
            if line.startswith("resyncs "):
                self.resyncs = int(line.split()[1])
            elif line.split()[0].isdigit():
                self.events.append(line)
            else:
                lines.append(line)

    def end(self):
        self.process.stdin.close()
        rest = self.process.stdout.read()
        if self.process.wait() != 0:
            sys.exit(f"attach_watch ended with {self.process.returncode}: {rest}")


def differ(what, one, lines, other, more):
    """Ends it, with some of what only one of them has."""
    print(f"FAIL {what}")
    for name, only in ((one, [line for line in lines if line not in more]),
                       (other, [line for line in more if line not in lines])):
        print(f"only {name}, {len(only)}:", *only[:8], sep="\n  ")
    sys.exit(1)


class Host:
    def __init__(self, results):
        self.results = results
        self.watch = Watch(results)
        self.steps = 0

    def fresh(self):
        watch = Watch(self.results)
        lines = watch.all()
        watch.end()
        return lines

    def expect(self, what, *lines):
        """Waits until it is so, for both observers."""
        wanted = list(lines)
        until = time.monotonic() + PATIENCE_S
        while True:
            seen, fresh = self.watch.all(), self.fresh()
            if seen == wanted and fresh == wanted:
                self.steps += 1
                return
            if time.monotonic() > until:
                if fresh != wanted:
                    differ(what, "expected", wanted, "seen afresh", fresh)
                differ(what, "expected", wanted, "seen", seen)
            time.sleep(0.01)

    def same(self, what):
        """Both observers agree, whatever it is."""
        until = time.monotonic() + PATIENCE_S
        while True:
            fresh, seen = self.fresh(), self.watch.all()
            if seen == fresh:
                self.steps += 1
                return seen
            if time.monotonic() > until:
                differ(what, "seen", seen, "seen afresh", fresh)
            time.sleep(0.01)

    def told(self, what):
        """Was the observer told of it since the last question?"""
        self.watch.all()
        lines = [line.split(" ", 1)[1] for line in self.watch.events]
        self.watch.events = []
        if what not in lines:
            sys.exit(f"FAIL nobody was told of {what}, only of {lines}")


def result_text(pod, uid, links=(), addrs=(), mac=None, container="c-" + "0" * 10, ifname="eth0"):
    namespace, name = pod.split("/")
    interfaces = [{"name": link} for link in links]
    inside = {"name": ifname, "sandbox": "/var/run/netns/x"}
    if mac:
        inside["mac"] = mac
    if links:
        interfaces.append(inside)
    ips = [{"address": f"{addr}/{64 if ':' in addr else 24}"} for addr in addrs]
    return json.dumps({
        "kind": "cniCacheV1", "containerId": container + uid, "config": "e30=", "ifName": ifname, "networkName": "net",
        "cniArgs": [["IgnoreUnknown", "1"], ["K8S_POD_NAMESPACE", namespace], ["K8S_POD_NAME", name],
                    ["K8S_POD_UID", uid]],
        "result": {"cniVersion": "1.0.0", "interfaces": interfaces, "ips": ips}})


def write(path, text):
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)


def veth(name, pod, address, master=None):
    """A pair whose other end is a pod's eth0."""
    ip(f"link add {name} type veth peer address {address} name eth0 netns {pod.pid}")
    if master:
        ip(f"link set {name} master {master}")
    ip(f"link set {name} up")
    pod.ip("link set eth0 up")


def routed(host, results):
    pod = Pod()
    veth("veth1", pod, "02:00:00:00:00:05")
    host.expect("a link alone")
    ip("addr add 10.244.0.1/32 dev veth1")
    ip("addr add fd00::1/128 dev veth1 nodad")
    host.expect("the host's own addresses are nobody's")
    ip("route add 10.244.0.5 dev veth1 scope host")
    ip("route add fd00::5 dev veth1")
    host.expect("routes as the ptp plugin makes them", "- routed veth1 10.244.0.5", "- routed veth1 fd00::5")
    host.told("addr 10.244.0.5")
    path = os.path.join(results, "net-c1-eth0")
    text = result_text("shop/web", "u1", ["veth1"], ["10.244.0.5", "fd00::5"], "02:00:00:00:00:05")
    named = "shop/web u1 routed veth1 02:00:00:00:00:05 10.244.0.5 fd00::5"
    with open(path, "w", encoding="utf-8") as out:
        out.write(text[:100])
        out.flush()
        host.expect("half a result", "- routed veth1 10.244.0.5", "- routed veth1 fd00::5")
        out.write(text[100:])
    host.expect("a whole result", named)
    host.told("pod shop/web")
    ip("link set veth1 down")
    host.expect("a link that is down", named)
    ip("link set veth1 name renamed")
    host.expect("a route of scope host stays, whatever the link's name", named.replace("veth1", "renamed"))
    ip("route del 10.244.0.5 dev renamed scope host")
    ip("link set renamed up")
    ip("route add 10.244.0.5 dev renamed")
    host.expect("another route", named.replace("veth1", "renamed"))
    ip("link set renamed down")
    ip("link set renamed up")
    host.expect("it goes when the link is down", "shop/web u1 none 02:00:00:00:00:05 10.244.0.5 fd00::5")
    ip("route add 10.244.0.5 dev renamed")
    os.unlink(path)
    host.expect("without a result", "- routed renamed 10.244.0.5")
    host.told("pod shop/web")
    ip("addr del 10.244.0.1/32 dev renamed")
    host.expect("the last IPv4 address takes IPv4 routes with it")
    ip("route add 10.244.0.5 dev renamed")
    ip("route add 10.244.0.6 dev renamed")
    host.expect("routes without any address, as Calico makes them", "- routed renamed 10.244.0.5",
                "- routed renamed 10.244.0.6")
    ip("route add 10.244.0.5 via 10.244.0.6 dev renamed metric 5")
    ip("route replace 10.244.0.6 via 192.168.77.2")
    host.expect("replaced by one with a gateway", "- routed renamed 10.244.0.5")
    ip("route replace blackhole 10.244.0.5")
    host.expect("replaced by a hole")
    ip("route replace 10.244.0.5 dev renamed")
    ip(f"link set renamed netns {pod.pid}")
    host.expect("moved to another namespace")
    pod.ip("link set renamed netns 1")
    host.expect("moved back, without routes")
    ip("link set renamed up")
    ip("route add 10.244.0.5 dev renamed")
    host.expect("moved back", "- routed renamed 10.244.0.5")
    ip("route flush table main 10.244.0.5/32")
    host.expect("flushed")
    ip("route add 10.244.0.5 dev renamed")
    pod.end()
    host.expect("the pod's namespace is gone, and its link with it")
    ip("route del 10.244.0.6 via 192.168.77.2")


def sources(host):
    pod = Pod()
    veth("cali1", pod, "02:00:00:00:00:05")
    ip("addr add 192.168.77.9/24 dev uplink")
    ip("route add 10.244.0.5 dev cali1 src 192.168.77.9")
    ip("route add 10.244.0.6 dev cali1")
    host.expect("routes with a source", "- routed cali1 10.244.0.5", "- routed cali1 10.244.0.6")
    ip("addr del 192.168.77.9/24 dev uplink")
    host.expect("a source that goes takes its routes with it", "- routed cali1 10.244.0.6")
    ip("route add 10.244.0.6 dev cali1 metric 5")
    ip("route append 10.244.0.6 via 192.168.77.2 metric 5")
    ip("route add 10.244.0.9 dev uplink")
    host.expect("a route by the way out is nobody's", "- routed cali1 10.244.0.6")
    ip("route replace default dev cali1")
    host.expect("the way out may be another", "- routed uplink 10.244.0.9")
    ip("route replace default via 192.168.77.2 dev uplink")
    host.expect("and back", "- routed cali1 10.244.0.6")
    for line in ("replace blackhole 10.244.0.6 metric 5", "del 10.244.0.9 dev uplink", "add fd00::5 dev cali1",
                 "append fd00::5 dev uplink", "replace fd00::5 dev cali1"):
        ip("route " + line)
        host.same(line)
    ip("link del cali1")
    host.expect("the link is gone")
    pod.end()


def alike(host):
    """Routes and addresses of which notifications do not tell which one it was, or nothing at all."""
    pods = [Pod(), Pod()]
    for i, pod in enumerate(pods):
        veth(f"cali{i + 1}", pod, f"02:00:00:00:00:0{i + 5}")
    both = ["- routed cali1 10.244.0.5"], ["- routed cali2 10.244.0.6"]
    ip("addr add 192.168.77.9/24 dev uplink")
    ip("addr add 10.244.0.1/32 dev cali1")
    ip("route add 10.244.0.5 dev cali1 scope host")
    ip("route append 10.244.0.5 dev cali1 scope host src 192.168.77.9")
    ip("addr del 192.168.77.9/24 dev uplink")
    host.expect("of two routes that differ in their source one goes with an address", *both[0])
    ip("route append 10.244.0.5 dev cali1 scope host proto static")
    ip("route del 10.244.0.5 dev cali1 proto static")
    ip("route add 10.244.0.6 dev cali2")
    host.expect("of two that differ in their protocol one is deleted", *both[0], *both[1])
    ip("route del 10.244.0.5 dev cali1")
    host.expect("and then the other", *both[1])
    ip("route add 10.244.0.5 dev cali1")
    ip("addr add 10.244.0.6/32 dev cali1")
    ip("addr add 10.244.0.6/24 dev cali1")
    ip("addr del 10.244.0.6/24 dev cali1")
    host.expect("an address of the host that it had twice", *both[0])
    ip("addr del 10.244.0.6/32 dev cali1")
    host.expect("and has no more", *both[0], *both[1])
    write("/proc/sys/net/ipv6/route/skip_notify_on_dev_down", "1")
    ip("route add fd00::9 dev cali1")
    host.expect("one of IPv6", *both[0], *both[1], "- routed cali1 fd00::9")
    ip("link set cali1 down")
    ip("link set cali1 up")
    host.expect("that ends silently with its link", *both[1])
    ip("link set cali1 mtu 1400")
    ip("route add fd00::9 dev cali1")
    ip("link set cali1 mtu 1000")
    host.expect("and with a link too small for IPv6", *both[1])
    write("/proc/sys/net/ipv6/route/skip_notify_on_dev_down", "0")
    nexthops(host, both[1])
    vrf(host, both[1])
    ip("link del cali1")
    ip("link del cali2")
    for pod in pods:
        pod.end()
    host.expect("the links are gone")


def nexthops(host, rest):
    """The way out by a nexthop object, with which it ends silently."""
    ip("link set cali1 mtu 1500")
    ip("route add 10.244.0.5 dev cali1")
    ip("nexthop add id 7 dev cali1")
    ip("route add default metric 9 nhid 7")
    host.expect("the way out is cali1", *rest)
    ip("nexthop replace id 7 dev uplink")
    host.expect("it is not any more", "- routed cali1 10.244.0.5", *rest)
    ip("nexthop replace id 7 dev cali1")
    host.expect("and is again", *rest)
    ip("nexthop del id 7")
    host.expect("the nexthop is gone, and its route with it", "- routed cali1 10.244.0.5", *rest)


def vrf(host, rest):
    """A link that gets a VRF loses its routes, as it is taken down for that."""
    if ip("link add red type vrf table 77", check=False).returncode != 0:
        print("no VRFs here")
        return
    ip("link set red up")
    ip("link set cali1 master red")
    host.expect("a link in a VRF", *rest)
    ip("route add 10.244.0.5 dev cali1 vrf red")
    host.expect("a route in the table of a VRF is nobody's", *rest)
    ip("link del red")
    host.expect("the VRF is gone", *rest)


def bridged(host, results):
    pods = [Pod(), Pod()]
    ip("link add cni0 address 02:00:00:00:01:01 type bridge")
    ip("addr add 10.244.1.1/24 dev cni0")
    ip("link set cni0 up")
    for i, pod in enumerate(pods):
        veth(f"port{i}", pod, f"02:00:00:00:01:0{i + 5}", "cni0")
        pod.ip(f"addr add 10.244.1.{i + 5}/24 dev eth0")
    host.expect("a bridge with two ports and no traffic")
    for pod in pods:
        pod.speak("10.244.1.1")
    host.expect("neighbours behind ports", "- bridged port0@cni0 02:00:00:00:01:05 10.244.1.5",
                "- bridged port1@cni0 02:00:00:00:01:06 10.244.1.6")
    write(os.path.join(results, "one"), result_text("shop/web", "u1", ["cni0", "port0"], ["10.244.1.5"],
                                                    "02:00:00:00:01:05"))
    write(os.path.join(results, "two"), result_text("shop/api", "u2", ["port1"], ["10.244.1.6"]))
    both = ["shop/api u2 bridged port1@cni0 02:00:00:00:01:06 10.244.1.6",
            "shop/web u1 bridged port0@cni0 02:00:00:00:01:05 10.244.1.5"]
    host.expect("results", *both)
    write(os.path.join(results, "new"), result_text("shop/web", "u1", ["cni0", "port0"], ["10.244.1.7"],
                                                    "02:00:00:00:01:05"))
    os.rename(os.path.join(results, "new"), os.path.join(results, "one"))
    host.expect("a result that is moved over another", both[0], both[1].replace("1.5", "1.7"),
                "- bridged port0@cni0 02:00:00:00:01:05 10.244.1.5")
    ip("link set port0 nomaster")
    host.expect("a port that leaves", both[0], both[1].replace("bridged port0@cni0", "routed port0").replace("1.5", "1.7"))
    ip("link set port0 master cni0")
    pods[0].speak("10.244.1.1")
    host.expect("a port that comes back", both[0], both[1].replace("1.5", "1.7"),
                "- bridged port0@cni0 02:00:00:00:01:05 10.244.1.5")
    ip("neigh flush dev cni0")
    host.expect("without neighbours", both[0].replace(" 02:00:00:00:01:06", ""), both[1].replace("1.5", "1.7"))
    ip("link set port0 down")
    ip("link set port0 name other")
    ip("link set other up")
    pods[0].speak("10.244.1.1")
    ip("neigh flush dev cni0")
    host.expect("a port with a new name", both[0].replace(" 02:00:00:00:01:06", ""),
                both[1].replace("1.5", "1.7").replace("port0", "other"))
    ip("link del cni0")
    host.expect("the bridge is gone", "shop/api u2 routed port1 10.244.1.6",
                "shop/web u1 none 02:00:00:00:01:05 10.244.1.7")
    shutil.rmtree(results)
    host.expect("the results are gone")
    os.mkdir(results)
    write(os.path.join(results, "two"), result_text("shop/api", "u2", ["port1"], ["10.244.1.6"]))
    host.expect("and back", "shop/api u2 routed port1 10.244.1.6")
    os.unlink(os.path.join(results, "two"))
    for pod in pods:
        pod.end()
    host.expect("all is gone")


class Churn:
    """Things that happen at random, mostly to the same few names."""

    def __init__(self, seed, results):
        self.random = random.Random(seed)
        self.results = results
        self.pods = [Pod() for _ in range(3)]
        ip("link add br0 type bridge")
        ip("link set br0 up")

    def link(self):
        return self.random.choice(["v0", "v1", "v2", "v3"])

    def addr(self):
        return self.random.choice(["10.7.0.1", "10.7.0.2", "10.7.0.3", "fd07::1", "fd07::2"])

    def links(self):
        r, link = self.random, self.link()
        return r.choice([
            f"link add {link} type veth peer name p{link} netns {r.choice(self.pods).pid}",
            f"link add {link} type veth peer name p{link}", f"link set p{link} up", f"link set p{link} up",
            f"link del {link}", f"link set {link} up", f"link set {link} up", f"link set {link} down",
            f"link set {link} master br0", f"link set {link} nomaster", f"link set {link} name {self.link()}",
            f"link set {link} netns {r.choice(self.pods).pid}", "link set br0 down", "link set br0 up",
            f"addr add {self.addr()} dev {link} nodad", f"addr del {self.addr()} dev {link}",
            f"addr add 10.8.0.1 dev {link}", f"addr del 10.8.0.1 dev {link}"])

    def routes(self):
        r, link = self.random, self.link()
        verb = r.choice(["add", "add", "append", "replace", "replace", "change", "del"])
        scope = r.choice(["", "", "scope host"])
        hop = r.choice([f"dev {link}"] * 4 + [f"dev {link} src 10.8.0.1", "via 192.168.77.2 dev uplink"])
        metric = r.choice(["", "", f"metric {r.randrange(1, 3)}"])
        dst = r.choice([self.addr()] * 6 + ["default"])
        return f"route {verb} {dst} {hop} {metric} {scope}"

    def neighbours(self):
        r, link = self.random, self.link()
        mac = f"02:00:00:00:00:0{r.randrange(4)}"
        return r.choice([f"neigh replace {self.addr()} lladdr {mac} dev br0", f"neigh del {self.addr()} dev br0",
                         f"fdb {r.choice(['replace', 'replace', 'del'])} {mac} dev {link} master "
                         f"{r.choice(['static', 'dynamic', 'permanent'])}"])

    def files(self):
        r = self.random
        path = os.path.join(self.results, r.choice("abcd"))
        if r.randrange(3) == 0:
            if os.path.exists(path):
                os.unlink(path)
            return
        text = result_text("shop/" + r.choice("xyz"), r.choice(["u1", "u2"]), r.sample(["v0", "v1", "v2", "br0"], 2),
                           r.sample(["10.7.0.1", "10.7.0.2", "fd07::1"], 2), f"02:00:00:00:00:0{r.randrange(4)}",
                           container=r.choice("mn"))
        if r.randrange(8) == 0:
            text = text[:r.randrange(len(text))]
        if r.randrange(3) == 0:
            write(path + ".tmp", text)
            os.rename(path + ".tmp", path)
        else:
            write(path, text)

    def step(self):
        lines = [self.random.choice([self.links, self.routes, self.routes, self.neighbours])()
                 for _ in range(self.random.randrange(1, 30))]
        batch([line for line in lines if not line.startswith("fdb ")])
        for line in lines:
            if line.startswith("fdb "):
                run("bridge", *line.split(), check=False)
        for _ in range(self.random.randrange(4)):
            self.files()

    def end(self):
        batch(["link del br0"] + [f"link del {name}{i}" for i in range(4) for name in ("v", "pv")])
        for pod in self.pods:
            pod.end()


def churn(host, results):
    seed = int(os.environ.get("SEED") or random.randrange(1 << 32))
    print(f"churn from SEED={seed}")
    it = Churn(seed, results)
    kinds = {}
    steps = int(os.environ.get("STEPS") or 400) // 10
    wanted = {"by address routed", "by result routed"}
    for step in range(20 * steps):
        if step >= steps and wanted <= kinds.keys():
            break
        it.step()
        for line in host.same(f"churn, SEED={seed}, step {step}"):
            words = line.split()
            kind = f"by address {words[1]}" if words[0] == "-" else f"by result {words[2]}"
            kinds[kind] = kinds.get(kind, 0) + 1
    print("seen", ", ".join(f"{kind} {kinds[kind]}" for kind in sorted(kinds)))
    if not wanted <= kinds.keys():
        sys.exit("FAIL the churn attached next to nothing")
    it.end()
    for name in os.listdir(results):
        os.unlink(os.path.join(results, name))
    ip("route replace default via 192.168.77.2 dev uplink")


def overflow(host):
    """More news than a socket holds."""
    pod = Pod()
    veth("cali1", pod, "02:00:00:00:00:05")
    host.watch.all()
    os.kill(host.watch.process.pid, signal.SIGSTOP)
    batch([f"route add 10.9.{i >> 8}.{i & 255} dev cali1" for i in range(5000)])
    batch([f"route del 10.9.{i >> 8}.{i & 255} dev cali1" for i in range(5000) if i != 4321])
    os.kill(host.watch.process.pid, signal.SIGCONT)
    host.expect("one of 5000 routes", "- routed cali1 10.9.16.225")
    if host.watch.resyncs == 0:
        sys.exit("FAIL no news were lost")
    ip("link del cali1")
    pod.end()
    host.expect("nothing is left")


def route_message(addr, index, add):
    """RTM_NEWROUTE or RTM_DELROUTE, for a time without that of a process."""
    body = struct.pack("BBBBBBBBI", socket.AF_INET, 32, 0, 0, 254, 4, 253, 1, 0)
    body += struct.pack("HH4s", 8, 1, socket.inet_aton(addr)) + struct.pack("HHI", 8, 4, index)
    return struct.pack("IHHII", 16 + len(body), 24 if add else 25, 0x601 if add else 1, 1, 0) + body


def times(host, results):
    """Figures; nothing is expected of them."""
    pod = Pod()
    veth("cali1", pod, "02:00:00:00:00:05")
    index = socket.if_nametoindex("cali1")
    news = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    by_route, by_file = [], []
    path = os.path.join(results, "net-c1-eth0")
    batch([f"route add 10.9.{i >> 8}.{i & 255} dev cali1" for i in range(1000)])
    for i in range(100):
        host.watch.all()
        host.watch.events = []
        start = time.monotonic_ns()
        news.send(route_message("10.10.0.1", index, True))
        event = host.watch.process.stdout.readline()
        by_route.append((int(event.split()[0]) - start) / 1000)
        news.send(route_message("10.10.0.1", index, False))
        host.watch.process.stdout.readline()
        with open(path, "w", encoding="utf-8") as out:
            out.write(result_text("shop/web", f"u{i}", ["cali1"], ["10.10.0.1"]))
            out.flush()
            start = time.monotonic_ns()
        event = host.watch.process.stdout.readline()
        by_file.append((int(event.split()[0]) - start) / 1000)
        host.watch.all()
        os.unlink(path)
        until = time.monotonic() + PATIENCE_S
        while len(host.watch.all()) != 1000 and time.monotonic() < until:
            pass
    ready = sorted(int(Watch(results).ready.split()[2]) for _ in range(9))
    print(f"among 1000 routes, us to the callback, median and largest of 100: from a route "
          f"{statistics.median(by_route):.0f} {max(by_route):.0f}, from a closed file "
          f"{statistics.median(by_file):.0f} {max(by_file):.0f}; until a new observer knows all "
          f"{ready[len(ready) // 2]}")
    ip("link del cali1")
    pod.end()
    host.expect("nothing is left")


def main():
    if INSIDE not in os.environ:
        enter()
    ip("link set lo up")
    way_out = Pod()
    veth("uplink", way_out, "02:00:00:00:00:01")
    ip("addr add 192.168.77.1/24 dev uplink")
    ip("route add default via 192.168.77.2 dev uplink")
    with tempfile.TemporaryDirectory() as directory:
        results = os.path.join(directory, "results")
        host = Host(results)
        host.expect("nothing, and no results yet")
        os.mkdir(results)
        routed(host, results)
        sources(host)
        alike(host)
        bridged(host, results)
        churn(host, results)
        overflow(host)
        times(host, results)
        host.watch.end()
    print(f"{host.steps} steps as expected")


if __name__ == "__main__":
    main()
