# SPDX-License-Identifier: GPL-2.0-or-later
"""kubectl against the server, as a user works."""

import json
import os
import select
import shutil
import subprocess
import unittest

from harness import CNP, ServerTest, cnp, namespace, pod, policy

KUBECTL = os.environ.get("KUBECTL", "kubectl")


def text(item):
    return json.dumps(item)


@unittest.skipUnless(shutil.which(KUBECTL), "kubectl is missing (package kubernetes-client)")
class Kubectl(ServerTest):
    def setUp(self):
        for what in ("pods", "networkpolicies"):
            self.kubectl("-n", "shop", "delete", what, "--all", "--force", "--grace-period=0")

    def kubectl(self, *arguments, item=None, code=0):
        """What it printed."""
        done = self.server.kubectl(*arguments, text=item and text(item))
        self.assertEqual(done.returncode, code, (arguments, done.stdout, done.stderr))
        return done.stdout if code == 0 else done.stderr

    def shop(self, *arguments, **rest):
        return self.kubectl("-n", "shop", *arguments, **rest)

    def object(self, *what):
        return json.loads(self.shop("get", *what, "-o", "json"))

    def test_create_get_delete(self):
        self.assertEqual(self.kubectl("create", "-f", "-", item=namespace("fresh")), "namespace/fresh created\n")
        self.kubectl("create", "-f", "-", item=pod("a", "node1", labels={"app": "x"}))
        self.kubectl("create", "-f", "-", item=policy("p", podSelector={"matchLabels": {"app": "x"}}))
        self.assertRegex(self.shop("get", "pods"), r"NAME +READY +STATUS +RESTARTS +AGE\na +0/1 +Pending +0 ")
        self.assertIn("node1", self.shop("get", "pods", "-o", "wide"))
        self.assertRegex(self.shop("get", "netpol"), r"NAME +POD-SELECTOR +AGE\np +app=x ")
        self.assertEqual(self.object("pod", "a")["spec"]["nodeName"], "node1")
        found = self.shop("get", "pods", "-l", "app=x", "--field-selector", "spec.nodeName=node1", "-o", "name")
        self.assertEqual(found, "pod/a\n")
        self.assertIn("fresh", self.kubectl("get", "namespaces"))
        self.assertIn("AlreadyExists", self.kubectl("create", "-f", "-", item=policy("p"), code=1))
        self.shop("delete", "pod", "a")
        self.assertIn("NotFound", self.shop("get", "pod", "a", code=1))
        self.shop("delete", "networkpolicy", "p")
        self.kubectl("delete", "namespace", "fresh")
        self.assertNotIn("fresh", self.kubectl("get", "namespaces"))

    def test_apply(self):
        ports = [{"ports": [{"port": port, "protocol": "TCP"}]} for port in (80, 81)]
        item = policy("p", podSelector={}, ingress=ports)
        self.assertIn("created", self.shop("apply", "-f", "-", item=item))
        self.assertIn("unchanged", self.shop("apply", "-f", "-", item=item))
        item["spec"]["ingress"] = [{"ports": [{"port": "http", "protocol": "UDP"}]}]
        self.assertIn("configured", self.shop("apply", "-f", "-", item=item))
        found = self.object("netpol", "p")
        self.assertEqual(found["spec"]["ingress"], item["spec"]["ingress"])
        self.assertEqual(found["metadata"]["generation"], 2)
        item = pod("a", labels={"x": "y", "z": "z"})
        self.shop("apply", "-f", "-", item=item)
        del item["metadata"]["labels"]["z"]
        item["spec"]["containers"][0]["image"] = "other"
        self.assertIn("configured", self.shop("apply", "-f", "-", item=item))
        found = self.object("pod", "a")
        self.assertEqual((found["metadata"]["labels"], found["spec"]["containers"][0]["image"]), ({"x": "y"}, "other"))

    def test_replace(self):
        self.kubectl("create", "-f", "-", item=pod("a"))
        item = self.object("pod", "a")
        item["metadata"]["labels"] = {"new": "label"}
        self.assertIn("replaced", self.shop("replace", "-f", "-", item=item))
        self.assertIn("Conflict", self.shop("replace", "-f", "-", item=item, code=1))

    def test_patch_label_annotate(self):
        self.kubectl("create", "-f", "-", item=pod("a"))
        self.shop("patch", "pod", "a", "-p", '{"spec":{"containers":[{"name":"c","image":"i2"}]}}')
        self.shop("patch", "pod", "a", "--type=merge", "-p", '{"metadata":{"labels":{"m":"1"}}}')
        self.shop("patch", "pod", "a", "--type=json", "-p", '[{"op":"add","path":"/metadata/labels/j","value":"2"}]')
        self.shop("label", "pod", "a", "l=3", "m-")
        self.shop("annotate", "pod", "a", "note=4")
        found = self.object("pod", "a")
        self.assertEqual(found["metadata"]["labels"], {"j": "2", "l": "3"})
        self.assertEqual(found["metadata"]["annotations"], {"note": "4"})
        self.assertEqual(found["spec"]["containers"][0]["image"], "i2")

    def test_wait(self):
        self.kubectl("create", "-f", "-", item=pod("a", "node1"))
        self.kubectl("get", "--raw", "/healthz")
        ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
        self.server.load(pod("a", "node1") | {"status": ready})
        self.assertIn("condition met", self.shop("wait", "--for=condition=Ready", "pod/a", "--timeout=30s"))
        self.shop("delete", "pod", "a", "--wait=false")
        self.shop("wait", "--for=delete", "pod/a", "--timeout=30s")

    def test_watch(self):
        config = self.server.kubeconfig("watch.yaml", "admin", "token")
        command = [KUBECTL, f"--kubeconfig={config}", f"--cache-dir={self.server.path('cache')}", "-n", "shop", "get",
                   "pods", "-w", "--output-watch-events"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | {"HOME": self.server.directory})
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.server.wait_for(lambda: self.server.watches("pods") == 1)
        self.server.load(pod("a"))
        self.shop("label", "pod", "a", "x=y")
        self.shop("delete", "pod", "a")
        self.assertEqual(self.words(process, 5), [
            ["EVENT", "NAME"], ["ADDED", "a"], ["MODIFIED", "a"], ["MODIFIED", "a"], ["DELETED", "a"]])

    def words(self, process, count):
        """The first two words of so many lines."""
        data = b""
        while data.count(b"\n") < count:
            self.assertTrue(select.select([process.stdout], [], [], 60)[0], data)
            data += os.read(process.stdout.fileno(), 65536)
        return [line.split()[:2] for line in data.decode().splitlines()[:count]]

    def test_refusals_are_understood(self):
        bad = policy("bad", ingress=[{"ports": [{"port": 80, "endPort": 79}]}])
        self.assertIn('The NetworkPolicy "bad" is invalid', self.kubectl("create", "-f", "-", item=bad, code=1))
        self.server.control("fail", how="403", verb="list", resource="pods")
        self.assertIn('cannot list resource "pods"', self.shop("get", "pods", code=1))
        self.server.control("fail", how="500", verb="list", resource="pods")
        self.assertIn("InternalError", self.shop("get", "pods", code=1))
        self.server.control("tls", how="wrong-ca")
        self.assertIn("x509", self.shop("get", "pods", code=1))

    def test_custom_resources(self):
        self.assertIn("doesn't have a resource type", self.kubectl("get", "clusternetworkpolicies", code=1))
        self.server.control("register", **CNP)
        self.addCleanup(self.server.control, "unregister", resource="clusternetworkpolicies")
        self.addCleanup(shutil.rmtree, self.server.path("cache"))
        shutil.rmtree(self.server.path("cache"))
        item = cnp("first", tier="Admin", priority=1)
        self.assertIn("created", self.kubectl("apply", "-f", "-", item=item))
        item["spec"]["priority"] = 2
        self.assertIn("configured", self.kubectl("apply", "-f", "-", item=item))
        self.assertRegex(self.kubectl("get", "clusternetworkpolicies"), r"NAME +AGE\nfirst ")
        self.kubectl("delete", "clusternetworkpolicy", "first")

    def test_paging(self):
        self.server.load(*[pod(f"p{number}") for number in range(7)])
        self.server.control("stats", reset=True)
        self.assertEqual(self.shop("get", "pods", "--chunk-size=3", "--no-headers").count("\n"), 7)
        self.assertEqual(self.server.control("stats")["requests"]["list pods"], 3)
