# SPDX-License-Identifier: GPL-2.0-or-later
"""Each misbehaviour can be had on command, can be seen, and is over when it was to be over."""

import http.client
import json
import socket
import ssl
import time

from harness import POLICIES, SHOP_PODS, ServerTest, names, pod
from streams import BAD_OBJECT

SHORT = 0.5  # long enough to tell silence from an answer on a machine that is busy elsewhere


class Refusals(ServerTest):
    def fail(self, how, **rest):
        self.server.control("fail", how=how, **{"resource": "pods", "verb": "list"} | rest)

    def struck(self, how, code, **rest):
        """The answer to a list of pods while the fault waits; after it all is well."""
        self.fail(how, **rest)
        answer = self.get(SHOP_PODS, code)
        self.get(SHOP_PODS)
        return answer

    def test_401(self):
        self.assertEqual(self.struck("401", 401).json()["message"], "Unauthorized")

    def test_403_names_verb_and_resource(self):
        message = self.struck("403", 403).json()["message"]
        self.assertIn('cannot list resource "pods" in API group "" in the namespace "shop"', message)

    def test_404(self):
        self.assertEqual(self.struck("404", 404).body, b"404 page not found\n")

    def test_410_of_a_list(self):
        self.assertEqual(self.struck("410", 410).json()["reason"], "Expired")
        self.server.load(*[pod(f"p{number}") for number in range(3)])
        token = self.get(f"{SHOP_PODS}?limit=1").json()["metadata"]["continue"]
        self.fail("410")
        fresh = self.get(f"{SHOP_PODS}?limit=1&continue={token}", 410).json()["metadata"]["continue"]
        self.get(f"{SHOP_PODS}?continue={fresh}")

    def test_410_of_a_watch(self):
        self.fail("410", verb="watch")
        self.assertEqual(self.get(f"{SHOP_PODS}?watch=1&resourceVersion=1", 410).json()["code"], 410)

    def test_429_in_both_forms(self):
        answer = self.struck("429", 429, retry_after=7)
        self.assertEqual((answer.headers["retry-after"], answer.headers["content-type"]),
                         ("7", "text/plain; charset=utf-8"))
        answer = self.struck("429", 429, status=True, retry_after=7)
        self.assertEqual((answer.headers["retry-after"], answer.json()["details"]["retryAfterSeconds"]), ("7", 7))

    def test_5xx(self):
        for how in ("500", "502", "503"):
            self.assertNotIn("retry-after", self.struck(how, int(how)).headers)
            self.assertEqual(self.struck(how, int(how), retry_after=3).headers["retry-after"], "3")

    def test_504(self):
        answer = self.struck("504", 504)
        self.assertEqual((answer.json()["details"]["retryAfterSeconds"], answer.headers["retry-after"]), (1, "1"))

    def test_a_fault_strikes_what_it_names_and_no_more(self):
        self.fail("500", times=2)
        self.get(f"{SHOP_PODS}/nobody", 404)
        self.get(POLICIES)
        self.get(SHOP_PODS, 500)
        self.assertEqual(self.server.control("faults")["faults"][0]["struck"], 1)
        self.get(SHOP_PODS, 500)
        self.get(SHOP_PODS)

    def test_a_fault_stays_until_it_is_cleared(self):
        self.fail("503", times=None)
        for _ in range(3):
            self.get(SHOP_PODS, 503)
        self.server.control("heal")
        self.get(SHOP_PODS)

    def test_nonsense_is_refused(self):
        with self.assertRaises(Exception):
            self.fail("nonsense")


class Bodies(ServerTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.load(pod("a"), pod("b"))

    def fail(self, how, **rest):
        self.server.control("fail", how=how, resource="pods", **rest)

    def watch(self):
        return self.open_watch(f"{SHOP_PODS}?resourceVersion={self.version()}")

    def change(self):
        return self.server.load(pod("a", labels={"at": str(time.monotonic_ns())}))

    def test_silence_without_a_word(self):
        self.fail("silent")
        connection = self.server.connect()
        self.addCleanup(connection.close)
        connection.request("GET", SHOP_PODS, headers=self.server.headers("admin", None))
        self.server.wait_for(lambda: not self.server.control("faults")["faults"])
        connection.sock.settimeout(SHORT)
        with self.assertRaises(TimeoutError):
            connection.getresponse()
        self.get(SHOP_PODS)

    def test_a_watch_that_goes_silent(self):
        self.fail("silent", skip=1)
        stream = self.watch()
        self.change()
        self.change()
        self.assertEqual(stream.event()["type"], "MODIFIED")
        stream.patience(SHORT)
        with self.assertRaises(TimeoutError):
            stream.line()

    def test_a_list_cut_within_an_object(self):
        self.fail("cut")
        with self.assertRaises(http.client.IncompleteRead):
            self.get(SHOP_PODS)

    def test_a_list_that_ends_well_within_an_object(self):
        self.fail("cut-clean")
        answer = self.get(SHOP_PODS)
        with self.assertRaises(ValueError):
            answer.json()
        self.assertTrue(answer.body.startswith(b'{"kind":"PodList"'))

    def test_a_watch_cut_within_an_event(self):
        self.fail("cut", skip=1)
        stream = self.watch()
        self.change()
        self.change()
        self.assertEqual(stream.event()["type"], "MODIFIED")
        with self.assertRaises(http.client.IncompleteRead):
            stream.event()

    def test_slowness(self):
        self.fail("slow", delay=SHORT)
        begin = time.monotonic()
        self.get(SHOP_PODS)
        self.assertGreater(time.monotonic() - begin, SHORT)
        size = len(self.get(SHOP_PODS).body)
        self.fail("slow", rate=2 * size)
        begin = time.monotonic()
        self.assertEqual(names(self.get(SHOP_PODS)), ["a", "b"])
        self.assertGreater(time.monotonic() - begin, 0.4)

    def test_lists_that_cannot_be_understood(self):
        self.fail("garbage")
        self.assertEqual(self.get(SHOP_PODS).json()["items"], [7, json.loads(BAD_OBJECT)])
        self.fail("garbage", what="json")
        with self.assertRaises(ValueError):
            self.get(SHOP_PODS).json()

    def test_events_that_cannot_be_understood(self):
        for what, wanted in (("object", ["ADDED", "MODIFIED"]), ("type", ["RENAMED", "MODIFIED"])):
            self.fail("garbage", what=what)
            stream = self.watch()
            self.change()
            self.assertEqual([event["type"] for event in stream.events(2)], wanted)
        self.fail("garbage", line='{"type":7}')
        stream = self.watch()
        self.change()
        self.assertEqual(stream.line(), b'{"type":7}\n')

    def test_error_events_at_once(self):
        for how, code in (("410-event", 410), ("500-event", 500), ("504-event", 504)):
            self.fail(how, verb="watch")
            stream = self.watch()
            event = stream.event()
            self.assertEqual((stream.code, event["type"], event["object"]["code"]), (200, "ERROR", code))
            self.assertEqual(stream.line(), b"")


class OpenWatches(ServerTest):
    """What strikes watches that have been well for a while."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.load(pod("a"))

    def struck(self, how, **rest):
        self.server.wait_for(lambda: self.server.watches("pods") == 0)
        stream = self.open_watch(f"{SHOP_PODS}?resourceVersion={self.version()}")
        self.assertEqual(self.server.control("streams", how=how, resource="pods", **rest), {"watches": 1})
        return stream

    def test_end(self):
        self.assertEqual(self.struck("end").line(), b"")

    def test_error_events(self):
        for code in (410, 500):
            stream = self.struck(f"{code}-event")
            self.assertEqual(stream.event()["object"]["code"], code)
            self.assertEqual(stream.line(), b"")

    def test_cuts(self):
        stream = self.struck("cut")
        with self.assertRaises(http.client.IncompleteRead):
            stream.event()
        line = self.struck("cut-clean").line()
        self.assertTrue(line.startswith(b'{"type":"MODIFIED"') and not line.endswith(b"\n"), line)

    def test_silence(self):
        stream = self.struck("silent")
        self.server.load(pod("a", labels={"silent": "yes"}))
        stream.patience(SHORT)
        with self.assertRaises(TimeoutError):
            stream.line()

    def test_garbage(self):
        stream = self.struck("garbage", what="type")
        self.assertEqual(stream.event()["type"], "RENAMED")
        self.server.load(pod("a", labels={"garbage": "yes"}))
        self.assertEqual(stream.event()["type"], "MODIFIED")


class Resets(ServerTest):
    """Without TLS, because Python's does not tell a reset from an end."""

    def setUp(self):
        self.server.load(pod("a"))
        self.server.control("tls", how="plain")
        self.server.plain = True

    def tearDown(self):
        self.server.plain = False
        super().tearDown()

    def watch(self):
        return self.open_watch(f"{SHOP_PODS}?resourceVersion={self.version()}")

    def test_instead_of_an_answer(self):
        self.server.control("fail", how="reset", resource="pods")
        with self.assertRaises(ConnectionResetError):
            self.get(SHOP_PODS)
        self.get(SHOP_PODS)

    def test_within_an_answer(self):
        self.server.control("fail", how="reset-body", resource="pods")
        with self.assertRaises(ConnectionResetError):
            self.get(SHOP_PODS)

    def test_of_an_open_watch(self):
        stream = self.watch()
        self.server.control("streams", how="reset", resource="pods")
        with self.assertRaises(ConnectionResetError):
            stream.line()

    def test_of_all_connections(self):
        streams = [self.watch() for _ in range(3)]
        self.assertGreaterEqual(self.server.control("drop-connections")["dropped"], 3)
        for stream in streams:
            with self.assertRaises(ConnectionResetError):
                stream.line()
        self.server.wait_for(lambda: self.server.control("stats")["open_connections"] == 0)


class Connections(ServerTest):
    def test_certificates_that_must_be_refused(self):
        for how, why in (("wrong-ca", "unable to get local issuer|self-signed"), ("expired", "expired"),
                         ("wrong-name", "mismatch")):
            self.server.control("tls", how=how)
            with self.assertRaisesRegex(ssl.SSLCertVerificationError, why):
                self.get("/version")
        self.server.control("tls", how="ok")
        self.get("/version")

    def test_no_tls_where_tls_should_be(self):
        for how in ("plain", "garbage"):
            self.server.control("tls", how=how)
            with self.assertRaises((ssl.SSLError, ConnectionError)):
                self.get("/version")
        self.server.control("tls", how="plain")
        connection = http.client.HTTPConnection(self.server.host, self.server.port)
        connection.request("GET", "/version")
        self.assertEqual(connection.getresponse().status, 200)
        connection.close()

    def test_handshakes_that_come_to_nothing(self):
        self.server.control("tls", how="reset")
        with self.assertRaises(OSError):
            self.get("/version")
        self.server.control("tls", how="silent")
        with self.assertRaises(TimeoutError):
            self.get("/version", timeout=SHORT)

    def test_nobody_listens(self):
        self.server.control("listen", on=False)
        with self.assertRaises(ConnectionRefusedError):
            self.get("/version")
        self.server.control("listen", on=True)
        self.get("/version")

    def test_connections_are_kept(self):
        self.server.control("stats", reset=True)
        connection = self.server.connect()
        for _ in range(3):
            connection.request("GET", SHOP_PODS, headers=self.server.headers("admin", None))
            self.assertEqual(connection.getresponse().read()[:1], b"{")
        connection.close()
        self.assertEqual(self.server.control("stats")["connections"], 1)

    def test_http_1_1_is_agreed_on(self):
        context = self.server.context()
        context.set_alpn_protocols(["h2", "http/1.1"])
        with socket.create_connection((self.server.host, self.server.port)) as sock:
            with context.wrap_socket(sock, server_hostname=self.server.host) as secure:
                self.assertEqual(secure.selected_alpn_protocol(), "http/1.1")
