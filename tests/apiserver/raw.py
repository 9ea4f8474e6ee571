# SPDX-License-Identifier: GPL-2.0-or-later
"""Objects as bytes that nobody has looked at: what no API server would store, as it would be sent."""

VERSION = b"@VERSION@"


class RawEntry:
    """Stands in the store as an Entry does. It is the same in a list and alone."""

    __slots__ = ("resource", "namespace", "name", "version", "labels", "fields", "raw")

    def __init__(self, resource, namespace, name, raw, version):
        self.resource = resource
        self.namespace = namespace
        self.name = name
        self.raw = raw
        self.version = version
        self.labels = {}
        self.fields = {}

    @property
    def key(self):
        return f"{self.namespace}/{self.name}" if self.namespace else self.name

    def bytes(self):
        return self.raw.replace(VERSION, str(self.version).encode())

    full = bytes

    def at(self, version):
        return RawEntry(self.resource, self.namespace, self.name, self.raw, version)


def expand(parts):
    """Texts, each so many times; what is no UTF-8 in them comes as lone surrogates."""
    return b"".join(text.encode("utf-8", "surrogateescape") * times for text, times in parts)


def inject(app, resource, namespace, name, parts):
    with app.store.lock:
        app.store.version += 1
        return app.store.keep(RawEntry(resource, namespace, name, expand(parts), app.store.version))
