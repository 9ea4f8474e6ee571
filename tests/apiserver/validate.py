# SPDX-License-Identifier: GPL-2.0-or-later
"""What the API server refuses, in its words, as far as tests can meet it. Returns lists of status.FieldError."""

import re

from status import FieldError, forbidden_field, invalid_value, not_supported, required
from validate_policy import network_policy
from validate_selector import PORT_RANGE, PROTOCOLS, label_value_errors, port_name_errors, qualified_name_errors

LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN_WHY = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and"
    " end with an alphanumeric character (e.g. 'example.com', regex used for validation is"
    r" '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')")
LABEL_WHY = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with"
    " an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is"
    " '[a-z0-9]([-a-z0-9]*[a-z0-9])?')")
POD_FIXED = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)")


def name_errors(resource, name):
    field = "metadata.name"
    if not name:
        return [required(field, "name or generateName is required")]
    if resource.kind in ("Namespace", "Service"):
        if len(name) > 63:
            return [invalid_value(field, name, "must be no more than 63 bytes")]
        return [] if re.fullmatch(LABEL, name) else [invalid_value(field, name, LABEL_WHY)]
    if len(name) > 253:
        return [invalid_value(field, name, "must be no more than 253 bytes")]
    return [] if re.fullmatch(rf"{LABEL}(\.{LABEL})*", name) else [invalid_value(field, name, SUBDOMAIN_WHY)]


def metadata(resource, item):
    found = item["metadata"]
    errors = name_errors(resource, found.get("name"))
    for key, value in (found.get("labels") or {}).items():
        errors += [invalid_value("metadata.labels", key, why) for why in qualified_name_errors(key)]
        errors += [invalid_value("metadata.labels", value, why) for why in label_value_errors(value)]
    for key in found.get("annotations") or {}:
        errors += [invalid_value("metadata.annotations", key, why) for why in qualified_name_errors(key.lower())]
    return errors


def container_port(port, path, names):
    errors = []
    name = port.get("name")
    if name:
        errors += [invalid_value(f"{path}.name", name, why) for why in port_name_errors(name)]
        if name in names:
            errors.append(FieldError("FieldValueDuplicate", f"{path}.name", f'Duplicate value: "{name}"'))
        names.add(name)
    number = port.get("containerPort")
    if not number:
        errors.append(required(f"{path}.containerPort"))
    elif not 0 < number < 65536:
        errors.append(invalid_value(f"{path}.containerPort", number, PORT_RANGE))
    if port.get("protocol") not in PROTOCOLS:
        errors.append(not_supported(f"{path}.protocol", port.get("protocol"), sorted(PROTOCOLS)))
    return errors


def container(found, path):
    errors = []
    if not found.get("name"):
        errors.append(required(f"{path}.name"))
    elif not re.fullmatch(LABEL, found["name"]):
        errors.append(invalid_value(f"{path}.name", found["name"], LABEL_WHY))
    if not found.get("image"):
        errors.append(required(f"{path}.image"))
    names = set()
    for index, port in enumerate(found.get("ports") or []):
        errors += container_port(port, f"{path}.ports[{index}]", names)
    return errors


def pod(item):
    spec, errors = item["spec"], []
    if not spec.get("containers"):
        errors.append(required("spec.containers"))
    for list_name in ("initContainers", "containers"):
        for index, found in enumerate(spec.get(list_name) or []):
            errors += container(found, f"spec.{list_name}[{index}]")
    if spec["restartPolicy"] not in ("Always", "OnFailure", "Never"):
        errors.append(not_supported("spec.restartPolicy", spec["restartPolicy"], ["Always", "OnFailure", "Never"]))
    return errors


def service(item):
    spec, errors = item["spec"], []
    if not spec.get("ports") and spec.get("clusterIP") != "None" and spec["type"] != "ExternalName":
        errors.append(required("spec.ports"))
    for index, port in enumerate(spec.get("ports") or []):
        if not 0 < port["port"] < 65536:
            errors.append(invalid_value(f"spec.ports[{index}].port", port["port"], PORT_RANGE))
    return errors


KINDS = {"Pod": pod, "Service": service}


def new(resource, item):
    errors = metadata(resource, item)
    if resource.custom:
        return errors
    if resource.kind == "NetworkPolicy":
        return errors + network_policy(item, None)
    return errors + (KINDS[resource.kind](item) if resource.kind in KINDS else [])


def changeable_removed(spec):
    """A pod's spec without what may change."""
    spec = {key: value for key, value in spec.items()
            if key not in ("activeDeadlineSeconds", "terminationGracePeriodSeconds", "tolerations")}
    for name in ("containers", "initContainers"):
        spec[name] = [{key: value for key, value in found.items() if key != "image"} for found in spec.get(name) or []]
    return spec


def pod_change(item, old):
    was, now = old["spec"].get("tolerations") or [], item["spec"].get("tolerations") or []
    if changeable_removed(item["spec"]) != changeable_removed(old["spec"]) or any(found not in now for found in was):
        return [forbidden_field("spec", POD_FIXED)]
    return []


def changed(resource, item, old):
    errors = metadata(resource, item)
    if resource.kind == "Pod":
        return errors + pod_change(item, old)
    if resource.kind == "NetworkPolicy":
        return errors + network_policy(item, old)
    return errors
