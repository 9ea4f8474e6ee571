# SPDX-License-Identifier: GPL-2.0-or-later
"""The recorded cases of others: do the oracle and the driver say what was recorded?

Cases that are recorded wrongly are listed in exceptions.json, each as
    {"case": NAME, "probe": "FROM TO PROTO", "recorded": VERDICTS, "ours": VERDICTS, "reason": TEXT}
where VERDICTS are the fields that were recorded ("verdict", and "egress" and "ingress" where present). An exception
that no probe needs is an error. (The entry with the licence is there because JSON has no comments.)

Exit status: 0 no difference, 1 a difference, 2 usage, 77 skipped.
"""

import argparse
import collections
import glob
import json
import lzma
import os
import sys
import time

from driver import Driver, DriverFailure
from oracle import Oracle

HERE = os.path.dirname(os.path.abspath(__file__))
CORPORA = os.path.join(HERE, "..", "..", "..", "shared", "corpora")
EXCEPTIONS = os.path.join(HERE, "exceptions.json")

# Not NetworkPolicy.
OTHER_KINDS = {"conformance-anp-v1alpha1"}

MOST_PRINTED = 20


def objects_of(case):
    """The recorded cluster as Kubernetes objects."""
    objects = []
    for item in case["namespaces"]:
        metadata = {"name": item["name"], "labels": item.get("labels") or {}}
        objects.append({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    for item in case.get("nodes") or []:
        addresses = [{"type": "InternalIP", "address": address} for address in item.get("addresses") or []]
        metadata = {"name": item["name"], "labels": item.get("labels") or {}}
        objects.append({"apiVersion": "v1", "kind": "Node", "metadata": metadata, "status": {"addresses": addresses}})
    for item in case["pods"]:
        containers = [dict(container, image="i") for container in item["containers"]]
        spec = {"containers": containers}
        if item.get("node"):
            spec["nodeName"] = item["node"]
        if item.get("hostNetwork"):
            spec["hostNetwork"] = True
        objects.append({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"namespace": item["ns"], "name": item["name"], "labels": item.get("labels") or {}},
            "spec": spec,
            "status": {"phase": "Running", "podIP": item["ip"], "podIPs": [{"ip": item["ip"]}]},
        })
    return objects + case["policies"]


def flow_of(probe):
    frm, to = (probe[field].removeprefix("ip:") for field in ("from", "to"))
    return [frm, to, f"{probe['protocol'].lower()}/{probe['port']}"]


def recorded_of(probe):
    recorded = {"verdict": probe["expect"]}
    for field in ("egress", "ingress"):
        if field in probe:
            recorded[field] = probe[field]
    return recorded


class Checker:
    def __init__(self, exceptions):
        self.exceptions = {(item["case"], item["probe"]): item for item in exceptions}
        self.used = set()
        self.differences = 0

    def complain(self, text):
        self.differences += 1
        if self.differences <= MOST_PRINTED:
            print(text)
        elif self.differences == MOST_PRINTED + 1:
            print("... and more")

    def check(self, who, case, flow, recorded, verdict):
        found = {field: verdict.get(field) if isinstance(verdict, dict) else None for field in recorded}
        probe = " ".join(flow)
        exception = self.exceptions.get((case, probe))
        if exception and exception["recorded"] == recorded:
            self.used.add((case, probe))
            recorded = exception["ours"]
        if found != recorded:
            self.complain(f"DIFFERENT {case}: {probe}: recorded {json.dumps(recorded)}, {who} {json.dumps(found)}")

    def report_exceptions(self):
        for key, item in self.exceptions.items():
            if key in self.used:
                print(
                    f"exception {item['case']}: {item['probe']}: recorded {json.dumps(item['recorded'])}, "
                    f"ours {json.dumps(item['ours'])}: {item['reason']}"
                )
            else:
                self.complain(f"UNUSED exception {item['case']}: {item['probe']}")


def check_file(path, checker, driver):
    """Counts. The steps of one case follow each other in the file."""
    counts = collections.Counter()
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            case = json.loads(line)
            probes = [probe for probe in case["probes"] if not probe.get("loopback")]
            objects, flows = objects_of(case), [flow_of(probe) for probe in probes]
            update = case["step"] != 1
            oracle = Oracle(objects)
            answers = {"oracle": [oracle.verdict(*flow) for flow in flows]}
            if driver:
                answers["driver"] = driver.ask(objects, flows, update=update)
            for who, verdicts in answers.items():
                for probe, flow, verdict in zip(probes, flows, verdicts):
                    checker.check(who, case["name"], flow, recorded_of(probe), verdict)
            counts["steps"] += 1
            counts["cases"] += not update
            counts["probes"] += len(probes)
            counts["loopback"] += len(case["probes"]) - len(probes)
            for probe in probes:
                counts[probe["expect"]] += 1
    return counts


def line_of(name, counts):
    return (
        f"{name}: {counts['cases']} cases, {counts['steps']} steps, {counts['probes']} probes "
        f"({counts['allow']} allow, {counts['deny']} deny), {counts['loopback']} loopback skipped"
    )


def parse_options():
    parser = argparse.ArgumentParser(description="compare the oracle and a driver with recorded cases")
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument("--driver", metavar="PATH", help="a program, or a Python file")
    who.add_argument("--self", action="store_true", help="the oracle only")
    parser.add_argument("--corpora", default=CORPORA, metavar="DIR")
    parser.add_argument("--exceptions", default=EXCEPTIONS, metavar="FILE")
    options = parser.parse_args()
    if options.driver and not os.path.isfile(options.driver):
        parser.error(f"no such driver: {options.driver}")
    return options


def main():
    options = parse_options()
    if not os.path.isdir(options.corpora):
        print(f"SKIPPED: the recorded cases are not there: {os.path.normpath(options.corpora)}")
        return 77
    found = glob.glob(os.path.join(options.corpora, "*.jsonl.xz"))
    names = {path: os.path.basename(path).removesuffix(".jsonl.xz") for path in found}
    paths = sorted(path for path, name in names.items() if name not in OTHER_KINDS)
    if not paths:
        print(f"no *.jsonl.xz in {options.corpora}")
        return 1
    with open(options.exceptions, encoding="utf-8") as file:
        checker = Checker([item for item in json.load(file) if "case" in item])

    began = time.monotonic()
    driver = Driver(options.driver) if options.driver else None
    total = collections.Counter()
    try:
        for path in paths:
            counts = check_file(path, checker, driver)
            total.update(counts)
            print(line_of(names[path], counts), flush=True)
        if driver and driver.close() != 0:
            checker.complain(f"the driver ended with status {driver.process.returncode}")
    except DriverFailure as failure:
        checker.complain(f"no verdicts in {path}: {failure}")
    checker.report_exceptions()
    print(
        f"{line_of('all', total)}; {len(checker.exceptions)} exceptions, {checker.differences} differences; "
        f"{time.monotonic() - began:.1f} s"
    )
    return 1 if checker.differences else 0


if __name__ == "__main__":
    sys.exit(main())
