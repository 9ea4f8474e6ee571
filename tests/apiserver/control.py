# SPDX-License-Identifier: GPL-2.0-or-later
"""The channel on which tests command the server: one JSON object a line, one answer a line.

{"do": "compact"} is answered {"ok": true, ...}, what cannot be done {"ok": false, "error": "..."}. The methods here
are the commands, their parameters are the other members."""

import json
import socket
import threading
import traceback

import generate
import raw
from resources import Resource
from watch import Order

STREAMING = {True: "on", False: "refused"}


class Control:
    def __init__(self, app, path):
        self.app = app
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.bind(path)
        self.socket.listen(16)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            sock, _ = self.socket.accept()
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        with sock, sock.makefile("rw", encoding="utf-8") as file:
            for line in file:
                file.write(json.dumps(self.answer(line)) + "\n")
                file.flush()

    def answer(self, line):
        try:
            order = json.loads(line)
            command = getattr(self, "do_" + order.pop("do").replace("-", "_"), None)
            if command is None:
                return {"ok": False, "error": "unknown command"}
            return {"ok": True} | (command(order) or {})
        except Exception as error:
            return {"ok": False, "error": f"{type(error).__name__}: {error}", "trace": traceback.format_exc()}

    def resource(self, order):
        found = self.app.registry.named(order["resource"])
        if found is None:
            raise ValueError(f"no resource {order['resource']}")
        return found

    # The state

    def do_compact(self, order):
        """All versions before the present one expire."""
        self.app.store.compact()
        return {"version": self.app.store.version}

    def do_version(self, order):
        """advance: the version goes on as if so much else had happened."""
        with self.app.store.lock:
            self.app.store.version += order.get("advance", 0)
            return {"version": self.app.store.version, "compacted": self.app.store.compacted}

    def do_load(self, order):
        """Objects from a JSON file (path) or in place (objects), replacing those of the same name. raw: neither
        defaults nor validation, for objects of older clusters or of no cluster at all."""
        found = order.get("objects")
        if found is None:
            with open(order["path"], encoding="utf-8") as file:
                found = json.load(file)
        if isinstance(found, dict):
            found = found["items"] if "items" in found else [found]
        for item in found:
            self.load_one(item, order.get("raw", False), order.get("manager", "loader"))
        return {"loaded": len(found), "version": self.app.store.version}

    def load_one(self, item, raw, manager):
        resource = self.app.registry.of_kind(item["apiVersion"], item["kind"])
        if resource is None:
            raise ValueError(f"no resource for {item['apiVersion']} {item['kind']}")
        namespace = item["metadata"].setdefault("namespace", "default") if resource.namespaced else ""
        changes = self.app.api.changes
        with self.app.store.lock:
            old = self.app.store.get(resource, namespace, item["metadata"]["name"])
            if raw:
                self.app.store.put(resource, item)
                return
            status = item.get("status")
            if old:
                changes.update(resource, namespace, old.name, "", lambda _: unversioned(item, old), manager)
            else:
                changes.create(resource, namespace, unversioned(item, None), manager)
            if status and resource.status:
                changes.update(resource, namespace, item["metadata"]["name"], "status",
                               lambda now: now | {"status": status}, manager)

    def do_inject(self, order):
        """What is never looked at, as it would be sent: parts, texts and how often each; @VERSION@ becomes the version.
        objects: several of these."""
        for one in order.get("objects", [order]):
            raw.inject(self.app, self.resource(one), one.get("namespace", ""), one["name"], one["parts"])
        return {"version": self.app.store.version}

    def do_remove(self, order):
        """One object, at once and whatever it is."""
        resource = self.resource(order)
        with self.app.store.lock:
            entry = self.app.store.get(resource, order.get("namespace", ""), order["name"])
            if entry is None:
                raise ValueError("no such object")
            self.app.store.remove(entry)

    def do_register(self, order):
        """A custom resource appears."""
        self.app.registry.add(Resource(order["group"], order["version"], order["resource"], order["kind"],
                                       order.get("namespaced", False), order.get("short", ()), custom=True))

    def do_unregister(self, order):
        """It disappears with its objects, and watches of it end."""
        resource = self.resource(order)
        self.app.api.changes.remove_resource(resource)
        for watcher in self.app.store.watching(resource):
            watcher.events.put(Order("end"))

    def do_generate(self, order):
        """Many pods, whose bytes are made when they are asked for."""
        return generate.fill(self.app, order["pods"], order.get("nodes", 100), order.get("namespaces", 100))

    def do_touch(self, order):
        """Changes so many pods, one event each, cheaply."""
        return {"version": generate.touch(self.app, order["count"])}

    # Settings

    def do_set(self, order):
        """bookmark_seconds, kubelet_seconds (null: no kubelet, deleted pods stay until deleted with grace 0)"""
        for name, value in order.items():
            if name not in ("bookmark_seconds", "kubelet_seconds"):
                raise ValueError(f"no setting {name}")
            setattr(self.app.settings, name, value)

    def do_streaming_lists(self, order):
        """on: true, or false with how: refused (422) or ignored (an older server)"""
        how = order.get("how", "refused")
        if how not in ("refused", "ignored"):
            raise ValueError("how is refused or ignored")
        self.app.settings.streaming_lists = "on" if order["on"] else how

    def do_rotate_token(self, order):
        """keep: the old ones stay good."""
        return {"token": self.app.auth.new_token(order.get("user", "node"), order.get("keep", False))}

    def do_deny(self, order):
        """rules: what is denied from now on, each a choice of user, verb, resource and namespace."""
        self.app.settings.denied = order["rules"]

    # Misbehaviour

    def do_fail(self, order):
        self.app.faults.add(order)

    def do_replay(self, order):
        self.app.replays.add(order)

    def do_heal(self, order):
        """All is well again, for what is new."""
        self.app.faults.clear()
        self.app.replays.clear()
        self.app.settings.denied = []
        self.app.settings.streaming_lists = "on"
        self.app.listener.set_mode("ok")
        self.app.listener.open()

    def do_tls(self, order):
        self.app.listener.set_mode(order["how"])

    def do_listen(self, order):
        self.app.listener.open() if order["on"] else self.app.listener.close()

    def do_drop_connections(self, order):
        return {"dropped": self.app.listener.drop()}

    def do_streams(self, order):
        """What open watches (of a resource) do now: bookmark, end, cut, cut-clean, reset, silent, garbage, 410-event,
        500-event."""
        resource = self.resource(order) if "resource" in order else None
        with self.app.store.lock:
            watchers = self.app.store.watching(resource)
            for watcher in watchers:
                watcher.events.put(Order(**order_of(order), version=self.app.store.version))
        return {"watches": len(watchers)}

    # Knowing

    def do_stats(self, order):
        watches = {}
        for watcher in self.app.store.watching():
            watches[watcher.resource.plural] = watches.get(watcher.resource.plural, 0) + 1
        found = self.app.stats.shown(watches, self.app.listener.open_count())
        if order.get("reset"):
            self.app.stats.reset()
        return found

    def do_log(self, order):
        """Each request since the last reset."""
        return {"log": self.app.stats.logged()}

    def do_faults(self, order):
        """Those that still wait for a request."""
        return {"faults": self.app.faults.waiting()}

    def do_stop(self, order):
        self.app.stop()


def order_of(order):
    how = order["how"]
    known = ("bookmark", "end", "cut", "cut-clean", "reset", "silent", "garbage", "410-event", "500-event")
    if how not in known:
        raise ValueError(f"how is one of {', '.join(known)}")
    return {name: value for name, value in order.items() if name != "resource"}


def unversioned(item, old):
    """The object as a manifest would have it; over an old one it is a replacement of the present version."""
    dropped = ("resourceVersion", "uid", "managedFields", "creationTimestamp", "generation")
    metadata = {name: value for name, value in item["metadata"].items() if name not in dropped}
    if old:
        metadata["resourceVersion"] = str(old.version)
    return item | {"metadata": metadata}
