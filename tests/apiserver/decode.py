# SPDX-License-Identifier: GPL-2.0-or-later
"""Types of members, for built-in kinds: what Go's decoder refuses before anything else is looked at."""

LISTS = ("ingress", "egress", "from", "to", "ports", "except", "policyTypes", "matchExpressions", "values",
         "containers", "initContainers", "ephemeralContainers", "env", "args", "command", "volumes", "volumeMounts",
         "tolerations", "podIPs", "hostIPs", "conditions", "containerStatuses", "addresses", "taints",
         "finalizers", "ownerReferences", "managedFields")
PARTS = ("metadata", "spec", "status")  # of the object itself; a condition has a status that is none
STRUCTS = (*PARTS, "podSelector", "namespaceSelector", "ipBlock", "resources", "securityContext")
MAPS = ("labels", "annotations", "matchLabels", "nodeSelector")
STRINGS = ("name", "namespace", "generateName", "uid", "resourceVersion", "cidr", "protocol", "key", "operator",
           "image", "nodeName", "phase", "podIP", "hostIP", "ip", "restartPolicy")
NUMBERS = ("endPort", "containerPort", "hostPort", "terminationGracePeriodSeconds", "generation")
BOOLEANS = ("hostNetwork", "hostPID", "hostIPC", "ready", "started", "unschedulable")
STRINGS_WITHIN = ("except", "policyTypes", "values", "args", "command", "finalizers")


def is_number(value):
    return isinstance(value, int) and not isinstance(value, bool) and -2**31 <= value < 2**31


def is_map(value):
    return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())


TESTS = (
    dict.fromkeys(LISTS, (lambda value: isinstance(value, list), "list")) |
    dict.fromkeys(STRUCTS, (lambda value: isinstance(value, dict), "object")) |
    dict.fromkeys(MAPS, (is_map, "map[string]string")) |
    dict.fromkeys(STRINGS, (lambda value: isinstance(value, str), "string")) |
    dict.fromkeys(NUMBERS, (is_number, "int32")) |
    dict.fromkeys(BOOLEANS, (lambda value: isinstance(value, bool), "bool")) |
    {"port": (lambda value: isinstance(value, str) or is_number(value), "intstr")}
)


def check_items(name, items, path):
    wanted, type_name = (str, "string") if name in STRINGS_WITHIN else (dict, "object")
    for item in items:
        if not isinstance(item, wanted):
            raise TypeError(f"{type(item).__name__} into Go struct field {path} of type {type_name}")
        check_types(item, path)


def check_types(value, path=""):
    """TypeError names the member. Nulls are gone already."""
    if not isinstance(value, dict):
        return
    for name, item in value.items():
        if path and name in PARTS:
            continue
        below = f"{path}.{name}" if path else name
        good, type_name = TESTS.get(name, (lambda _: True, ""))
        if not good(item):
            raise TypeError(f"{type(item).__name__} into Go struct field {below} of type {type_name}")
        if name in LISTS:
            check_items(name, item, below)
        elif name in STRUCTS:
            check_types(item, below)
