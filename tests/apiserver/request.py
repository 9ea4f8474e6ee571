# SPDX-License-Identifier: GPL-2.0-or-later
"""A request as the API understands it, and the response that goes back."""

import json
import urllib.parse

from shape import encode
from status import bad_request

VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch"}


class Target:
    """Where a path points. resource None: discovery, health, or nothing."""

    def __init__(self, registry, path):
        self.resource = None
        self.namespace = self.name = self.subresource = ""
        parts = [urllib.parse.unquote(part) for part in path.strip("/").split("/")]
        group, version, rest = self.split(parts)
        if group is None or not rest:
            return
        if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in ("status", "finalize"):
            self.namespace, rest = rest[1], rest[2:]
        resource = registry.find(group, version, rest[0])
        if resource is None or len(rest) > 3 or (self.namespace and not resource.namespaced):
            return
        self.resource = resource
        self.name = rest[1] if len(rest) > 1 else ""
        self.subresource = rest[2] if len(rest) > 2 else ""

    @staticmethod
    def split(parts):
        if parts[0] == "api" and len(parts) > 1:
            return "", parts[1], parts[2:]
        return (parts[1], parts[2], parts[3:]) if parts[0] == "apis" and len(parts) > 2 else (None, None, None)


class Request:
    def __init__(self, registry, method, url, headers, body=b""):
        split = urllib.parse.urlsplit(url)
        self.method = method
        self.path = split.path
        self.query = dict(urllib.parse.parse_qsl(split.query, keep_blank_values=True))
        self.headers = headers
        self.body = body
        self.user = None
        self.groups = []
        self.target = Target(registry, split.path)
        self.verb = self.find_verb()

    def find_verb(self):
        """As authorization calls it."""
        if self.target.resource is None:
            return self.method.lower()
        if self.method == "GET":
            return "watch" if self.flag("watch") else "get" if self.target.name else "list"
        if self.method == "DELETE":
            return "delete" if self.target.name else "deletecollection"
        return VERBS.get(self.method, self.method.lower())

    def flag(self, name):
        return self.query.get(name, "").lower() in ("1", "true")

    def number(self, name):
        text = self.query.get(name, "") or "0"
        if not text.isdigit():
            raise bad_request(f'invalid {name} "{text}"')
        return int(text)

    @property
    def accept(self):
        return self.headers.get("Accept") or "*/*"

    @property
    def manager(self):
        agent = self.headers.get("User-Agent") or "unknown"
        return self.query.get("fieldManager") or agent.partition("/")[0]

    @property
    def media_type(self):
        return (self.headers.get("Content-Type") or "application/json").partition(";")[0].strip()

    def json(self):
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise bad_request(f"couldn't get version/kind; json parse error: {error}") from None

    def object(self):
        found = self.json()
        if not isinstance(found, dict):
            raise bad_request("couldn't get version/kind; json parse error: the body is not an object")
        return found


class Response:
    """body: bytes, or an iterator of them. watch: a Watch that goes on writing."""

    def __init__(self, body=b"", code=200, content_type="application/json", headers=None, watch=None):
        self.code = code
        self.body = body
        self.headers = {"content-type": content_type} | (headers or {})
        self.watch = watch

    @staticmethod
    def of(value, code=200, content_type="application/json", headers=None):
        return Response(encode(value) + b"\n", code, content_type, headers)

    @staticmethod
    def refused(refusal):
        headers = {"x-content-type-options": "nosniff"} if refusal.nosniff else {}
        if refusal.retry_after is not None:
            headers["retry-after"] = str(refusal.retry_after)
        kind = "text/plain; charset=utf-8" if refusal.text else "application/json"
        return Response(refusal.body(), refusal.code, kind, headers)
