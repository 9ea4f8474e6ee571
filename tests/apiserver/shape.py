# SPDX-License-Identifier: GPL-2.0-or-later
"""How objects look as bytes. A real server marshals Go structs: members come in the order of the struct, maps are
sorted, items of a list of a built-in kind have no kind and apiVersion, and <, > and & are escaped. Custom resources
are maps, so all their members are sorted, and in their lists the kind stands behind the items."""

import json

# A struct's members in order. "name:struct" descends, "name:map" sorts the keys, "name:tree" sorts all below.
STRUCTS = {
    "meta": "name generateName namespace selfLink uid resourceVersion generation creationTimestamp deletionTimestamp"
            " deletionGracePeriodSeconds labels:map annotations:map ownerReferences finalizers managedFields:managed",
    "managed": "manager operation apiVersion time fieldsType fieldsV1:tree subresource",
    "selector": "matchLabels:map matchExpressions:requirement",
    "requirement": "key operator values",
    "Pod": "kind apiVersion metadata:meta spec:podSpec status:podStatus",
    "podSpec": "volumes initContainers:container containers:container ephemeralContainers:container restartPolicy"
               " terminationGracePeriodSeconds activeDeadlineSeconds dnsPolicy nodeSelector:map serviceAccountName"
               " serviceAccount automountServiceAccountToken nodeName hostNetwork hostPID hostIPC"
               " shareProcessNamespace securityContext imagePullSecrets hostname subdomain affinity schedulerName"
               " tolerations:toleration hostAliases priorityClassName priority dnsConfig readinessGates"
               " runtimeClassName enableServiceLinks preemptionPolicy",
    "toleration": "key operator value effect tolerationSeconds",
    "container": "name image command args workingDir ports:containerPort envFrom env resources resizePolicy"
                 " restartPolicy volumeMounts volumeDevices livenessProbe readinessProbe startupProbe lifecycle"
                 " terminationMessagePath terminationMessagePolicy imagePullPolicy securityContext",
    "containerPort": "name hostPort containerPort protocol hostIP",
    "podStatus": "observedGeneration phase conditions:condition message reason nominatedNodeName hostIP hostIPs podIP"
                 " podIPs startTime initContainerStatuses containerStatuses qosClass ephemeralContainerStatuses"
                 " resources",
    "condition": "type observedGeneration status lastProbeTime lastHeartbeatTime lastTransitionTime reason message",
    "Namespace": "kind apiVersion metadata:meta spec status",
    "Node": "kind apiVersion metadata:meta spec:nodeSpec status:nodeStatus",
    "nodeSpec": "podCIDR podCIDRs providerID unschedulable taints",
    "nodeStatus": "capacity:map allocatable:map phase conditions:condition addresses:nodeAddress daemonEndpoints"
                  " nodeInfo images volumesInUse volumesAttached runtimeHandlers features declaredFeatures",
    "nodeAddress": "type address",
    "Service": "kind apiVersion metadata:meta spec:serviceSpec status",
    "serviceSpec": "ports:servicePort selector:map clusterIP clusterIPs type externalIPs sessionAffinity"
                   " externalTrafficPolicy ipFamilies ipFamilyPolicy internalTrafficPolicy",
    "servicePort": "name protocol appProtocol port targetPort nodePort",
    "NetworkPolicy": "kind apiVersion metadata:meta spec:policySpec",
    "policySpec": "podSelector:selector ingress:policyRule egress:policyRule policyTypes",
    "policyRule": "ports:policyPort from:peer to:peer",
    "policyPort": "protocol port endPort",
    "peer": "podSelector:selector namespaceSelector:selector ipBlock:ipBlock",
    "ipBlock": "cidr except",
}
MEMBERS = {name: [member.partition(":")[::2] for member in text.split()] for name, text in STRUCTS.items()}


def sorted_tree(value):
    if isinstance(value, dict):
        return {key: sorted_tree(value[key]) for key in sorted(value)}
    return [sorted_tree(item) for item in value] if isinstance(value, list) else value


def in_order(value, struct):
    """The value with its members in the order of the struct; what the struct does not know goes last."""
    if isinstance(value, list):
        return [in_order(item, struct) for item in value]
    if not isinstance(value, dict) or not struct:
        return value
    if struct == "map":
        return {key: value[key] for key in sorted(value)}
    if struct == "tree":
        return sorted_tree(value)
    known = {name: in_order(value[name], child) for name, child in MEMBERS[struct] if name in value}
    return known | {name: item for name, item in value.items() if name not in known}


def encode(value):
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        if character in text:
            text = text.replace(character, f"\\u{ord(character):04x}")
    return text.encode("utf-8", "surrogatepass")


def normal(resource, item):
    """The object as it is kept: kind and apiVersion first, members in order."""
    item = {"kind": resource.kind, "apiVersion": resource.api_version} | item
    return sorted_tree(item) if resource.custom else in_order(item, resource.kind)


def type_meta(resource):
    return {"kind": resource.kind, "apiVersion": resource.api_version}


def encode_item(resource, item):
    """The bytes that an object has in a list."""
    if resource.custom:
        return encode(item)
    return encode({name: value for name, value in item.items() if name not in ("kind", "apiVersion")})


def full(resource, item_bytes):
    """The bytes that an object has alone or in an event, from those that it has in a list."""
    if resource.custom:
        return item_bytes
    return encode(type_meta(resource))[:-1] + b"," + item_bytes[1:]


def event(kind, object_bytes):
    return b'{"type":"' + kind.encode() + b'","object":' + object_bytes + b"}\n"


def bookmark(resource, version, initial_events_end=False):
    metadata = {"resourceVersion": str(version)}
    if initial_events_end:
        metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
    item = type_meta(resource) | {"metadata": metadata} | resource.empty
    return event("BOOKMARK", encode(sorted_tree(item) if resource.custom else item))


def list_ends(resource, metadata):
    """What stands before and behind the items of a list."""
    kind = resource.kind + "List"
    if not resource.custom:
        head = {"kind": kind, "apiVersion": resource.api_version, "metadata": metadata}
        return encode(head)[:-1] + b',"items":[', b"]}\n"
    head = encode({"apiVersion": resource.api_version})[:-1] + b',"items":['
    metadata = sorted_tree({"continue": ""} | metadata)
    return head, b"]," + encode({"kind": kind, "metadata": metadata})[1:] + b"\n"
