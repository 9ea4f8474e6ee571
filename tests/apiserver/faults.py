# SPDX-License-Identifier: GPL-2.0-or-later
"""Misbehaviour on command: which requests it strikes, how often, and what it is.

how: a status (401, 403, 404, 410, 429, 500, 502, 503, 504), the same as an ERROR event of a watch that begins well
(410-event, 500-event...), reset (before any answer), or one of streams.KINDS."""

import threading

import shape
import streams
from lists import encode_token
from status import (expired_continue, expired_version, forbidden, forbidden_path, page_not_found, refusal, Refusal,
                    status_object, unauthorized)

TOO_MANY = "Too many requests, please try again later."


def refuse_403(request, fault, store):
    target = request.target
    if target.resource is None:
        return forbidden_path(request.user, request.method.lower(), request.path)
    return forbidden(request.user, request.verb, target.resource, target.subresource, target.namespace, target.name)


def refuse_410(request, fault, store):
    if request.query.get("continue"):
        return expired_continue(encode_token(-1, "x\0"))
    version = request.query.get("resourceVersion", "0")
    return Refusal(410, expired_version(version, store.version))


def refuse_429(request, fault, store):
    if fault.get("status"):
        return refusal(429, "TooManyRequests", TOO_MANY, {"retryAfterSeconds": fault.get("retry_after", 1)})
    return Refusal(429, TOO_MANY, retry_after=1)


def refuse_500(request, fault, store):
    why = "etcdserver: leader changed"
    return refusal(500, "InternalError", f"Internal error occurred: {why}", {"causes": [{"message": why}]})


def refuse_502(request, fault, store):
    return Refusal(502, "<html><body><h1>502 Bad Gateway</h1></body></html>")


def refuse_503(request, fault, store):
    return refusal(503, "ServiceUnavailable", "the server is currently unable to handle the request",
                   {"retryAfterSeconds": fault.get("retry_after", 1)})


def refuse_504(request, fault, store):
    return refusal(504, "Timeout", "Timeout: request did not complete within the allotted timeout",
                   {"retryAfterSeconds": fault.get("retry_after", 1)}, retry_after=1)


REFUSALS = {
    "401": lambda request, fault, store: unauthorized(),
    "403": refuse_403,
    "404": lambda request, fault, store: page_not_found(),
    "410": refuse_410, "429": refuse_429, "500": refuse_500, "502": refuse_502, "503": refuse_503, "504": refuse_504,
}
EVENT = "-event"
KINDS = (*REFUSALS, *(code + EVENT for code in REFUSALS), "reset", *streams.KINDS)


def refusal_for(request, fault, store):
    """What a status is answered with; None when the fault is another."""
    if fault["how"] not in REFUSALS:
        return None
    found = REFUSALS[fault["how"]](request, fault, store)
    if "retry_after" in fault:
        found.retry_after = fault["retry_after"]
    return found


def error_event(how, request, store):
    """The line of a watch that ends it. request None: the watch has been open for a while."""
    code = how.removesuffix(EVENT)
    if request is None:
        status = expired_version(store.FIRST_VERSION, store.version) if code == "410" else status_object(
            int(code), "InternalError", "Internal error occurred")
    else:
        found = REFUSALS[code](request, {}, store)
        status = status_object(found.code, "", found.status.strip()) if found.text else found.status
    return shape.event("ERROR", shape.encode(status))


class Faults:
    def __init__(self):
        self.lock = threading.Lock()
        self.faults = []

    def add(self, fault):
        """times: how many requests it strikes; null: all, until it is cleared."""
        if fault.get("how") not in KINDS:
            raise ValueError(f"how is one of {', '.join(KINDS)}")
        with self.lock:
            self.faults.append(fault | {"times": fault.get("times", 1), "struck": 0})

    def clear(self):
        with self.lock:
            self.faults.clear()

    def waiting(self):
        with self.lock:
            return [dict(fault) for fault in self.faults]

    @staticmethod
    def matches(fault, request):
        resource = request.target.resource
        asked = {"resource": resource.plural if resource else None, "verb": request.verb, "path": request.path,
                 "namespace": request.target.namespace, "user": request.user}
        return all(fault.get(name) in (None, value) for name, value in asked.items())

    def take(self, request):
        with self.lock:
            for fault in self.faults:
                if self.matches(fault, request):
                    fault["struck"] += 1
                    if fault["times"] is not None:
                        fault["times"] -= 1
                        if fault["times"] <= 0:
                            self.faults.remove(fault)
                    return dict(fault)
        return None
