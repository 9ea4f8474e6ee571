# SPDX-License-Identifier: GPL-2.0-or-later
"""What NetworkPolicy v1 says about a flow: slow, plain, and written from the specification alone.

Nothing is indexed and nothing is remembered between flows: for every pair of ends, every policy of the cluster is
asked, every rule of it, every peer, every port. The one liberty is the order of the loops: the peers of a rule do not
depend on the port, so they are asked once per pair of ends and not once per port.

Run as a program this is a driver: requests as JSON lines on stdin, answers on stdout (see compare.py).
"""

import ipaddress
import json
import sys
from dataclasses import dataclass
from datetime import datetime, timezone

NO, YES = 0, 1

PROTOCOLS = ("TCP", "UDP", "SCTP")
LAST_PORT = 65535

# A point is what one packet shows: a protocol and a destination port. This one is any protocol without ports.
OTHER_PROTOCOL = ("other", None)

NAMESPACE_NAME_LABEL = "kubernetes.io/metadata.name"
UNKNOWN = "unknown"

UNUSABLE = {"verdict": "none", "egress": "none", "ingress": "none"}


# ---------------------------------------------------------------------------------------------------------------------
# The cluster


@dataclass(eq=False)
class Pod:
    """An ordinary pod, or the stand-in for the pods of a workload. Two are the same if they are the same object."""

    namespace: str
    name: str
    labels: dict
    node: str | None
    host_network: bool
    finished: bool
    terminating: bool
    running: bool
    created: datetime
    claimed: list  # addresses in its status
    host_addresses: list  # addresses of its host in its status: hostIPs, else hostIP
    named_ports: set  # of (name, protocol, number)
    replicated: bool = False  # stands for any number of pods: one may meet another

    @property
    def key(self):
        return f"{self.namespace}/{self.name}"

    @property
    def ordinary(self):
        """Subject, peer, and holder of addresses."""
        return not self.finished and not self.host_network


@dataclass(eq=False)
class Policy:
    """A NetworkPolicy with its defaults applied."""

    namespace: str
    selector: dict
    types: set
    ingress: list  # of Rule
    egress: list


@dataclass(eq=False)
class Rule:
    peers: list  # as written; empty: anybody
    ports: list  # as written; empty: anything


@dataclass(eq=False)
class End:
    """One end of a flow: a pod, a node (by one or several names), or with neither the outside, or a node unknown."""

    address: object = None  # None: not known
    pod: Pod | None = None
    nodes: frozenset = frozenset()


BEGINNING = datetime.min.replace(tzinfo=timezone.utc)


def parse_address(text):
    """The address, or None. IPv4-mapped IPv6 is IPv4."""
    if not isinstance(text, str) or "%" in text:  # a zone makes sense on one machine only
        return None
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def parse_addresses(texts):
    found = []
    for text in texts:
        address = parse_address(text)
        if address is not None and address not in found:
            found.append(address)
    return found


def status_addresses(status, plural, singular):
    """status.podIPs if there are any, else status.podIP; likewise for hostIPs."""
    several = parse_addresses(item.get("ip") for item in status.get(plural) or [])
    return several or parse_addresses([status.get(singular)])


def metadata_of(obj):
    return obj.get("metadata") or {}


def namespace_of(obj):
    return metadata_of(obj).get("namespace") or "default"


def read_named_ports(pod_spec):
    """Of ordinary containers and of sidecars, not of init containers that run to completion."""
    containers = list(pod_spec.get("containers") or [])
    for container in pod_spec.get("initContainers") or []:
        if container.get("restartPolicy") == "Always":
            containers.append(container)
    return {
        (port["name"], port.get("protocol") or "TCP", port["containerPort"])
        for container in containers
        for port in container.get("ports") or []
        if port.get("name")
    }


def read_pod(obj):
    metadata, spec, status = metadata_of(obj), obj.get("spec") or {}, obj.get("status") or {}
    phase = status.get("phase")
    created = metadata.get("creationTimestamp")
    return Pod(
        namespace=namespace_of(obj),
        name=metadata["name"],
        labels=dict(metadata.get("labels") or {}),
        node=spec.get("nodeName") or None,
        host_network=bool(spec.get("hostNetwork")),
        finished=phase in ("Succeeded", "Failed"),
        terminating=bool(metadata.get("deletionTimestamp")),
        running=phase == "Running",
        created=datetime.fromisoformat(created) if created else BEGINNING,
        claimed=status_addresses(status, "podIPs", "podIP"),
        host_addresses=status_addresses(status, "hostIPs", "hostIP"),
        named_ports=read_named_ports(spec),
    )


def stand_ins(obj):
    """The pods that a workload would make, as far as they can be told from here."""
    kind, name, spec = obj["kind"], metadata_of(obj)["name"], obj.get("spec") or {}

    if kind == "CronJob":
        template = spec["jobTemplate"]["spec"]["template"]
    else:
        template = spec["template"]

    if kind == "StatefulSet":
        replicas = spec.get("replicas")
        count = 1 if replicas is None else max(replicas, 1)
        start = (spec.get("ordinals") or {}).get("start") or 0
        added = {
            f"{name}-{ordinal}": {
                "statefulset.kubernetes.io/pod-name": f"{name}-{ordinal}",
                "apps.kubernetes.io/pod-index": str(ordinal),
                "controller-revision-hash": UNKNOWN,
            }
            for ordinal in range(start, start + count)
        }
    elif kind == "Deployment":
        added = {name: {"pod-template-hash": UNKNOWN}}
    elif kind == "DaemonSet":
        added = {name: {"controller-revision-hash": UNKNOWN, "pod-template-generation": UNKNOWN}}
    elif kind in ("Job", "CronJob"):
        job = name if kind == "Job" else UNKNOWN
        added = {
            name: {
                "job-name": job,
                "batch.kubernetes.io/job-name": job,
                "controller-uid": UNKNOWN,
                "batch.kubernetes.io/controller-uid": UNKNOWN,
            }
        }
    else:  # ReplicaSet, ReplicationController
        added = {name: {}}

    for pod_name, labels in added.items():
        yield Pod(
            namespace=namespace_of(obj),
            name=pod_name,
            labels=dict(metadata_of(template).get("labels") or {}, **labels),
            node=None,
            host_network=bool((template.get("spec") or {}).get("hostNetwork")),
            finished=False,
            terminating=False,
            running=False,
            created=BEGINNING,
            claimed=[],
            host_addresses=[],
            named_ports=read_named_ports(template.get("spec") or {}),
            replicated=kind != "StatefulSet",
        )


def read_policy(obj):
    spec = obj.get("spec") or {}
    ingress = [Rule(rule.get("from") or [], rule.get("ports") or []) for rule in spec.get("ingress") or []]
    egress = [Rule(rule.get("to") or [], rule.get("ports") or []) for rule in spec.get("egress") or []]
    types = set(spec.get("policyTypes") or [])
    if not types:
        types = {"Ingress", "Egress"} if egress else {"Ingress"}
    return Policy(namespace_of(obj), spec.get("podSelector") or {}, types, ingress, egress)


# ---------------------------------------------------------------------------------------------------------------------
# Matching


def selector_matches(selector, labels):
    for key, value in (selector.get("matchLabels") or {}).items():
        if key not in labels or labels[key] != value:
            return False
    for expression in selector.get("matchExpressions") or []:
        key, operator, values = expression["key"], expression["operator"], expression.get("values") or []
        if operator == "In":
            matches = key in labels and labels[key] in values
        elif operator == "NotIn":
            matches = key not in labels or labels[key] not in values
        elif operator == "Exists":
            matches = key in labels
        elif operator == "DoesNotExist":
            matches = key not in labels
        else:
            raise ValueError(f"operator {operator!r}")
        if not matches:
            return False
    return True


def address_in(address, cidr):
    network = ipaddress.ip_network(cidr, strict=False)
    return address.version == network.version and address in network


def block_matches(block, end):
    return address_in(end.address, block["cidr"]) and not any(
        address_in(end.address, cidr) for cidr in block.get("except") or []
    )


def port_matches(port, point, destination):
    """Is the point one that this entry of a rule's ports means? Names are those of the destination pod."""
    protocol, number = point
    if protocol != (port.get("protocol") or "TCP"):
        return False
    wanted = port.get("port")
    if wanted is None:
        return True
    if isinstance(wanted, str):
        return destination.pod is not None and (wanted, protocol, number) in destination.pod.named_ports
    return wanted <= number <= (port.get("endPort") or wanted)


class Oracle:
    def __init__(self, objects, node=None, allow_local_node=False):
        """node: the node the daemon runs on; no verdict depends on it. allow_local_node: pods may reach the node that
        they run on, whatever policies say."""
        self.allow_local_node = allow_local_node
        self.namespaces = {}  # the declared ones: name -> labels
        self.nodes = {}  # the declared ones: name -> addresses
        self.pods = []  # real ones
        self.stand_ins = []
        self.policies = []
        for obj in objects:
            kind, metadata = obj["kind"], metadata_of(obj)
            if kind == "Namespace":
                self.namespaces[metadata["name"]] = dict(metadata.get("labels") or {})
            elif kind == "Node":
                addresses = (obj.get("status") or {}).get("addresses") or []
                self.nodes[metadata["name"]] = parse_addresses(item.get("address") for item in addresses)
            elif kind == "Pod":
                self.pods.append(read_pod(obj))
            elif kind == "NetworkPolicy":
                self.policies.append(read_policy(obj))
            elif kind in (
                "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "CronJob", "ReplicationController",
            ):
                self.stand_ins.extend(stand_ins(obj))
        self.ports_to_try = self.find_ports_to_try(objects)
        self.addresses_to_try = self.find_addresses_to_try()

    # --- who is who

    def namespace_labels(self, name):
        return {**self.namespaces.get(name, {}), NAMESPACE_NAME_LABEL: name}

    def owner(self, address):
        """The one pod that holds an address, or None."""
        claimants = [pod for pod in self.pods if pod.ordinary and address in pod.claimed]
        if not claimants:
            return None
        claimants.sort(key=lambda pod: pod.key)
        claimants.sort(key=lambda pod: pod.created, reverse=True)  # stable: equals stay in the order of their names
        claimants.sort(key=lambda pod: (pod.terminating, not pod.running))
        return claimants[0]

    def node_addresses(self, name):
        addresses = list(self.nodes.get(name, []))
        for pod in self.pods:
            if pod.node == name:
                addresses += pod.host_addresses
                if pod.host_network:
                    addresses += pod.claimed
        return addresses

    def nodes_with(self, address):
        names = set(self.nodes) | {pod.node for pod in self.pods if pod.node}
        return frozenset(name for name in names if address in self.node_addresses(name))

    def ends(self, text):
        """What FROM or TO stands for: a list of ends, empty if it cannot take part in a flow."""
        address = parse_address(text)
        if address is not None:
            return [self.end_at(address)]
        for pod in self.pods + self.stand_ins:  # a real pod comes first
            if pod.key == text:
                return self.ends_of(pod)
        return []

    def end_at(self, address):
        pod = self.owner(address)
        if pod:
            return End(address, pod=pod)
        return End(address, nodes=self.nodes_with(address))

    def ends_of(self, pod):
        if pod.finished:
            return []
        if pod.host_network:
            nodes = frozenset([pod.node] if pod.node else [])
            addresses = pod.claimed or pod.host_addresses or self.nodes.get(pod.node, [])
            return [End(address, nodes=nodes) for address in addresses or [None]]
        if not pod.claimed:
            return [End(None, pod=pod)]
        return [End(address, pod=pod) for address in pod.claimed if self.owner(address) is pod]

    # --- what is asked

    @staticmethod
    def find_ports_to_try(objects):
        """A few ports that stand for all of them.

        Every entry of a rule's ports matches a union of intervals of port numbers, and a single number, a range or a
        named port contributes to it only intervals that begin at a number written somewhere in the objects and end at
        one. So nothing changes between two neighbours in the list of 0 and, for every number N written, N and N + 1.
        DNS of the own node is written nowhere.
        """
        ports = {0, 53, 54}

        def look(value):
            if isinstance(value, dict):
                for key, item in value.items():
                    if key in ("port", "endPort", "containerPort") and isinstance(item, int):
                        ports.update((item, item + 1))
                    else:
                        look(item)
            elif isinstance(value, list):
                for item in value:
                    look(item)

        look([obj.get("spec") for obj in objects])
        return sorted(port for port in ports if port <= LAST_PORT)

    def find_addresses_to_try(self):
        """A few addresses that stand for all of them, where nobody knows an end's: nothing changes but where some
        block or except begins, or behind its last address."""
        found = set()
        for policy in self.policies:
            for rule in policy.ingress + policy.egress:
                for block in (peer.get("ipBlock") or {} for peer in rule.peers):
                    for cidr in [block[key] for key in ("cidr",) if key in block] + (block.get("except") or []):
                        network = ipaddress.ip_network(cidr, strict=False)
                        found.add(network.network_address)
                        if int(network.broadcast_address) + 1 < 1 << network.max_prefixlen:
                            found.add(network.broadcast_address + 1)
        return [ipaddress.ip_address("0.0.0.0"), ipaddress.ip_address("::"), *found]

    def points(self, proto):
        name, slash, number = proto.partition("/")
        if slash:
            if name.upper() not in PROTOCOLS or not 0 <= int(number) <= LAST_PORT:
                raise ValueError(f"protocol {proto!r}")
            return [(name.upper(), int(number))]
        if name == "icmp":
            return [OTHER_PROTOCOL]
        if name == "any":
            return [(protocol, port) for protocol in PROTOCOLS for port in self.ports_to_try] + [OTHER_PROTOCOL]
        if name.upper() in PROTOCOLS:
            return [(name.upper(), port) for port in self.ports_to_try]
        raise ValueError(f"protocol {proto!r}")

    # --- what the policies say

    def peer_matches(self, policy, peer, end):
        if peer.get("ipBlock") is not None:
            return YES if block_matches(peer["ipBlock"], end) else NO
        if end.pod is None:
            return NO
        pod_selector, namespace_selector = peer.get("podSelector"), peer.get("namespaceSelector")
        if namespace_selector is None:
            if end.pod.namespace != policy.namespace:
                return NO
        elif not selector_matches(namespace_selector, self.namespace_labels(end.pod.namespace)):
            return NO
        if pod_selector is not None and not selector_matches(pod_selector, end.pod.labels):
            return NO
        return YES

    def rules_for(self, direction, pod, other):
        """None: the pod is not isolated. Else (does one of its peers match the other end?, ports) of each rule."""
        isolated, rules = False, []
        for policy in self.policies:
            if policy.namespace != pod.namespace or direction not in policy.types:
                continue
            if not selector_matches(policy.selector, pod.labels):
                continue
            isolated = True
            for rule in policy.ingress if direction == "Ingress" else policy.egress:
                peer = YES
                if rule.peers:
                    peer = max(self.peer_matches(policy, peer, other) for peer in rule.peers)
                rules.append((peer, rule.ports))
        return rules if isolated else None

    @staticmethod
    def apply(rules, point, destination):
        if rules is None:
            return YES
        best = NO
        for peer, ports in rules:
            if not ports or any(port_matches(port, point, destination) for port in ports):
                best = max(best, peer)
        return best

    def always_allowed(self, a, b):
        """A pod and itself; from a node to the pods that run on it, and where it is so set from these to it."""
        if a.pod and b.pod:
            return a.pod is b.pod and not a.pod.replicated
        if b.pod:
            return b.pod.node in a.nodes
        return bool(a.pod) and self.allow_local_node and a.pod.node in b.nodes

    @staticmethod
    def is_node_dns(a, b, point):
        """Port 53 of a link-local address of the pod's own node."""
        return bool(
            a.pod and a.pod.node in b.nodes and b.address is not None and b.address.is_link_local
            and point in (("TCP", 53), ("UDP", 53))
        )

    def known_pairs(self, source, destination):
        """The pair with every address that it may have, where one is not known; one list of pairs for each family."""
        for version in (4, 6):
            sources, destinations = (
                [end] if end.address is not None
                else [End(address, end.pod, end.nodes) for address in self.addresses_to_try]
                for end in (source, destination)
            )
            pairs = [
                (a, b) for a in sources for b in destinations if a.address.version == b.address.version == version
            ]
            if pairs:
                yield pairs

    def pair_answers(self, pair, points):
        """(egress, ingress) of each point, for a pair whose addresses are known."""
        source, destination = pair
        out_rules = in_rules = None
        if not self.always_allowed(source, destination):
            if source.pod:
                out_rules = self.rules_for("Egress", source.pod, destination)
            if destination.pod:
                in_rules = self.rules_for("Ingress", destination.pod, source)
        for point in points:
            out = YES if self.is_node_dns(*pair, point) else self.apply(out_rules, point, destination)
            yield out, self.apply(in_rules, point, destination)

    def verdict(self, frm, to, proto):
        pairs = [
            (source, destination)
            for source in self.ends(frm)
            for destination in self.ends(to)
            if source.address is None
            or destination.address is None
            or source.address.version == destination.address.version
        ]
        points = self.points(proto)
        if not pairs:
            return dict(UNUSABLE)

        egress, ingress, both = set(), set(), set()
        for source, destination in pairs:
            for known in self.known_pairs(source, destination):
                for pair in known:
                    for out, into in self.pair_answers(pair, points):
                        egress.add(out)
                        ingress.add(into)
                        both.add(min(out, into))
        return {"verdict": summary(both), "egress": summary(egress), "ingress": summary(ingress)}


def summary(values):
    if values == {YES}:
        return "allow"
    if values == {NO}:
        return "deny"
    return "mixed"


def answer(request):
    """The driver protocol. The oracle keeps no state, so "update" means nothing to it."""
    try:
        oracle = Oracle(request["objects"], request.get("node"), request.get("allow_local_node", False))
        return {"id": request["id"], "verdicts": [oracle.verdict(*flow) for flow in request["flows"]]}
    except (KeyError, TypeError, ValueError) as error:
        return {"id": request.get("id"), "error": f"{type(error).__name__}: {error}"}


def main():
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
