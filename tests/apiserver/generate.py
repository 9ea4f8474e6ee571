# SPDX-License-Identifier: GPL-2.0-or-later
"""Clusters for benchmarks: pods as large as real ones (two containers, a dozen environment variables, two fifths
managedFields), kept as a few words each. Their bytes are filled into a template when they are asked for."""

import json

import defaults
import managed
import shape

APPS = 200
MARKS = ("name", "namespace", "node", "app", "v4", "v6", "uid", "version", "touched")


def mark(name):
    return f"@@{name}@@"


def environment(number):
    found = [{"name": f"SERVICE_{index}_HOST", "value": f"service-{index}.example.internal"} for index in range(5)]
    return found + [{"name": f"SETTING_{number}", "value": "x" * 40}]


def container(name, port):
    return {"name": name, "image": f"registry.example/team/{name}:1.2.3", "args": ["--listen", f":{port}"],
            "ports": [{"name": "http" if port == 8080 else "metrics", "containerPort": port}],
            "env": environment(port), "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}},
            "volumeMounts": [{"name": "token", "mountPath": "/var/run/secrets/token", "readOnly": True}]}


def state(name):
    return {"name": name, "state": {"running": {"startedAt": defaults.now()}}, "lastState": {}, "ready": True,
            "restartCount": 0, "image": f"registry.example/team/{name}:1.2.3",
            "imageID": "sha256:" + "6e381669f25245cc" * 4, "containerID": "containerd://" + "1e70fafd9cb093d0" * 4,
            "started": True, "resources": {}}


def running(node):
    conditions = [{"type": kind, "status": "True", "lastProbeTime": None, "lastTransitionTime": defaults.now()}
                  for kind in ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")]
    return {"phase": "Running", "conditions": conditions, "hostIP": node, "hostIPs": [{"ip": node}],
            "podIP": mark("v4"), "podIPs": [{"ip": mark("v4")}, {"ip": mark("v6")}], "startTime": defaults.now(),
            "containerStatuses": [state("server"), state("exporter")], "qosClass": "Burstable"}


def model(resource):
    """One pod as it would have come about, with marks for what differs between pods."""
    item = {"metadata": {"name": mark("name"), "namespace": mark("namespace"),
                         "labels": {"app": mark("app"), "tier": "backend", "touched": mark("touched")},
                         "annotations": {"example.com/revision": "17"}},
            "spec": {"containers": [container("server", 8080), container("exporter", 9090)], "nodeName": mark("node"),
                     "serviceAccountName": "default",
                     "volumes": [{"name": "token", "projected": {"sources": [{"serviceAccountToken": {
                         "expirationSeconds": 3607, "path": "token"}}], "defaultMode": 420}}]}}
    item = defaults.set_defaults(resource, item)
    defaults.set_identity(resource, item)
    managed.on_create(resource, item, "kube-controller-manager")
    defaults.admit(resource, item)
    old = json.loads(json.dumps(item))
    item["status"] = running("192.0.2.1")
    managed.on_change(resource, old, item, "kubelet", "status")
    item["metadata"]["uid"] = mark("uid")
    item["metadata"]["resourceVersion"] = mark("version")
    return item


class Template:
    def __init__(self, resource):
        text = shape.encode_item(resource, shape.normal(resource, model(resource))).decode()
        text = text.replace("%", "%%")
        for name in MARKS:
            text = text.replace(mark(name), f"%({name})b")
        self.bytes = text.encode()
        self.resource = resource

    def fill(self, values):
        return self.bytes % values


class GeneratedPod:
    """Stands in the store as an Entry does."""

    __slots__ = ("template", "namespace", "name", "version", "labels", "fields", "number", "touched")

    def __init__(self, template, number, version, nodes, namespaces, touched=0):
        self.template = template
        self.number = number
        self.touched = touched
        self.version = version
        self.namespace = f"team-{number % namespaces:03}"
        app = f"app-{number % APPS:03}"
        self.name = f"{app}-6f8b9c7d5-{number:06}"
        self.labels = {"app": app, "tier": "backend", "touched": str(touched)}
        self.fields = {"spec.nodeName": f"node-{number % nodes:04}", "status.phase": "Running"}

    @property
    def resource(self):
        return self.template.resource

    @property
    def key(self):
        return f"{self.namespace}/{self.name}"

    def values(self):
        number = self.number
        found = {"name": self.name, "namespace": self.namespace, "node": self.fields["spec.nodeName"],
                 "app": self.labels["app"], "touched": str(self.touched), "version": str(self.version),
                 "v4": f"10.{64 + (number >> 16)}.{number >> 8 & 255}.{number & 255}", "v6": f"fd00::{number >> 16:x}:{number & 65535:x}",
                 "uid": f"00000000-0000-4000-8000-{number:012x}"}
        return {name.encode(): value.encode() for name, value in found.items()}

    def bytes(self):
        return self.template.fill(self.values())

    def full(self):
        return shape.full(self.resource, self.bytes())

    def peek(self):
        return shape.normal(self.resource, json.loads(self.bytes()))

    def object(self):
        return self.peek()

    def at(self, version):
        found = GeneratedPod.__new__(GeneratedPod)
        for name in self.__slots__:
            setattr(found, name, getattr(self, name))
        found.version = version
        return found

    def next(self, version):
        found = self.at(version)
        found.touched += 1
        found.labels = self.labels | {"touched": str(found.touched)}
        return found


def fill(app, pods, nodes, namespaces):
    """Namespaces and pods; returns what one pod weighs."""
    resource = app.registry.find("", "v1", "pods")
    for number in range(min(namespaces, pods)):
        item = {"metadata": {"name": f"team-{number:03}", "labels": {"team": f"t{number % 10}"}}}
        app.api.changes.create(app.registry.find("", "v1", "namespaces"), "", item, "generator")
    template, first = Template(resource), app.store.version + 1
    app.store.fill(GeneratedPod(template, number, first + number, nodes, namespaces) for number in range(pods))
    bytes_each = len(app.store.entries(resource, "team-000")[0].full())
    return {"version": app.store.version, "bytes_each": bytes_each}


def touch(app, count):
    """A change of a label of so many generated pods."""
    resource = app.registry.find("", "v1", "pods")
    with app.store.lock:
        found = [entry for entry in app.store.entries(resource) if isinstance(entry, GeneratedPod)]
        for at in range(count):
            entry = app.store.get(resource, *found[at % len(found)].key.split("/"))
            app.store.version += 1
            app.store.keep(entry.next(app.store.version))
        return app.store.version
