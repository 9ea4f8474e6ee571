# SPDX-License-Identifier: GPL-2.0-or-later
"""Label and field selectors of list, watch and deletecollection."""

import re

from status import bad_request

FIELDS = {
    "pods": ("spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName",
             "spec.hostNetwork", "status.phase", "status.podIP", "status.nominatedNodeName"),
    "nodes": ("spec.unschedulable",),
    "namespaces": ("status.phase", "name"),
    "services": ("spec.clusterIP", "spec.type"),
}
REQUIREMENT = re.compile(r"""\s*(?:
    (?P<absent>!)\s*(?P<absent_key>[^\s,=!()<>]+) |
    (?P<set_key>[^\s,=!()<>]+)\s+(?P<set>in|notin)\s*\((?P<values>[^)]*)\) |
    (?P<key>[^\s,=!()<>]+)\s*(?:(?P<operator>==|=|!=|<|>)\s*(?P<value>[^\s,=!()<>]*))?
    )\s*(?:,|$)""", re.VERBOSE)


def field_of(item, path):
    for part in path.split("."):
        item = item.get(part) if isinstance(item, dict) else None
    if isinstance(item, bool):
        return "true" if item else "false"
    return "" if item is None else str(item)


def selectable_fields(resource, item):
    return {path: field_of(item, path) for path in FIELDS.get(resource.plural, ())}


def label_test(match):
    if match["absent"]:
        key = match["absent_key"]
        return lambda labels: key not in labels
    if match["set"]:
        key, values = match["set_key"], {value.strip() for value in match["values"].split(",")}
        if match["set"] == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: key not in labels or labels[key] not in values
    key, operator, value = match["key"], match["operator"], match["value"]
    if operator is None:
        return lambda labels: key in labels
    if operator in ("=", "=="):
        return lambda labels: labels.get(key) == value
    if operator == "!=":
        return lambda labels: labels.get(key) != value
    return number_test(key, operator, value)


def number_test(key, operator, value):
    if not re.fullmatch(r"-?\d+", value):
        raise bad_request(f"unable to parse requirement: values[0][{key}]: Invalid value: \"{value}\": for 'Gt', 'Lt'"
                          " operators, the value must be an integer")

    def holds(labels):
        found = labels.get(key, "")
        if not re.fullmatch(r"-?\d+", found):
            return False
        return int(found) > int(value) if operator == ">" else int(found) < int(value)
    return holds


def parse_labels(text):
    tests, position = [], 0
    while position < len(text):
        match = REQUIREMENT.match(text, position)
        if not match:
            raise bad_request(f"unable to parse requirement: found '{text[position:]}', expected: identifier")
        tests.append(label_test(match))
        position = match.end()
    return tests


def parse_fields(text, resource):
    """(path, wanted, equal) for each term."""
    known = ("metadata.name", "metadata.namespace") + FIELDS.get(resource.plural, ())
    terms = []
    for term in filter(None, text.split(",")):
        match = re.fullmatch(r"([^=!]+)(!=|==|=)(.*)", term)
        if not match:
            raise bad_request(f'invalid selector: "{text}"; can\'t understand \'{term}\'')
        if match[1] not in known:
            raise bad_request(f"field label not supported: {match[1]}")
        terms.append((match[1], match[3], match[2] != "!="))
    return terms


class Selection:
    """Does an entry of the store belong to what was asked for?"""

    def __init__(self, resource, namespace, query):
        self.namespace = namespace
        self.labels = parse_labels(query.get("labelSelector", ""))
        self.fields = parse_fields(query.get("fieldSelector", ""), resource)

    @property
    def narrows(self):
        return bool(self.labels or self.fields)

    def holds(self, entry):
        if entry is None or (self.namespace and entry.namespace != self.namespace):
            return False
        return all(test(entry.labels) for test in self.labels) and all(
            (self.value(entry, path) == wanted) == equal for path, wanted, equal in self.fields)

    @staticmethod
    def value(entry, path):
        if path in ("metadata.name", "name"):
            return entry.name
        return entry.namespace if path == "metadata.namespace" else entry.fields.get(path, "")
