# SPDX-License-Identifier: GPL-2.0-or-later
"""managedFields: who set which field. Two fifths of an ordinary pod are this, so a server without would be dishonest.

A field is a path, a tuple of steps as they stand in fieldsV1: "f:NAME", "k:{keys of a list's item}" or ".", which
stands for the map or item itself. Values are kept beside paths only to see what changed."""

import json

from defaults import now

ITEM_KEYS = {"containers": ("name",), "initContainers": ("name",), "ephemeralContainers": ("name",), "env": ("name",),
             "volumes": ("name",), "volumeMounts": ("mountPath",), "ports": ("containerPort", "protocol"),
             "podIPs": ("ip",), "conditions": ("type",), "addresses": ("type",), "ownerReferences": ("uid",)}
SERVICE_KEYS = ITEM_KEYS | {"ports": ("port", "protocol")}
MAPS = ("labels", "annotations", "nodeSelector", "selector", "capacity", "allocatable", "requests", "limits")
ATOMIC = ("podSelector", "namespaceSelector", "ingress", "egress", "hostIPs", "fieldsV1")
SILENT_LISTS = ("containers", "conditions")
OWN_METADATA = ("labels", "annotations", "finalizers", "ownerReferences")


class Fields:
    """The paths of one object of a resource."""

    def __init__(self, resource):
        self.custom = resource.custom
        self.keys = {} if resource.custom else SERVICE_KEYS if resource.kind == "Service" else ITEM_KEYS
        self.found = {}

    def add(self, name, value, path):
        path = (*path, f"f:{name}")
        if isinstance(value, dict) and value and name not in ATOMIC:
            self.add_members(value, path, self.custom or name in MAPS)
        elif isinstance(value, list) and value and name in self.keys:
            self.add_items(name, value, path)
        elif value != {} or name != "podSelector":
            self.found[path] = json.dumps(value, sort_keys=True)

    def add_members(self, value, path, itself):
        if itself:
            self.found[(*path, ".")] = ""
        for name, member in value.items():
            self.add(name, member, path)

    def add_items(self, name, items, path):
        if name not in SILENT_LISTS:
            self.found[(*path, ".")] = ""
        for item in items:
            keys = {key: item[key] for key in self.keys[name] if key in item}
            self.add_members(item, (*path, "k:" + json.dumps(keys, separators=(",", ":"))), True)


def fields(resource, item, subresource):
    found = Fields(resource)
    if subresource == "status":
        found.add("status", item.get("status") or {}, ())
        return found.found
    for name in OWN_METADATA:
        if item["metadata"].get(name):
            found.add(name, item["metadata"][name], ("f:metadata",))
    for name, value in item.items():
        left_out = name in ("kind", "apiVersion", "metadata") or (name == "status" and resource.status)
        if not left_out and resource.kind != "Namespace":
            found.add(name, value, ())
    return found.found


def to_tree(paths):
    tree = {}
    for path in sorted(paths):
        node = tree
        for step in path:
            node = node.setdefault(step, {})
    return tree


def to_paths(tree, path=()):
    if not tree:
        return {path} if path else set()
    return set().union(*(to_paths(below, (*path, step)) for step, below in tree.items()))


def entry_for(resource, manager, subresource, paths):
    entry = {"manager": manager, "operation": "Update", "apiVersion": resource.api_version, "time": now(),
             "fieldsType": "FieldsV1", "fieldsV1": to_tree(paths)}
    return entry | ({"subresource": subresource} if subresource else {})


def on_create(resource, item, manager):
    paths = fields(resource, item, None)
    item["metadata"]["managedFields"] = [entry_for(resource, manager, None, paths)]


def on_change(resource, old, item, manager, subresource=None):
    """Whoever changes a field owns it from then on."""
    was, now_is = fields(resource, old, subresource), fields(resource, item, subresource)
    changed = {path for path, value in now_is.items() if was.get(path) != value}
    removed = was.keys() - now_is.keys()
    kept, own = [], None
    for entry in old["metadata"].get("managedFields") or []:
        mine = entry["manager"] == manager and entry.get("subresource") == subresource
        before = to_paths(entry["fieldsV1"])
        paths = before - removed | (changed if mine else set())
        paths -= set() if mine else {path for path in changed if path[-1] != "."}
        if mine:
            own = entry
        if paths:
            kept.append(entry if paths == before else entry | {"fieldsV1": to_tree(paths)} |
                        ({"time": now()} if mine else {}))
    if changed and own is None:
        kept.append(entry_for(resource, manager, subresource, changed))
    item["metadata"]["managedFields"] = kept
