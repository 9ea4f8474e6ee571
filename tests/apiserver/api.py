# SPDX-License-Identifier: GPL-2.0-or-later
"""From a request to a response. Everything that a well-behaved API server answers is here or below."""

import json
import re

import discovery
import lists
import patches
import shape
from changes import Changes
from request import Response
from status import (bad_request, method_not_allowed, not_acceptable, not_found, page_not_found, unsupported_media_type,
                    version_too_large)
from matching import Selection
from table import JsonForm, TableForm
from watch import Watch

RETURNS_OBJECT = ("pods", "namespaces", "services")
OPENAPI = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
STREAMED_AT = 64


class Settings:
    """What the control channel can turn."""

    def __init__(self):
        self.streaming_lists = "on"
        self.bookmark_seconds = 60.0
        self.kubelet_seconds = 0.2
        self.denied = []


class Api:
    def __init__(self, registry, store, settings, address):
        self.registry = registry
        self.store = store
        self.settings = settings
        self.address = address
        self.changes = Changes(registry, store, settings)

    def answer(self, request):
        """A Response, or status.Refusal is raised."""
        if request.target.resource is None:
            return self.answer_path(request)
        handler = getattr(self, f"do_{request.verb}", None)
        if handler is None or request.target.subresource not in ("", "status"):
            raise page_not_found() if request.target.subresource else method_not_allowed()
        if request.target.subresource and not request.target.resource.status:
            raise page_not_found()
        self.check_scope(request)
        if "dryRun" in request.query:
            raise bad_request("this server has no dry run")
        return handler(request)

    @staticmethod
    def check_scope(request):
        """One object of a namespaced resource is named with its namespace, and nothing is made without."""
        target = request.target
        one = request.verb in ("create", "deletecollection") or (target.name and request.verb != "watch")
        if one and target.resource.namespaced and not target.namespace:
            raise method_not_allowed()
        if (request.verb == "create") == bool(target.name) and request.verb in ("create", "update", "patch"):
            raise method_not_allowed()

    def answer_path(self, request):
        if request.method != "GET":
            raise page_not_found()
        if request.path.rstrip("/") in discovery.HEALTH:
            return Response(b"ok", content_type="text/plain; charset=utf-8")
        if request.path == "/openapi/v2":
            return Response(b"", content_type=OPENAPI)  # an empty document: clients then check nothing themselves
        found = discovery.answer(request.path, request.accept, self.registry, self.address)
        if found is None:
            raise page_not_found()
        headers = {"cache-control": "public", "vary": "Accept"} if "apidiscovery" in found[0] else {}
        return Response.of(found[1], content_type=found[0], headers=headers)

    def form(self, request):
        """In which form objects are wanted."""
        types = [one.strip() for one in request.accept.split(",")]
        for wanted in types:
            kind, *parameters = [part.strip() for part in wanted.split(";")]
            found = dict(part.partition("=")[::2] for part in parameters)
            if kind not in ("application/json", "application/*", "*/*"):
                continue
            if found.get("as") == "Table" and found.get("v") in ("v1", "v1beta1"):
                return TableForm(request.target.resource, found["v"], request.query.get("includeObject", "Metadata"))
            if "as" not in found:
                return JsonForm(request.target.resource)
        raise not_acceptable()

    def respond(self, request, entry, code=200):
        return Response(self.form(request).object(entry) + b"\n", code)

    def do_get(self, request):
        target = request.target
        version = request.query.get("resourceVersion")
        if version and lists.parse_version(version) > self.store.version:
            raise version_too_large(version, self.store.version)
        entry = self.store.get(target.resource, target.namespace, target.name)
        if entry is None:
            raise not_found(target.resource, target.name)
        return self.respond(request, entry)

    def do_list(self, request):
        form = self.form(request)
        entries, metadata = lists.take_page(request, self.store)
        if isinstance(form, TableForm):
            return Response(form.table(entries, metadata) + b"\n")
        pieces = lists.pieces(request.target.resource, entries, metadata)
        return Response(b"".join(pieces) if len(entries) < STREAMED_AT else pieces)

    def do_watch(self, request):
        return Response(watch=Watch(request, self.store, self.settings, self.form(request)))

    def do_create(self, request):
        if request.target.name:
            raise method_not_allowed()
        self.check_media_type(request, ["application/json"])
        entry = self.changes.create(request.target.resource, request.target.namespace, request.object(),
                                    request.manager)
        return self.respond(request, entry, 201)

    def do_update(self, request):
        self.check_media_type(request, ["application/json"])
        item = request.object()
        return self.change(request, lambda old: item)

    def do_patch(self, request):
        resource = request.target.resource
        self.check_media_type(request, patches.accepted(resource))
        patch = request.json()

        def patched(old):
            try:
                return patches.apply(resource, request.media_type, old, patch)
            except (AttributeError, TypeError, KeyError) as error:
                raise bad_request(f"error decoding patch: {error}") from None
        return self.change(request, patched)

    def change(self, request, change):
        target = request.target
        entry = self.changes.update(target.resource, target.namespace, target.name, target.subresource, change,
                                    request.manager)
        return self.respond(request, entry)

    @staticmethod
    def check_media_type(request, accepted):
        if request.media_type not in accepted:
            raise unsupported_media_type(", ".join(accepted))

    @staticmethod
    def delete_options(request):
        options = json.loads(request.body) if request.body else {}
        if re.fullmatch(r"\d+", request.query.get("gracePeriodSeconds", "")):
            options["gracePeriodSeconds"] = int(request.query["gracePeriodSeconds"])
        return options

    def do_delete(self, request):
        target = request.target
        entry = self.changes.delete(target.resource, target.namespace, target.name, self.delete_options(request))
        if target.resource.plural in RETURNS_OBJECT:
            return self.respond(request, entry)
        details = {"name": entry.name}
        if target.resource.group:
            details["group"] = target.resource.group
        details |= {"kind": target.resource.plural, "uid": entry.peek()["metadata"].get("uid")}
        return Response.of({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
                            "details": details})

    def do_deletecollection(self, request):
        target = request.target
        options = self.delete_options(request)
        selection = Selection(target.resource, target.namespace, request.query)
        with self.store.lock:
            found = sorted(filter(selection.holds, self.store.entries(target.resource)), key=lambda entry: entry.key)
            metadata = {"resourceVersion": str(self.store.version)}
            for entry in found:
                self.changes.delete(target.resource, entry.namespace, entry.name, options)
        head, tail = shape.list_ends(target.resource, metadata)
        return Response(head + b",".join(entry.bytes() for entry in found) + tail)
