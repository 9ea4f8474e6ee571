# SPDX-License-Identifier: GPL-2.0-or-later
"""Random clusters: does the driver say what the oracle says?

Clusters come in blocks of four. The first of a block is built afresh; each of the others is either built afresh too,
or is a later state of the one before it, to which the driver moves by single events. A block is a function of the seed
and its number.

At the first difference the case is made as small as it goes and printed. Exit status: 0 no difference, 1 a difference,
or the clusters were too tame to show one, 2 usage.
"""

import argparse
import collections
import copy
import json
import multiprocessing
import os
import queue
import random
import secrets
import sys
import time

import generate
from driver import Driver, DriverFailure
from oracle import Oracle

BLOCK = 4
FIELDS = ("verdict", "egress", "ingress")

# The least share of each verdict, in percent, for a run to count as a test.
LEAST_SHARE = {"allow": 20, "deny": 8, "mixed": 1, "none": 5}
ENOUGH_FLOWS = 2000

# While shrinking: how many seconds for one answer, and for everything.
PATIENCE = 10
ENOUGH_SHRINKING = 300


def make_block(seed, number, count, flows):
    """The first `count` steps of block `number`."""
    rng = random.Random(f"{seed}/{number}")
    steps = []
    for _ in range(count):
        if steps and rng.random() < 0.5:
            previous = steps[-1]
            objects, asked = generate.mutate(rng, previous["objects"], previous["node"], flows)
            steps.append({"update": True, "node": previous["node"], "objects": objects, "flows": asked})
        else:
            objects, node, asked = generate.cluster(rng, flows)
            steps.append({"update": False, "node": node, "objects": objects, "flows": asked})
        steps[-1]["allow_local_node"] = rng.random() < 0.25
    return steps


def expected(step):
    oracle = Oracle(step["objects"], step["node"], step["allow_local_node"])
    return [oracle.verdict(*flow) for flow in step["flows"]]


def same(ours, theirs):
    return isinstance(theirs, dict) and all(ours[field] == theirs.get(field) for field in FIELDS)


# ---------------------------------------------------------------------------------------------------------------------
# Comparing


class Mismatch(Exception):
    def __init__(self, kind, step, flow, ours, theirs):
        super().__init__(kind)
        self.kind = kind  # "verdict", or the kind of the driver's failure
        self.step = step  # number of the step
        self.flow = flow  # None: no verdicts at all
        self.ours = ours
        self.theirs = theirs


def check_step(driver, number, step):
    """The oracle's verdicts, if the driver gives the same."""
    ours = expected(step)
    try:
        theirs = driver.ask(step["objects"], step["flows"], step["node"], step["update"], step["allow_local_node"])
    except DriverFailure as failure:
        raise Mismatch(failure.kind, number, None, ours, str(failure)) from None
    for flow, our, their in zip(step["flows"], ours, theirs):
        if not same(our, their):
            raise Mismatch("verdict", number, flow, our, their)
    return ours


def work(worker, options, stop, results):
    counts = collections.Counter()
    driver = Driver(options.driver, options.timeout)
    blocks = -(-options.clusters // BLOCK)
    for number in range(worker, blocks, options.jobs):
        if stop.is_set():
            break
        steps = make_block(options.seed, number, min(BLOCK, options.clusters - number * BLOCK), options.flows)
        for index, step in enumerate(steps):
            try:
                ours = check_step(driver, index, step)
            except Mismatch as found:
                stop.set()
                driver.close()
                start = max(i for i in range(index + 1) if not steps[i]["update"])
                case = (number, steps[start : index + 1], found.kind, found.flow, found.ours, found.theirs)
                results.put((counts, case))
                return
            counts["clusters"] += 1
            counts["updates"] += step["update"]
            counts["flows"] += len(ours)
            for verdict in ours:
                for field in FIELDS:
                    counts[field, verdict[field]] += 1
    status = driver.close()
    failed = None
    if status != 0:
        failed = (None, [], "died", None, None, f"the driver ended with status {status} after its last answer")
        stop.set()
    results.put((counts, failed))


# ---------------------------------------------------------------------------------------------------------------------
# Shrinking


class Replay:
    """Asks the driver about a list of steps, as often as the shrinker likes."""

    def __init__(self, options, renew):
        self.options = options
        self.renew = renew  # a new process each time
        self.driver = None
        self.asked = 0

    def close(self):
        if self.driver:
            self.driver.close()
            self.driver = None

    def mismatch(self, steps):
        """The first one, or None."""
        self.asked += 1
        if self.renew:
            self.close()
        self.driver = self.driver or Driver(self.options.driver, min(self.options.timeout, PATIENCE), quiet=True)
        try:
            for number, step in enumerate(steps):
                check_step(self.driver, number, step)
        except Mismatch as found:
            if found.kind != "verdict":
                self.close()
            return found
        return None


def removable(value, path=()):
    """Paths of everything that can be taken out of an object, level by level."""
    level = [(path, value)]
    while level:
        deeper = []
        for where, item in level:
            if isinstance(item, dict):
                children = list(item.items())
            elif isinstance(item, list):
                children = list(enumerate(item))
            else:
                continue
            for key, child in children:
                if where + (key,) not in (("apiVersion",), ("kind",), ("metadata",), ("metadata", "name")):
                    yield where + (key,)
                deeper.append((where + (key,), child))
        level = deeper


def without(obj, path):
    """A copy of the object without what is at the path; None if nothing is there."""
    result = copy.deepcopy(obj)
    parent = result
    try:
        for key in path[:-1]:
            parent = parent[key]
        del parent[path[-1]]
    except (KeyError, IndexError, TypeError):
        return None
    return result


class Shrinker:
    def __init__(self, replay, steps, kind):
        self.replay = replay
        self.kind = kind
        self.steps = steps
        self.deadline = time.monotonic() + ENOUGH_SHRINKING

    def attempt(self, steps):
        """Keeps the steps if they are fit to be kept: valid, and different in the same way."""
        if time.monotonic() > self.deadline or any(generate.problems(step["objects"]) for step in steps):
            return False
        found = self.replay.mismatch(steps)
        if not found or found.kind != self.kind:
            return False
        steps = [dict(step) for step in steps[: found.step + 1]]
        steps[0]["update"] = False
        if found.flow:
            steps[-1]["flows"] = [found.flow]
        self.steps = steps
        return True

    def with_step(self, number, **changes):
        return [dict(step, **changes) if i == number else step for i, step in enumerate(self.steps)]

    def drop_steps(self):
        number = 0
        while number < len(self.steps) - 1:
            rest = [dict(step) for i, step in enumerate(self.steps) if i != number]
            rest[0]["update"] = False
            if not self.attempt(rest):
                number += 1

    def drop_flows(self):
        for number in range(len(self.steps)):
            flows = self.steps[number]["flows"]
            if flows and number < len(self.steps) - 1:
                self.attempt(self.with_step(number, flows=[]))
            index = 0
            while number < len(self.steps) and index < len(self.steps[number]["flows"]):
                flows = self.steps[number]["flows"]
                if len(flows) == 1 and number == len(self.steps) - 1 and self.kind == "verdict":
                    break
                if not self.attempt(self.with_step(number, flows=flows[:index] + flows[index + 1 :])):
                    index += 1

    def change_object(self, key, numbers, change):
        """change(object) -> the object to put in its place, None to drop it; in all the given steps at once."""
        steps, changed = [], False
        for number, step in enumerate(self.steps):
            if number in numbers:
                objects = []
                for obj in step["objects"]:
                    new = change(obj) if generate.key_of(obj) == key else obj
                    changed = changed or new is not obj
                    if new is not None:
                        objects.append(new)
                step = dict(step, objects=objects)
            steps.append(step)
        return changed and self.attempt(steps)

    def groups(self):
        """All steps together, then one by one."""
        everywhere = range(len(self.steps))
        yield set(everywhere)
        if len(self.steps) > 1:
            for number in everywhere:
                yield {number}

    def keys(self, numbers):
        found = []
        for number in numbers:
            if number < len(self.steps):
                found += [generate.key_of(obj) for obj in self.steps[number]["objects"]]
        return sorted(set(found))

    def drop_objects(self):
        for numbers in list(self.groups()):
            for key in self.keys(numbers):
                self.change_object(key, numbers, lambda obj: None)

    def drop_parts(self):
        for numbers in list(self.groups()):
            for key in self.keys(numbers):
                tried = set()
                again = True
                while again:
                    again = False
                    paths = []
                    for number in sorted(numbers):
                        if number < len(self.steps):
                            for obj in self.steps[number]["objects"]:
                                if generate.key_of(obj) == key:
                                    paths += list(removable(obj))
                    for path in sorted(set(paths) - tried, key=lambda path: (len(path), str(path))):
                        tried.add(path)

                        def change(obj, path=path):
                            smaller = without(obj, path)
                            return obj if smaller is None else smaller

                        if self.change_object(key, numbers, change):
                            if isinstance(path[-1], int):  # what came behind it has moved
                                tried = {other for other in tried if other[: len(path) - 1] != path[:-1]}
                            again = True
                            break

    def narrow_protocol(self):
        """One point instead of all of them."""
        if self.kind != "verdict":
            return
        last = self.steps[-1]
        frm, to, proto = last["flows"][0]
        if "/" in proto or proto == "icmp":
            return
        for protocol, number in Oracle(last["objects"]).points(proto):
            point = "icmp" if number is None else f"{protocol.lower()}/{number}"
            if self.attempt(self.with_step(len(self.steps) - 1, flows=[[frm, to, point]])):
                return

    def size(self):
        return len(json.dumps(self.steps))

    def run(self):
        before = None
        while before != self.size():
            before = self.size()
            self.drop_steps()
            self.drop_flows()
            self.drop_objects()
            self.drop_parts()
            self.narrow_protocol()


def shrink(options, steps, kind):
    """(the smallest steps found, the mismatch they show), or None if a new process does not show it."""
    for renew in (False, True):
        replay = Replay(options, renew)
        try:
            if not replay.mismatch(steps):
                return None
            shrinker = Shrinker(replay, steps, kind)
            if not shrinker.attempt(steps):
                return None
            shrinker.run()
            replay.close()  # what is shown has to be true of a new process
            found = replay.mismatch(shrinker.steps)
        finally:
            replay.close()
        if found and found.kind == kind:
            return shrinker.steps, found
    return None


def report(options, case):
    number, steps, kind, flow, ours, theirs = case
    print(f"MISMATCH ({kind}) seed {options.seed} block {number}", flush=True)
    if steps:
        print("shrinking ...", flush=True)
        smaller = shrink(options, copy.deepcopy(steps), kind)
        if smaller:
            steps, found = smaller
            flow, ours, theirs = found.flow, found.ours, found.theirs
        else:
            print(
                "a new driver process does not show it: it depends on what was asked before. To see it again:\n"
                f"    --seed {options.seed} --jobs {options.jobs} --clusters {options.clusters} --flows {options.flows}"
            )
    for index, step in enumerate(steps):
        print(f"--- step {index + 1} of {len(steps)}: {'update' if step['update'] else 'afresh'}, node {step['node']}")
        for obj in step["objects"]:
            print(json.dumps(obj))
    print("--- requests")
    for index, step in enumerate(steps):
        print(json.dumps({"id": index + 1, **step}))
    print("---")
    print(f"flow:   {' '.join(flow) if flow else 'no verdicts at all'}")
    print(f"oracle: {json.dumps(ours)}")
    print(f"driver: {json.dumps(theirs)}", flush=True)


# ---------------------------------------------------------------------------------------------------------------------


def tame(counts):
    """What was asked too rarely."""
    if counts["flows"] < ENOUGH_FLOWS:
        print(f"fewer than {ENOUGH_FLOWS} flows: the shares of the verdicts are not judged")
        return []
    return [
        f"{field} {name}: {100 * counts[field, name] / counts['flows']:.1f} % of the flows, not {least} %"
        for field in FIELDS
        for name, least in LEAST_SHARE.items()
        if 100 * counts[field, name] < least * counts["flows"]
    ]


def positive(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def parse_options():
    parser = argparse.ArgumentParser(description="compare a driver with the oracle on random clusters")
    parser.add_argument("--driver", required=True, metavar="PATH", help="a program, or a Python file")
    parser.add_argument("--clusters", type=positive, default=20000, metavar="N")
    parser.add_argument("--flows", type=positive, default=8, metavar="M", help="per cluster")
    parser.add_argument("--seed", metavar="S", help="random, unless given")
    parser.add_argument("--jobs", type=positive, default=2, metavar="J")
    parser.add_argument("--timeout", type=positive, default=60, metavar="SECONDS", help="for one answer")
    options = parser.parse_args()
    if not os.path.isfile(options.driver):
        parser.error(f"no such driver: {options.driver}")
    if options.seed is None:
        options.seed = str(secrets.randbelow(1 << 32))
    return options


def main():
    options = parse_options()
    print(f"seed {options.seed}", flush=True)
    began = time.monotonic()
    stop, results = multiprocessing.Event(), multiprocessing.Queue()
    workers = [
        multiprocessing.Process(target=work, args=(number, options, stop, results)) for number in range(options.jobs)
    ]
    for worker in workers:
        worker.start()

    counts, cases, answered = collections.Counter(), [], 0
    while answered < len(workers):
        try:
            part, case = results.get(timeout=1)
        except queue.Empty:  # has a worker ended without a word?
            if all(not worker.is_alive() for worker in workers) and results.empty():
                break
            continue
        answered += 1
        counts.update(part)
        if case:
            cases.append(case)
    for worker in workers:
        worker.join()
    seconds = time.monotonic() - began

    if cases:
        report(options, min(cases, key=lambda case: len(json.dumps(case[1])) or 1 << 30))
    failed = bool(cases)
    if any(worker.exitcode for worker in workers):
        print("a worker failed")
        failed = True
    if not failed:
        for line in tame(counts):
            print(f"TOO TAME: {line}")
            failed = True
    verdicts = ", ".join(f"{counts['verdict', name]} {name}" for name in LEAST_SHARE)
    print(
        f"seed {options.seed}: {counts['clusters']} clusters ({counts['updates']} by update), {counts['flows']} flows: "
        f"{verdicts}; {seconds:.1f} s, {counts['clusters'] / seconds:.0f} clusters/s"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
