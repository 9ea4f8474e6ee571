# SPDX-License-Identifier: GPL-2.0-or-later
"""Which resources the server has. Built-in ones stand; custom ones come and go at run time."""

import threading

ALL_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
CUSTOM_VERBS = ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"]
STATUS_VERBS = ["get", "patch", "update"]

EMPTY_NODE_INFO = dict.fromkeys(
    ("machineID", "systemUUID", "bootID", "kernelVersion", "osImage", "containerRuntimeVersion", "kubeletVersion",
     "kubeProxyVersion", "operatingSystem", "architecture"), "")
EMPTY_NODE_STATUS = {"daemonEndpoints": {"kubeletEndpoint": {"Port": 0}}, "nodeInfo": EMPTY_NODE_INFO}


class Resource:
    """One resource of one group and version. empty: what a Go struct without values marshals to beside its metadata,
    which is what a bookmark shows."""

    def __init__(self, group, version, plural, kind, namespaced, short=(), status=True, generation=True, empty=None,
                 custom=False, categories=()):
        self.group = group
        self.version = version
        self.plural = plural
        self.singular = kind.lower()
        self.kind = kind
        self.namespaced = namespaced
        self.short = list(short)
        self.categories = list(categories)
        self.status = status
        self.generation = generation
        self.empty = empty or {}
        self.custom = custom

    @property
    def api_version(self):
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def key(self):
        return (self.group, self.version, self.plural)

    @property
    def qualified(self):
        """As error messages name it: pods, networkpolicies.networking.k8s.io"""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def verbs(self):
        return CUSTOM_VERBS if self.custom else ALL_VERBS


def built_in():
    return [
        Resource("", "v1", "namespaces", "Namespace", False, ["ns"], generation=False,
                 empty={"spec": {}, "status": {}}),
        Resource("", "v1", "nodes", "Node", False, ["no"], generation=False,
                 empty={"spec": {}, "status": EMPTY_NODE_STATUS}),
        Resource("", "v1", "pods", "Pod", True, ["po"], categories=["all"],
                 empty={"spec": {"containers": None}, "status": {}}),
        Resource("", "v1", "services", "Service", True, ["svc"], generation=False, categories=["all"],
                 empty={"spec": {}, "status": {"loadBalancer": {}}}),
        Resource("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy", True, ["netpol"], status=False,
                 empty={"spec": {"podSelector": {}}}),
    ]


class Registry:
    def __init__(self):
        self.lock = threading.Lock()
        self.by_key = {resource.key: resource for resource in built_in()}

    def find(self, group, version, plural):
        with self.lock:
            return self.by_key.get((group, version, plural))

    def of_kind(self, api_version, kind):
        with self.lock:
            for resource in self.by_key.values():
                if resource.api_version == api_version and resource.kind == kind:
                    return resource
        return None

    def named(self, plural):
        """For the control channel, which knows no groups."""
        with self.lock:
            for resource in self.by_key.values():
                if resource.plural == plural:
                    return resource
        return None

    def all(self):
        with self.lock:
            return list(self.by_key.values())

    def add(self, resource):
        with self.lock:
            self.by_key[resource.key] = resource

    def remove(self, resource):
        with self.lock:
            del self.by_key[resource.key]
