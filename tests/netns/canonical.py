#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A ruleset as text, whether we printed it or nft listed it, in one form: objects by name, elements in order, white
space and counters' values gone. What differs after that differs in meaning or in how it reads."""
import re
import sys


def canonical(text):
    text = re.sub(r"(?m)^\s*#.*$|^(delete )?table \S+ \S+$", "", text)
    # Who owns a table is no part of what it means; nft before 1.1 prints persist, which it does not know, as nothing.
    text = re.sub(r"(?m)^(table \S+ \S+ \{) # progname .*$", r"\1", text)
    text = re.sub(r"(?m)^\tflags *(owner|persist|owner, ?persist)?\n", "", text)
    text = re.sub(r"counter packets \d+ bytes \d+", "counter", text)
    # nft has names for protocols from the machine's /etc/protocols, or none.
    text = text.replace("meta l4proto { ipencap, ipv6, gre }", "meta l4proto { 4, 41, 47 }")
    tables = {}
    for table, body in re.findall(r"(?ms)^table (\S+ \S+) \{\n(.*?)^\}", text):
        objects = {}
        for head, content in re.findall(r"(?ms)^\t((?:set|map|chain) \S+) \{\n(.*?)^\t\}", body):
            elements = re.search(r"(?s)elements = \{(.*)\}", content)
            listed = []
            if elements:
                content = content[:elements.start()] + content[elements.end():]
                listed = sorted(" ".join(item.split()) for item in elements.group(1).split(",\n"))
                listed = sorted(part.strip() for item in listed for part in re.split(r", (?=[0-9a-f:\"])", item))
            lines = [" ".join(line.split()) for line in content.splitlines() if line.strip()]
            head_lines = sorted(line for line in lines if re.match(r"type |flags |comment |size ", line))
            rules = [line for line in lines if line not in head_lines]
            objects[head] = head_lines + rules + [f"element {item}" for item in listed]
        tables[table] = objects
    for table in sorted(tables):
        for name in sorted(tables[table]):
            yield f"{table} {name}"
            yield from (f"  {line}" for line in tables[table][name])


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as source:
        print("\n".join(canonical(source.read())))
