# SPDX-License-Identifier: GPL-2.0-or-later
"""Services, as kube-proxy does them: their cluster addresses become those of their pods in prerouting, in a table of
the lab's own. Of YAML only as much is understood as a Service needs."""
import json
import os
import re
import sys

MASQUERADE = 0x4000  # kube-proxy's mark for what comes back to where it came from


def scalar(text):
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    return int(text) if re.fullmatch(r"\d+", text) else None if text in ("", "null", "~") else text


def flow(text, at):
    """{a: b, c: [d]} from there on; the value and where it ends."""
    closing = {"{": "}", "[": "]"}[text[at]]
    items, at = [], at + 1
    while True:
        at = re.compile(r"[\s,]*").match(text, at).end()
        if text[at] == closing:
            return (dict(items) if closing == "}" else items), at + 1
        key = None
        if closing == "}":
            found = re.compile(r"\s*([^:]+):\s*").match(text, at)
            key, at = scalar(found.group(1)), found.end()
        if text[at] in "{[":
            value, at = flow(text, at)
        else:
            found = re.compile(r"\"[^\"]*\"|'[^']*'|[^,\]}]*").match(text, at)
            value, at = scalar(found.group()), found.end()
        items.append((key, value) if closing == "}" else value)


def value_of(text, lines, indent):
    """What stands behind "key:" or "- "; else the block below."""
    if text[:1] in ("{", "["):
        while True:
            try:
                return flow(text, 0)[0]
            except IndexError:
                text += " " + lines.pop(0)[1]  # it goes on in the next line
    if text:
        return scalar(text)
    deeper = lines and (lines[0][0] > indent or (lines[0][0] == indent and lines[0][1].startswith("- ")))
    return block(lines) if deeper else None


def block(lines):
    """(indent, text) of lines: a mapping or a list, as far as it goes."""
    indent = lines[0][0]
    if lines[0][1].startswith("-"):
        items = []
        while lines and lines[0][0] == indent and lines[0][1].startswith("-"):
            text = lines.pop(0)[1][1:]
            inner = text.lstrip()
            if re.match(r"[\w./-]+:(\s|$)", inner):
                lines.insert(0, (indent + 1 + len(text) - len(inner), inner))
                items.append(block(lines))
            else:
                items.append(value_of(inner, lines, indent))
        return items
    mapping = {}
    while lines and lines[0][0] == indent and not lines[0][1].startswith("- "):
        key, _, text = lines.pop(0)[1].partition(":")
        mapping[scalar(key)] = value_of(text.strip(), lines, indent)
    return mapping


def yaml(text):
    lines = [re.sub(r"(^|\s)#.*", "", line).rstrip() for line in text.splitlines()]
    return block([(len(line) - len(line.lstrip()), line.strip()) for line in lines if line])


def objects(path):
    """All Services in a file."""
    with open(path, encoding="utf-8", errors="replace") as source:
        text = source.read()
    if text.lstrip().startswith("{"):
        whole = json.loads(text)
        yield from (item for item in whole.get("items", [whole]) if item.get("kind") == "Service")
        return
    for document in re.split(r"(?m)^---.*$", text):
        if re.search(r"(?m)^kind:\s*[\"']?Service[\"']?\s*(#.*)?$", document):
            yield yaml(document)


def files(paths):
    for path in paths:
        if os.path.isdir(path):
            for directory, _, names in os.walk(path):
                yield from (os.path.join(directory, name) for name in sorted(names)
                            if name.endswith((".yaml", ".yml", ".json")))
        else:
            yield path


class Backend:
    def __init__(self, address, port):
        self.address, self.port = address, port


class Frontend:
    """One address and port of a Service, and who answers there."""

    def __init__(self, service, address, protocol, port):
        self.service, self.address, self.protocol, self.port = service, address, protocol, port
        self.backends = []

    def rules(self, name):
        """Its chains, and the rule that leads there."""
        family = "ip6" if ":" in self.address else "ip"
        targets = []
        for number, backend in enumerate(self.backends):
            target = f"[{backend.address}]" if family == "ip6" else backend.address
            targets.append(f"{number} : goto {name}-{number}")
            yield f"""chain {name}-{number} {{
                {family} saddr {backend.address} meta mark set meta mark or {MASQUERADE:#x}
                meta l4proto {self.protocol} dnat {family} to {target}:{backend.port}
            }}"""
        spread = f"numgen random mod {len(targets)} vmap {{ {', '.join(targets)} }}" if targets else "drop"
        yield f"chain services {{ {family} daddr {self.address} {self.protocol} dport {self.port} {spread}; }}"


def port_of(pod, wanted, protocol):
    """The number of a targetPort, which may be a name."""
    if isinstance(wanted, int):
        return wanted
    return next((port["port"] for port in pod["ports"] if (port["name"], port["protocol"]) == (wanted, protocol)), None)


def selects(selector, pod):
    return all(pod["labels"].get(key) == str(text) for key, text in selector.items())


def read(paths, pods):
    """The frontends of all Services with a cluster address and a selector."""
    frontends = []
    for path in files(paths):
        try:
            found = list(objects(path))
        except (ValueError, IndexError, AttributeError, TypeError) as error:
            sys.exit(f"lab: {path}: cannot read its Services: {error}")
        for service in found:
            frontends += frontends_of(service, pods)
    return frontends


def frontends_of(service, pods):
    spec, metadata = service["spec"], service["metadata"]
    namespace = metadata.get("namespace") or "default"
    addresses = spec.get("clusterIPs") or [spec.get("clusterIP")]
    for address in addresses:
        for port in spec.get("ports") or []:
            protocol = (port.get("protocol") or "TCP").lower()
            if address in (None, "None") or not spec.get("selector"):
                continue
            front = Frontend(f"{namespace}/{metadata['name']}", address, protocol, port["port"])
            for pod in pods:
                number = port_of(pod, port.get("targetPort") or port["port"], protocol)
                same = [own for own in pod["addresses"] if (":" in own) == (":" in address)]
                if pod["namespace"] == namespace and selects(spec["selector"], pod) and number and same:
                    front.backends.append(Backend(same[0], number))
            yield front


def ruleset(frontends):
    """For every node."""
    lines = [line for number, front in enumerate(frontends) for line in front.rules(f"service-{number}")]
    return "\n".join(["table inet lab {", *lines, f"""
        chain services {{ }}
        chain prerouting {{ type nat hook prerouting priority dstnat; goto services; }}
        chain output {{ type nat hook output priority -100; goto services; }}
        chain postrouting {{
            type nat hook postrouting priority srcnat;
            meta mark & {MASQUERADE:#x} == {MASQUERADE:#x} masquerade
        }}
    }}
    """])
