# SPDX-License-Identifier: GPL-2.0-or-later
"""Names, label values, ports and label selectors: what several kinds have in common."""

import re

from status import forbidden_field, invalid_value, required

PROTOCOLS = ("TCP", "UDP", "SCTP")
PORT_RANGE = "must be between 1 and 65535, inclusive"
NAME_PART = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
NAME_WHY = ("name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an"
            " alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is"
            " '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')")
VALUE_WHY = ("a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must"
             " start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used"
             " for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')")
PREFIX = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"


def qualified_name_errors(key):
    prefix, slash, name = key.rpartition("/")
    if slash and not (len(prefix) <= 253 and re.fullmatch(PREFIX, prefix)):
        return ["prefix part must be a lowercase RFC 1123 subdomain"]
    if not name:
        return ["name part must be non-empty", NAME_WHY]
    if len(name) > 63:
        return ["name part must be no more than 63 bytes"]
    return [] if re.fullmatch(NAME_PART, name) else [NAME_WHY]


def label_value_errors(value):
    if len(value) > 63:
        return ["must be no more than 63 bytes"]
    return [] if not value or re.fullmatch(NAME_PART, value) else [VALUE_WHY]


def port_name_errors(name):
    """IANA service names."""
    errors = []
    if len(name) > 15:
        errors.append("must be no more than 15 characters")
    if not re.fullmatch(r"[-a-z0-9]+", name):
        errors.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search(r"[a-z]", name):
        errors.append("must contain at least one letter (a-z)")
    if "--" in name:
        errors.append("must not contain consecutive hyphens")
    if name.startswith("-") or name.endswith("-"):
        errors.append("must not begin or end with a hyphen")
    return errors


def requirement(found, path, lenient):
    errors, operator, values = [], found.get("operator"), found.get("values") or []
    key = found.get("key", "")
    if operator in ("In", "NotIn"):
        if not values:
            errors.append(required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            errors.append(forbidden_field(f"{path}.values",
                                          "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"))
    else:
        errors.append(invalid_value(f"{path}.operator", operator, "not a valid selector operator"))
    errors += [invalid_value(f"{path}.key", key, why) for why in qualified_name_errors(key)]
    if not lenient:
        for index, value in enumerate(values):
            errors += [invalid_value(f"{path}.values[{index}]", value, why) for why in label_value_errors(value)]
    return errors


def label_selector(selector, path, lenient=False):
    """lenient: label values that no label can have are let pass, because the old object has some."""
    errors = []
    for key, value in (selector.get("matchLabels") or {}).items():
        errors += [invalid_value(f"{path}.matchLabels", key, why) for why in qualified_name_errors(key)]
        if not lenient:
            errors += [invalid_value(f"{path}.matchLabels", value, why) for why in label_value_errors(value)]
    for index, found in enumerate(selector.get("matchExpressions") or []):
        errors += requirement(found, f"{path}.matchExpressions[{index}]", lenient)
    return errors
