# SPDX-License-Identifier: GPL-2.0-or-later
"""What the API server adds to objects, and what it drops, before they are stored."""

import datetime
import uuid

from decode import check_types

NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"


def now(offset=0):
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=offset)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def without_nulls(value):
    """null is the same as absent."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


def drop_empty(holder, *names):
    for name in names:
        if name in holder and not holder[name]:
            del holder[name]


def set_container_defaults(container):
    for port in container.get("ports") or []:
        port.setdefault("protocol", "TCP")
    container.setdefault("resources", {})
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    image = container.get("image", "")
    tag = image.rpartition("/")[2].partition(":")[2]
    container.setdefault("imagePullPolicy", "IfNotPresent" if tag not in ("", "latest") or "@" in image else "Always")
    drop_empty(container, "ports", "env", "args", "command", "volumeMounts")


def set_pod_defaults(pod):
    spec = pod.setdefault("spec", {})
    for list_name in ("containers", "initContainers", "ephemeralContainers"):
        for container in spec.get(list_name) or []:
            set_container_defaults(container)
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("securityContext", {})
    spec.setdefault("schedulerName", "default-scheduler")
    spec.setdefault("enableServiceLinks", True)
    for container in spec.get("containers") or [] if spec.get("hostNetwork") else []:
        for port in container.get("ports") or []:
            port.setdefault("hostPort", port["containerPort"])


def quality_of_service(spec):
    containers = (spec.get("containers") or []) + (spec.get("initContainers") or [])
    asked = [container.get("resources") or {} for container in containers]
    if not any(ask.get("requests") or ask.get("limits") for ask in asked):
        return "BestEffort"
    full = all({"cpu", "memory"} <= set(ask.get("limits") or {}) for ask in asked)
    same = all(ask.get("requests", ask.get("limits")) == ask.get("limits") for ask in asked)
    return "Guaranteed" if full and same else "Burstable"


def admit_pod(pod):
    spec = pod["spec"]
    tolerations = spec.setdefault("tolerations", [])
    for key in (NOT_READY, UNREACHABLE):
        if not any(toleration.get("key") == key for toleration in tolerations):
            tolerations.append({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300})
    spec.setdefault("priority", 0)
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")


def set_policy_defaults(policy):
    spec = policy.setdefault("spec", {})
    spec.setdefault("podSelector", {})
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for rule in spec.get(direction) or []:
            for port in rule.get("ports") or []:
                port.setdefault("protocol", "TCP")
            drop_empty(rule, "ports", peers)
        drop_empty(spec, direction)
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress"] + (["Egress"] if spec.get("egress") else [])


def set_namespace_defaults(namespace):
    name = namespace["metadata"].get("name")
    if name:
        namespace["metadata"]["labels"] = (namespace["metadata"].get("labels") or {}) | {
            "kubernetes.io/metadata.name": name}
    namespace.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
    if not namespace.get("status"):
        namespace["status"] = {"phase": "Active"}


def set_service_defaults(service):
    spec = service.setdefault("spec", {})
    spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    spec.setdefault("internalTrafficPolicy", "Cluster")
    for port in spec.get("ports") or []:
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port["port"])
    service.setdefault("status", {"loadBalancer": {}})


def admit_service(service):
    spec = service["spec"]
    if "clusterIP" not in spec and spec["type"] != "ExternalName":
        number = uuid.uuid4().int % 65000 + 256
        spec["clusterIP"] = f"10.96.{number // 256}.{number % 256}"
    if spec.get("clusterIP"):
        spec.setdefault("clusterIPs", [spec["clusterIP"]])
        spec.setdefault("ipFamilies", ["IPv6" if ":" in spec["clusterIP"] else "IPv4"])
        spec.setdefault("ipFamilyPolicy", "SingleStack")


def set_node_defaults(node):
    node.setdefault("spec", {})
    status = node.setdefault("status", {})
    status.setdefault("daemonEndpoints", {"kubeletEndpoint": {"Port": 0}})


DEFAULTS = {"Pod": set_pod_defaults, "NetworkPolicy": set_policy_defaults, "Namespace": set_namespace_defaults,
            "Service": set_service_defaults, "Node": set_node_defaults}
ADMISSION = {"Pod": admit_pod, "Service": admit_service}


def set_defaults(resource, item):
    item = without_nulls(item)
    item["kind"], item["apiVersion"] = resource.kind, resource.api_version
    item.setdefault("metadata", {})
    if not resource.custom:
        check_types(item)
    drop_empty(item["metadata"], "labels", "annotations", "ownerReferences", "finalizers", "creationTimestamp")
    if not resource.custom:
        DEFAULTS[resource.kind](item)
    return item


def admit(resource, item):
    """What admission adds to what is made or changed; it shows in no managedFields."""
    if not resource.custom and resource.kind in ADMISSION:
        ADMISSION[resource.kind](item)


def set_identity(resource, item):
    """What a new object gets from the server."""
    if resource.kind == "Pod":
        item["status"] = {"phase": "Pending", "qosClass": quality_of_service(item["spec"])}
    metadata = item["metadata"]
    metadata["uid"] = str(uuid.uuid4())
    metadata["creationTimestamp"] = now()
    for name in ("deletionTimestamp", "deletionGracePeriodSeconds", "resourceVersion", "selfLink"):
        metadata.pop(name, None)
    metadata.pop("generation", None)
    if resource.generation:
        metadata["generation"] = 1
