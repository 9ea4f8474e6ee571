# SPDX-License-Identifier: GPL-2.0-or-later
"""Small and nasty clusters, and flows that go where it hurts.

cluster(rng) -> (objects, node, flows) is a function of the generator's state alone: the same seed, the same cluster.
mutate(rng, objects, node) -> (objects, flows) is a later state of that cluster, a few events away or many.
problems(objects) lists what the API server would not have taken; it is empty for everything made here.

The alphabets are tiny on purpose: what is to meet by chance (labels and selectors, ports and rules, addresses and
blocks, one address and two pods) has to be drawn from few.
"""

import copy
import ipaddress
import re

# '-' < '.' < '/' in ASCII: with these names the order of "ns/name" is not the order of (ns, name).
NAMESPACES = ["default", "x", "x-y", "y"]
POD_NAMES = ["p", "p-1", "p.1", "p1", "q", "q-0", "r", "s"]
WORKLOAD_NAMES = ["w", "v", "u.u"]  # none of them is another one with an ordinal
NODE_NAMES = ["n1", "n2"]
ALL_NODE_NAMES = ["n1", "n2", "n3"]  # n3 is never declared
POLICY_NAMES = ["a", "b", "c", "d", "e", "f"]

LABEL_KEYS = ["a", "b", "k8s.io/c"]
LABEL_VALUES = ["", "1", "2"]
NAMESPACE_NAME_LABEL = "kubernetes.io/metadata.name"

PORTS = [1, 2, 53, 79, 80, 81, 82, 443, 65534, 65535]
PORT_NAMES = ["http", "dns", "web-1"]
PROTOCOLS = ["TCP", "UDP", "SCTP"]
OPERATORS = ["In", "NotIn", "Exists", "DoesNotExist"]
PHASES = ["Running"] * 10 + ["Pending", "Pending", "Succeeded", "Failed", "Unknown", None, None]
TIMES = ["2024-01-01T00:00:00Z", "2024-01-01T00:00:01Z", "2023-12-31T23:59:59Z"]
WORKLOAD_KINDS = [
    "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "CronJob", "ReplicationController",
]
JOB_LABELS = {
    "job-name": ["w", "v", "unknown"],
    "batch.kubernetes.io/job-name": ["w", "v", "unknown"],
    "controller-uid": ["unknown", "1"],
    "batch.kubernetes.io/controller-uid": ["unknown", "1"],
}
CONTROLLER_LABELS = {  # what controllers add to the labels of the template, and values to look for
    "Deployment": {"pod-template-hash": ["unknown", "1"]},
    "ReplicaSet": {"pod-template-hash": ["unknown", "1"]},  # in fact not
    "StatefulSet": {
        "statefulset.kubernetes.io/pod-name": ["w", "w-0", "w-1", "v-0", "v-1"],
        "apps.kubernetes.io/pod-index": ["0", "1", "2", "10"],
        "controller-revision-hash": ["unknown", "1"],
    },
    "DaemonSet": {"controller-revision-hash": ["unknown", "1"], "pod-template-generation": ["unknown", "1"]},
    "Job": JOB_LABELS,
    "CronJob": JOB_LABELS,
    "ReplicationController": {"pod-template-hash": ["unknown", "1"]},  # in fact not
}

API_VERSIONS = {
    "Namespace": "v1",
    "Node": "v1",
    "Pod": "v1",
    "ReplicationController": "v1",
    "NetworkPolicy": "networking.k8s.io/v1",
    "Deployment": "apps/v1",
    "ReplicaSet": "apps/v1",
    "StatefulSet": "apps/v1",
    "DaemonSet": "apps/v1",
    "Job": "batch/v1",
    "CronJob": "batch/v1",
}

# Addresses are (bits of the family, number) in here; text only where an object needs it.
V4, V6 = 32, 128
V4_PODS = [(V4, 0x0A000000 + i) for i in (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 255)]
V6_PODS = [(V6, (0xFD00 << 112) + i) for i in (1, 2, 3, 4, 5, 7, 8, 15, 16, 0xFFFF)]
V4_NODES = [(V4, 0xC0A80000 + i) for i in (1, 2, 3)]
V6_NODES = [(V6, (0xFD01 << 112) + i) for i in (1, 2, 3)]
NODE_DNS = [(V4, 0xA9FE140A), (V6, (0xFE80 << 112) + 10)]  # 169.254.20.10; of nodes only, no pod can have such
V4_OUTSIDE = [(V4, 0), (V4, 0xFFFFFFFF), (V4, 0x08080808), (V4, 0x0AFFFFFF), (V4, 0x7FFFFFFF), (V4, 0x80000000)]
V6_OUTSIDE = [(V6, 0), (V6, (1 << 128) - 1), (V6, 0x20010DB8 << 96), (V6, (0xFD00 << 112) + (1 << 64))]
V4_PREFIXES = [0, 0, 1, 8, 24, 27, 28, 29, 30, 31, 32, 32]
V6_PREFIXES = [0, 0, 1, 8, 16, 64, 112, 123, 124, 125, 126, 127, 128, 128]


def text(address):
    bits, number = address
    return str(ipaddress.IPv4Address(number) if bits == V4 else ipaddress.IPv6Address(number))


def chance(rng, percent):
    return rng.random() * 100 < percent


def some(rng, items, most):
    """Between 0 and most items, all different."""
    return rng.sample(items, rng.randint(0, min(most, len(items))))


def put(rng, obj, key, value, nothing=(None,)):
    """Empty values are written in one of the ways to write nothing, or not at all."""
    if value not in (None, [], {}):
        obj[key] = value
    else:
        written = rng.choice((value, *nothing, "absent", "absent"))
        if written != "absent":
            obj[key] = written


# ---------------------------------------------------------------------------------------------------------------------
# Labels and selectors


def labels(rng):
    return {key: rng.choice(LABEL_VALUES) for key in some(rng, LABEL_KEYS, 3)}


def requirement(rng, keys, values_of):
    key, operator = rng.choice(keys), rng.choice(OPERATORS)
    expression = {"key": key, "operator": operator}
    if operator in ("In", "NotIn"):
        values = values_of(key)
        expression["values"] = [rng.choice(values) for _ in range(rng.randint(1, 3))]
    else:
        put(rng, expression, "values", [])
    return expression


def selector(rng, keys=LABEL_KEYS, values_of=lambda key: LABEL_VALUES):
    result = {}
    roll = rng.random()
    if roll < 0.25:
        put(rng, result, "matchLabels", {})
        put(rng, result, "matchExpressions", [])
        return result
    if roll < 0.65:
        count = 2 if roll < 0.32 and len(keys) > 1 else 1
        result["matchLabels"] = {key: rng.choice(values_of(key)) for key in rng.sample(keys, count)}
    if roll > 0.60:
        result["matchExpressions"] = [requirement(rng, keys, values_of) for _ in range(rng.choice((1, 1, 1, 2)))]
    return result


def namespace_selector(rng):
    if chance(rng, 50):
        return selector(rng)
    keys = [NAMESPACE_NAME_LABEL, "a"]
    return selector(rng, keys, lambda key: LABEL_VALUES if key == "a" else NAMESPACES)


# ---------------------------------------------------------------------------------------------------------------------
# Policies


def block_around(address, prefix):
    """(bits, first address, prefix length)"""
    bits, number = address
    return bits, number >> (bits - prefix) << (bits - prefix), prefix


def block_text(block):
    bits, first, prefix = block
    return f"{text((bits, first))}/{prefix}"


def ip_block(rng):
    if chance(rng, 60):
        address, prefixes = rng.choice(rng.choice((V4_PODS, V4_PODS, V4_NODES, V4_OUTSIDE))), V4_PREFIXES
    else:
        address, prefixes = rng.choice(rng.choice((V6_PODS, V6_PODS, V6_NODES, V6_OUTSIDE))), V6_PREFIXES
    bits, first, prefix = block = block_around(address, rng.choice(prefixes))
    last = first + (1 << (bits - prefix)) - 1

    excepts = []
    count = rng.choice((0, 0, 0, 1, 1, 2, 3)) if prefix < bits else 0
    inside = [number for _, number in V4_PODS + V6_PODS if first <= number <= last and bits == address[0]]
    while len(excepts) < count:
        longer = [length for length in prefixes if length > prefix] + [prefix + 1]
        roll = rng.random()
        if excepts and roll < 0.15:  # the same again
            excepts.append(rng.choice(excepts))
        elif excepts and roll < 0.40:  # next to an earlier one
            _, other, length = rng.choice(excepts)
            excepts.append(block_around((bits, other ^ (1 << (bits - length))), length))
        elif excepts and roll < 0.60:  # within or around an earlier one
            _, other, _ = rng.choice(excepts)
            excepts.append(block_around((bits, other), rng.choice(longer)))
        else:
            number = rng.choice(inside + [first, last])
            excepts.append(block_around((bits, number), rng.choice(longer)))
    result = {"cidr": block_text(block)}
    put(rng, result, "except", [block_text(item) for item in excepts])
    return result


def peer(rng):
    roll = rng.random()
    result = {}
    if roll < 0.35:
        result["ipBlock"] = ip_block(rng)
    elif roll < 0.58:
        result["podSelector"] = selector(rng)
    elif roll < 0.78:
        result["namespaceSelector"] = namespace_selector(rng)
    else:
        result["podSelector"] = selector(rng)
        result["namespaceSelector"] = namespace_selector(rng)
    if chance(rng, 8):
        for key in ("ipBlock", "podSelector", "namespaceSelector"):
            result.setdefault(key, None)
    return result


def rule_port(rng):
    result = {}
    if chance(rng, 60):
        result["protocol"] = rng.choice(PROTOCOLS)
    roll = rng.random()
    if roll < 0.40:
        result["port"] = rng.choice(PORTS)
    elif roll < 0.60:
        low, high = sorted((rng.choice(PORTS), rng.choice(PORTS)))
        result["port"], result["endPort"] = low, high
    elif roll < 0.85:
        result["port"] = rng.choice(PORT_NAMES)
    if chance(rng, 8):
        for key in ("protocol", "port", "endPort"):
            result.setdefault(key, None)
    return result


def rule(rng, peers_key):
    result = {}
    peers = [peer(rng) for _ in range(rng.choice((0, 1, 1, 1, 2, 3)))]
    ports = [rule_port(rng) for _ in range(rng.choice((0, 0, 1, 1, 2, 3)))]
    if ports and chance(rng, 20):  # the same port for another protocol
        ports.append(dict(rng.choice(ports), protocol=rng.choice(PROTOCOLS)))
    if chance(rng, 4):  # everything that has ports, and yet not everything
        ports = [{"protocol": protocol} for protocol in PROTOCOLS]
    put(rng, result, peers_key, peers)
    put(rng, result, "ports", ports)
    return result


def policy(rng, namespace, name):
    spec = {}
    put(rng, spec, "podSelector", {} if chance(rng, 45) else selector(rng))
    types = rng.choice((
        None, None, [], ["Ingress"], ["Egress"], ["Ingress", "Egress"], ["Ingress", "Egress"], ["Egress", "Ingress"],
        ["Ingress", "Ingress"], ["Egress", "Egress"],
    ))
    put(rng, spec, "policyTypes", types)
    for direction, peers_key in (("ingress", "from"), ("egress", "to")):
        wanted = not types or direction.capitalize() in types
        count = rng.choice((0, 1, 1, 2, 3)) if wanted else rng.choice((0, 0, 1))
        put(rng, spec, direction, [rule(rng, peers_key) for _ in range(count)])
    return make("NetworkPolicy", namespace, name, rng, spec=spec)


def aim_at_workloads(rng, objects):
    """Has a policy select by a label that the controller of a workload adds."""
    workloads = [obj for obj in objects if obj["kind"] in WORKLOAD_KINDS]
    policies = [obj for obj in objects if obj["kind"] == "NetworkPolicy"]
    if not workloads or not policies:
        return
    target = rng.choice(workloads)
    values = CONTROLLER_LABELS[target["kind"]]
    if target["kind"] == "StatefulSet" and chance(rng, 50):
        values = {"statefulset.kubernetes.io/pod-name": stand_in_names(target)}
    wanted = selector(rng, [rng.choice(list(values))], values.__getitem__)
    near = [obj for obj in policies if key_of(obj)[1] == key_of(target)[1]]
    spec = rng.choice(near or policies)["spec"]
    peers = [part for part in walk(spec) if part is not spec and part.get("podSelector") is not None]
    rng.choice([spec, *peers])["podSelector"] = wanted


# ---------------------------------------------------------------------------------------------------------------------
# Everything else


def make(kind, namespace, name, rng, **rest):
    metadata = {"name": name}
    if namespace is not None and (namespace != "default" or chance(rng, 60)):
        metadata["namespace"] = namespace
    return {"apiVersion": API_VERSIONS[kind], "kind": kind, "metadata": metadata, **rest}


def container(rng, name):
    ports = []
    for port_name in rng.choice((some(rng, PORT_NAMES, 2), some(rng, PORT_NAMES + [None], 3))):
        port = {"containerPort": rng.choice(PORTS)}
        if port_name:
            port["name"] = port_name
        if chance(rng, 65):
            port["protocol"] = rng.choice(PROTOCOLS)
        ports.append(port)
    result = {"name": name, "image": "i"}
    put(rng, result, "ports", ports)
    return result


def pod_spec(rng):
    spec = {"containers": [container(rng, f"c{i}") for i in range(rng.choice((1, 2)))]}
    if len(spec["containers"]) > 1 and chance(rng, 40):  # one name, two numbers
        first, second = (item.get("ports") or [] for item in spec["containers"])
        taken = [port.get("name") for port in second]
        named = [port for port in first if port.get("name") and port["name"] not in taken]
        if named:
            again = dict(rng.choice(named), containerPort=rng.choice(PORTS))
            spec["containers"][1]["ports"] = second + [again]
    if chance(rng, 35):
        spec["initContainers"] = [container(rng, f"i{i}") for i in range(rng.choice((1, 2)))]
        for item in spec["initContainers"]:
            if chance(rng, 60):
                item["restartPolicy"] = "Always"
    if chance(rng, 12):
        spec["hostNetwork"] = True
    elif chance(rng, 5):
        spec["hostNetwork"] = False
    return spec


def spelling(rng, address):
    """Mostly as everybody writes it."""
    bits, number = address
    if chance(rng, 94):
        return text(address)
    if bits == V4:
        return "::ffff:" + text(address)
    return rng.choice((text(address).upper(), ipaddress.IPv6Address(number).exploded))


def put_addresses(rng, status, plural, singular, addresses):
    """Both fields or one of them; the singular one is the first of the others."""
    texts = [spelling(rng, address) for address in addresses]
    if not texts:
        put(rng, status, plural, [])
        put(rng, status, singular, None, nothing=(None, ""))
        return
    if len(texts) > 1 or chance(rng, 60):
        status[plural] = [{"ip": item} for item in texts]
    if plural not in status or chance(rng, 80):
        status[singular] = texts[0]


def one_or_two(rng, v4, v6):
    roll = rng.random()
    if roll < 0.35:
        return [rng.choice(v4)]
    if roll < 0.55:
        return [rng.choice(v6)]
    return rng.sample([rng.choice(v4), rng.choice(v6)], 2)


def pod(rng, namespace, name, crowd):
    """crowd: the addresses that this cluster's pods fight for."""
    spec = pod_spec(rng)
    result = make("Pod", namespace, name, rng, spec=spec)
    metadata, status = result["metadata"], {}
    put(rng, metadata, "labels", labels(rng))
    if chance(rng, 15):
        metadata["annotations"] = {"netpold.io/interface": f"veth{NAMESPACES.index(namespace)}{POD_NAMES.index(name)}"}
    if chance(rng, 15):
        metadata["deletionTimestamp"] = rng.choice(TIMES)
    if chance(rng, 80):
        put(rng, metadata, "creationTimestamp", rng.choice((None, *TIMES)))
    if chance(rng, 75):
        spec["nodeName"] = rng.choice(NODE_NAMES * 3 + ["n3"])

    phase = rng.choice(PHASES)
    put(rng, status, "phase", phase)
    host = []
    if chance(rng, 35) or (spec.get("hostNetwork") and chance(rng, 40)):
        host = one_or_two(rng, V4_NODES, V6_NODES)
    addresses = []
    if spec.get("hostNetwork"):
        if chance(rng, 65):
            # While it lives its address may be any; afterwards only one that its host has anyway (see problems).
            addresses = host
            if phase not in ("Succeeded", "Failed") and (not host or chance(rng, 40)):
                addresses = one_or_two(rng, V4_NODES, V6_NODES)
    elif chance(rng, 84):
        addresses = one_or_two(rng, *crowd)
    put_addresses(rng, status, "podIPs", "podIP", addresses)
    put_addresses(rng, status, "hostIPs", "hostIP", host)
    put(rng, result, "status", status)
    return result


def workload(rng, namespace, name):
    kind = rng.choice(WORKLOAD_KINDS)
    template_labels = {**labels(rng), "app": name}
    if kind not in ("Job", "CronJob") and chance(rng, 10):
        template_labels[rng.choice(("pod-template-hash", "controller-revision-hash"))] = "1"
    template = {"metadata": {"labels": template_labels}, "spec": pod_spec(rng)}
    if chance(rng, 15):
        template["spec"]["nodeName"] = rng.choice(ALL_NODE_NAMES)  # of the pods, but not of a stand-in
    spec = {"template": template}
    if kind in ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"):
        spec["selector"] = {"matchLabels": {"app": name}}
    if kind in ("Deployment", "ReplicaSet", "StatefulSet", "ReplicationController"):
        replicas = rng.choice((None, 0, 1, 2, 3))
        put(rng, spec, "replicas", replicas)
    if kind == "StatefulSet":
        spec["serviceName"] = "s"
        if chance(rng, 60):
            spec["ordinals"] = {"start": rng.choice((0, 1, 2, 10))}
    if kind in ("Job", "CronJob"):
        template["spec"]["restartPolicy"] = "Never"
    if kind == "CronJob":
        spec = {"schedule": "* * * * *", "jobTemplate": {"spec": spec}}
    return make(kind, namespace, name, rng, spec=spec)


def node(rng, name):
    addresses = []
    if chance(rng, 80):
        addresses.append({"type": "Hostname", "address": rng.choice((name, name, text(rng.choice(V4_NODES))))})
    for address in some(rng, V4_NODES + V6_NODES, 3) + some(rng, NODE_DNS, 1):
        addresses.append({"type": rng.choice(("InternalIP", "ExternalIP")), "address": spelling(rng, address)})
    if chance(rng, 10):  # a pod that claims it wins
        addresses.append({"type": "InternalIP", "address": text(rng.choice(V4_PODS + V6_PODS))})
    result = make("Node", None, name, rng)
    status = {}
    put(rng, status, "addresses", addresses)
    put(rng, result, "status", status)
    return result


def namespace(rng, name):
    result = make("Namespace", None, name, rng)
    wanted = labels(rng)
    if chance(rng, 30):
        wanted[NAMESPACE_NAME_LABEL] = rng.choice(NAMESPACES)  # the API server puts this right
    put(rng, result["metadata"], "labels", wanted)
    return result


def random_objects(rng):
    namespaces = rng.sample(NAMESPACES, rng.choice((1, 1, 2, 2, 3, 4)))
    objects = [namespace(rng, name) for name in namespaces if chance(rng, 70)]
    objects += [node(rng, name) for name in some(rng, NODE_NAMES, 2)]

    crowd = [rng.sample(pool, rng.choice((2, 5, 9, 10))) for pool in (V4_PODS, V6_PODS)]
    places = [(space, name) for space in namespaces for name in POD_NAMES]
    objects += [pod(rng, *place, crowd) for place in rng.sample(places, rng.randint(1, 8))]
    places = [(space, name) for space in namespaces for name in WORKLOAD_NAMES]
    objects += [workload(rng, *place) for place in rng.sample(places, rng.choice((0, 0, 1, 1, 2)))]
    places = [(space, name) for space in namespaces for name in POLICY_NAMES]
    objects += [policy(rng, *place) for place in rng.sample(places, rng.choice((0, 1, 2, 3, 3, 4, 5, 6)))]
    if chance(rng, 60):
        aim_at_workloads(rng, objects)
    rng.shuffle(objects)
    return objects


def cluster(rng, flows=8):
    objects = random_objects(rng)
    names = [obj["metadata"]["name"] for obj in objects if obj["kind"] == "Node"]
    where = rng.choice(names) if names and chance(rng, 25) else None
    return objects, where, random_flows(rng, objects, flows)


# ---------------------------------------------------------------------------------------------------------------------
# Later states


def key_of(obj):
    metadata = obj["metadata"]
    return obj["kind"], metadata.get("namespace") or "default", metadata["name"]


def tweak(rng, obj, other):
    """The object with one field taken from another object of its kind."""
    spec_keys = sorted(set(obj.get("spec", {})) | set(other.get("spec", {})))
    paths = [("metadata", key) for key in ("labels", "annotations", "creationTimestamp", "deletionTimestamp")]
    paths += [("spec", key) for key in spec_keys]
    paths += [("status", key) for key in ("phase", "podIP", "podIPs", "hostIP", "hostIPs", "addresses")]
    result = copy.deepcopy(obj)
    part, key = rng.choice(paths)
    if key in (other.get(part) or {}):
        result[part] = {**(result.get(part) or {}), key: copy.deepcopy(other[part][key])}
    elif key in (result.get(part) or {}):
        del result[part][key]
    return result


def mutate(rng, objects, where=None, flows=8):
    """where: the name of the node of this cluster, whose Node stays."""
    old = {key_of(obj): obj for obj in objects}
    for _ in range(20):
        new = {key_of(obj): obj for obj in random_objects(rng)}
        if chance(rng, 75):
            few = 100 * rng.choice((1, 1, 2, 4)) / (len(old) + len(new))  # percent of the objects that are touched
        else:
            few = 60
        result = {}
        for key in sorted(set(old) | set(new)):
            if key in old and not chance(rng, few):
                result[key] = old[key]
            elif key in old and chance(rng, 60):
                others = [obj for obj in new.values() if obj["kind"] == key[0]]
                result[key] = tweak(rng, old[key], rng.choice(others)) if others else old[key]
            elif key in new and (key in old or chance(rng, few)):
                result[key] = new[key]
            elif key in old and key == ("Node", "default", where):
                result[key] = old[key]
        # Workloads of two kinds may not share a name, a tweak may have made an object that nobody would take, and a
        # state that is the same as before is worth a look only now and then.
        later = list(result.values())
        if not problems(later) and (result != old or chance(rng, 20)):
            break
    else:
        later = list(objects)
    rng.shuffle(later)
    return later, random_flows(rng, later, flows)


# ---------------------------------------------------------------------------------------------------------------------
# Flows


def walk(value):
    """Every dictionary in a value."""
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from walk(item)
    elif isinstance(value, list):
        for item in value:
            yield from walk(item)


def borders(cidr):
    network = ipaddress.ip_network(cidr)
    first, last = int(network.network_address), int(network.broadcast_address)
    bits = network.max_prefixlen
    numbers = {first, last, max(first - 1, 0), min(last + 1, (1 << bits) - 1)}
    return [(bits, number) for number in sorted(numbers)]


def stand_in_names(obj):
    spec, name = obj["spec"], obj["metadata"]["name"]
    if obj["kind"] != "StatefulSet":
        return [name]
    start = (spec.get("ordinals") or {}).get("start", 0)
    replicas = spec.get("replicas")
    return [f"{name}-{i}" for i in range(start, start + max(1 if replicas is None else replicas, 1))]


def family(written):
    return V6 if ":" in written and not written.startswith("::ffff:") else V4


def random_flows(rng, objects, count):
    selected = {key_of(obj)[1] for obj in objects if obj["kind"] == "NetworkPolicy"}
    pods, workloads, held, mentioned, ports = [], [], [], [], []
    own_ports = {}  # of the names of pods
    families = {}  # of the names, as far as a glance tells: what can meet what, so that not too many flows are unusable
    for obj in objects:
        kind, space, name = key_of(obj)
        status = obj.get("status") or {}
        if kind == "Pod":
            pods += [f"{space}/{name}"] * (3 if space in selected else 1)
            held += [item for item in (status.get("podIP"), status.get("hostIP")) if item]
            held += [item["ip"] for field in ("podIPs", "hostIPs") for item in status.get(field) or []]
            own = [item["ip"] for item in status.get("podIPs") or []] or [status.get("podIP")]
            finished = status.get("phase") in ("Succeeded", "Failed")
            families[pods[-1]] = set() if finished else {family(item) for item in own if item} or {V4, V6}
        elif kind == "Node":
            held += [item["address"] for item in status.get("addresses") or [] if item["address"] not in NODE_NAMES]
        elif kind in WORKLOAD_KINDS:
            workloads += [f"{space}/{name}" for name in stand_in_names(obj)] * (3 if space in selected else 1)
            families.update({name: {V4, V6} for name in workloads})
            workloads += [f"{space}/{name}"]  # a StatefulSet goes by ordinals only
            if kind == "StatefulSet":
                workloads += [f"{space}/{name}-{ordinal}" for ordinal in (0, 1, 3)]
        before = len(ports)
        for part in walk(obj.get("spec")):
            if "cidr" in part:
                mentioned += borders(part["cidr"])
                for item in part.get("except") or []:
                    mentioned += borders(item)
            number, end = part.get("port", part.get("containerPort")), part.get("endPort")
            protocol = (part.get("protocol") or "TCP").lower() if "protocol" in part or number else "tcp"
            if isinstance(number, int):
                ports += [(protocol, number)] * 4 + [(protocol, number - 1), (protocol, number + 1)]
            if end:
                ports += [(protocol, end), (protocol, end), (protocol, end + 1), (protocol, (number + end) // 2)]

        if kind == "Pod":
            own_ports[pods[-1]] = ports[before:]

    ports = [(protocol, number) for protocol, number in ports if 0 < number <= 65535] or [("tcp", 80)]

    def end():
        roll = rng.random()
        if workloads and roll < 0.15:
            return rng.choice(workloads)
        if roll < 0.75:
            return rng.choice(pods) if pods else "x/p"
        if held and roll < 0.84:
            return rng.choice(held)
        if mentioned and roll < 0.94:
            return spelling(rng, rng.choice(mentioned))
        if roll < 0.98:
            return spelling(rng, rng.choice(rng.choice((V4_PODS, V6_PODS, V4_NODES, V6_NODES, V4_OUTSIDE, V6_OUTSIDE,
                                                             NODE_DNS))))
        return rng.choice(("x/nobody", "nowhere/p", "x/w-7", "default/n1"))

    def proto(to):
        roll = rng.random()
        if roll < 0.60:
            protocol, number = rng.choice(ports)
            if own_ports.get(to) and chance(rng, 40):
                protocol, number = rng.choice(own_ports[to])
                number = min(max(number, 1), 65535)
            if chance(rng, 15):
                protocol = rng.choice(PROTOCOLS).lower()
            return f"{protocol}/{number}"
        if roll < 0.64:
            return f"{rng.choice(PROTOCOLS).lower()}/{rng.choice((0, 1, 9, 1000, 65535))}"
        return rng.choice(("icmp", "icmp", "tcp", "tcp", "udp", "sctp", "any", "any"))

    def meet(frm, to):
        both = [families.get(name, set()) if "/" in name else {family(name)} for name in (frm, to)]
        return both[0] & both[1]

    flows = []
    for _ in range(count):
        for _ in range(rng.choice((1, 8, 8, 8))):
            frm, to = end(), end()
            if meet(frm, to) and (frm != to or chance(rng, 20)):
                break
        flows.append([frm, to, proto(to)])
    return flows


# ---------------------------------------------------------------------------------------------------------------------
# What the API server checks


DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z")
DNS_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")
LABEL_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?\Z")
PORT_NAME = re.compile(r"(?=[-a-z0-9]{1,15}\Z)(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*\Z")


def label_key_problems(key):
    prefix, slash, name = key.rpartition("/")
    if not LABEL_NAME.match(name) or (slash and not DNS_SUBDOMAIN.match(prefix)):
        yield f"label key {key!r}"


def label_problems(found):
    for key, value in (found or {}).items():
        yield from label_key_problems(key)
        if value and not LABEL_NAME.match(value):
            yield f"label value {value!r}"


def selector_problems(found):
    yield from label_problems(found.get("matchLabels"))
    for item in found.get("matchExpressions") or []:
        if not {"key", "operator"} <= set(item) or item["operator"] not in OPERATORS:
            yield f"expression {item}"
            continue
        yield from label_key_problems(item["key"])
        values = item.get("values") or []
        yield from label_problems({"a": value for value in values})
        if bool(values) != (item["operator"] in ("In", "NotIn")):
            yield f"values of {item}"


def parse_block(cidr):
    """The network if it is written as it should be, else None."""
    try:
        network = ipaddress.ip_network(cidr)
    except (TypeError, ValueError):
        return None
    mapped = network.version == 6 and network.network_address.ipv4_mapped is not None
    return network if str(network) == cidr and not mapped else None


def peer_problems(found):
    kinds = [key for key in ("ipBlock", "podSelector", "namespaceSelector") if found.get(key) is not None]
    if not kinds or ("ipBlock" in kinds and len(kinds) > 1):
        yield f"peer {found}"
    for key in kinds:
        if key != "ipBlock":
            yield from selector_problems(found[key])
    if "ipBlock" in kinds:
        outer = parse_block(found["ipBlock"].get("cidr"))
        if outer is None:
            yield f"cidr of {found}"
            return
        for item in found["ipBlock"].get("except") or []:
            inner = parse_block(item)
            if inner is None or inner.version != outer.version or inner == outer or not inner.subnet_of(outer):
                yield f"except {item} of {outer}"


def rule_port_problems(found):
    if (found.get("protocol") or "TCP") not in PROTOCOLS or found.get("protocol") == "":
        yield f"protocol of {found}"
    port, end = found.get("port"), found.get("endPort")
    if isinstance(port, str):
        if not PORT_NAME.match(port) or end is not None:
            yield f"named port {found}"
    elif port is None:
        if end is not None:
            yield f"endPort alone {found}"
    elif not 1 <= port <= 65535 or (end is not None and not port <= end <= 65535):
        yield f"port {found}"


def policy_problems(spec):
    yield from selector_problems(spec.get("podSelector") or {})
    types = spec.get("policyTypes") or []
    if len(types) > 2 or not set(types) <= {"Ingress", "Egress"}:
        yield f"policyTypes {types}"
    for direction, peers_key in (("ingress", "from"), ("egress", "to")):
        for item in spec.get(direction) or []:
            for found in item.get(peers_key) or []:
                yield from peer_problems(found)
            for found in item.get("ports") or []:
                yield from rule_port_problems(found)


def pod_spec_problems(spec):
    containers = (spec.get("containers") or []) + (spec.get("initContainers") or [])
    if not spec.get("containers"):
        yield "no containers"
    if len({item.get("name") for item in containers}) != len(containers):
        yield "container names"
    for item in containers:
        if not item.get("name") or not item.get("image"):
            yield "container without name or image"
        names = [port["name"] for port in item.get("ports") or [] if port.get("name")]
        if len(set(names)) != len(names) or not all(PORT_NAME.match(name) for name in names):
            yield f"port names {names}"
        for port in item.get("ports") or []:
            if not 1 <= port.get("containerPort", 0) <= 65535:
                yield "containerPort"
            if (port.get("protocol") or "TCP") not in PROTOCOLS:
                yield "container protocol"


def status_problems(obj):
    status = obj.get("status") or {}
    values = {}
    for plural, singular in (("podIPs", "podIP"), ("hostIPs", "hostIP")):
        several = [item.get("ip") for item in status.get(plural) or []]
        single = status.get(singular)
        if several and single and several[0] != single:
            yield f"{singular} is not the first of {plural}"
        try:
            found = [ipaddress.ip_address(item) for item in several or ([single] if single else [])]
        except ValueError:
            yield f"addresses of {status}"
            return
        values[plural] = [getattr(address, "ipv4_mapped", None) or address for address in found]
        if len({address.version for address in values[plural]}) != len(values[plural]):
            yield f"two addresses of one family: {several}"
    # Does a finished hostNetwork pod still lend its podIPs to its node? Not specified; not generated.
    if (obj.get("spec") or {}).get("hostNetwork") and status.get("phase") in ("Succeeded", "Failed"):
        if not set(values["podIPs"]) <= set(values["hostIPs"]):
            yield "a finished hostNetwork pod with an address that is not among its hostIPs"


def workload_problems(obj):
    spec = obj.get("spec") or {}
    if obj["kind"] == "CronJob":
        if not spec.get("schedule"):
            yield "no schedule"
        spec = (spec.get("jobTemplate") or {}).get("spec") or {}
    template = spec.get("template") or {}
    found = (template.get("metadata") or {}).get("labels") or {}
    yield from label_problems(found)
    yield from pod_spec_problems(template.get("spec") or {})
    wanted = (spec.get("selector") or {}).get("matchLabels")
    if obj["kind"] in ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"):
        if not wanted or any(found.get(key) != value for key, value in wanted.items()):
            yield "selector and template labels differ"
    if obj["kind"] == "ReplicationController" and not found:
        yield "no template labels"
    restart = (template.get("spec") or {}).get("restartPolicy")
    if obj["kind"] in ("Job", "CronJob") and restart not in ("Never", "OnFailure"):
        yield "restartPolicy"
    if (spec.get("replicas") or 0) < 0 or ((spec.get("ordinals") or {}).get("start") or 0) < 0:
        yield "negative"


def problems(objects):
    """What the API server would refuse in these objects, and what the rules of this test do not allow."""
    found = []
    keys, addressed = set(), set()
    for obj in objects:
        kind, metadata = obj.get("kind"), obj.get("metadata") or {}
        if API_VERSIONS.get(kind) != obj.get("apiVersion") or kind is None or not metadata.get("name"):
            found.append("apiVersion, kind or name")
            continue
        key = key_of(obj)
        if key in keys:
            found.append(f"twice: {key}")
        keys.add(key)
        if not (DNS_LABEL if kind == "Namespace" else DNS_SUBDOMAIN).match(metadata["name"]):
            found.append(f"name {metadata['name']}")
        found += label_problems(metadata.get("labels"))
        names = []
        if kind == "NetworkPolicy":
            found += policy_problems(obj.get("spec") or {})
        elif kind == "Pod":
            found += pod_spec_problems(obj.get("spec") or {})
            found += status_problems(obj)
            names = [metadata["name"]]
        elif kind == "Node":
            for item in (obj.get("status") or {}).get("addresses") or []:
                if not item.get("address") or not item.get("type"):
                    found.append("node address")
        elif kind in WORKLOAD_KINDS:
            wrong = list(workload_problems(obj))
            found += wrong
            names = [] if wrong else stand_in_names(obj)
        for name in names:
            if (key[1], name) in addressed:
                found.append(f"two pods or workloads are addressed as {key[1]}/{name}")
            addressed.add((key[1], name))
    return found
