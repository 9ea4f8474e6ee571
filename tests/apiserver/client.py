# SPDX-License-Identifier: GPL-2.0-or-later
"""What tests use: a test API server in a process of its own, its control channel, raw requests, kubeconfigs, kubectl.

with ApiServer() as server:
    server.control("fail", resource="pods", verb="watch", how="410-event")
    config = server.kubeconfig("node.yaml", user="node", by="token-file")

Needs Python's standard library and the openssl command. Imports nothing of the server."""

import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
START_SECONDS = 60
WAYS = ("token", "token-file", "certificate", "nothing")


class ControlError(Exception):
    """The server could not do what it was told."""


class ServerDied(Exception):
    pass


class Answer:
    """One response, read to its end."""

    def __init__(self, response):
        self.code = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()

    def json(self):
        return json.loads(self.body)


class WatchStream:
    """An open watch. Events come as they do; the end of the stream is None."""

    def __init__(self, connection, response):
        self.connection = connection
        self.response = response
        self.code = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.read = b""

    def line(self):
        """bytes, b"" at the end; http.client's exceptions when it is not a decent end, TimeoutError for silence."""
        while b"\n" not in self.read:
            more = self.response.read1()
            if not more:
                break
            self.read += more
        line, end, self.read = self.read.partition(b"\n")
        return line + end

    def event(self):
        line = self.line()
        return json.loads(line) if line else None

    def patience(self, seconds):
        """How long silence is borne from now on."""
        self.connection.sock.settimeout(seconds)

    def events(self, count):
        return [self.event() for _ in range(count)]

    def close(self):
        self.response.close()
        self.connection.close()


def can_run():
    """Why the server cannot be had here, or None."""
    return None if shutil.which("openssl") else "the openssl command is missing"


class ApiServer:
    """host: 127.0.0.1 or ::1. Everything that it writes is below self.directory, which is gone after stop()."""

    def __init__(self, host="127.0.0.1"):
        self.host = host
        self.directory = tempfile.mkdtemp(prefix="apiserver-")
        self.process = None
        self.channel = None
        self.plain = False  # raw requests without TLS, for a server told to speak none

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def start(self):
        command = [sys.executable, "-B", os.path.join(HERE, "server.py"), "--directory", self.directory, "--host",
                   self.host]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        line = self.process.stdout.readline()
        if not line:
            self.stop()
            raise ServerDied("the server did not start")
        self.port = json.loads(line)["port"]
        self.channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.channel.connect(self.path("control"))
        self.answers = self.channel.makefile("r", encoding="utf-8")
        return self

    def stop(self):
        """Can be said twice, and of a server that has died."""
        if self.channel:
            self.answers.close()
            self.channel.close()
        if self.process:
            self.process.stdin.close()
            try:
                self.process.wait(START_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process.stdout.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.directory, name)

    @property
    def url(self):
        return f"https://[{self.host}]:{self.port}" if ":" in self.host else f"https://{self.host}:{self.port}"

    # The control channel

    def control(self, command, **parameters):
        """See control.py for commands and parameters."""
        self.channel.sendall(json.dumps({"do": command} | parameters).encode() + b"\n")
        line = self.answers.readline()
        if not line:
            raise ServerDied("the control channel ended")
        answer = json.loads(line)
        if not answer.pop("ok"):
            raise ControlError(answer["error"])
        return answer

    def load(self, *objects, **parameters):
        return self.control("load", objects=list(objects), **parameters)

    def wait_for(self, what, seconds=60):
        """what: a function that is asked until it is true; returns what it gave."""
        until = time.monotonic() + seconds
        while True:
            found = what()
            if found:
                return found
            if time.monotonic() > until:
                raise TimeoutError("it did not come about")
            time.sleep(0.02)

    def watches(self, resource):
        return self.control("stats")["watches"].get(resource, 0)

    # Raw requests

    def context(self, user=None):
        context = ssl.create_default_context(cafile=self.path("ca.crt"))
        if user:
            context.load_cert_chain(self.path(f"client-{user}.crt"), self.path(f"client-{user}.key"))
        return context

    def connect(self, timeout=30, certificate=None):
        if self.plain:
            return http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        return http.client.HTTPSConnection(self.host, self.port, timeout=timeout, context=self.context(certificate))

    def token(self, user="admin"):
        with open(self.path(f"token-{user}"), encoding="ascii") as file:
            return file.read().strip()

    def headers(self, user, extra):
        found = {"Authorization": f"Bearer {self.token(user)}"} if user else {}
        return found | {"User-Agent": "raw/1.0", "Accept": "application/json"} | (extra or {})

    def request(self, method, path, body=None, user="admin", headers=None, media_type="application/json", timeout=30,
                certificate=None):
        """One request on a connection of its own. body: anything JSON, or bytes."""
        connection = self.connect(timeout, certificate)
        try:
            data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
            extra = ({"Content-Type": media_type} if data is not None else {}) | (headers or {})
            connection.request(method, path, data, self.headers(user, extra))
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def get(self, path, **rest):
        return self.request("GET", path, **rest)

    def watch(self, path, user="admin", timeout=30, headers=None):
        """path with its query but for watch=1."""
        connection = self.connect(timeout)
        connection.request("GET", f"{path}{'&' if '?' in path else '?'}watch=1", None, self.headers(user, headers))
        return WatchStream(connection, connection.getresponse())

    # Other clients

    def kubeconfig(self, name, user="node", by="token-file"):
        """Writes one and returns its path. by: see WAYS."""
        assert by in WAYS
        credentials = {
            "token": f"token: {self.token(user)}",
            "token-file": f"tokenFile: {self.path('token-' + user)}",
            "certificate": f"client-certificate: {self.path(f'client-{user}.crt')}\n"
                           f"    client-key: {self.path(f'client-{user}.key')}",
            "nothing": "username: ''"}[by]
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(KUBECONFIG.format(url=self.url, ca=self.path("ca.crt"), user=user, credentials=credentials))
        return self.path(name)

    def kubectl(self, *arguments, text=None, timeout=60):
        """What kubectl did, as the admin; its caches go where all goes."""
        config = self.path("kubectl.yaml")
        if not os.path.exists(config):
            self.kubeconfig("kubectl.yaml", "admin", "certificate")
        command = [os.environ.get("KUBECTL", "kubectl"), f"--kubeconfig={config}",
                   f"--cache-dir={self.path('cache')}", *arguments]
        return subprocess.run(command, input=text, capture_output=True, text=True, timeout=timeout,
                              env=os.environ | {"HOME": self.directory})


KUBECONFIG = """apiVersion: v1
kind: Config
current-context: test
clusters:
- name: test
  cluster:
    server: {url}
    certificate-authority: {ca}
users:
- name: {user}
  user:
    {credentials}
contexts:
- name: test
  context:
    cluster: test
    user: {user}
"""
