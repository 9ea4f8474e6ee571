# SPDX-License-Identifier: GPL-2.0-or-later
"""The three patches: JSON (RFC 6902), merge (RFC 7396) and strategic merge, where lists of some names merge by key."""

import copy

from status import bad_request, refusal

MERGE_KEYS = {
    "Pod": {"containers": "name", "initContainers": "name", "ephemeralContainers": "name", "env": "name",
            "volumes": "name", "volumeMounts": "mountPath", "ports": "containerPort", "imagePullSecrets": "name",
            "hostAliases": "ip", "conditions": "type", "podIPs": "ip", "ownerReferences": "uid"},
    "Service": {"ports": "port", "conditions": "type", "ownerReferences": "uid"},
    "Node": {"conditions": "type", "addresses": "type", "ownerReferences": "uid"},
    "Namespace": {"conditions": "type", "ownerReferences": "uid"},
    "NetworkPolicy": {"ownerReferences": "uid"},
}
MERGED_VALUES = ("finalizers", "podCIDRs")


def merge(item, patch):
    if not isinstance(patch, dict):
        return patch
    result = dict(item) if isinstance(item, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge(result.get(name), value)
    return result


class Strategic:
    def __init__(self, kind):
        self.keys = MERGE_KEYS[kind]

    def apply(self, item, patch):
        if patch.get("$patch") == "replace":
            return {name: value for name, value in patch.items() if name != "$patch"}
        if patch.get("$patch") == "delete":
            return {}
        result = dict(item) if isinstance(item, dict) else {}
        for name, value in patch.items():
            if not name.startswith("$"):
                self.apply_member(result, name, value)
        self.apply_directives(result, patch)
        return result

    def apply_member(self, result, name, value):
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict):
            result[name] = self.apply(result.get(name), value)
        elif isinstance(value, list) and name in self.keys:
            result[name] = self.merge_items(result.get(name) or [], value, self.keys[name])
        elif isinstance(value, list) and name in MERGED_VALUES:
            result[name] = (result.get(name) or []) + [one for one in value if one not in (result.get(name) or [])]
        else:
            result[name] = value

    def apply_directives(self, result, patch):
        for directive, value in patch.items():
            verb, _, name = directive.partition("/")
            if verb == "$deleteFromPrimitiveList":
                result[name] = [one for one in result.get(name) or [] if one not in value]
            elif verb == "$setElementOrder" and name in self.keys and isinstance(result.get(name), list):
                result[name] = ordered(result[name], value, self.keys[name])
            elif verb == "$retainKeys":
                for gone in result.keys() - set(value):
                    del result[gone]

    def merge_items(self, items, patches, key):
        if any(patch.get("$patch") == "replace" for patch in patches):
            return [patch for patch in patches if "$patch" not in patch]
        items = list(items)
        for patch in patches:
            if key not in patch:
                raise bad_request(f"map: {patch} does not contain declared merge key: {key}")
            at = next((index for index, item in enumerate(items) if item.get(key) == patch[key]), None)
            if patch.get("$patch") == "delete":
                items = [item for item in items if item.get(key) != patch[key]]
            elif at is None:
                items.append(self.apply({}, patch))
            else:
                items[at] = self.apply(items[at], patch)
        return items


def ordered(items, order, key):
    """What the order does not name goes last."""
    wanted = [one.get(key) for one in order]
    return sorted(items, key=lambda item: wanted.index(item.get(key)) if item.get(key) in wanted else len(wanted))


def refused(why):
    return refusal(422, "Invalid", f"the server rejected our request due to an error in our request: {why}", {})


def steps_of(pointer):
    if pointer and not pointer.startswith("/"):
        raise refused(f"pointer {pointer}")
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]


def index_of(holder, step, length):
    if not (step.isdigit() and int(step) <= length):
        raise refused(f"no index {step} in a list of {len(holder)}")
    return int(step)


def look_up(document, steps):
    for step in steps:
        if isinstance(document, list):
            document = document[index_of(document, step, len(document) - 1)]
        elif isinstance(document, dict) and step in document:
            document = document[step]
        else:
            raise refused(f"no member {step}")
    return document


def add(document, steps, value):
    holder, last = look_up(document, steps[:-1]), steps[-1]
    if isinstance(holder, list):
        holder.insert(len(holder) if last == "-" else index_of(holder, last, len(holder)), value)
    elif isinstance(holder, dict):
        holder[last] = value
    else:
        raise refused(f"no place for {last}")


def remove(document, steps):
    value = look_up(document, steps)
    holder = look_up(document, steps[:-1])
    del holder[int(steps[-1]) if isinstance(holder, list) else steps[-1]]
    return value


def apply_operation(document, operation):
    verb, steps = operation.get("op"), steps_of(operation.get("path", ""))
    if not steps:
        raise refused("the whole object cannot be an operand")
    if verb == "add":
        add(document, steps, operation["value"])
    elif verb == "remove":
        remove(document, steps)
    elif verb == "replace":
        remove(document, steps)
        add(document, steps, operation["value"])
    elif verb == "move":
        add(document, steps, remove(document, steps_of(operation["from"])))
    elif verb == "copy":
        add(document, steps, copy.deepcopy(look_up(document, steps_of(operation["from"]))))
    elif verb != "test":
        raise refused(f"operation {verb}")
    elif look_up(document, steps) != operation.get("value"):
        raise refused(f"testing path {operation['path']} failed")


def json_patch(document, operations):
    document = copy.deepcopy(document)
    for operation in operations:
        apply_operation(document, operation)
    return document


def apply(resource, media_type, item, patch):
    """media_type is one of accepted(resource)."""
    if media_type == "application/json-patch+json":
        return json_patch(item, patch)
    if not isinstance(patch, dict):
        raise bad_request("the patch is not an object")
    return merge(item, patch) if media_type == "application/merge-patch+json" else Strategic(
        resource.kind).apply(item, patch)


def accepted(resource):
    found = ["application/json-patch+json", "application/merge-patch+json"]
    return found if resource.custom else found + ["application/strategic-merge-patch+json"]
