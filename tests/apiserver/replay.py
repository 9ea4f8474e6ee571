# SPDX-License-Identifier: GPL-2.0-or-later
"""Answers recorded from a real server, served as they are: a body file, and its headers file beside it."""

import os
import re
import threading

SKIPPED = ("content-length", "date", "transfer-encoding")


def read_headers(path):
    """(status code, headers) of a file as curl -D writes it."""
    if not os.path.exists(path):
        return 200, {"content-type": "application/json"}
    with open(path, encoding="latin-1") as file:
        first, *lines = file.read().splitlines()
    headers = dict(line.split(": ", 1) for line in lines if ": " in line)
    return int(re.match(r"HTTP/\S+ (\d+)", first)[1]), {
        name: value for name, value in headers.items() if name.lower() not in SKIPPED}


class Replay:
    """order: what to answer, from the control channel. hold: the body is a watch that stays open at its end."""

    def __init__(self, order):
        self.match = {name: order[name] for name in ("resource", "verb", "path", "continue") if name in order}
        self.times = order.get("times", 1)
        self.hold = order.get("hold", order.get("verb") == "watch")
        body = order["body"]
        with open(body, "rb") as file:
            self.body = file.read()
        self.code, self.headers = read_headers(order.get("headers", re.sub(r"\.body$", ".headers", body)))

    def fits(self, request):
        resource = request.target.resource
        asked = {"resource": resource.plural if resource else None, "verb": request.verb, "path": request.path,
                 "continue": bool(request.query.get("continue"))}
        return all(asked[name] == value for name, value in self.match.items())


class Replays:
    def __init__(self):
        self.lock = threading.Lock()
        self.replays = []

    def add(self, order):
        replay = Replay(order)
        with self.lock:
            self.replays.append(replay)

    def clear(self):
        with self.lock:
            self.replays.clear()

    def take(self, request):
        with self.lock:
            for replay in self.replays:
                if replay.fits(request):
                    if replay.times is not None:
                        replay.times -= 1
                        if replay.times <= 0:
                            self.replays.remove(replay)
                    return replay
        return None
