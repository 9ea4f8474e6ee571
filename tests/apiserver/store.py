# SPDX-License-Identifier: GPL-2.0-or-later
"""Objects by resource, one resource version that counts up with each change of any of them, and the events since the
last compaction. Knows nothing of requests."""

import bisect
import json
import queue
import threading

import matching
import shape


class Entry:
    """One state of one object; never changed, only replaced."""

    __slots__ = ("resource", "namespace", "name", "version", "labels", "fields", "_object", "_bytes")

    def __init__(self, resource, item, version):
        item = shape.normal(resource, item | {"metadata": item["metadata"] | {"resourceVersion": str(version)}})
        self.resource = resource
        self.namespace = item["metadata"].get("namespace", "")
        self.name = item["metadata"]["name"]
        self.version = version
        self.labels = item["metadata"].get("labels") or {}
        self.fields = matching.selectable_fields(resource, item)
        self._object = item
        self._bytes = None

    def object(self):
        """A copy: the caller may change it."""
        return json.loads(self.bytes()) | shape.type_meta(self.resource)

    def peek(self):
        """The object itself: the caller must not change it."""
        return self._object

    def bytes(self):
        """As it stands in a list."""
        if self._bytes is None:
            self._bytes = shape.encode_item(self.resource, self._object)
        return self._bytes

    def full(self):
        """As it stands alone."""
        return shape.full(self.resource, self.bytes())

    def at(self, version):
        """The same object with another version: what a deletion shows."""
        return Entry(self.resource, self.object(), version)

    @property
    def key(self):
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


class Event:
    """kind: ADDED, MODIFIED or DELETED. before: the entry that this one replaced."""

    __slots__ = ("kind", "version", "entry", "before")

    def __init__(self, kind, entry, before):
        self.kind = kind
        self.version = entry.version
        self.entry = entry
        self.before = before


class Expired(Exception):
    """The version asked for is older than the last compaction."""

    def __init__(self, version, oldest):
        super().__init__(f"{version} is older than {oldest}")
        self.version = version
        self.oldest = oldest


class Shelf:
    """All objects of one resource."""

    def __init__(self):
        self.entries = {}
        self.keys = None
        self.history = []

    def sorted_keys(self):
        if self.keys is None:
            self.keys = sorted(self.entries)
        return self.keys

    def since(self, version):
        return self.history[bisect.bisect_right(self.history, version, key=lambda event: event.version):]

    def at(self, version):
        """The entries as they were, by undoing what came later."""
        entries = dict(self.entries)
        for event in reversed(self.since(version)):
            if event.before is None:
                entries.pop(event.entry.key, None)
            else:
                entries[event.entry.key] = event.before
        return entries


class Store:
    FIRST_VERSION = 1000

    def __init__(self):
        self.lock = threading.RLock()
        self.version = self.FIRST_VERSION
        self.compacted = self.FIRST_VERSION
        self.shelves = {}
        self.watchers = set()

    def shelf(self, resource):
        return self.shelves.setdefault(resource.key, Shelf())

    def get(self, resource, namespace, name):
        with self.lock:
            return self.shelf(resource).entries.get(f"{namespace}/{name}" if namespace else name)

    def put(self, resource, item):
        """Makes or replaces; the caller holds the lock when it decided by what it had read."""
        with self.lock:
            self.version += 1
            return self.keep(Entry(resource, item, self.version))

    def keep(self, entry):
        with self.lock:
            shelf = self.shelf(entry.resource)
            before = shelf.entries.get(entry.key)
            shelf.entries[entry.key] = entry
            if before is None:
                shelf.keys = None
            self.publish(shelf, Event("MODIFIED" if before else "ADDED", entry, before))
            return entry

    def fill(self, entries):
        """Many new entries, whose versions follow on each other, without an event each: nobody watched them come."""
        with self.lock:
            for entry in entries:
                self.shelf(entry.resource).entries[entry.key] = entry
                self.shelf(entry.resource).keys = None
                self.version = entry.version
            self.compact()

    def remove(self, entry):
        with self.lock:
            self.version += 1
            shelf = self.shelf(entry.resource)
            before = shelf.entries.pop(entry.key)
            shelf.keys = None
            gone = entry.at(self.version)
            self.publish(shelf, Event("DELETED", gone, before))
            return gone

    def publish(self, shelf, event):
        shelf.history.append(event)
        for watcher in self.watchers:
            if watcher.resource is event.entry.resource:
                watcher.events.put(event)

    def compact(self):
        """Forgets how the present state came about."""
        with self.lock:
            self.compacted = self.version
            for shelf in self.shelves.values():
                shelf.history.clear()

    def snapshot(self, resource, version=None):
        """Entries by key and the sorted keys, now or as of a version."""
        with self.lock:
            shelf = self.shelf(resource)
            if version is None or version >= self.version:
                return dict(shelf.entries), shelf.sorted_keys()
            if version < self.compacted:
                raise Expired(version, self.compacted)
            entries = shelf.at(version)
            return entries, sorted(entries)

    def entries(self, resource, namespace=None):
        with self.lock:
            return [entry for entry in self.shelf(resource).entries.values() if namespace in (None, entry.namespace)]

    def watch(self, watcher, version):
        """From now on the watcher gets events. version None: returns all entries, sorted; otherwise the events after
        that version. Second comes the version that was current."""
        with self.lock:
            shelf = self.shelf(watcher.resource)
            if version is not None and version < self.compacted:
                raise Expired(version, self.compacted)
            past = shelf.since(version) if version is not None else [shelf.entries[key] for key in shelf.sorted_keys()]
            self.watchers.add(watcher)
            return past, self.version

    def unwatch(self, watcher):
        with self.lock:
            self.watchers.discard(watcher)

    def watching(self, resource=None):
        with self.lock:
            return [watcher for watcher in self.watchers if resource in (None, watcher.resource)]


class Watcher:
    """Where a watch's events queue up. Besides events the queue carries orders of the control channel."""

    def __init__(self, resource):
        self.resource = resource
        self.events = queue.SimpleQueue()
