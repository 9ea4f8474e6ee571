# SPDX-License-Identifier: GPL-2.0-or-later
"""What netpold's rules have dropped: a packet that does not arrive was denied when it is counted there."""
import collections
import re
import subprocess

COMMENT_MAX = 120  # of a chain's comment, which names the pod
CHAIN = re.compile(r"chain ([ei])[_46][^\n]*\{\n\s*comment \"([^\"]*)\"\n(.*?)\n\t\}", re.DOTALL)
DROP = re.compile(r"counter packets (\d+) bytes \d+ drop")


def place(direction, pod):
    """Where a packet is counted that this direction of the pod denies."""
    return direction[0], pod[:COMMENT_MAX]


class Drops:
    """The counters of all nodes of a lab."""

    def __init__(self, lab):
        self.spaces = [lab.spaces[f"node-{name}"] for name in lab.nodes]

    def read(self):
        """How many, by place."""
        found = collections.Counter()
        for space in self.spaces:
            space.enter()
            done = subprocess.run(["nft", "--terse", "list", "table", "inet", "netpold"], stdout=subprocess.PIPE, text=True,
                                  check=True)
            for direction, pod, rules in CHAIN.findall(done.stdout):
                found[direction, pod] += sum(int(packets) for packets in DROP.findall(rules))
        return found
