# SPDX-License-Identifier: GPL-2.0-or-later
"""Tables, which kubectl get asks for: the server decides the columns."""

import datetime

import shape


def age(item):
    created = item["metadata"].get("creationTimestamp")
    if not created:
        return "<unknown>"
    moment = datetime.datetime.strptime(created, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.timezone.utc)
    seconds = max(0, int((datetime.datetime.now(datetime.timezone.utc) - moment).total_seconds()))
    for limit, unit, letter in ((120, 1, "s"), (3 * 3600, 60, "m"), (48 * 3600, 3600, "h")):
        if seconds < limit:
            return f"{seconds // unit}{letter}"
    return f"{seconds // 86400}d"


def listed(values, nothing="<none>"):
    return ",".join(values) or nothing


def labels_shown(labels):
    return listed(f"{key}={value}" for key, value in sorted((labels or {}).items()))


def selector_shown(selector):
    words = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for one in selector.get("matchExpressions") or []:
        key, operator, values = one["key"], one["operator"], ",".join(sorted(one.get("values") or []))
        words.append({"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "Exists": key}.get(
            operator, f"!{key}"))
    return ",".join(words) or "<none>"


def pod_reason(item):
    if item["metadata"].get("deletionTimestamp"):
        return "Terminating"
    status = item.get("status") or {}
    return "Completed" if status.get("phase") == "Succeeded" else status.get("phase", "Unknown")


def pod_cells(item):
    spec, status = item["spec"], item.get("status") or {}
    states = status.get("containerStatuses") or []
    ready = sum(1 for state in states if state.get("ready"))
    addresses = [one["ip"] for one in status.get("podIPs") or []]
    return [item["metadata"]["name"], f"{ready}/{len(spec['containers'])}", pod_reason(item),
            str(sum(state.get("restartCount", 0) for state in states)), age(item),
            addresses[0] if addresses else "<none>", spec.get("nodeName", "<none>"), "<none>", "<none>"]


def namespace_cells(item):
    return [item["metadata"]["name"], (item.get("status") or {}).get("phase", ""), age(item)]


def node_cells(item):
    status = item.get("status") or {}
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in status.get("conditions") or [])
    addresses = {one["type"]: one["address"] for one in status.get("addresses") or []}
    info = status.get("nodeInfo") or {}
    roles = [key.partition("/")[2] for key in item["metadata"].get("labels") or {}
             if key.startswith("node-role.kubernetes.io/")]
    words = ["Ready" if ready else "NotReady"] + ["SchedulingDisabled"] * bool(item["spec"].get("unschedulable"))
    return [item["metadata"]["name"], ",".join(words), listed(sorted(roles)), age(item),
            info.get("kubeletVersion", ""), addresses.get("InternalIP", "<none>"),
            addresses.get("ExternalIP", "<none>"), info.get("osImage") or "<unknown>",
            info.get("kernelVersion") or "<unknown>", info.get("containerRuntimeVersion") or "<unknown>"]


def policy_cells(item):
    return [item["metadata"]["name"], selector_shown(item["spec"]["podSelector"]), age(item)]


def service_cells(item):
    spec = item["spec"]
    ports = listed(f"{one['port']}/{one['protocol']}" for one in spec.get("ports") or [])
    return [item["metadata"]["name"], spec["type"], spec.get("clusterIP", "<none>"),
            listed(spec.get("externalIPs") or []), ports, age(item), labels_shown(spec.get("selector"))]


def plain_cells(item):
    return [item["metadata"]["name"], age(item)]


# Columns, those of -o wide after the bar.
COLUMNS = {
    "Pod": ("Name Ready Status Restarts Age | IP Node Nominated_Node Readiness_Gates", pod_cells),
    "Namespace": ("Name Status Age", namespace_cells),
    "Node": ("Name Status Roles Age Version | Internal-IP External-IP OS-Image Kernel-Version Container-Runtime",
             node_cells),
    "NetworkPolicy": ("Name Pod-Selector Age", policy_cells),
    "Service": ("Name Type Cluster-IP External-IP Port(s) Age | Selector", service_cells),
}


def definitions(resource):
    usual, _, wide = COLUMNS.get(resource.kind, ("Name Age", None))[0].partition("|")
    names = [(name, 0) for name in usual.split()] + [(name, 1) for name in wide.split()]
    return [{"name": name.replace("_", " "), "type": "string", "format": "name" if name == "Name" else "",
             "description": f"{name} of the {resource.kind}", "priority": priority} for name, priority in names]


def row(entry, include):
    item = entry.peek()
    cells = COLUMNS.get(entry.resource.kind, (None, plain_cells))[1](item)
    if include == "Object":
        return {"cells": cells, "object": item}
    metadata = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": item["metadata"]}
    return {"cells": cells, "object": metadata}


class TableForm:
    """Answers as tables. In a watch only the first has the columns."""

    def __init__(self, resource, version, include):
        self.resource = resource
        self.version = version
        self.include = include
        self.said = False

    def table(self, entries, metadata):
        columns = None if self.said else definitions(self.resource)
        found = {"kind": "Table", "apiVersion": f"meta.k8s.io/{self.version}", "metadata": metadata,
                 "columnDefinitions": columns, "rows": [row(entry, self.include) for entry in entries]}
        return shape.encode(found)

    def object(self, entry):
        found = self.table([entry], {"resourceVersion": str(entry.version)})
        self.said = True
        return found

    def bookmark(self, version, initial_events_end):
        metadata = {"resourceVersion": str(version)}
        if initial_events_end:
            metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
        return shape.event("BOOKMARK", self.table([], metadata))


class JsonForm:
    """Answers as the objects themselves."""

    def __init__(self, resource):
        self.resource = resource

    def object(self, entry):
        return entry.full()

    def bookmark(self, version, initial_events_end):
        return shape.bookmark(self.resource, version, initial_events_end)
