#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What enforcement costs a packet: datapath.py BUILD_DIRECTORY [ROUNDS]

Makes three network namespaces for each variant, all alive at once, a node and two pods behind routed veths:

    a eth0 --- pod-a  node  pod-b --- eth0 b

or at the ports of a bridge, or with b's address at the node itself,
has `netpold --once` enforce what a variant is about, and lets tests/bench/datapath measure. Both pods are isolated in
both directions, each rule has 100 pods of its own, the rule that matches is the last one, and 250 pods are in the
maps. The unit is the variant that has conntrack alone; each ratio is the median of the ratios of the rounds, and the
line of conntrack made again says what a difference must be to mean something. Ends with status 3 when a budget is
missed. Wants namespaces of its own for itself: `unshare -mn --propagation private`."""
import json
import os
import subprocess
import sys
import tempfile

from figures import Figures, quartiles

ROUNDS = 150
TWINS = 2  # each variant is made so often: where things happen to lie in memory makes half a percent
LOCAL_PODS = 250
GROUPS, PER_GROUP, GROUPS_OF_RULE = 1000, 10, 10
RULES_OF_POLICY = 10
# The same in datapath.c.
ADDR_A, ADDR_B = "10.244.0.1", "10.244.0.2"
PORT_ALLOWED = 30000
GATEWAY = "169.254.255.1"
BRIDGE_TO_INET = "/proc/sys/net/bridge/bridge-nf-call-iptables"
MACS = {end: f"02:00:00:00:00:{number:02x}" for number, end in enumerate(("node-a", "node-b", "a", "b"), 1)}

# What the variants of a network are compared with.
UNITS = {"routed": "free-conntrack", "node": "free-node", "bridge": "free-bridge"}
UNIT, AGAIN = UNITS["routed"], "free-conntrack-again"
# Its name in the table; rules for each pod and direction; what is particular.
VARIANTS = {
    "free-none": ("nothing", 0, set()),
    UNIT: ("conntrack alone", 0, {"conntrack"}),
    AGAIN: ("conntrack alone, made again", 0, {"conntrack"}),
    "plain-1": ("1 rule, SYNs and tunnels not looked at", 1, {"plain"}),
    "rules-1": ("1 rule", 1, set()),
    "rules-10": ("10 rules", 10, set()),
    "rules-100": ("100 rules", 100, set()),
    "rules-1000": ("1,000 rules", 1000, set()),
    "blocks-1000": ("1,000 rules, of CIDRs", 1000, {"blocks"}),
    "ranges-1000": ("1,000 rules, a port beside port ranges", 1000, {"ranges"}),
    "stretch-1000": ("1,000 rules, a port in one of the ranges", 1000, {"ranges", "stretch"}),
    "address-1000": ("1,000 rules, found by address", 1000, {"address"}),
    "antispoof-1": ("1 rule, anti-spoofing", 1, {"antispoof"}),
    "antispoof-1000": ("1,000 rules, anti-spoofing", 1000, {"antispoof"}),
    # To the pod's own node: forward does not see it, and the first has nothing at the hook input.
    "free-node": ("conntrack alone, nothing at input", 0, {"conntrack", "node"}),
    "node-1": ("1 rule", 1, {"blocks", "node"}),
    # Anti-spoofing is in the bridge table; with all of it, without what is for the ports of isolated pods, and without it.
    "free-bridge": ("conntrack alone", 0, {"conntrack", "bridge"}),
    "bridge-1-inet": ("1 rule, without the bridge table", 1, {"bridge", "no-bridge-table"}),
    "bridge-1-source": ("1 rule, without the bridge table's forward", 1, {"bridge", "no-bridge-forward"}),
    "bridge-1": ("1 rule", 1, {"bridge"}),
}
SERIES = {"connection": "new connection", "packet": "established packet, UDP",
          "segment": "established packet, TCP", "one-way": "packet never answered",
          "denied": "denied packet"}
NETWORKS = {"routed": ("", list(SERIES)), "node": (", to the own node", ["connection", "packet", "segment"]),
            "bridge": (", bridged", ["connection", "packet", "segment"])}


def network(traits):
    return "node" if "node" in traits else "bridge" if "bridge" in traits else "routed"


def pod(name, address, node, labels, interface=None):
    metadata = {"name": name, "namespace": "bench", "labels": labels}
    if interface:
        metadata["annotations"] = {"netpold.io/interface": interface}
    return {"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": {"nodeName": node},
            "status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}}


def pods(by_address, ends):
    """The ends, those that are only in the maps, and those elsewhere that rules are about."""
    local = ends + [(f"c{i}", f"10.244.1.{i}") for i in range(1, LOCAL_PODS - 1)]
    for name, address in local:
        labels = {"policed": "yes", **({"group": "end"} if name in "ab" else {})}
        yield pod(name, address, "here", labels, None if by_address else f"pod-{name}")
    for i in range(GROUPS * PER_GROUP):
        yield pod(f"far-{i}", f"10.245.{i // 250}.{i % 250 + 1}", "there", {"group": f"g{i // PER_GROUP}"})


def peers(i, last, traits):
    if "blocks" in traits:
        blocks = [f"10.{i % 200}.{i // 200 * 32 + step}.0/24" for step in range(0, 20, 2)]
        return [{"ipBlock": {"cidr": block}} for block in blocks + (["10.244.0.0/24"] if last else [])]
    groups = [f"g{(i + step) % GROUPS}" for step in range(GROUPS_OF_RULE)] + (["end"] if last else [])
    return [{"podSelector": {"matchExpressions": [{"key": "group", "operator": "In", "values": groups}]}}]


def rule(i, count, direction, traits):
    last = i == count - 1
    ports = [{"protocol": "TCP", "port": 10000 + 10 * i}]
    if "ranges" in traits:
        ports[0]["endPort"] = ports[0]["port"] + 5
    if last:
        ports = [{"protocol": protocol, "port": PORT_ALLOWED} for protocol in ("TCP", "UDP")]
    if last and "stretch" in traits:
        ports = [{**entry, "port": PORT_ALLOWED - 5, "endPort": PORT_ALLOWED} for entry in ports]
    return {direction: peers(i, last, traits), "ports": ports}


def policies(count, traits):
    for start in range(0, count, RULES_OF_POLICY):
        these = range(start, min(start + RULES_OF_POLICY, count))
        yield {"kind": "NetworkPolicy", "apiVersion": "networking.k8s.io/v1",
               "metadata": {"name": f"policy-{start}", "namespace": "bench"},
               "spec": {"podSelector": {"matchLabels": {"policed": "yes"}}, "policyTypes": ["Ingress", "Egress"],
                        "ingress": [rule(i, count, "from", traits) for i in these],
                        "egress": [rule(i, count, "to", traits) for i in these]}}


def ip(netns, *lines):
    subprocess.run(["ip", "-n", netns, "-batch", "-"], input="\n".join(lines) + "\n", text=True, check=True)


def in_netns(netns, *command, **options):
    return subprocess.run(["nsenter", f"--net=/run/netns/{netns}", *command], check=True, **options)


def add_netns(name, *ends):
    for end in ends:
        subprocess.run(["ip", "netns", "add", f"{name}-{end}"], check=True)


def add_link(name, end, of_node, of_pod):
    """Neighbours are fixed, so that nothing but the packets that are timed is on the way."""
    ip(f"{name}-node", f"link add pod-{end} address {MACS['node-' + end]} type veth peer name eth0 address {MACS[end]} "
                       f"netns {name}-{end}", *of_node, f"link set pod-{end} up")
    ip(f"{name}-{end}", "link set lo up", "link set eth0 up", *of_pod)


def add_routed(name, end, address):
    add_link(name, end, [f"addr add {GATEWAY}/32 dev pod-{end}"],
             [f"addr add {address}/32 dev eth0", f"route add {GATEWAY} dev eth0", f"route add default via {GATEWAY} dev eth0",
              f"neigh replace {GATEWAY} lladdr {MACS['node-' + end]} dev eth0 nud permanent"])
    ip(f"{name}-node", f"route add {address} dev pod-{end}",
       f"neigh replace {address} lladdr {MACS[end]} dev pod-{end} nud permanent")


def make_routed(name):
    add_netns(name, "node", "a", "b")
    in_netns(f"{name}-node", "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
    ip(f"{name}-node", "link set lo up")
    for end, address in (("a", ADDR_A), ("b", ADDR_B)):
        add_routed(name, end, address)


def make_node(name):
    """Whoever listens at b's address listens on the node."""
    add_netns(name, "node", "a")
    os.symlink(f"{name}-node", f"/run/netns/{name}-b")
    ip(f"{name}-node", "link set lo up", f"addr add {ADDR_B}/32 dev lo")
    add_routed(name, "a", ADDR_A)


def make_bridge(name):
    add_netns(name, "node", "a", "b")
    in_netns(f"{name}-node", "sh", "-c", f"echo 1 > {BRIDGE_TO_INET}")
    ip(f"{name}-node", "link set lo up", "link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
       "link set br0 up")
    for end, address, other in (("a", ADDR_A, "b"), ("b", ADDR_B, "a")):
        peer = ADDR_B if end == "a" else ADDR_A
        add_link(name, end, [f"link set pod-{end} master br0"],
                 [f"addr add {address}/24 dev eth0", f"neigh replace {peer} lladdr {MACS[other]} dev eth0 nud permanent"])


MAKE = {"routed": make_routed, "node": make_node, "bridge": make_bridge}


def write_manifests(path, count, traits):
    ends = [("a", ADDR_A)] + ([] if "node" in traits else [("b", ADDR_B)])
    items = list(pods("address" in traits, ends)) + list(policies(count, traits))
    with open(path, "w", encoding="utf-8") as out:
        json.dump({"kind": "List", "apiVersion": "v1", "items": items}, out)


def write_cni_results(directory):
    """Of the two at the bridge, as libcni caches them: with a bridge the device alone does not say whose it is."""
    os.makedirs(directory, exist_ok=True)
    for end, address in (("a", ADDR_A), ("b", ADDR_B)):
        result = {"cniVersion": "1.0.0", "ips": [{"address": f"{address}/24", "interface": 2}],
                  "interfaces": [{"name": "br0"}, {"name": f"pod-{end}", "mac": MACS["node-" + end]},
                                 {"name": "eth0", "mac": MACS[end], "sandbox": f"/run/netns/{end}"}]}
        with open(f"{directory}/net-{end}-eth0", "w", encoding="utf-8") as out:
            json.dump({"kind": "cniCacheV1", "containerId": end, "ifName": "eth0", "networkName": "net",
                       "cniArgs": [["K8S_POD_NAMESPACE", "bench"], ["K8S_POD_NAME", end]], "result": result}, out)
    return directory


def enforce(node, manifests, traits, build, tmp):
    if "conntrack" in traits:
        in_netns(node, "nft", "add table inet t; add chain inet t forward { type filter hook forward priority filter; }; "
                              "add rule inet t forward ct state established,related accept")
    if not os.path.exists(manifests):
        return
    command = [f"{build}/netpold", "--log-level", "err", "--node", "here", "-f", manifests]
    if "address" in traits:  # the dry run looks for no devices
        ruleset = in_netns(node, *command, "--dry-run", stdout=subprocess.PIPE).stdout
        in_netns(node, "nft", "-f", "-", input=ruleset)
        return
    results = write_cni_results(os.path.join(tmp, "cni")) if "bridge" in traits else tmp
    in_netns(node, *command, "--once", "--cni-results", results)
    if "plain" in traits:
        in_netns(node, "nft", "flush chain inet netpold forward; add rule inet netpold forward ct state "
                              "established,related accept; add rule inet netpold forward goto dispatch")
    if network(traits) == "bridge":
        in_netns(node, "nft", "list chain bridge netpold forward", stdout=subprocess.DEVNULL)  # the ports were found
    elif "antispoof" not in traits:
        in_netns(node, "nft", "delete chain inet netpold prerouting")
    if "no-bridge-table" in traits:
        in_netns(node, "nft", "delete table bridge netpold")
    if "no-bridge-forward" in traits:
        in_netns(node, "nft", "delete chain bridge netpold forward")


def measure(build, rounds, variants):
    """For each variant and series the nanoseconds of each round, one twin's after the other's."""
    names = [f"{variant}.{twin}" for variant in variants for twin in range(TWINS)]
    done = subprocess.run([f"{build}/tests/bench/datapath", str(rounds), *names], stdout=subprocess.PIPE, text=True,
                          check=False)
    if done.returncode != 0:
        sys.exit(done.returncode)
    result = {(variant, series): [[] for _ in range(TWINS)] for variant in variants for series in SERIES}
    for line in done.stdout.splitlines():
        name, series, ns = line.split()
        variant, twin = name.rsplit(".", 1)
        result[variant, series][int(twin)].append(float(ns))
    return {key: sum(twins, []) for key, twins in result.items()}


def budget(series, name, traits):
    if name.startswith("free") or "plain" in traits or network(traits) != "routed":
        return None
    if series == "connection":
        return None if "antispoof" in traits else 1.04
    if series in ("packet", "segment"):
        return 1.04 if "antispoof" in traits else 1.01
    return None


# What a part of the ruleset costs by itself: with it, and without it.
PARTS = {"SYNs and tunnels, ahead of what is established": ("rules-1", "plain-1"),
         "anti-spoofing, hook prerouting": ("antispoof-1", "rules-1"),
         "hook input, to the own node": ("node-1", "free-node"),
         "hook prerouting of the bridge, anti-spoofing": ("bridge-1-source", "bridge-1-inet"),
         "hook forward of the bridge, groups": ("bridge-1", "bridge-1-source")}


def report_parts(result, figures):
    figures.title("parts of it alone")
    for what, (with_it, without) in PARTS.items():
        for series, words in (("connection", "new"), ("packet", "UDP"), ("segment", "TCP")):
            pairs = list(zip(result.get((with_it, series), []), result.get((without, series), [])))
            if pairs:
                ns = quartiles([a - b for a, b in pairs])[1]
                figures.line(f"{what}, {words}", f"{ns:.0f} ns", quartiles([a / b for a, b in pairs])[1])


def report_network(result, where, variants, figures):
    words, wanted = NETWORKS[where]
    for series in wanted:
        figures.title(SERIES[series] + words)
        unit = result[UNITS[where], "packet" if series in ("one-way", "denied") else series]  # established ones
        for name, (what, _, traits) in variants.items():
            values = result[name, series]
            low, middle, high = (value / 1000 for value in quartiles(values))
            ratio = quartiles([value / by for value, by in zip(values, unit)])[1]
            limit = budget(series, name, traits)
            figures.line(what, f"{middle:.2f} us [{low:.2f}-{high:.2f}]", ratio, limit and f"{limit:.2f}",
                         None if limit is None else round(ratio, 3) <= limit)


def report(result, variants, figures):
    for where in NETWORKS:
        there = {name: variant for name, variant in variants.items() if network(variant[2]) == where}
        if there:
            report_network(result, where, there, figures)
    report_parts(result, figures)


def run(build, rounds, figures):
    bridges = os.path.exists(BRIDGE_TO_INET)
    variants = {name: variant for name, variant in VARIANTS.items() if bridges or network(variant[2]) != "bridge"}
    if not bridges:
        figures.note("without br_netfilter: figures of bridges are skipped")
    subprocess.run(["mount", "-t", "tmpfs", "bench", "/run"], check=True)
    with tempfile.TemporaryDirectory() as tmp:
        for variant, (_, count, traits) in variants.items():
            manifests = os.path.join(tmp, f"{variant}.json")
            if count > 0:
                write_manifests(manifests, count, traits)
            for twin in range(TWINS):
                MAKE[network(traits)](f"{variant}.{twin}")
                enforce(f"{variant}.{twin}-node", manifests, traits, build, tmp)
        report(measure(build, rounds, variants), variants, figures)


def main():
    figures = Figures()
    run(os.path.abspath(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else ROUNDS, figures)
    sys.exit(3 if figures.missed else 0)


if __name__ == "__main__":
    main()
