# SPDX-License-Identifier: GPL-2.0-or-later
"""Names that mean harm to whoever prints them, objects that have them wherever an object has text, and what may be
printed all the same: lines of printable UTF-8, of which those of a dry run are ours."""
import re

INJECTED = "flush ruleset"
TEXTS = [
    f"x\n{INJECTED}\n#", f"x\r{INJECTED}\r\n", f'"; {INJECTED}; "', f"}}\n}}\n{INJECTED}", "\\", "a\\", "a\\nb\\x1b",
    "\x1b[2J\x1b]0;title\x07\x1b[31m", "\u009b2J", "\x80\x85\x9f", "\x7f\x08\x08\x08", "a\tb\vc\fd",
    "\u202egnp.exe\u202c", "\u2066a\u2069\u200f\u061c", "a\u200bb\u2060c\ufeffd\u00ad", "a\u2028b\u2029c",
    "\U000e0041\U000e007f\ufe0f", "\ufffe\uffff", "%s%n%1000000d%%", "{{ .Values.name }}", "{{", "${x} $(id) `id`",
    "<script>alert(1)</script>&", "<3>netpold: injected", "*", "@set", "' OR 1", "#", "-", "schön 日本 🐙 שלום",
    "n" * 253, "ü" * 126, "\x1b" * 63, '"' * 120, "\\" * 119, "日" * 80,
]
BYTES = [b"\xff\xfe", b"a\x9b31mb", b"\xc3", b"\xed\xa0\x80", b"\xc0\xaf", b"ok\xe2\x82"]  # no UTF-8

# As base/escape.c has them; written again, so that a mistake there is seen.
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
                         "\u2028-\u202e\u2060-\u206f\u3164\ufdd0-\ufdef\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
                         "\U000e0000-\U000e0fff]")

NAME = r"[\w./-]+"
QUOTED = r'"[^"]*"'
DRY_RUN = [re.compile(f"^{line}$") for line in (
    "", "}", "\t}", "\t\t}", "#.*", f"(delete )?table (inet|netdev|bridge) netpold", f"table (inet|netdev|bridge) netpold {{",
    rf"\t(chain|set|map) {NAME} {{", rf"\t\tcomment {QUOTED}", r"\t\ttype [\w .]+( : verdict)?", r"\t\tflags interval",
    r"\t\telements = {", rf"\t\ttype filter hook \w+ (device {QUOTED} )?priority [\w +-]+; policy accept;",
    rf"\t\t\t({QUOTED}|[\w.: /-]+)( comment {QUOTED})? : (accept|drop|(jump|goto) {NAME}),?",  # of maps
    rf"\t\t\t({QUOTED}|[\w.:/-]+)([ .,]+({QUOTED}|[\w.:/-]+))*,?",  # of sets
    rf"\t\t[\w@.:,/!={{}} -]+({QUOTED}[\w@.:,/!={{}} -]*)?( comment {QUOTED})?",  # rules
)]


def unclean(output, colours=False):
    """Why this is not what may be printed; None: it is."""
    try:
        text = output.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"no UTF-8: {error}"
    if colours:
        text = re.sub("\x1b\\[[0-9;]*m", "", text)
    for line in text.split("\n"):
        found = UNPRINTABLE.search(line.lstrip("\t"))  # a ruleset is indented
        if found:
            return f"U+{ord(found[0]):04x} in {line!r}"
        if line.lstrip().startswith(INJECTED):
            return f"a line of theirs: {line!r}"
    return None


def foreign_line(ruleset):
    """A line of a dry run that is none of ours; None: there is none."""
    for line in ruleset.decode("utf-8").split("\n"):
        if not any(form.match(line) for form in DRY_RUN):
            return line
    return None


def pod(name, **more):
    metadata = {"name": name, "namespace": more.pop("namespace", "t"), "labels": more.pop("labels", {"app": "web"})}
    metadata.update(more.pop("metadata", {}))
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": more.pop("spec", {"nodeName": "n1"}),
            "status": {"phase": "Running", "podIPs": [{"ip": more.pop("ip", "10.0.0.9")}]}, **more}


def policy(name, spec, **metadata):
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": name, "namespace": "t", **metadata}, "spec": spec}


def decent():
    """What the others are beside: two pods, one policy."""
    return [pod("web", ip="10.0.0.1"), pod("db", ip="10.0.0.2", labels={"app": "db"}),
            policy("allow", {"podSelector": {}, "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "web"}}}]}]})]


def unenforced(text):
    """Of kinds that are only named: nobody looks at their names."""
    return [{"apiVersion": "policy.example.org/v1", "kind": "AdminNetworkPolicy", "metadata": {"name": text}},
            {"apiVersion": "policy.example.org/v1", "kind": f"{text}NetworkPolicy", "metadata": {"name": "a", "namespace": text}},
            {"apiVersion": f"{text}/v1", "kind": "GlobalNetworkPolicy", "metadata": {"name": "b"}}]


def accepted(text, number):
    """Where an API server of some version lets any text in, and so do we."""
    selector = {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": [text]}]}
    return [pod(f"p{number}", spec={"nodeName": text, "containers": [{"name": text, "image": text}]}, ip=f"10.1.0.{number}",
                metadata={"annotations": {text: text}}),
            policy(f"y{number}", {"podSelector": selector, "policyTypes": ["Ingress", "Egress"],
                                  "ingress": [{"from": [{"podSelector": selector, "namespaceSelector": selector}]}]}, uid="u")]


def refused(text):
    """Where nobody does: each is a fault that shows it."""
    one = {"podSelector": {}}
    return [pod(text), pod("a", namespace=text), pod("b", labels={text: "v"}), pod("c", labels={"k": text}),
            pod("d", spec={"containers": [{"ports": [{"name": text, "containerPort": 80}]}]}),
            pod("e", metadata={"annotations": {"netpold.io/interface": text}}), pod("f", ip=text),
            policy(text, one), policy("g", {"podSelector": {"matchLabels": {text: text}}}),
            policy("h", {**one, "policyTypes": [text]}), policy("i", {**one, text: text}),
            policy("j", {**one, "ingress": [{"ports": [{"port": text}, {"protocol": text}]}]}),
            policy("k", {**one, "ingress": [{"from": [{"ipBlock": {"cidr": text, "except": [text]}}]}]}),
            policy("l", {"podSelector": {"matchExpressions": [{"key": text, "operator": text, "values": [text]}]}}),
            {"apiVersion": "networking.k8s.io/v1", "kind": text}, {"apiVersion": text, "kind": "NetworkPolicy"},
            {"apiVersion": "v1", "kind": text}, {"kind": text}, {"apiVersion": text}, text]
