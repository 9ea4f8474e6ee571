# SPDX-License-Identifier: GPL-2.0-or-later
"""watch: events from a version on, bookmarks, streaming lists, the end after timeoutSeconds."""

import queue
import random
import time

import shape
from lists import parse_version
from matching import Selection
from status import expired_version, forbidden_field, invalid, not_supported, version_too_large
from store import Event, Expired, Watcher


class Order:
    """What the control channel wants of an open watch: "bookmark", "end", "line" or a way to misbehave."""

    def __init__(self, how, **rest):
        self.how = how
        self.rest = rest


def watch_option_errors(query, streaming_lists):
    errors, match = [], query.get("resourceVersionMatch", "")
    if "sendInitialEvents" in query:
        if match != "NotOlderThan":
            errors.append(forbidden_field("resourceVersionMatch",
                                          "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"))
        if not streaming_lists:
            errors.append(forbidden_field("sendInitialEvents", "sendInitialEvents is forbidden for watch unless the"
                                                               " WatchList feature gate is enabled"))
    if match:
        if "sendInitialEvents" not in query:
            errors.append(forbidden_field("resourceVersionMatch", "resourceVersionMatch is forbidden for watch unless"
                                                                  " sendInitialEvents is provided"))
        if match != "NotOlderThan":
            errors.append(not_supported("resourceVersionMatch", match, ["NotOlderThan"]))
    return errors


def without_streaming_lists(query):
    """What a server older than streaming lists reads: it skips parameters that it does not know."""
    return {name: value for name, value in query.items() if name not in ("sendInitialEvents", "resourceVersionMatch")}


class Watch:
    """One watch. lines() is its stream: bytes, None when the client should be looked after, an Order to obey."""

    def __init__(self, request, store, settings, form):
        query = request.query
        if settings.streaming_lists == "ignored":
            query = without_streaming_lists(query)
        target = request.target
        errors = watch_option_errors(query, settings.streaming_lists != "refused")
        if errors:
            raise invalid("meta.k8s.io", "ListOptions", "", errors)
        if target.name:
            query = query | {"fieldSelector": f"metadata.name={target.name}"}
        self.resource = target.resource
        self.selection = Selection(target.resource, target.namespace, query)
        self.store = store
        self.settings = settings
        self.form = form
        self.bookmarks = query.get("allowWatchBookmarks", "").lower() in ("1", "true")
        self.initial = query.get("sendInitialEvents", "").lower() in ("1", "true")
        self.watcher = Watcher(target.resource)
        seconds = request.number("timeoutSeconds") or random.uniform(1800, 3600)
        self.deadline = time.monotonic() + seconds
        self.next_bookmark = time.monotonic() + settings.bookmark_seconds
        self.start(query.get("resourceVersion", ""))

    def start(self, text):
        version = parse_version(text) if text else 0
        if self.initial and version > self.store.version:
            raise version_too_large(version, self.store.version)
        self.failure = None
        self.whole = self.initial or version == 0
        try:
            self.past, current = self.store.watch(self.watcher, None if self.whole else version)
            self.version = current if self.whole else version
        except Expired as error:
            self.past, self.version = [], version
            self.failure = expired_version(error.version, error.oldest)

    def close(self):
        self.store.unwatch(self.watcher)

    def error(self, status):
        return shape.event("ERROR", shape.encode(status))

    def lines(self):
        """Ends when the watch does. The status of an expired version ends it at once."""
        if self.failure:
            yield self.error(self.failure)
            return
        if self.whole:
            yield from self.initial_lines()
        else:
            yield from filter(None, map(self.line, self.past))
        self.past = None
        yield from self.live_lines()

    def initial_lines(self):
        for entry in self.past:
            if self.selection.holds(entry):
                yield shape.event("ADDED", self.form.object(entry))
        if self.initial and self.bookmarks:
            yield self.form.bookmark(self.version, True)

    def live_lines(self):
        while time.monotonic() < self.deadline:
            found = self.next_thing()
            if isinstance(found, Event):
                line = self.line(found)
                if line:
                    yield line
            elif found is not None and found.how == "bookmark":
                if self.bookmarks:
                    yield self.form.bookmark(found.rest["version"], False)
            elif found is not None and found.how == "end":
                return
            elif found is not None:
                yield found
            elif self.bookmarks and time.monotonic() >= self.next_bookmark:
                self.next_bookmark = time.monotonic() + self.settings.bookmark_seconds
                yield self.form.bookmark(self.version, False)
        if self.bookmarks:
            yield self.form.bookmark(self.version, False)

    def next_thing(self):
        until = min(self.deadline, self.next_bookmark) if self.bookmarks else self.deadline
        try:
            return self.watcher.events.get(timeout=max(0, until - time.monotonic()))
        except queue.Empty:
            return None

    def line(self, event):
        """The event as this watch sees it: what leaves the selection is deleted for it."""
        self.version = event.version
        before = event.kind != "ADDED" and self.selection.holds(event.before)
        after = event.kind != "DELETED" and self.selection.holds(event.entry)
        if after:
            return shape.event("MODIFIED" if before else "ADDED", self.form.object(event.entry))
        if not before:
            return None
        gone = event.entry if event.kind == "DELETED" else event.before.at(event.version)
        return shape.event("DELETED", self.form.object(gone))
