# SPDX-License-Identifier: GPL-2.0-or-later
"""What was asked of the server, so that tests can show that nobody hammers it."""

import collections
import threading
import time

LOG_MAX = 100000


class Stats:
    def __init__(self):
        self.lock = threading.Lock()
        self.reset()

    def reset(self):
        with self.lock:
            self.counts = collections.Counter()
            self.requests = collections.Counter()
            self.log = collections.deque(maxlen=LOG_MAX)
            self.errors = []

    def count(self, what, number=1):
        with self.lock:
            self.counts[what] += number

    def request(self, request, code):
        """One line of the log; requests that are answered by nothing have code 0."""
        resource = request.target.resource
        what = f"{request.verb} {resource.plural if resource else request.path}"
        entry = {"at": time.monotonic(), "verb": request.verb, "resource": resource.plural if resource else None,
                 "path": request.path, "query": request.query, "user": request.user, "code": code}
        with self.lock:
            self.requests[what] += 1
            self.log.append(entry)

    def error(self, text):
        with self.lock:
            self.errors.append(text)

    def shown(self, watches, connections):
        with self.lock:
            return {"requests": dict(self.requests), "watches": watches, "open_connections": connections,
                    "errors": list(self.errors)} | {
                        name: self.counts[name] for name in ("connections", "handshakes", "failed_handshakes",
                                                             "bytes_sent", "events_sent")}

    def logged(self):
        with self.lock:
            return list(self.log)
