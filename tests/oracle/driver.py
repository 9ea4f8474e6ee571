# SPDX-License-Identifier: GPL-2.0-or-later
"""The other side of the driver protocol: requests to a process and answers from it, one JSON object per line.

request:   {"id": 7, "node": null, "update": false, "allow_local_node": false,
            "objects": [...], "flows": [["FROM", "TO", "PROTO"], ...]}
response:  {"id": 7, "verdicts": [{"verdict": "...", "egress": "...", "ingress": "..."}, ...]}
or         {"id": 7, "error": "text"}
"""

import json
import os
import select
import subprocess
import sys
import time


class DriverFailure(Exception):
    """No verdicts. kind: "error" (it says so itself), "died", "silent" or "garbage"."""

    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind


class Driver:
    def __init__(self, path, timeout=60, quiet=False):
        """path: a program, or a Python file. quiet: what it writes to stderr is thrown away."""
        command = [sys.executable, path] if path.endswith(".py") else [os.path.abspath(path)]
        self.timeout = timeout
        self.ids = 0
        self.buffer = b""
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if quiet else None,
        )

    def close(self):
        try:
            self.process.stdin.close()
        except OSError:
            pass
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        return self.process.returncode

    def dead(self):
        return DriverFailure("died", f"the driver ended with status {self.close()} instead of answering")

    def read_line(self):
        deadline = time.monotonic() + self.timeout
        while b"\n" not in self.buffer:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                self.process.kill()
                self.close()
                raise DriverFailure("silent", f"no answer within {self.timeout} seconds")
            data = os.read(self.process.stdout.fileno(), 1 << 16)
            if not data:
                raise self.dead()
            self.buffer += data
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line

    def ask(self, objects, flows, node=None, update=False, allow_local_node=False):
        """The verdicts, one per flow."""
        self.ids += 1
        request = {"id": self.ids, "node": node, "update": update, "allow_local_node": allow_local_node,
                   "objects": objects, "flows": flows}
        try:
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()
        except OSError:  # a broken pipe
            raise self.dead() from None
        line = self.read_line()
        try:
            response = json.loads(line)
        except ValueError:
            raise DriverFailure("garbage", f"not JSON: {line[:200]!r}") from None
        if not isinstance(response, dict) or response.get("id") != self.ids:
            raise DriverFailure("garbage", f"not the answer to request {self.ids}: {line[:200]!r}")
        if "error" in response:
            raise DriverFailure("error", f"error: {response['error']}")
        verdicts = response.get("verdicts")
        if not isinstance(verdicts, list) or len(verdicts) != len(flows):
            raise DriverFailure("garbage", f"not {len(flows)} verdicts: {line[:200]!r}")
        return verdicts
