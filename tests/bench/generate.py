#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Clusters for benchmarks: generate.py PODS DIRECTORY

Writes JSON lists of 1,000 objects as an API server answers them: pods of some 4 kB with managedFields, environment,
volumes and statuses, in namespaces of 50 with 5 applications each; a tenth as many policies; nodes of 250 pods.
The same PODS gives the same bytes. Prints what it wrote."""
import json
import os
import sys

PER_NAMESPACE = 50
PER_NODE = 250
LIST = 1000
APPS = ["web", "api", "db", "cache", "jobs"]


def managed_fields(app):
    owned = {"f:metadata": {"f:generateName": {}, "f:labels": {".": {}, f"f:{app}": {}, "f:pod-template-hash": {}},
                            "f:ownerReferences": {".": {}, 'k:{"uid":"3f1c1d5e-55aa-4c39-9f0e-2f7b0c9f6a10"}': {}}},
             "f:spec": {"f:containers": {f'k:{{"name":"{app}"}}': {
                 ".": {}, "f:env": {".": {}, **{f'k:{{"name":"VARIABLE_{i}"}}': {".": {}, "f:name": {}, "f:value": {}}
                                               for i in range(6)}},
                 "f:image": {}, "f:imagePullPolicy": {}, "f:name": {}, "f:ports": {".": {}}, "f:resources": {}}},
                 "f:dnsPolicy": {}, "f:enableServiceLinks": {}, "f:restartPolicy": {}, "f:schedulerName": {}}}
    return [{"manager": "kube-controller-manager", "operation": "Update", "apiVersion": "v1",
             "time": "2026-11-21T04:12:11Z", "fieldsType": "FieldsV1", "fieldsV1": owned}]


def address(i):
    return f"10.{(i >> 16) & 255}.{(i >> 8) & 255}.{i & 255}"


def pod_template(app):
    """The parts that all pods of an application share, as text with two holes."""
    return {
        "metadata": {"name": "%NAME%", "generateName": f"{app}-6d4cf56db6-", "namespace": "%NS%", "uid": "%UID%",
                     "resourceVersion": "1008", "generation": 1, "creationTimestamp": "2026-11-21T04:12:11Z",
                     "labels": {"app": app, "app.kubernetes.io/name": app, "app.kubernetes.io/part-of": "%NS%",
                                "tier": "front" if app == "web" else "back", "pod-template-hash": "6d4cf56db6"},
                     "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": f"{app}-6d4cf56db6",
                                          "uid": "3f1c1d5e-55aa-4c39-9f0e-2f7b0c9f6a10", "controller": True,
                                          "blockOwnerDeletion": True}],
                     "managedFields": managed_fields(app)},
        "spec": {"volumes": [{"name": "kube-api-access", "projected": {"defaultMode": 420, "sources": [
                     {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                     {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}}]}}],
                 "containers": [{"name": app, "image": f"registry.example/{app}:1.2.3",
                                 "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"},
                                           {"name": "metrics", "containerPort": 9090, "protocol": "TCP"}],
                                 "env": [{"name": f"VARIABLE_{i}", "value": f"value {i} of {app}"} for i in range(6)],
                                 "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}},
                                 "volumeMounts": [{"name": "kube-api-access", "readOnly": True,
                                                   "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}],
                                 "livenessProbe": {"httpGet": {"path": "/healthz", "port": "http"}},
                                 "terminationMessagePath": "/dev/termination-log"}],
                 "restartPolicy": "Always", "nodeName": "%NODE%", "serviceAccountName": "default",
                 "tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute",
                                  "tolerationSeconds": 300}]},
        "status": {"phase": "Running",
                   "conditions": [{"type": kind, "status": "True", "lastProbeTime": None,
                                   "lastTransitionTime": "2026-11-21T04:12:11Z"}
                                  for kind in ("Initialized", "Ready", "ContainersReady", "PodScheduled")],
                   "hostIP": "192.168.0.1", "podIP": "%IP%", "podIPs": [{"ip": "%IP%"}],
                   "startTime": "2026-11-21T04:12:11Z",
                   "containerStatuses": [{"name": app, "state": {"running": {"startedAt": "2026-11-21T04:12:11Z"}},
                                          "ready": True, "restartCount": 0, "image": f"registry.example/{app}:1.2.3",
                                          "imageID": "sha256:6e381669f25245cc19f1968c3498d437341d3a0eb7e7b74900576e35",
                                          "containerID": "containerd://1e70fafd9cb093d027a1119eceb94c348b6b66d41ea",
                                          "started": True}]}}


TEMPLATES = {app: json.dumps(pod_template(app), separators=(",", ":")) for app in APPS}


def pod(i, nodes):
    ns = f"team-{i // PER_NAMESPACE:05}"
    app = APPS[i % len(APPS)]
    return (TEMPLATES[app].replace("%NAME%", f"{app}-6d4cf56db6-{i:06}").replace("%NS%", ns)
            .replace("%UID%", f"37d995b4-198f-454d-bac8-{i:012}").replace("%IP%", address(i + 256))
            .replace("%NODE%", f"node-{(i + i // nodes) % nodes:04}"))


def namespace(i):
    return json.dumps({"metadata": {"name": f"team-{i:05}", "labels": {"team": f"{i:05}", "stage": "prod" if i % 3 else "test"}}})


def policy(i):
    """Five to a namespace, of the kinds that people write."""
    ns, kind = i // len(APPS), i % len(APPS)
    me, you = APPS[kind], APPS[(kind + 1) % len(APPS)]
    spec = [
        {"podSelector": {}, "policyTypes": ["Ingress"]},
        {"podSelector": {"matchLabels": {"app": me}}, "policyTypes": ["Ingress"],
         "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": you}}}], "ports": [{"port": 8080}]},
                     {"from": [{"namespaceSelector": {"matchLabels": {"stage": "prod"}},
                                "podSelector": {"matchLabels": {"app": "jobs"}}}], "ports": [{"port": "metrics"}]}]},
        {"podSelector": {"matchLabels": {"app": me}}, "policyTypes": ["Ingress", "Egress"],
         "ingress": [{"from": [{"podSelector": {"matchExpressions": [
             {"key": "app", "operator": "In", "values": [you, "api"]}]}}], "ports": [{"port": 5432}]}],
         "egress": [{"to": [{"podSelector": {}}]}, {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53}]}]},
        {"podSelector": {"matchLabels": {"tier": "back"}}, "policyTypes": ["Egress"],
         "egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": [f"10.{ns % 200}.0.0/16"]}}]},
                    {"to": [{"namespaceSelector": {"matchLabels": {"team": f"{(ns + 1) % 100:05}"}}}],
                     "ports": [{"port": 8000, "endPort": 8100}]}]},
        {"podSelector": {"matchLabels": {"app": me}}, "policyTypes": ["Ingress"],
         "ingress": [{"from": [{"ipBlock": {"cidr": "192.168.0.0/16"}}, {"podSelector": {}}]}]},
    ][kind]
    return json.dumps({"metadata": {"name": f"policy-{kind}", "namespace": f"team-{ns:05}"}, "spec": spec})


def write(directory, name, kind, version, items):
    for n, start in enumerate(range(0, len(items), LIST)):
        with open(f"{directory}/{name}-{n:04}.json", "w", encoding="utf-8") as out:
            out.write(f'{{"kind":"{kind}List","apiVersion":"{version}","metadata":{{"resourceVersion":"1"}},"items":[')
            out.write(",".join(items[start:start + LIST]))
            out.write("]}\n")


def main():
    count, directory = int(sys.argv[1]), sys.argv[2]
    os.makedirs(directory, exist_ok=True)
    nodes = max(1, count // PER_NODE)
    write(directory, "namespaces", "Namespace", "v1", [namespace(i) for i in range((count + 49) // PER_NAMESPACE)])
    write(directory, "policies", "NetworkPolicy", "networking.k8s.io/v1", [policy(i) for i in range(count // 10)])
    for start in range(0, count, LIST):
        write_pods = [pod(i, nodes) for i in range(start, min(start + LIST, count))]
        with open(f"{directory}/pods-{start // LIST:04}.json", "w", encoding="utf-8") as out:
            out.write('{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[')
            out.write(",".join(write_pods))
            out.write("]}\n")
    size = sum(os.path.getsize(f"{directory}/{name}") for name in os.listdir(directory))
    print(f"{count} pods, {count // 10} policies, {nodes} nodes: {size / 1e6:.0f} MB in {directory}")


if __name__ == "__main__":
    main()
