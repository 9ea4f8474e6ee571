# SPDX-License-Identifier: GPL-2.0-or-later
"""What the API server refuses in a NetworkPolicy. Addresses in an update that the old object has are not looked at."""

import ipaddress
import re

from status import forbidden_field, invalid_value, not_supported, required
from validate_selector import PORT_RANGE, PROTOCOLS, label_selector, port_name_errors

NOT_CIDR = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
TYPES = ("Ingress", "Egress")


def parse_cidr(text):
    """Leading zeros are decimal and bits of the host are cut off, as older servers had it. None: no CIDR at all."""
    match = re.fullmatch(r"([0-9a-fA-F.:]+)/(\d+)", text)
    if not match:
        return None
    address = re.sub(r"(?<![0-9a-fA-F])0+(?=\d)", "", match[1]) if "." in match[1] else match[1]
    try:
        return ipaddress.ip_network(f"{address}/{int(match[2])}", strict=False)
    except ValueError:
        return None


def cidr_errors(text, path, known):
    if text in known:
        return []
    network = parse_cidr(text)
    if network is None:
        return [invalid_value(path, text, NOT_CIDR)]
    address, _, length = text.partition("/")
    if length != str(int(length)) or (network.version == 4 and re.search(r"(^|\.)0\d", address)):
        return [invalid_value(path, text, "must not have leading 0s in IP or prefix length")]
    if network.version == 6 and ipaddress.IPv6Address(address).ipv4_mapped:
        return [invalid_value(path, text, "must not have an IPv4-mapped IPv6 address")]
    if ipaddress.ip_address(address) != network.network_address:
        return [invalid_value(path, text, "must not have bits set beyond the prefix length")]
    return []


def ip_block(block, path, known):
    cidr = block.get("cidr", "")
    if not cidr:
        return [required(f"{path}.cidr")]
    errors = cidr_errors(cidr, f"{path}.cidr", known)
    whole = parse_cidr(cidr)
    if whole is None:
        return errors
    for index, text in enumerate(block.get("except") or []):
        errors += cidr_errors(text, f"{path}.except[{index}]", known)
        part = parse_cidr(text)
        if part is None:
            continue
        if part.version != whole.version or not part.subnet_of(whole) or part.prefixlen <= whole.prefixlen:
            errors.append(invalid_value(f"{path}.except[{index}]", text, "must be a strict subset of `cidr`"))
    return errors


def peer(found, path, known, lenient):
    errors, ways = [], 0
    for name in ("podSelector", "namespaceSelector"):
        if name in found:
            ways += 1
            errors += label_selector(found[name], f"{path}.{name}", lenient)
    if "ipBlock" in found:
        ways += 1
        errors += ip_block(found["ipBlock"], f"{path}.ipBlock", known)
    if not ways:
        errors.append(required(path, "must specify a peer"))
    elif ways > 1 and "ipBlock" in found:
        errors.append(forbidden_field(path, "may not specify both ipBlock and another peer"))
    return errors


def number_errors(number, path):
    return [] if 0 < number < 65536 else [invalid_value(path, number, PORT_RANGE)]


def port(found, path):
    errors, number, end = [], found.get("port"), found.get("endPort")
    if found.get("protocol") not in PROTOCOLS:
        errors.append(not_supported(f"{path}.protocol", found.get("protocol"), PROTOCOLS))
    if number is None:
        if end is not None:
            errors.append(invalid_value(f"{path}.endPort", end, "may not be specified when `port` is not specified"))
    elif isinstance(number, str):
        if end is not None:
            errors.append(invalid_value(f"{path}.endPort", end, "may not be specified when `port` is non-numeric"))
        errors += [invalid_value(f"{path}.port", number, why) for why in port_name_errors(number)]
    else:
        errors += number_errors(number, f"{path}.port")
        if end is not None:
            if end < number:
                errors.append(invalid_value(f"{path}.endPort", end, "must be greater than or equal to `port`"))
            errors += number_errors(end, f"{path}.endPort")
    return errors


def rules(spec, direction, peers, known, lenient):
    errors = []
    for index, rule in enumerate(spec.get(direction) or []):
        path = f"spec.{direction}[{index}]"
        for number, found in enumerate(rule.get("ports") or []):
            errors += port(found, f"{path}.ports[{number}]")
        for number, found in enumerate(rule.get(peers) or []):
            errors += peer(found, f"{path}.{peers}[{number}]", known, lenient)
    return errors


def addresses(item):
    """All CIDRs of a policy, as written."""
    found = set()
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for rule in item["spec"].get(direction) or []:
            for block in (one.get("ipBlock") or {} for one in rule.get(peers) or []):
                found |= {block.get("cidr")} | set(block.get("except") or [])
    return found


def network_policy(item, old):
    """old: the object that this one replaces, or None."""
    spec = item["spec"]
    lenient = bool(old and label_selector(old["spec"].get("podSelector") or {}, ""))
    known = addresses(old) if old else set()
    errors = label_selector(spec["podSelector"], "spec.podSelector", lenient)
    errors += rules(spec, "ingress", "from", known, lenient) + rules(spec, "egress", "to", known, lenient)
    types = spec["policyTypes"]
    if len(types) > len(TYPES):
        return errors + [invalid_value("spec.policyTypes", types, "may not specify more than two policyTypes")]
    return errors + [not_supported(f"spec.policyTypes[{index}]", one, sorted(TYPES))
                     for index, one in enumerate(types) if one not in TYPES]
