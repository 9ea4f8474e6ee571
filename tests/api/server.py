# SPDX-License-Identifier: GPL-2.0-or-later
"""A small API server for tests: lists, pages, streaming lists, watches with bookmarks, over TLS.

Faults are given as a function `fault(handler) -> bool`, which may answer in place of the server."""

import copy
import http.server
import json
import socket
import ssl
import subprocess
import threading
import urllib.parse

RESOURCES = {
    "/api/v1/pods": ("Pod", "v1"),
    "/api/v1/nodes": ("Node", "v1"),
    "/api/v1/namespaces": ("Namespace", "v1"),
    "/apis/networking.k8s.io/v1/networkpolicies": ("NetworkPolicy", "networking.k8s.io/v1"),
}
PODS = "/api/v1/pods"
POLICIES = "/apis/networking.k8s.io/v1/networkpolicies"
NAMESPACES = "/api/v1/namespaces"


class Cluster:
    """Objects by resource path, and the history of their changes."""

    def __init__(self):
        self.changed = threading.Condition()
        self.version = 100
        self.oldest = 0  # watches from before are answered with 410
        self.objects = {path: {} for path in RESOURCES}
        self.history = []

    def _note(self, path, kind, obj):
        self.history.append((self.version, path, kind, copy.deepcopy(obj)))
        self.changed.notify_all()

    def put(self, path, obj):
        kind, version = RESOURCES[path]
        with self.changed:
            self.version += 1
            obj = {"kind": kind, "apiVersion": version, **obj}
            obj["metadata"]["resourceVersion"] = str(self.version)
            key = (obj["metadata"].get("namespace"), obj["metadata"]["name"])
            what = "MODIFIED" if key in self.objects[path] else "ADDED"
            self.objects[path][key] = obj
            self._note(path, what, obj)

    def delete(self, path, namespace, name):
        with self.changed:
            self.version += 1
            obj = self.objects[path].pop((namespace, name))
            obj["metadata"]["resourceVersion"] = str(self.version)
            self._note(path, "DELETED", obj)

    def delete_unseen(self, path, namespace, name):
        """Gone, and no watch will ever tell: what a watch finds that was away for too long."""
        with self.changed:
            self.version += 1
            self.objects[path].pop((namespace, name))

    def compact(self):
        with self.changed:
            self.version += 1
            self.oldest = self.version
            self.history = []
            self.changed.notify_all()

    def policy(self, namespace, name, spec=None):
        self.put(POLICIES, {"metadata": {"namespace": namespace, "name": name, "uid": "u"},
                            "spec": {"podSelector": {}, "policyTypes": ["Ingress"]}
                            if spec is None else spec})

    def pod(self, namespace, name, **metadata):
        self.put(PODS, {
            "metadata": {"namespace": namespace, "name": name, "uid": "u", "labels": {"app": name},
                         "managedFields": [{"manager": "kubelet", "fieldsV1": {"f:a": {}}}],
                         **metadata},
            "spec": {"nodeName": "n1", "containers": [{"name": "c", "image": "i"}]},
            "status": {"phase": "Running", "podIP": "10.0.0.1"}})


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        self.resource = url.path
        self.params = dict(urllib.parse.parse_qsl(url.query))
        server = self.server
        with server.lock:
            server.requests.append((self.resource, self.params, dict(self.headers)))
            server.closing_connections.append(self.connection)
        try:
            self.answer()
        except (OSError, ssl.SSLError):
            self.close_connection = True

    def answer(self):
        server = self.server
        if server.token and self.headers.get("Authorization") != "Bearer " + server.token:
            return self.status(401, "Unauthorized")
        if server.fault and server.fault(self):
            return None
        if self.resource not in RESOURCES:
            return self.reply(404, b"404 page not found\n", "text/plain")
        if "watch" not in self.params:
            return self.list()
        if self.params.get("sendInitialEvents") == "true":
            if not server.streaming_lists:
                return self.status(422, "sendInitialEvents: Forbidden: sendInitialEvents is "
                                        "forbidden for watch unless the WatchList feature gate "
                                        "is enabled")
            return self.streaming_list()
        return self.watch(int(self.params["resourceVersion"]))

    def reply(self, code, body, kind="application/json", headers=()):
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def status(self, code, message, headers=(), **more):
        body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": message, "code": code, **more}
        self.reply(code, json.dumps(body).encode(), headers=headers)

    def list(self):
        cluster = self.server.cluster
        kind, version = RESOURCES[self.resource]
        with cluster.changed:
            items = [copy.deepcopy(o) for _, o in
                     sorted(cluster.objects[self.resource].items(), key=str)]
            revision = cluster.version
        start = int(self.params.get("continue", "0"))
        limit = min(int(self.params.get("limit", len(items) or 1)), self.server.page)
        metadata = {"resourceVersion": str(revision)}
        if "limit" in self.params and start + limit < len(items):
            metadata["continue"] = str(start + limit)
        if "limit" in self.params:
            items = items[start:start + limit]
        for item in items:
            del item["kind"], item["apiVersion"]
        self.reply(200, json.dumps({"kind": kind + "List", "apiVersion": version,
                                    "metadata": metadata, "items": items}).encode())

    # Streams.

    def begin(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def event(self, kind, obj):
        self.chunk(json.dumps({"type": kind, "object": obj}).encode() + b"\n")

    def bookmark(self, version, initial_end=False):
        kind, api = RESOURCES[self.resource]
        metadata = {"resourceVersion": str(version)}
        if initial_end:
            metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
        self.event("BOOKMARK", {"kind": kind, "apiVersion": api, "metadata": metadata})

    def end(self):
        self.wfile.write(b"0\r\n\r\n")

    def cut(self):
        """Like a proxy that dies: no end of the chunks, no end of TLS."""
        self.close_connection = True
        self.wfile.flush()
        self.connection.unwrap = lambda: None
        try:
            socket.socket.shutdown(self.connection, socket.SHUT_RDWR)
        except OSError:
            pass

    def streaming_list(self):
        cluster = self.server.cluster
        with cluster.changed:
            items = copy.deepcopy(list(cluster.objects[self.resource].values()))
            revision = cluster.version
        self.begin()
        for item in items:
            self.event("ADDED", item)
        self.bookmark(revision, initial_end=True)
        self.follow(revision)

    def watch(self, version):
        self.begin()
        if version < self.server.cluster.oldest:
            return self.expire(version)
        return self.follow(version)

    def expire(self, version):
        self.event("ERROR", {"kind": "Status", "apiVersion": "v1", "metadata": {}, "code": 410,
                             "status": "Failure", "reason": "Expired",
                             "message": "too old resource version: %d" % version})
        self.end()

    def follow(self, version):
        cluster = self.server.cluster
        while not self.server.stopping:
            with cluster.changed:
                news = [h for h in cluster.history if h[0] > version and h[1] == self.resource]
                expired = version < cluster.oldest
                if not news and not expired:
                    cluster.changed.wait(0.2)
                    continue
            for revision, _, kind, obj in news:
                if self.server.on_event and self.server.on_event(self, kind, obj):
                    return
                self.event(kind, obj)
                version = revision
            if expired:
                self.expire(version)
                return
        self.cut()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(self, certs, cluster=None, host="127.0.0.1", port=0, cert="server", client_ca=None):
        if ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__((host, port), Handler)
        self.cluster = cluster or Cluster()
        self.lock = threading.Lock()
        self.requests = []
        self.closing_connections = []
        self.token = None
        self.fault = None
        self.on_event = None
        self.streaming_lists = True
        self.page = 500
        self.stopping = False
        self.connections = 0
        if certs:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certs.path(cert + ".pem"), certs.path(cert + ".key"))
            if client_ca:
                context.verify_mode = ssl.CERT_REQUIRED
                context.load_verify_locations(certs.path(client_ca))
            self.tls = context
        else:
            self.tls = None
        self.host = host
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def get_request(self):
        connection, address = super().get_request()
        self.connections += 1
        return connection, address

    def finish_request(self, request, address):
        if self.tls:
            request = self.tls.wrap_socket(request, server_side=True)
        super().finish_request(request, address)
        try:
            request.close()
        except OSError:
            pass

    def handle_error(self, request, address):
        pass  # a client that does not like us

    def asked(self, resource, **params):
        """How often a resource was asked for, with these parameters among others."""
        with self.lock:
            return [r for r in self.requests if r[0] == resource and
                    all(r[1].get(k) == v for k, v in params.items())]

    def stop(self):
        self.stopping = True
        with self.cluster.changed:
            self.cluster.changed.notify_all()
        self.shutdown()
        self.server_close()
        with self.lock:
            for connection in self.closing_connections:
                try:
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)
                except OSError:
                    pass


class Proxy(threading.Thread):
    """An HTTP proxy that knows CONNECT."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.connects = []
        self.start()

    def run(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        head = b""
        while b"\r\n\r\n" not in head:
            data = client.recv(4096)
            if not data:
                return
            head += data
        self.connects.append(head.decode())
        host, port = head.split()[1].decode().rsplit(":", 1)
        upstream = socket.create_connection((host.strip("[]"), int(port)))
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        threading.Thread(target=self.pump, args=(upstream, client), daemon=True).start()
        self.pump(client, upstream)

    @staticmethod
    def pump(source, target):
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    break
                target.sendall(data)
        except OSError:
            pass
        for sock in (source, target):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Certificates:
    """Two authorities, a server's and a client's certificate, made anew for each run."""

    def __init__(self, directory):
        self.directory = directory
        for ca in ("ca", "other-ca"):
            self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                          "-nodes", "-keyout", ca + ".key", "-out", ca + ".pem", "-days", "2",
                          "-subj", "/CN=" + ca)
        self.issue("server", "subjectAltName=IP:127.0.0.1,IP:::1,DNS:localhost")
        self.issue("named", "subjectAltName=DNS:api.cluster.example")
        self.issue("client", "extendedKeyUsage=clientAuth")

    def path(self, name):
        return "%s/%s" % (self.directory, name)

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def _openssl(self, *args):
        subprocess.run(["openssl", *args], cwd=self.directory, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def issue(self, name, extension):
        with open(self.path(name + ".ext"), "w", encoding="ascii") as file:
            file.write(extension + "\n")
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                      "-keyout", name + ".key", "-out", name + ".csr", "-subj", "/CN=" + name)
        self._openssl("x509", "-req", "-in", name + ".csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                      "-CAcreateserial", "-out", name + ".pem", "-days", "2",
                      "-extfile", name + ".ext")
