# SPDX-License-Identifier: GPL-2.0-or-later
"""get, create, replace, patch and delete by raw requests; who may, and what there is."""

import json
import socket
import ssl

from harness import CNP, CNPS, PODS, SHOP_PODS, SHOP_POLICIES, ServerTest, cnp, namespace, pod, policy, version_of

STRATEGIC = "application/strategic-merge-patch+json"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"


class Create(ServerTest):
    def test_the_server_adds_what_a_server_adds(self):
        made = self.request(201, "POST", SHOP_PODS, pod("made", labels={"a": "b"})).json()
        metadata = made["metadata"]
        self.assertRegex(metadata["uid"], r"^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$")
        self.assertRegex(metadata["creationTimestamp"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertEqual(metadata["generation"], 1)
        self.assertEqual(version_of(made), self.version())
        self.assertEqual(made["status"], {"phase": "Pending", "qosClass": "BestEffort"})
        self.assertEqual(made["spec"]["restartPolicy"], "Always")
        self.assertEqual(metadata["managedFields"][0]["manager"], "raw")
        self.assertEqual(self.get(f"{SHOP_PODS}/made").json(), made)

    def test_policy_defaults(self):
        spec = {"egress": [{"ports": [{"port": 53}, {}], "to": []}], "ingress": []}
        made = self.request(201, "POST", SHOP_POLICIES, policy("defaults", **spec)).json()
        self.assertEqual(made["spec"], {"podSelector": {}, "policyTypes": ["Ingress", "Egress"],
                                        "egress": [{"ports": [{"protocol": "TCP", "port": 53}, {"protocol": "TCP"}]}]})

    def test_the_name_label_of_a_namespace_is_forced(self):
        made = self.request(201, "POST", "/api/v1/namespaces",
                            namespace("forced", **{"kubernetes.io/metadata.name": "other"})).json()
        self.assertEqual(made["metadata"]["labels"], {"kubernetes.io/metadata.name": "forced"})
        patch = {"metadata": {"labels": {"kubernetes.io/metadata.name": None, "x": "y"}}}
        made = self.request(200, "PATCH", "/api/v1/namespaces/forced", patch, media_type=MERGE).json()
        self.assertEqual(made["metadata"]["labels"], {"kubernetes.io/metadata.name": "forced", "x": "y"})
        self.assertEqual(made["status"]["phase"], "Active")

    def test_refusals(self):
        self.request(201, "POST", SHOP_PODS, pod("twice"))
        status = self.request(409, "POST", SHOP_PODS, pod("twice")).json()
        self.assertEqual((status["reason"], status["details"]), ("AlreadyExists", {"name": "twice", "kind": "pods"}))
        missing = self.request(404, "POST", "/api/v1/namespaces/nowhere/pods", pod("x", namespace="nowhere")).json()
        self.assertEqual(missing["message"], 'namespaces "nowhere" not found')
        self.request(400, "POST", SHOP_PODS, pod("x", namespace="default"))
        self.request(400, "POST", SHOP_PODS, b"{")
        self.request(400, "POST", SHOP_PODS, policy("x"))
        self.request(400, "POST", SHOP_PODS, pod("x", containers="none"))
        self.request(422, "POST", SHOP_PODS, pod("Not_A_Name"))
        self.request(422, "POST", SHOP_PODS, pod("x", containers=[]))
        self.request(415, "POST", SHOP_PODS, b"k8s\0", media_type="application/vnd.kubernetes.protobuf")
        self.request(405, "POST", PODS, pod("x"))
        self.request(400, "POST", f"{SHOP_PODS}?dryRun=All", pod("x"))
        with_version = pod("x")
        with_version["metadata"]["resourceVersion"] = "5"
        self.request(500, "POST", SHOP_PODS, with_version)

    def test_generated_names(self):
        item = pod("x")
        item["metadata"] = {"generateName": "gen-"}
        self.assertRegex(self.request(201, "POST", SHOP_PODS, item).json()["metadata"]["name"], "^gen-[0-9a-f]{5}$")


class Change(ServerTest):
    def setUp(self):
        self.path = f"{SHOP_PODS}/{self.id().rpartition('.')[2].replace('_', '-')}"
        self.name = self.path.rpartition("/")[2]
        self.item = self.request(201, "POST", SHOP_PODS, pod(self.name, "node1", labels={"a": "b"})).json()

    def test_replace_needs_the_present_version(self):
        self.item["metadata"]["labels"] = {"c": "d"}
        made = self.request(200, "PUT", self.path, self.item).json()
        self.assertEqual(made["metadata"]["labels"], {"c": "d"})
        self.assertGreater(version_of(made), version_of(self.item))
        self.item["metadata"]["labels"] = {"e": "f"}
        status = self.request(409, "PUT", self.path, self.item).json()
        self.assertEqual(status["reason"], "Conflict")
        del self.item["metadata"]["resourceVersion"]
        self.request(200, "PUT", self.path, self.item)

    def test_nothing_new_is_no_new_version(self):
        made = self.request(200, "PUT", self.path, self.item).json()
        self.assertEqual(made, self.item)

    def test_what_belongs_to_the_server_stays(self):
        self.item["metadata"] |= {"creationTimestamp": "1999-01-01T00:00:00Z", "generation": 9}
        self.item["status"] = {"phase": "Running"}
        self.item["metadata"]["labels"]["c"] = "d"
        made = self.request(200, "PUT", self.path, self.item).json()
        self.assertNotEqual(made["metadata"]["creationTimestamp"], "1999-01-01T00:00:00Z")
        self.assertEqual((made["metadata"]["generation"], made["status"]["phase"]), (1, "Pending"))
        self.item["metadata"]["name"] = "other"
        self.request(400, "PUT", self.path, self.item)

    def test_the_specification_of_a_pod_is_fixed_but_for_images(self):
        self.item["spec"]["containers"][0]["image"] = "other"
        self.item = self.request(200, "PUT", self.path, self.item).json()
        self.assertEqual(self.item["metadata"]["generation"], 2)
        self.item["spec"]["containers"][0]["ports"] = [{"containerPort": 80}]
        self.request(422, "PUT", self.path, self.item)

    def test_status_is_a_door_of_its_own(self):
        patch = {"status": {"phase": "Running", "podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}]},
                 "spec": {"nodeName": "other"}}
        made = self.request(200, "PATCH", f"{self.path}/status", patch, media_type=STRATEGIC).json()
        self.assertEqual((made["status"]["podIP"], made["spec"]["nodeName"]), ("10.0.0.1", "node1"))
        self.assertEqual(made["metadata"]["generation"], 1)
        managers = [(entry["manager"], entry.get("subresource")) for entry in made["metadata"]["managedFields"]]
        self.assertEqual(managers, [("raw", None), ("raw", "status")])
        self.assertEqual(self.get(f"{self.path}/status").json(), made)
        self.request(404, "GET", f"{SHOP_POLICIES}/x/status")

    def test_merge_patch(self):
        patch = {"metadata": {"labels": {"a": None, "c": "d"}}}
        made = self.request(200, "PATCH", self.path, patch, media_type=MERGE).json()
        self.assertEqual(made["metadata"]["labels"], {"c": "d"})
        patch["metadata"]["resourceVersion"] = "5"
        self.request(409, "PATCH", self.path, patch, media_type=MERGE)

    def test_strategic_patch_merges_lists_by_key(self):
        two = [{"name": "c", "image": "old"}, {"name": "d", "image": "old"}]
        self.request(201, "POST", SHOP_PODS, pod("two-containers", containers=two))
        patch = {"spec": {"containers": [{"name": "d", "image": "new"}]}}
        made = self.request(200, "PATCH", f"{SHOP_PODS}/two-containers", patch, media_type=STRATEGIC).json()
        self.assertEqual([(c["name"], c["image"]) for c in made["spec"]["containers"]], [("c", "old"), ("d", "new")])
        patch = {"metadata": {"labels": {"$patch": "replace", "z": "z"}}}
        made = self.request(200, "PATCH", self.path, patch, media_type=STRATEGIC).json()
        self.assertEqual(made["metadata"]["labels"], {"z": "z"})

    def test_json_patch(self):
        patch = [{"op": "test", "path": "/metadata/labels/a", "value": "b"},
                 {"op": "add", "path": "/metadata/labels/x~1y", "value": "z"},
                 {"op": "remove", "path": "/metadata/labels/a"}]
        made = self.request(200, "PATCH", self.path, patch, media_type=JSON_PATCH).json()
        self.assertEqual(made["metadata"]["labels"], {"x/y": "z"})
        self.request(422, "PATCH", self.path, patch, media_type=JSON_PATCH)

    def owners(self, item):
        """Of labels, by manager."""
        return {entry["manager"]: sorted(entry["fieldsV1"].get("f:metadata", {}).get("f:labels", {}))
                for entry in item["metadata"]["managedFields"]}

    def test_who_changes_a_field_owns_it(self):
        patch = {"metadata": {"labels": {"a": "other", "c": "d"}}}
        path = f"{self.path}?fieldManager=second"
        made = self.request(200, "PATCH", path, patch, media_type=MERGE).json()
        self.assertEqual(self.owners(made), {"raw": ["."], "second": ["f:a", "f:c"]})
        patch = {"metadata": {"labels": {"a": None}}}
        made = self.request(200, "PATCH", self.path, patch, media_type=MERGE).json()
        self.assertEqual(self.owners(made), {"raw": ["."], "second": ["f:c"]})

    def test_marks_of_html_are_escaped(self):
        patch = {"metadata": {"annotations": {"a": "<&>\u2028"}}}
        made = self.request(200, "PATCH", self.path, patch, media_type=MERGE)
        self.assertIn(rb'"a":"\u003c\u0026\u003e\u2028"', made.body)
        self.assertEqual(made.json()["metadata"]["annotations"], {"a": "<&>\u2028"})

    def test_unknown_patches(self):
        self.request(415, "PATCH", self.path, {}, media_type="application/json")
        self.request(404, "PATCH", f"{SHOP_PODS}/nobody", {}, media_type=MERGE)


class Delete(ServerTest):
    def test_a_running_pod_terminates_then_goes(self):
        self.request(201, "POST", SHOP_PODS, pod("slow", "node1"))
        self.request(200, "PATCH", f"{SHOP_PODS}/slow/status", {"status": {"phase": "Running"}}, media_type=MERGE)
        stream = self.open_watch(f"{SHOP_PODS}?resourceVersion={self.version()}")
        answer = self.request(200, "DELETE", f"{SHOP_PODS}/slow").json()
        self.assertEqual(answer["metadata"]["deletionGracePeriodSeconds"], 30)
        events = stream.events(4)
        self.assertEqual([(event["type"], event["object"]["metadata"]["deletionGracePeriodSeconds"],
                           event["object"]["status"]["phase"]) for event in events],
                         [("MODIFIED", 30, "Running"), ("MODIFIED", 30, "Succeeded"), ("MODIFIED", 0, "Succeeded"),
                          ("DELETED", 0, "Succeeded")])
        self.assertEqual(events[0]["object"]["metadata"]["generation"], 2)
        versions = [version_of(event["object"]) for event in events]
        self.assertEqual(versions, sorted(set(versions)))
        self.get(f"{SHOP_PODS}/slow", 404)

    def test_a_pod_that_runs_nowhere_goes_at_once(self):
        self.request(201, "POST", SHOP_PODS, pod("nowhere"))
        answer = self.request(200, "DELETE", f"{SHOP_PODS}/nowhere").json()
        self.assertEqual(answer["metadata"]["deletionGracePeriodSeconds"], 0)
        self.get(f"{SHOP_PODS}/nowhere", 404)

    def test_without_kubelet_it_stays_until_deleted_for_good(self):
        self.server.control("set", kubelet_seconds=None)
        self.addCleanup(self.server.control, "set", kubelet_seconds=0.2)
        self.request(201, "POST", SHOP_PODS, pod("stuck", "node1"))
        first = self.request(200, "DELETE", f"{SHOP_PODS}/stuck").json()
        self.assertEqual(self.request(200, "DELETE", f"{SHOP_PODS}/stuck").json(), first)
        self.request(200, "DELETE", f"{SHOP_PODS}/stuck", {"gracePeriodSeconds": 0})
        self.get(f"{SHOP_PODS}/stuck", 404)

    def test_what_has_no_grace_is_gone_at_once(self):
        self.request(201, "POST", SHOP_POLICIES, policy("gone"))
        status = self.request(200, "DELETE", f"{SHOP_POLICIES}/gone").json()
        self.assertEqual((status["status"], status["details"]["kind"]), ("Success", "networkpolicies"))
        self.request(404, "DELETE", f"{SHOP_POLICIES}/gone")
        made = self.request(201, "POST", SHOP_POLICIES, policy("gone")).json()
        self.request(409, "DELETE", f"{SHOP_POLICIES}/gone", {"preconditions": {"uid": "other"}})
        self.request(200, "DELETE", f"{SHOP_POLICIES}/gone", {"preconditions": {"uid": made["metadata"]["uid"]}})

    def test_a_namespace_takes_its_content_along(self):
        self.server.load(namespace("doomed"), policy("p", "doomed"), pod("q", "node1", "doomed"))
        stream = self.open_watch(f"/api/v1/namespaces?resourceVersion={self.version()}")
        answer = self.request(200, "DELETE", "/api/v1/namespaces/doomed").json()
        self.assertEqual(answer["status"]["phase"], "Terminating")
        self.request(403, "POST", "/api/v1/namespaces/doomed/pods", pod("late", namespace="doomed"))
        self.assert_events(stream, ("MODIFIED", "doomed"), ("DELETED", "doomed"))
        self.assertEqual(self.get("/api/v1/namespaces/doomed/pods").json()["items"], [])

    def test_collections(self):
        self.server.load(policy("one"), policy("two"))
        self.request(200, "DELETE", f"{SHOP_POLICIES}?fieldSelector=metadata.name%3Done")
        self.assertEqual([item["metadata"]["name"] for item in self.get(SHOP_POLICIES).json()["items"]], ["two"])
        self.request(200, "DELETE", SHOP_POLICIES)
        self.assertEqual(self.get(SHOP_POLICIES).json()["items"], [])


class Who(ServerTest):
    def test_tokens(self):
        self.get(PODS, user="admin")
        self.get(PODS, user="node")
        self.get(PODS, 403, user=None)
        self.get("/version", user=None)
        self.get("/api/v1", 403, user=None)
        self.get(PODS, 401, headers={"Authorization": "Bearer wrong"})

    def test_a_token_is_rotated(self):
        old = self.server.token("node")
        new = self.server.control("rotate-token", user="node")["token"]
        self.assertNotEqual(old, new)
        self.assertEqual(self.server.token("node"), new)
        self.get(PODS, 401, headers={"Authorization": f"Bearer {old}"})
        self.get(PODS, user="node")
        self.server.control("rotate-token", user="node", keep=True)
        self.get(PODS, headers={"Authorization": f"Bearer {new}"})

    def test_client_certificates(self):
        self.get(PODS, user=None, certificate="node")
        self.server.control("deny", rules=[{"user": "node"}])
        status = self.get(PODS, 403, user=None, certificate="node").json()
        self.assertIn('User "node" cannot list resource "pods"', status["message"])

    def test_denials(self):
        self.server.control("deny", rules=[{"user": "node", "verb": "watch", "resource": "pods"}])
        self.get(PODS, user="node")
        status = self.get(f"{SHOP_PODS}?watch=1", 403, user="node").json()
        self.assertEqual(status["message"], 'pods is forbidden: User "node" cannot watch resource "pods" in API group'
                                            ' "" in the namespace "shop"')
        self.assertEqual(status["details"], {"kind": "pods"})

    def test_a_stranger_is_not_trusted(self):
        context = ssl.create_default_context()
        with self.assertRaises(ssl.SSLCertVerificationError):
            with socket.create_connection((self.server.host, self.server.port)) as sock:
                context.wrap_socket(sock, server_hostname=self.server.host)


class What(ServerTest):
    def test_discovery_in_both_forms(self):
        listed = self.get("/apis/networking.k8s.io/v1").json()
        self.assertEqual([found["name"] for found in listed["resources"]], ["networkpolicies"])
        self.assertEqual([found["name"] for found in self.get("/api/v1").json()["resources"]],
                         ["namespaces", "namespaces/status", "nodes", "nodes/status", "pods", "pods/status", "services",
                          "services/status"])
        accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
        found = self.get("/api", headers={"Accept": accept})
        self.assertEqual(found.headers["content-type"], accept.partition(",")[0])
        self.assertEqual(found.json()["items"][0]["versions"][0]["version"], "v1")
        self.assertEqual(self.get("/api").json()["kind"], "APIVersions")

    def test_custom_resources_come_and_go(self):
        absent = self.get(CNPS, 404)
        self.assertEqual((absent.body, absent.headers["content-type"]),
                         (b"404 page not found\n", "text/plain; charset=utf-8"))
        self.server.control("register", **CNP)
        made = self.request(201, "POST", CNPS, cnp("first", tier="Admin", priority=1)).json()
        self.assertEqual(list(made), sorted(made))
        self.assertEqual(list(self.get(CNPS).json()), ["apiVersion", "items", "kind", "metadata"])
        self.assertIn("policy.networking.k8s.io", self.get("/apis").body.decode())
        made["spec"]["priority"] = 2
        made = self.request(200, "PUT", f"{CNPS}/first", made).json()
        self.assertEqual(made["metadata"]["generation"], 2)
        self.request(415, "PATCH", f"{CNPS}/first", {}, media_type=STRATEGIC)
        stream = self.open_watch(f"{CNPS}?resourceVersion={self.version()}")
        self.server.control("unregister", resource="clusternetworkpolicies")
        self.assert_events(stream, ("DELETED", "first"))
        self.assertEqual(stream.line(), b"")
        self.get(CNPS, 404)

    def test_files_are_loaded(self):
        with open(self.server.path("list.json"), "w", encoding="utf-8") as file:
            json.dump({"kind": "List", "items": [policy("from-file"), pod("from-file", "node1") | {
                "status": {"phase": "Running", "podIP": "10.0.0.9"}}]}, file)
        self.assertEqual(self.server.control("load", path=self.server.path("list.json"))["loaded"], 2)
        self.assertEqual(self.get(f"{SHOP_PODS}/from-file").json()["status"]["podIP"], "10.0.0.9")
        version = self.version()
        self.server.control("load", path=self.server.path("list.json"))
        self.assertEqual(self.version(), version)

    def test_tables(self):
        self.server.load(pod("tabled", "node1"))
        table = self.get(f"{SHOP_PODS}/tabled", headers={
            "Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}).json()
        self.assertEqual(table["kind"], "Table")
        cells = dict(zip([column["name"] for column in table["columnDefinitions"]], table["rows"][0]["cells"]))
        self.assertEqual((cells["Name"], cells["Status"], cells["Node"]), ("tabled", "Pending", "node1"))

    def test_what_cannot_be_said(self):
        self.get(PODS, 406, headers={"Accept": "application/vnd.kubernetes.protobuf"})
        self.get("/apis/networking.k8s.io/v1/ingresses", 404)
        self.get("/nowhere", 404)
        self.request(405, "DELETE", f"{PODS}/x")


class OverIpv6(ServerTest):
    host = "::1"

    def test_it_answers(self):
        self.assertEqual(self.get("/healthz").body, b"ok")
