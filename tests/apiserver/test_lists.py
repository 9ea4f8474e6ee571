# SPDX-License-Identifier: GPL-2.0-or-later
"""Lists: versions, pages, tokens that expire, selectors."""

import base64
import gzip
import json

from harness import PODS, SHOP_PODS, ServerTest, names, namespace, pod

TEN = [f"p{number}" for number in range(10)]


class Lists(ServerTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.load(namespace("other"))

    def setUp(self):
        self.request(200, "DELETE", f"{SHOP_PODS}?gracePeriodSeconds=0")
        self.server.load(*[pod(name, f"node{number % 2}", labels={"n": name, "half": "high" if number > 4 else "low"})
                           for number, name in enumerate(TEN)])

    def query(self, query, code=200, path=SHOP_PODS):
        return self.get(f"{path}?{query}", code)

    def pages(self, path, limit):
        """All pages of a list."""
        found = [self.query(f"limit={limit}", path=path)]
        while "continue" in found[-1].json()["metadata"]:
            found.append(self.query(f"limit={limit}&continue={found[-1].json()['metadata']['continue']}", path=path))
        return found

    def test_pages_add_up(self):
        found = self.pages(SHOP_PODS, 4)
        self.assertEqual([names(page) for page in found], [TEN[:4], TEN[4:8], TEN[8:]])
        self.assertEqual([page.json()["metadata"].get("remainingItemCount") for page in found], [6, 2, None])
        self.assertEqual(len({page.json()["metadata"]["resourceVersion"] for page in found}), 1)

    def test_pages_over_namespaces(self):
        self.server.load(pod("a", namespace="other"))
        self.assertEqual(sum((names(page) for page in self.pages(PODS, 3)), []), ["a", *TEN])
        self.request(200, "DELETE", "/api/v1/namespaces/other/pods?gracePeriodSeconds=0")

    def test_what_is_left_is_counted_in_the_namespace(self):
        self.server.load(namespace("zoo"), pod("a", namespace="zoo"), pod("b", namespace="zoo"))
        self.assertEqual(self.query("limit=9").json()["metadata"]["remainingItemCount"], 1)
        self.assertEqual(self.query("limit=9", path=PODS).json()["metadata"]["remainingItemCount"], 3)
        self.request(200, "DELETE", "/api/v1/namespaces/zoo/pods?gracePeriodSeconds=0")

    def test_pages_are_of_one_state(self):
        first = self.query("limit=5").json()["metadata"]
        self.server.control("remove", resource="pods", namespace="shop", name="p7")
        self.server.load(pod("p55"), pod("p8", "node0", labels={"new": "label"}))
        rest = self.query(f"limit=50&continue={first['continue']}")
        self.assertEqual(names(rest), TEN[5:])
        self.assertEqual(rest.json()["metadata"]["resourceVersion"], first["resourceVersion"])
        self.assertNotIn("new", rest.json()["items"][3]["metadata"]["labels"])
        self.assertEqual(names(self.query("")), [*TEN[:6], "p55", "p6", "p8", "p9"])

    def test_a_token_expires_and_a_fresh_one_comes_along(self):
        first = self.query("limit=5").json()["metadata"]
        self.server.load(pod("p99"))
        self.server.control("compact")
        status = self.query(f"limit=5&continue={first['continue']}", 410).json()
        self.assertEqual((status["reason"], status["code"]), ("Expired", 410))
        rest = self.query(f"limit=5&continue={status['metadata']['continue']}")
        self.assertEqual(names(rest), TEN[5:])
        rest = self.query(f"limit=5&continue={rest.json()['metadata']['continue']}")
        self.assertEqual(names(rest), ["p99"])

    def test_a_token_of_the_present_state_outlives_compaction(self):
        first = self.query("limit=5").json()["metadata"]
        self.server.control("compact")
        self.assertEqual(names(self.query(f"continue={first['continue']}")), TEN[5:])

    def test_tokens_that_were_never_given(self):
        token = base64.urlsafe_b64encode(json.dumps({"v": "other", "rv": 1, "start": "x"}).encode()).decode()
        for bad in ("nonsense", token):
            self.assertEqual(self.query(f"continue={bad}", 400).json()["reason"], "BadRequest")
        good = self.query("limit=5").json()["metadata"]["continue"]
        self.query(f"continue={good}&resourceVersion=0", 400)

    def test_versions(self):
        before = self.version()
        self.server.load(pod("later"))
        self.assertEqual(names(self.query("resourceVersion=0&limit=2")), ["later", *TEN])  # the cache has no pages
        self.assertIn("later", names(self.query(f"resourceVersion={before}")))
        exact = self.query(f"resourceVersion={before}&resourceVersionMatch=Exact")
        self.assertEqual(names(exact), TEN)
        self.assertEqual(exact.json()["metadata"]["resourceVersion"], str(before))
        self.server.control("compact")
        self.query(f"resourceVersion={before}&resourceVersionMatch=Exact", 410)
        self.query(f"resourceVersion={before}&resourceVersionMatch=NotOlderThan")

    def test_a_version_of_the_future_is_to_be_asked_for_again(self):
        answer = self.query("resourceVersion=999999999", 504)
        self.assertEqual(answer.headers["retry-after"], "1")
        self.assertEqual(answer.json()["details"]["retryAfterSeconds"], 1)
        self.get(f"{SHOP_PODS}/p1?resourceVersion=999999999", 504)

    def test_options_that_do_not_go_together(self):
        for query, why in (("resourceVersionMatch=Exact", "unless resourceVersion is provided"),
                           ("resourceVersionMatch=Exact&resourceVersion=0", 'forbidden for resourceVersion \\"0\\"'),
                           ("resourceVersionMatch=No&resourceVersion=1", "Unsupported value"),
                           ("sendInitialEvents=true", "forbidden for list")):
            self.assertIn(why, self.query(query, 422).body.decode())
        self.query("resourceVersion=abc", 400)
        self.query("limit=abc", 400)

    def test_selectors(self):
        for selector, wanted in (("n%3Dp3", ["p3"]), ("n+in+(p1,p2),half%3Dlow", ["p1", "p2"]),
                                 ("n!%3Dp0,half%3Dlow", TEN[1:5]), ("half+notin+(low)", TEN[5:]), ("!half", []),
                                 ("half,n%3D%3Dp9", ["p9"])):
            self.assertEqual(names(self.query(f"labelSelector={selector}")), wanted, selector)
        for selector, wanted in (("spec.nodeName%3Dnode1", TEN[1::2]), ("metadata.name%3Dp4", ["p4"]),
                                 ("status.phase!%3DPending", []),
                                 ("spec.nodeName%3Dnode0,metadata.name!%3Dp0", TEN[2::2])):
            self.assertEqual(names(self.query(f"fieldSelector={selector}")), wanted, selector)
        self.query("fieldSelector=spec.nonsense%3Dx", 400)
        self.query("labelSelector=(((", 400)

    def test_pages_of_a_selection_count_nothing(self):
        page = self.query("limit=2&labelSelector=half%3Dlow").json()
        self.assertNotIn("remainingItemCount", page["metadata"])
        rest = self.query(f"limit=9&labelSelector=half%3Dlow&continue={page['metadata']['continue']}")
        self.assertEqual(names(rest), TEN[2:5])

    def test_short_answers_have_a_length_and_long_ones_have_not(self):
        self.assertIn("content-length", self.query("limit=1").headers)
        self.assertIn("transfer-encoding", self.query("").headers)

    def test_items_of_lists_have_no_kind(self):
        item = self.query("limit=1").json()["items"][0]
        self.assertEqual(list(item), ["metadata", "spec", "status"])
        self.assertEqual(list(self.get(f"{SHOP_PODS}/p0").json())[:2], ["kind", "apiVersion"])


class Many(ServerTest):
    """Generated pods: as many as a benchmark wants."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.made = cls.server.control("generate", pods=2000, nodes=10, namespaces=7)

    def test_they_weigh_what_real_pods_weigh(self):
        self.assertTrue(6500 < self.made["bytes_each"] < 9000, self.made)
        item = self.get("/api/v1/namespaces/team-003/pods?limit=1").json()["items"][0]
        part = len(json.dumps(item["metadata"]["managedFields"])) / len(json.dumps(item))
        self.assertTrue(0.3 < part < 0.5, part)

    def test_all_differ_and_pages_hold_all(self):
        seen, token = [], ""
        while token is not None:
            page = self.get(f"{PODS}?limit=500{token}").json()
            seen += [(item["metadata"]["uid"], item["status"]["podIP"], item["metadata"]["resourceVersion"])
                     for item in page["items"]]
            token = page["metadata"].get("continue")
            token = token and f"&continue={token}"
        self.assertEqual([len({row[column] for row in seen}) for column in range(3)], [2000] * 3)

    def test_selectors_find_them(self):
        found = self.get(f"{PODS}?fieldSelector=spec.nodeName%3Dnode-0003&labelSelector=app%3Dapp-003").json()["items"]
        self.assertEqual(len(found), 10)
        self.assertEqual({item["spec"]["nodeName"] for item in found}, {"node-0003"})

    def test_large_answers_are_compressed_for_those_who_ask(self):
        plain = self.get(PODS).body
        packed = self.get(PODS, headers={"Accept-Encoding": "gzip"})
        self.assertEqual(packed.headers["content-encoding"], "gzip")
        self.assertEqual(gzip.decompress(packed.body), plain)

    def test_they_can_be_changed(self):
        stream = self.open_watch(f"{PODS}?resourceVersion={self.version()}")
        self.server.control("touch", count=3)
        self.assertEqual([event["type"] for event in stream.events(3)], ["MODIFIED"] * 3)
        item = self.get("/api/v1/namespaces/team-001/pods?limit=1").json()["items"][0]
        path = f"/api/v1/namespaces/team-001/pods/{item['metadata']['name']}"
        self.request(200, "PATCH", path, {"metadata": {"labels": {"own": "x"}}},
                     media_type="application/merge-patch+json")
        self.assertEqual(self.get(path).json()["metadata"]["labels"]["own"], "x")
