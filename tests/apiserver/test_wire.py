# SPDX-License-Identifier: GPL-2.0-or-later
"""The server against answers recorded from a real one: the same story told to both must be answered in the same
bytes, but for what differs between any two servers (uids, times, versions, counts). WIRE names the directory."""

import base64
import json
import os
import re
import unittest

from harness import CNP, CNPS, PODS, SHOP_PODS, SHOP_POLICIES, ServerTest, cnp, namespace, pod, policy
from replay import read_headers

WIRE = os.environ.get("WIRE") or os.path.join(os.environ.get("top_srcdir", "."), "..", "shared", "wire")
HERE = os.path.isdir(WIRE)
VOLATILE = (
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UID"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME"),
    (r'"resourceVersion":"\d+"', '"resourceVersion":"N"'),
    (r'"remainingItemCount":\d+', '"remainingItemCount":N'),
    (r"version: \d+ \(\d+\)", "version: N (N)"),
    (r"current: \d+", "current: N"),
    (r'"continue":"[^"]+"', lambda match: decoded(match[0])),
)
HOP = ("content-length", "transfer-encoding", "date", "etag")
MERGE = "application/merge-patch+json"
STREAMING = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
ADDED_BY_ADMISSION = ("tolerations", "priority", "preemptionPolicy")


def decoded(member):
    token = member.split('"')[3]
    text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    return f'"continue":{json.dumps(re.sub(r":[0-9]+", ":N", text))}'


def read(name):
    with open(os.path.join(WIRE, name + ".body"), "rb") as file:
        return file.read()


def settled(body):
    """The bytes without what differs between any two servers."""
    text = body.decode()
    for pattern, replacement in VOLATILE:
        text = re.sub(pattern, replacement, text)
    return text


def manifest(item, *, drop=()):
    """What a user would have written to get this object."""
    metadata = {name: item["metadata"][name] for name in ("name", "namespace", "labels", "annotations")
                if name in item["metadata"]}
    spec = {name: value for name, value in item["spec"].items() if name not in drop}
    return {"kind": item["kind"], "apiVersion": item["apiVersion"], "metadata": metadata, "spec": spec}


def differing_headers(wanted, found):
    def bare(headers):
        return {name: "N" if name.startswith(("x-kubernetes-pf", "audit")) else value
                for name, value in headers.items() if name not in HOP}
    return bare(wanted), bare(found)


@unittest.skipUnless(HERE, "no captures beside the project")
class Wire(ServerTest):
    maxDiff = None

    def same(self, name, answer):
        """The answer is the capture, and so are its headers."""
        self.assertEqual(settled(answer.body), settled(read(name)))
        self.same_headers(name, answer)

    def same_headers(self, name, answer):
        code, headers = read_headers(os.path.join(WIRE, name + ".headers"))
        self.assertEqual(answer.code, code)
        wanted, found = differing_headers(headers, answer.headers)
        self.assertEqual(found, wanted)

    def same_lines(self, name, stream):
        wanted = settled(read(name)).splitlines()
        for number, line in enumerate(wanted):
            self.assertEqual(settled(stream.line()).rstrip("\n"), line, f"event {number}")
        self.same_headers(name, stream)

    def make(self, item, manager="kubectl-create", **rest):
        path = f"/api/v1/namespaces/{item['metadata']['namespace']}/pods?fieldManager={manager}"
        self.request(201, "POST", path, manifest(item, **rest))

    def set_status(self, item):
        """As somebody did by hand."""
        status = {name: value for name, value in item["status"].items() if name != "qosClass"}
        path = f"/api/v1/namespaces/{item['metadata']['namespace']}/pods/{item['metadata']['name']}"
        self.request(200, "PATCH", f"{path}/status?fieldManager=kubectl-patch", {"status": status}, media_type=MERGE)

    def label(self, name, labels):
        self.request(200, "PATCH", f"{SHOP_PODS}/{name}?fieldManager=kubectl-label", {"metadata": {"labels": labels}},
                     media_type=MERGE)

    def remove_all_pods(self):
        for where in ("shop", "monitoring"):
            self.request(200, "DELETE", f"/api/v1/namespaces/{where}/pods?gracePeriodSeconds=0")

    def keep_only(self, kept):
        """Of namespaces, which other tests make as well."""
        for item in self.get("/api/v1/namespaces").json()["items"] if kept else ():
            if item["metadata"]["name"] not in kept:
                self.server.control("remove", resource="namespaces", name=item["metadata"]["name"])

    def test_pods_from_their_making_to_their_end(self):
        """pods-watch: two pods made, given a status, one labelled, one deleted; then pods-list and pods-watchlist."""
        events = [json.loads(line) for line in read("pods-watch").splitlines()]
        self.remove_all_pods()
        stream = self.open_watch(f"{SHOP_PODS}?resourceVersion={self.version()}&allowWatchBookmarks=true")
        for made, running in (events[0:2], events[2:4]):
            self.make(made["object"], drop=ADDED_BY_ADMISSION)
            self.set_status(running["object"])
        self.label("db-0", {"tier": "data"})
        self.request(200, "DELETE", f"{SHOP_PODS}/api-0", {"gracePeriodSeconds": 0})
        self.same_lines("pods-watch", stream)
        self.same("pods-list", self.get(SHOP_PODS))
        self.same_lines("pods-watchlist", self.open_watch(f"{SHOP_PODS}?{STREAMING[8:]}"))

    def test_pages(self):
        """pods-list-page1 and page2: the first two pods as they were, then as many others as it takes."""
        self.remove_all_pods()
        self.server.load(namespace("monitoring"), namespace("team0"))
        for item in json.loads(read("pods-list-page1"))["items"]:
            self.make({"kind": "Pod", "apiVersion": "v1"} | item | {"metadata": item["metadata"] | {
                "labels": {"app": item["metadata"]["labels"]["app"]}}}, drop=ADDED_BY_ADMISSION)
            self.set_status(item)
        self.label("db-0", {"tier": "data"})
        items = [{"kind": "Pod", "apiVersion": "v1"} | item for item in json.loads(read("pods-list-page2"))["items"]]
        last = items[-1]["metadata"] | {"name": "zz"}
        self.server.load(*items, items[-1] | {"metadata": last}, raw=True)
        first = self.get(f"{PODS}?limit=2")
        self.same("pods-list-page1", first)
        self.same("pods-list-page2", self.get(f"{PODS}?limit=2&continue={first.json()['metadata']['continue']}"))

    def test_policies(self):
        for item in json.loads(read("networkpolicies-list"))["items"]:
            item |= {"kind": "NetworkPolicy", "apiVersion": "networking.k8s.io/v1"}
            written = json.loads(item["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"])
            written["metadata"]["annotations"] = item["metadata"]["annotations"]
            self.request(201, "POST", f"{SHOP_POLICIES}?fieldManager=kubectl-client-side-apply", written)
        self.same("networkpolicies-list", self.get(SHOP_POLICIES))

    def test_namespaces(self):
        self.same("namespaces-list", self.get("/api/v1/namespaces?limit=3"))

    def test_custom_resources(self):
        self.same("crd-absent-list", self.get(CNPS, 404))
        self.server.control("register", **CNP)
        self.addCleanup(self.server.control, "unregister", resource="clusternetworkpolicies")
        item = json.loads(read("cnp-watchlist").splitlines()[0])["object"]
        self.request(201, "POST", f"{CNPS}?fieldManager=kubectl-client-side-apply", manifest(item))
        self.same_lines("cnp-watchlist", self.open_watch(f"{CNPS}?{STREAMING[8:]}"))
        self.request(200, "DELETE", f"{CNPS}/{item['metadata']['name']}")
        self.request(201, "POST", CNPS, cnp("other"))

    def test_refusals(self):
        self.same("unauthorized", self.get(PODS, 401, headers={"Authorization": "Bearer none"}))
        self.same("forbidden", self.get(PODS, 403, user=None))
        self.same("rv-too-large", self.get(f"{SHOP_PODS}?resourceVersion=999999999", 504))
        bad = policy("bad", ingress=[{"ports": [{"port": 9000, "endPort": 8000}], "from": [{"ipBlock": {
            "cidr": "10.0.0.0/8", "except": ["11.0.0.0/16"]}}]}])
        self.same("invalid-policy", self.request(422, "POST", SHOP_POLICIES, bad))

    def test_expiry(self):
        self.remove_all_pods()
        self.server.load(namespace("monitoring"), pod("prom-0", namespace="monitoring"), pod("db-0"), pod("zz"))
        token = self.get(f"{PODS}?limit=2").json()["metadata"]["continue"]
        before = self.version() - 1
        self.server.load(pod("zzz"))
        self.server.control("compact")
        self.same("continue-expired", self.get(f"{PODS}?limit=2&continue={token}", 410))
        stream = self.open_watch(f"{PODS}?resourceVersion={before}")
        self.same_lines("watch-expired", stream)
        self.assertEqual(stream.line(), b"")

    def test_discovery(self):
        self.server.control("register", **CNP)
        self.addCleanup(self.server.control, "unregister", resource="clusternetworkpolicies")
        accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
        answer = self.get("/apis", headers={"Accept": accept})
        self.same_headers("api-discovery", answer)
        wanted, found = json.loads(read("api-discovery")), answer.json()
        self.assertEqual({name: value for name, value in found.items() if name != "items"},
                         {name: value for name, value in wanted.items() if name != "items"})
        groups = {group["metadata"]["name"]: group for group in wanted["items"]}
        for group in found["items"]:
            real = groups[group["metadata"]["name"]]["versions"][0]
            resources = {one["resource"]: json.dumps(one) for one in real["resources"]}
            for one in group["versions"][0]["resources"]:
                self.assertEqual(json.dumps(one), resources[one["resource"]])
            self.assertEqual(group["versions"][0]["freshness"], real["freshness"])

    def test_objects_of_a_real_node_keep_their_shape(self):
        """Taken in as they are and listed again: members come out in the order of a real server."""
        for name, path, kind in (("pods-live", SHOP_PODS, "Pod"), ("nodes-live", "/api/v1/nodes", "Node"),
                                 ("namespaces-live", "/api/v1/namespaces", "Namespace")):
            self.remove_all_pods()
            items = json.loads(read(name))["items"]
            self.keep_only([item["metadata"]["name"] for item in items] if kind == "Namespace" else None)
            shuffled = [{"kind": kind, "apiVersion": "v1"} | dict(reversed(item.items())) | {
                "metadata": dict(reversed(item["metadata"].items())), "spec": dict(reversed(item["spec"].items())),
                "status": dict(reversed(item["status"].items()))} for item in items]
            self.server.load(*shuffled, raw=True)
            found = self.get(path)
            self.assertEqual(settled(found.body), settled(read(name)), name)
            self.assertEqual([json.dumps(item["spec"]) for item in found.json()["items"]],
                             [json.dumps(item["spec"]) for item in items], name)

    def test_captures_are_replayed_byte_for_byte(self):
        body = os.path.join(WIRE, "pod-lifecycle-watch.body")
        self.server.control("replay", resource="pods", verb="watch", body=os.path.abspath(body))
        stream = self.open_watch(f"{SHOP_PODS}?resourceVersion=1", timeout=30)
        recorded = read("pod-lifecycle-watch").splitlines(keepends=True)
        self.assertEqual([stream.line() for _ in recorded], recorded)
        for name, code in (("continue-expired", 410), ("pods-live", 200), ("rv-too-large", 504)):
            self.server.control("replay", resource="pods", verb="list",
                                body=os.path.abspath(os.path.join(WIRE, name + ".body")))
            answer = self.get(SHOP_PODS, code)
            self.assertEqual(answer.body, read(name))
        self.get(SHOP_PODS)
