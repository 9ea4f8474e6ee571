# SPDX-License-Identifier: GPL-2.0-or-later
"""How a response leaves: a head, then a body of known length or in chunks; and the ways in which a body goes wrong."""

import ctypes
import socket
import ssl
import threading
import time

LIBC = ctypes.CDLL(None, use_errno=True)
UNSPECIFIED = bytes(16)
CHUNK_AT = 4096  # a body beyond this has no length, as in the captures
NOT_JSON = b'{"type":"ADDED","object":{"kind":"Pod","metadata":{"name":"x"\x00 <html>\n'
BAD_OBJECT = b'{"kind":"Pod","apiVersion":"v1","metadata":7,"spec":["x"],"status":"y"}'
BAD_LIST = b'{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[7,' + BAD_OBJECT + b"]}\n"


class Gone(Exception):
    """The connection is over."""


def reset_connection(sock):
    """RST at once, even under a thread that waits in it."""
    if LIBC.connect(sock.fileno(), UNSPECIFIED, len(UNSPECIFIED)) < 0:
        raise OSError(ctypes.get_errno(), "not reset")


class Stream:
    """The way back to one client, for one response."""

    def __init__(self, sock, stats, lookout):
        self.sock = sock
        self.stats = stats
        self.lookout = lookout
        self.chunked = False

    def send(self, data):
        try:
            self.sock.sendall(data)
        except (OSError, ValueError) as error:
            raise Gone(str(error)) from None
        self.stats.count("bytes_sent", len(data))

    def start(self, code, reason, headers, length):
        """length None: in chunks."""
        self.chunked = length is None
        last = "transfer-encoding: chunked" if self.chunked else f"content-length: {length}"
        lines = [f"HTTP/1.1 {code} {reason}", *(f"{name}: {value}" for name, value in headers.items()), last, "", ""]
        self.send("\r\n".join(lines).encode("latin-1"))

    def write(self, data):
        self.send(b"%x\r\n%b\r\n" % (len(data), data) if self.chunked else data)

    def finish(self):
        if self.chunked:
            self.send(b"0\r\n\r\n")

    def half(self, data):
        """The first half of what a chunk or body announced."""
        half = data[:max(1, len(data) // 2)]
        self.send(b"%x\r\n%b" % (len(data), half) if self.chunked else half)

    def reset(self):
        reset_connection(self.sock)
        raise Gone("reset")

    def cut(self):
        """As a proxy does that goes away: no last chunk, no TLS farewell."""
        try:
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)
        except OSError:
            pass
        raise Gone("cut")

    def hang(self):
        """Nothing more, until the client has had enough."""
        left = threading.Event()
        self.lookout.watch(self.sock.fileno(), left.set)
        left.wait()
        raise Gone("the client left")


class Misbehaving(Stream):
    """skip: so many writes go well first."""

    def __init__(self, sock, stats, lookout, fault):
        super().__init__(sock, stats, lookout)
        self.fault = fault
        self.skip = fault.get("skip", 0)

    def write(self, data):
        if self.skip > 0:
            self.skip -= 1
            super().write(data)
        else:
            self.misbehave(data)


class Cut(Misbehaving):
    def misbehave(self, data):
        self.half(data)
        self.cut()


class CleanCut(Misbehaving):
    """Ends within an object, though as far as HTTP goes all is well."""

    def start(self, code, reason, headers, length):
        super().start(code, reason, headers, None)

    def misbehave(self, data):
        Stream.write(self, data[:max(1, len(data) // 2)])
        self.finish()
        self.cut()


class Reset(Misbehaving):
    def misbehave(self, data):
        self.half(data)
        self.reset()


class Silent(Misbehaving):
    def misbehave(self, data):
        self.hang()


class Slow(Misbehaving):
    """delay: seconds before each part; rate: bytes a second."""

    def misbehave(self, data):
        time.sleep(self.fault.get("delay", 0))
        rate = self.fault.get("rate")
        step = max(1, rate // 10) if rate else len(data)
        for at in range(0, len(data), step):
            Stream.write(self, data[at:at + step])
            if rate:
                time.sleep(0.1)


class Garbage(Misbehaving):
    """One thing that cannot be understood, then all is well again. what: json, object or type."""

    def start(self, code, reason, headers, length):
        super().start(code, reason, headers, None)

    def misbehave(self, data):
        self.skip = float("inf")
        Stream.write(self, self.garbage(data))
        if data.startswith(b'{"type"'):
            Stream.write(self, data)

    def garbage(self, data):
        what = self.fault.get("what", "object")
        if "line" in self.fault:
            return self.fault["line"].encode() + b"\n"
        if what == "json":
            return NOT_JSON
        if not data.startswith(b'{"type"'):
            return BAD_LIST
        kind = b"RENAMED" if what == "type" else b"ADDED"
        return b'{"type":"' + kind + b'","object":' + BAD_OBJECT + b"}\n"


KINDS = {"cut": Cut, "cut-clean": CleanCut, "silent": Silent, "slow": Slow, "garbage": Garbage, "reset-body": Reset}


def close(sock):
    """A decent end: TLS says goodbye, without waiting for the other side to say it too."""
    if isinstance(sock, ssl.SSLSocket):
        try:
            sock.settimeout(0.1)
            sock.unwrap()
        except (OSError, ValueError):
            pass
    try:
        sock.close()
    except OSError:
        pass
