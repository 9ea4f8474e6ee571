# SPDX-License-Identifier: GPL-2.0-or-later
"""Watches: from which version, what of it, bookmarks, streaming lists, how they end."""

import json

from harness import CNP, CNPS, PODS, SHOP_PODS, ServerTest, cnp, pod, version_of

MERGE = "application/merge-patch+json"
STREAMING = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"


class Watches(ServerTest):
    def setUp(self):
        self.request(200, "DELETE", f"{SHOP_PODS}?gracePeriodSeconds=0")

    def label(self, name, **labels):
        return self.request(200, "PATCH", f"{SHOP_PODS}/{name}", {"metadata": {"labels": labels}}, media_type=MERGE)

    def now(self, query=""):
        return self.open_watch(f"{SHOP_PODS}?resourceVersion={self.version()}{query}")

    def test_events_of_the_past_and_of_the_future(self):
        before = self.version()
        self.server.load(pod("a"))
        self.label("a", x="y")
        stream = self.open_watch(f"{SHOP_PODS}?resourceVersion={before}")
        self.assert_events(stream, ("ADDED", "a"), ("MODIFIED", "a"))
        self.server.load(pod("b"))
        self.request(200, "DELETE", f"{SHOP_PODS}/b")
        events = stream.events(3)
        self.assertEqual([event["type"] for event in events], ["ADDED", "MODIFIED", "DELETED"])
        self.assertEqual(version_of(events[-1]["object"]), self.version())
        self.assertEqual(list(events[0]["object"])[:2], ["kind", "apiVersion"])

    def test_without_a_version_all_there_is_comes_first(self):
        self.server.load(pod("a"), pod("b"))
        for query in ("", "?resourceVersion=0"):
            stream = self.open_watch(SHOP_PODS + query)
            self.assert_events(stream, ("ADDED", "a"), ("ADDED", "b"))

    def test_compacted_versions(self):
        before = self.version()
        self.server.load(pod("a"))
        self.server.control("compact")
        stream = self.open_watch(f"{SHOP_PODS}?resourceVersion={before}")
        self.assertEqual(stream.code, 200)
        event = stream.event()
        self.assertEqual((event["type"], event["object"]["code"], event["object"]["reason"]), ("ERROR", 410, "Expired"))
        self.assertEqual(stream.line(), b"")
        self.server.load(pod("b"))
        stream = self.open_watch(f"{SHOP_PODS}?resourceVersion={self.version() - 1}")
        self.assert_events(stream, ("ADDED", "b"))

    def test_selection_turns_changes_into_comings_and_goings(self):
        self.server.load(pod("a", labels={"app": "x"}), pod("b"))
        stream = self.now("&labelSelector=app%3Dx")
        self.label("a", app="y")
        self.label("b", app="x")
        self.label("b", more="z")
        events = stream.events(3)
        self.assertEqual([(event["type"], event["object"]["metadata"]["name"]) for event in events],
                         [("DELETED", "a"), ("ADDED", "b"), ("MODIFIED", "b")])
        self.assertEqual(events[0]["object"]["metadata"]["labels"], {"app": "x"})
        self.assertEqual(version_of(events[0]["object"]), version_of(events[1]["object"]) - 1)

    def test_one_node_and_one_object(self):
        stream = self.now("&fieldSelector=spec.nodeName%3Dnode2")
        single = self.open_watch(f"{SHOP_PODS}/two?resourceVersion={self.version()}")
        self.server.load(pod("one", "node1"), pod("two", "node2"))
        self.assert_events(stream, ("ADDED", "two"))
        self.assert_events(single, ("ADDED", "two"))

    def test_other_namespaces_are_not_seen(self):
        stream = self.now()
        self.server.load(pod("elsewhere", namespace="default"), pod("here"))
        self.assert_events(stream, ("ADDED", "here"))
        self.request(200, "DELETE", "/api/v1/namespaces/default/pods/elsewhere")

    def test_bookmarks_for_those_who_ask(self):
        asks, does_not = self.now("&allowWatchBookmarks=true"), self.now()
        self.server.wait_for(lambda: self.server.watches("pods") >= 2)
        self.server.load({"apiVersion": "v1", "kind": "Node", "metadata": {"name": f"n{self.version()}"}})
        self.server.control("streams", how="bookmark", resource="pods")
        event = asks.event()
        self.assertEqual((event["type"], version_of(event["object"])), ("BOOKMARK", self.version()))
        self.server.load(pod("a"))
        self.assert_events(does_not, ("ADDED", "a"))

    def test_bookmarks_come_by_themselves(self):
        self.server.control("set", bookmark_seconds=0.05)
        self.addCleanup(self.server.control, "set", bookmark_seconds=60)
        stream = self.now("&allowWatchBookmarks=true")
        self.assert_events(stream, ("BOOKMARK", None), ("BOOKMARK", None))

    def test_a_watch_ends_after_its_time(self):
        stream = self.now("&timeoutSeconds=1&allowWatchBookmarks=true")
        self.assert_events(stream, ("BOOKMARK", None))
        self.assertEqual(stream.line(), b"")
        self.assertEqual(self.now("&timeoutSeconds=1").line(), b"")

    def test_streaming_list(self):
        self.server.load(pod("a"), pod("b"))
        stream = self.open_watch(f"{SHOP_PODS}?{STREAMING}")
        self.assert_events(stream, ("ADDED", "a"), ("ADDED", "b"))
        end = json.loads(stream.line())
        self.assertEqual(end, {"type": "BOOKMARK", "object": {"kind": "Pod", "apiVersion": "v1", "metadata": {
            "resourceVersion": str(self.version()), "annotations": {"k8s.io/initial-events-end": "true"}},
            "spec": {"containers": None}, "status": {}}})
        self.server.load(pod("c"))
        self.assert_events(stream, ("ADDED", "c"))

    def test_streaming_list_of_a_version(self):
        self.server.load(pod("a"))
        self.server.control("compact")
        stream = self.open_watch(f"{SHOP_PODS}?{STREAMING}&resourceVersion=1")
        self.assert_events(stream, ("ADDED", "a"), ("BOOKMARK", None))
        self.get(f"{SHOP_PODS}?watch=1&{STREAMING}&resourceVersion=999999999", 504)

    def test_streaming_list_needs_its_options(self):
        for query, why in (("sendInitialEvents=true", "requires setting resourceVersionMatch to NotOlderThan"),
                           ("resourceVersionMatch=NotOlderThan", "unless sendInitialEvents is provided"),
                           ("sendInitialEvents=true&resourceVersionMatch=Exact", "Unsupported value")):
            self.assertIn(why, self.get(f"{PODS}?watch=1&{query}", 422).body.decode())

    def test_a_server_that_refuses_streaming_lists(self):
        self.server.control("streaming-lists", on=False)
        status = self.get(f"{SHOP_PODS}?watch=1&{STREAMING}", 422).json()
        self.assertEqual(status["details"]["causes"][0]["field"], "sendInitialEvents")

    def test_a_server_that_never_heard_of_streaming_lists(self):
        self.server.load(pod("a"))
        self.server.control("streaming-lists", on=False, how="ignored")
        stream = self.open_watch(f"{SHOP_PODS}?{STREAMING}&timeoutSeconds=1")
        self.assert_events(stream, ("ADDED", "a"), ("BOOKMARK", None))
        self.assertEqual(stream.line(), b"")

    def test_the_bookmark_of_such_a_server_closes_nothing(self):
        self.server.control("streaming-lists", on=False, how="ignored")
        stream = self.open_watch(f"{SHOP_PODS}?{STREAMING}&timeoutSeconds=1")
        self.assertNotIn("annotations", stream.event()["object"]["metadata"])

    def test_custom_resources(self):
        self.server.control("register", **CNP)
        self.addCleanup(self.server.control, "unregister", resource="clusternetworkpolicies")
        stream = self.open_watch(f"{CNPS}?{STREAMING}")
        self.assertEqual(list(stream.event()["object"]), ["apiVersion", "kind", "metadata"])
        self.server.load(cnp("x"))
        self.assert_events(stream, ("ADDED", "x"))

    def test_who_has_left_is_noticed(self):
        self.server.wait_for(lambda: self.server.watches("nodes") == 0)
        streams = [self.server.watch(f"/api/v1/nodes?resourceVersion={self.version()}") for _ in range(5)]
        self.server.wait_for(lambda: self.server.watches("nodes") == 5)
        for stream in streams:
            stream.close()
        self.server.wait_for(lambda: self.server.watches("nodes") == 0)

    def test_requests_are_counted(self):
        self.server.control("stats", reset=True)
        self.get(f"{SHOP_PODS}?limit=7")
        self.get(f"{SHOP_PODS}/nobody", 404)
        stats = self.server.control("stats")
        self.assertEqual(stats["requests"], {"list pods": 1, "get pods": 1})
        self.assertEqual(stats["connections"], 2)
        self.assertGreater(stats["bytes_sent"], 300)
        log = self.server.control("log")["log"]
        self.assertEqual([(line["verb"], line["query"], line["code"]) for line in log],
                         [("list", {"limit": "7"}, 200), ("get", {}, 404)])
        self.assertLessEqual(log[0]["at"], log[1]["at"])

    def test_objects_that_no_server_would_take(self):
        broken = pod("broken") | {"spec": "none", "status": {"podIPs": 7}}
        stream = self.now()
        self.server.load(broken, raw=True)
        self.assertEqual(stream.event()["object"]["spec"], "none")
        self.assertEqual(self.get(SHOP_PODS).json()["items"][0]["status"], {"podIPs": 7})
        self.server.control("remove", resource="pods", namespace="shop", name="broken")
        self.assertEqual(stream.event()["type"], "DELETED")
