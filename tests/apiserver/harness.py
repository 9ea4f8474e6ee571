# SPDX-License-Identifier: GPL-2.0-or-later
"""What the self-tests have in common: a server for each class of tests, and objects, as short as they get."""

import unittest

from client import ApiServer

PODS = "/api/v1/pods"
SHOP_PODS = "/api/v1/namespaces/shop/pods"
POLICIES = "/apis/networking.k8s.io/v1/networkpolicies"
SHOP_POLICIES = "/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies"
CNPS = "/apis/policy.networking.k8s.io/v1alpha2/clusternetworkpolicies"
CNP = {"group": "policy.networking.k8s.io", "version": "v1alpha2", "resource": "clusternetworkpolicies",
       "kind": "ClusterNetworkPolicy", "short": ["cnp"]}


def namespace(name, **labels):
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def pod(name, node="", namespace="shop", labels=None, **spec):
    found = {"containers": [{"name": "c", "image": "img"}]} | ({"nodeName": node} if node else {}) | spec
    metadata = {"name": name, "namespace": namespace, "labels": labels or {}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": found}


def policy(name, namespace="shop", **spec):
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def cnp(name, **spec):
    return {"apiVersion": "policy.networking.k8s.io/v1alpha2", "kind": "ClusterNetworkPolicy",
            "metadata": {"name": name}, "spec": spec}


def names(answer):
    return [item["metadata"]["name"] for item in answer.json()["items"]]


def version_of(item):
    return int(item["metadata"]["resourceVersion"])


class ServerTest(unittest.TestCase):
    """self.server has a namespace shop; it is the class's, and at the end it must not have met a bug of its own."""

    host = "127.0.0.1"

    @classmethod
    def setUpClass(cls):
        cls.server = ApiServer(cls.host).start()
        cls.addClassCleanup(cls.server.stop)
        cls.server.load(namespace("shop", team="shop"))

    def tearDown(self):
        self.server.control("heal")
        self.assertEqual(self.server.control("stats")["errors"], [])

    def request(self, code, method, path, body=None, **rest):
        """The answer, which must have that code."""
        answer = self.server.request(method, path, body, **rest)
        self.assertEqual(answer.code, code, answer.body)
        return answer

    def get(self, path, code=200, **rest):
        return self.request(code, "GET", path, **rest)

    def open_watch(self, path, **rest):
        stream = self.server.watch(path, **rest)
        self.addCleanup(stream.close)
        return stream

    def version(self):
        return self.server.control("version")["version"]

    def assert_events(self, stream, *wanted):
        """wanted: (type, name) each; a bookmark has no name."""
        found = [(event["type"], event["object"]["metadata"].get("name"))
                 for event in stream.events(len(wanted))]
        self.assertEqual(found, list(wanted))
