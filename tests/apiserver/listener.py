# SPDX-License-Identifier: GPL-2.0-or-later
"""The port: TLS, a thread for each connection, and the ways in which it fails before a request is read."""

import socket
import threading

import streams
from connection import Connection

HANDSHAKE_SECONDS = 10
MODES = ("ok", "plain", "silent", "reset", "garbage", "wrong-ca", "expired", "wrong-name")
NOT_TLS = b"SSH-2.0-OpenSSH_9.2\r\n"


class Listener:
    def __init__(self, app, host, certificates):
        self.app = app
        self.family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.host = host
        self.port = 0
        self.certificates = certificates
        self.lock = threading.Lock()
        self.connections = set()
        self.socket = None
        self.set_mode("ok")
        self.open()

    def set_mode(self, how):
        """How new connections fare; those that are open stay as they are."""
        if how not in MODES:
            raise ValueError(f"how is one of {', '.join(MODES)}")
        name = self.certificates.faulty(how) if how in ("wrong-ca", "expired", "wrong-name") else "server"
        self.context = self.certificates.context(name)
        self.mode = how

    def open(self):
        """The port stays the same over its whole life."""
        if self.socket:
            return
        sock = socket.socket(self.family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((self.host, self.port))
        sock.listen(1024)
        self.port = sock.getsockname()[1]
        self.socket = sock
        threading.Thread(target=self.run, args=(sock,), daemon=True).start()

    def close(self):
        """New connections are refused."""
        sock, self.socket = self.socket, None
        if sock:
            sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def run(self, listening):
        while True:
            try:
                sock, address = listening.accept()
            except OSError:
                return
            self.app.stats.count("connections")
            threading.Thread(target=self.serve, args=(sock, address), daemon=True).start()

    def serve(self, sock, address):
        """A connection is closed only when it is none of the connections any more: see drop()."""
        with self.lock:
            self.connections.add(sock)
        whole = sock
        try:
            mode = self.mode
            self.misbehave(mode, sock)
            if mode != "plain":
                whole = self.wrapped(sock)
                self.shake_hands(whole)
            whole.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            Connection(whole, address, self.app)
        except (streams.Gone, OSError, ValueError):
            pass
        finally:
            with self.lock:
                self.connections -= {sock, whole}
            streams.close(whole)

    def misbehave(self, mode, sock):
        """What goes wrong before a handshake."""
        if mode == "silent":
            self.drain(sock)
        if mode == "reset":
            streams.Stream(sock, self.app.stats, self.app.lookout).reset()
        if mode == "garbage":
            sock.sendall(NOT_TLS)
            raise streams.Gone("no TLS")

    def wrapped(self, sock):
        """The connection with TLS, instead of the one without."""
        with self.lock:
            whole = self.context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
            self.connections.discard(sock)
            self.connections.add(whole)
        return whole

    def shake_hands(self, whole):
        whole.settimeout(HANDSHAKE_SECONDS)
        try:
            whole.do_handshake()
        except OSError:
            self.app.stats.count("failed_handshakes")
            raise
        self.app.stats.count("handshakes")
        whole.settimeout(None)

    @staticmethod
    def drain(sock):
        """Reads all that comes and says nothing."""
        while sock.recv(65536):
            pass
        raise streams.Gone("the client left")

    def open_count(self):
        with self.lock:
            return len(self.connections)

    def drop(self):
        """RST to all; returns to how many. Under the lock: the number of one that is closed meanwhile may be another
        one's."""
        dropped = 0
        with self.lock:
            for sock in self.connections:
                try:
                    streams.reset_connection(sock)
                    dropped += 1
                except (OSError, ValueError):
                    pass
        return dropped
