# SPDX-License-Identifier: GPL-2.0-or-later
"""Hostile objects: around every field that is read, and some that are not, everything that could be there instead.
What a test injects (README.md), between ordinary objects. Each is JSON whose brackets match, as all that a Go program
writes, however wrong it is."""

import itertools
import json

HOLE = "@HOLE@"

# As texts; (text, times) are repeated.
VALUES = {
    "nothing": "null", "true": "true", "word": "nonsense", "empty": '""', "list": "[]", "object": "{}",
    "number": "7", "negative": "-1", "port-too-large": "70000", "fraction": "1.5", "exponent": "1e999999",
    "many-digits": [("9", 4000)], "twice": '{"a":1,"a":2,"name":"x","name":7}', "lists": "[[[[]]]]", "mixed": '[{},null,7,"x",[]]',
    "not-utf8": '"a\udcff\udcc0\udc80b"', "surrogate": '"\\ud800"', "reversed-surrogates": '"\\udc00\\ud800"', "nul": '"a\\u0000b"',
    "controls": '"\\u0001\\u001b[2J\\u007f"', "long": [('"', 1), ("x", 300), ('"', 1)], "bad-escape": '"\\q\\u12"',
    "spaces": [(" \t\r", 1000), ('"x"', 1), (" ", 1000)], "escaped-keys": '{"\\u006eame":"x","\\u006damespace":"y"}',
    "deep": [("[", 150), ("]", 150)], "deeper": [('{"a":[', 20000), ("]}", 20000)],
    "deepest": [("[", 1000000), ("]", 1000000)],
    "megabytes": [('"', 1), ("x", 17 << 20), ('"', 1)],
}

METADATA = {"name": "@NAME@", "namespace": "shop", "uid": "u", "resourceVersion": "@VERSION@", "labels": {"app": "h"},
            "creationTimestamp": "2026-01-01T00:00:00Z"}
UNREAD = {"managedFields": [{"manager": "m", "fieldsV1": {"f:x": {}}}], "ownerReferences": [{"name": "o"}],
          "annotations": {"a": "b"}, "finalizers": ["x"], "selfLink": "s"}
POD = {"kind": "Pod", "apiVersion": "v1", "metadata": METADATA | UNREAD,
       "spec": {"nodeName": "n1", "hostNetwork": False, "volumes": [{"name": "v"}], "tolerations": [{"key": "k"}],
                "containers": [{"name": "c", "env": [{"name": "E"}],
                                "ports": [{"containerPort": 80, "name": "web", "protocol": "TCP"}]}],
                "initContainers": [{"name": "i", "restartPolicy": "Always", "ports": [{"containerPort": 81}]}]},
       "status": {"phase": "Running", "podIP": "10.0.0.9", "podIPs": [{"ip": "10.0.0.9"}], "hostIP": "192.0.2.1",
                  "conditions": [{"type": "Ready"}]}}
POLICY = {"kind": "NetworkPolicy", "apiVersion": "networking.k8s.io/v1", "metadata": METADATA | UNREAD,
          "spec": {"podSelector": {"matchLabels": {"app": "h"},
                                   "matchExpressions": [{"key": "k", "operator": "In", "values": ["v"]}]},
                   "policyTypes": ["Ingress", "Egress"],
                   "ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}},
                                         {"namespaceSelector": {}, "podSelector": {}}],
                                "ports": [{"port": 80, "endPort": 90, "protocol": "TCP"}]}],
                   "egress": [{"to": [], "ports": [{"port": "web"}]}]}}
CLUSTER_METADATA = {name: value for name, value in (METADATA | UNREAD).items() if name != "namespace"}
NODE = {"kind": "Node", "apiVersion": "v1", "metadata": CLUSTER_METADATA, "spec": {"podCIDRs": ["10.0.0.0/24"], "taints": []},
        "status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.1"}], "images": [{"names": ["i"]}]}}
NAMESPACE = {"kind": "Namespace", "apiVersion": "v1", "metadata": CLUSTER_METADATA, "spec": {"finalizers": ["kubernetes"]},
             "status": {"phase": "Active"}}
MODELS = {"pods": POD, "networkpolicies": POLICY, "nodes": NODE, "namespaces": NAMESPACE}
# Values that are large, and where they go.
LARGE = {"deepest": [("metadata", "managedFields"), ("metadata", "labels"), ("spec",)],
         "megabytes": [("metadata", "managedFields"), ("metadata", "labels")]}
# Never read: no value there makes a difference.
UNREAD_PATHS = [("metadata", name) for name in UNREAD if name != "annotations"] + [("metadata", "annotations", "a"), ("spec", "volumes"), ("spec", "tolerations"), ("spec", "taints"),
                                                           ("status", "conditions"), ("status", "images"), ("z",)]
NAMES = [("metadata",), ("metadata", "name")]
ELSEWHERE = [("metadata", "namespace"), ("metadata", "resourceVersion")]


def paths(value, here=()):
    """Of all places in a tree, but its root."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        yield (*here, key)
        yield from paths(child, (*here, key))


def put(value, path, what):
    """The tree with something else at that place."""
    if not path:
        return what
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = put(value[path[0]] if isinstance(value, list) or path[0] in value else {}, path[1:], what)
    return copy


def backwards(value):
    """The same with each object's members in the other order: what it is called comes late."""
    if isinstance(value, dict):
        return {key: backwards(value[key]) for key in reversed(value)}
    return [backwards(item) for item in value] if isinstance(value, list) else value


class Hostile:
    """resource, name; parts: what to inject. harmless: it is to be understood; named: its name can be read; kept: and
    its namespace and version too."""

    def __init__(self, resource, number, path, value, tree):
        self.resource = resource
        self.name = f"h{number}"
        self.what = f"{value} at {'.'.join(map(str, path))} of {resource}"
        self.harmless = (any(path[:len(unread)] == unread for unread in UNREAD_PATHS) and
                         (resource, path) != ("networkpolicies", ("z",)))  # a field of tomorrow
        self.named = path not in NAMES
        self.kept = self.named and path not in ELSEWHERE
        text = json.dumps(tree, separators=(",", ":")).replace("@NAME@", self.name)
        before, after = text.split(json.dumps(HOLE))
        middle = VALUES[value]
        self.parts = [(before, 1), *([(middle, 1)] if isinstance(middle, str) else middle), (after, 1)]

    @property
    def namespace(self):
        return "shop" if self.resource in ("pods", "networkpolicies") else ""

    @property
    def key(self):
        kind = MODELS[self.resource]["kind"]
        return f"{kind} {self.namespace}/{self.name}" if self.namespace else f"{kind} {self.name}"


def cases():
    """Every value everywhere; the large ones in few places."""
    number = itertools.count()
    for resource, model in MODELS.items():
        for path in [*paths(model), ("z",)]:
            for value in VALUES:
                if path not in LARGE.get(value, [path]) or (value == "megabytes" and resource == "nodes"):
                    continue
                tree = put(model, path, HOLE)
                count = next(number)
                yield Hostile(resource, count, path, value, backwards(tree) if count % 3 == 0 else tree)
