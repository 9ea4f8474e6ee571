# SPDX-License-Identifier: GPL-2.0-or-later
"""list: options and what they mean together, pages of one consistent state, tokens that expire."""

import base64
import bisect
import json

import shape
from matching import Selection
from status import (bad_request, expired_continue, forbidden_field, invalid, not_supported, refusal,
                    version_too_large)
from store import Expired

TOKEN_VERSION = "meta.k8s.io/v1"
BATCH = 64
MATCHES = ("Exact", "NotOlderThan")


def parse_version(text):
    if not text.isdigit():
        raise bad_request(f'Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax')
    return int(text)


def list_option_errors(query):
    errors, match = [], query.get("resourceVersionMatch", "")
    if match:
        if not query.get("resourceVersion"):
            errors.append(forbidden_field("resourceVersionMatch",
                                          "resourceVersionMatch is forbidden unless resourceVersion is provided"))
        if query.get("continue"):
            errors.append(forbidden_field("resourceVersionMatch",
                                          "resourceVersionMatch is forbidden when continue is provided"))
        if match not in MATCHES:
            errors.append(not_supported("resourceVersionMatch", match, (*MATCHES, "")))
        if match == "Exact" and query.get("resourceVersion") == "0":
            errors.append(forbidden_field("resourceVersionMatch",
                                          'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'))
    if "sendInitialEvents" in query:
        errors.append(forbidden_field("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    return errors


def encode_token(version, start):
    text = json.dumps({"v": TOKEN_VERSION, "rv": version, "start": start}, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def decode_token(token):
    """(version, key to begin at)"""
    try:
        found = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        version, start = found["rv"], found["start"]
        if found["v"] != TOKEN_VERSION or not isinstance(version, int) or version == 0 or not start:
            raise ValueError("v, rv or start")
    except (ValueError, KeyError, TypeError) as error:
        raise bad_request(f"continue key is not valid: {error}") from None
    return version, start.removeprefix("/")


class Page:
    """What of the list is asked for: which version, from which key, how many."""

    def __init__(self, request, store):
        query = request.query
        errors = list_option_errors(query)
        if errors:
            raise invalid("meta.k8s.io", "ListOptions", "", errors)
        self.limit = request.number("limit")
        self.start = ""
        self.version = None
        if query.get("continue"):
            self.continue_from(query)
        elif query.get("resourceVersion"):
            self.at_version(query, store)

    def continue_from(self, query):
        if query.get("resourceVersion"):
            raise bad_request("specifying resource version is not allowed when using continue")
        version, self.start = decode_token(query["continue"])
        self.version = version if version > 0 else None

    def at_version(self, query, store):
        version = parse_version(query["resourceVersion"])
        if version > store.version:
            raise version_too_large(version, store.version)
        if version == 0:
            self.limit = 0  # served from the cache, which knows no pages
        elif query.get("resourceVersionMatch") == "Exact":
            self.version = version


def pick(keys, entries, selection, span, limit):
    """The entries of the page, and the index of the first that it left out, if any. span: indices to look at."""
    found = []
    for index in span:
        entry = entries[keys[index]]
        if not selection.holds(entry):
            continue
        if limit and len(found) == limit:
            return found, index
        found.append(entry)
    return found, None


def span_of(keys, namespace, start):
    """Indices of a namespace's keys, or of all, from a key on."""
    first = f"{namespace}/{start}" if namespace else start
    end = bisect.bisect_left(keys, f"{namespace}0") if namespace else len(keys)  # 0 follows / in ASCII
    return range(bisect.bisect_left(keys, first), end)


def take_page(request, store):
    """(entries, metadata of the list)"""
    target = request.target
    selection = Selection(target.resource, target.namespace, request.query)
    page = Page(request, store)
    try:
        with store.lock:
            version = page.version or store.version
            entries, keys = store.snapshot(target.resource, version)
    except Expired:
        if page.start:
            raise expired_continue(encode_token(-1, page.start)) from None
        raise refusal(410, "Expired", "The resourceVersion for the provided list is too old.") from None
    span = span_of(keys, target.namespace, page.start)
    found, left = pick(keys, entries, selection, span, page.limit)
    metadata = {"resourceVersion": str(version)}
    if left is not None:
        last = found[-1].name if target.namespace else found[-1].key
        metadata["continue"] = encode_token(version, f"/{last}\0")
        if not selection.narrows:
            metadata["remainingItemCount"] = span.stop - left
    return found, metadata


def pieces(resource, entries, metadata):
    """The list as bytes, some objects at a time, so that a hundred thousand need no memory at once."""
    head, tail = shape.list_ends(resource, metadata)
    for at in range(0, len(entries), BATCH):
        yield head + b",".join([entry.bytes() for entry in entries[at:at + BATCH]])
        head = b","
    yield (b"" if entries else head) + tail
