#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The source behind a server or proxy that sends bytes which are no HTTP, or too much of it: what is between is hostile for
some connections or answers and passes everything on afterwards. It must not crash, take memory without bound, hurry, go
where it is sent, or miss what happened meanwhile. usage: wire.py [NAME...]"""
import os
import re
import select
import socket
import ssl
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import follow  # noqa: E402

# AddressSanitizer keeps 256 MB of freed memory by default, which a high-water mark would show.
os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1:thread_local_quarantine_size_kb=64"

MEGABYTES = 100  # beyond what it takes otherwise
FLOOD = 300 << 20  # bytes that a hostile answer has, unless somebody ends it
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HALF = b'{"type":"ADDED","object":{"kind":"Pod","apiVersion":"v1","metadata":{"name":"half'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


class Front(threading.Thread):
    """TLS before the test API server. While there are turns, `hostile` answers a watch; else everything is passed on."""

    def __init__(self, t, protocols=("http/1.1",)):
        super().__init__(daemon=True)
        self.server = t.server
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(t.server.path("server.crt"), t.server.path("server.key"))
        self.tls.set_alpn_protocols(protocols)
        self.lock = threading.Lock()
        self.hostile, self.turns, self.sent, self.heads, self.open = None, 0, 0, [], []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = "https://127.0.0.1:%d" % self.listener.getsockname()[1]
        self.start()

    def be(self, hostile, turns):
        """Hostile from now on, for so many answers; what is open is closed."""
        with self.lock:
            self.hostile, self.turns, self.sent = hostile, turns, 0
            closed, self.open = self.open, []
        for sock in closed:
            end(sock)

    def turn(self):
        with self.lock:
            mine = self.hostile if self.turns > 0 else None
            self.turns -= self.turns > 0
            return mine

    def run(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, raw):
        try:
            client = self.tls.wrap_socket(raw, server_side=True)
        except OSError:
            return
        with self.lock:
            self.open.append(client)
        try:
            if client.selected_alpn_protocol() == "h2":
                if self.hostile:
                    self.hostile(self, client)
                return
            head = follow.read_head(client)
            self.heads.append(head)
            hostile = self.turn() if b"watch=" in head else None
            if hostile:
                hostile(self, client)
            elif head:
                self.forward(client, head)
        except OSError:
            pass
        finally:
            end(client)

    def forward(self, client, head):
        """One answer and no other on this connection."""
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
        connection = self.server.connect()
        connection.connect()
        server = connection.sock
        server.sendall(b"\r\n".join([lines[0], b"Connection: close", *lines[1:]]))
        client.settimeout(None)
        server.settimeout(None)
        while True:
            if not server.pending():
                ready = select.select([server, client], [], [])[0]
                if client in ready and not client.pending() and not client.recv(65536):
                    break
                if server not in ready:
                    continue
            data = server.recv(65536)
            if not data:
                break
            client.sendall(data)
        server.close()

    def flood(self, client, first, again):
        """As much as is taken, within reason."""
        client.settimeout(20)
        client.sendall(first)
        again = again * (1 + 65536 // len(again))
        while self.sent < FLOOD:
            client.sendall(again)
            self.sent += len(again)


def end(sock):
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    sock.close()


def chunk(data):
    return b"%x\r\n%b\r\n" % (len(data), data)


CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk(HALF)
ANSWERS = {  # what a watch gets, and then the end
    "a length that is no number": CHUNKED + b"zz\r\n" + HALF,
    "a negative length": CHUNKED + b"-5\r\n" + HALF,
    "a length beyond all": CHUNKED + b"ffffffffffffffffff\r\n" + HALF,
    "a chunk that is longer than it says": CHUNKED + b"3\r\nabcdefgh\r\n",
    "a last chunk in the middle": CHUNKED + b"0\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 5\r\nContent-Length: 500\r\n\r\n" + HALF,
    "length and chunks": HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(HALF),
    "no status": b"\0\1\2\3\r\n\r\n" + HALF,
    "a status beyond": b"HTTP/1.1 999 x\r\n\r\n" + HALF,
    "another protocol": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n" + HALF,
    "nothing at all": b"",
    "gzip that nobody asked for": HEAD + b"Content-Encoding: gzip\r\n\r\n" + b"\x1f\x8b\x08" + bytes(200),
}
FLOODS = {  # what a watch gets, and what again and again
    "headers without end": (HEAD, b"X-Filler: %b\r\n" % (b"x" * 90)),
    "a header without end": (HEAD + b"X-Filler: ", b"x" * 1000),
    "interim answers without end": (b"", b"HTTP/1.1 103 Early Hints\r\nLink: %b\r\n\r\n" % (b"x" * 90)),
    "a chunk's extension without end": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5;", b"x" * 1000),
    "trailers without end": (CHUNKED + b"0\r\n", b"X-Filler: %b\r\n" % (b"x" * 90)),
    "an event without end": (HEAD + b"\r\n" + HALF, b"x" * 1000),
    "a status line without end": (b"HTTP/1.1 200 ", b"x" * 1000),
}


def frame(kind, flags, stream, payload=b""):
    """RFC 9113, section 4.1."""
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


DATA, HEADERS, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 5, 6, 7, 8, 9
END_HEADERS = 4
OK_HEAD = b"\x88"  # :status 200, the eighth of the static table
FILLER = b"\x00\x08x-filler\x7f\x80\x02" + b"x" * 383  # a literal that is not indexed
FRAMES = {  # what each stream gets behind its head
    "RST_STREAM within an event": lambda s: frame(DATA, 0, s, HALF) + frame(RST_STREAM, 0, s, b"\0\0\0\2"),
    "GOAWAY within an event": lambda s: frame(DATA, 0, s, HALF) + frame(GOAWAY, 0, 0, s.to_bytes(4, "big") + b"\0\0\0\0"),
    "GOAWAY that has not seen it": lambda s: frame(DATA, 0, s, HALF) + frame(GOAWAY, 0, 0, bytes(8)),
    "padding beyond the frame": lambda s: frame(DATA, 8, s, b"\xff" + HALF[:20]),
    "data of no stream": lambda s: frame(DATA, 0, 0, HALF),
    "data of a stream that nobody opened": lambda s: frame(DATA, 0, s + 100, HALF),
    "a promise": lambda s: frame(PUSH_PROMISE, END_HEADERS, s, b"\0\0\0\2" + OK_HEAD),
    "a window that overflows": lambda s: frame(WINDOW_UPDATE, 0, s, b"\x7f\xff\xff\xff") * 3,
    "a frame that is too large": lambda s: (1 << 20).to_bytes(3, "big") + bytes([DATA, 0]) + s.to_bytes(4, "big") + HALF,
    "headers in the middle of headers": lambda s: frame(HEADERS, 0, s, OK_HEAD) + frame(DATA, 0, s, HALF),
    "an index that is in no table": lambda s: frame(HEADERS, END_HEADERS, s, b"\xff\xff\xff\x7f"),
}
FRAME_FLOODS = {
    "CONTINUATION without end": (lambda s: frame(HEADERS, 0, s, OK_HEAD), lambda s: frame(CONTINUATION, 0, s, FILLER)),
    "PING without end": (lambda s: b"", lambda s: frame(PING, 0, 0, bytes(8))),
    "SETTINGS without end": (lambda s: b"", lambda s: frame(SETTINGS, 0, 0)),
    "empty frames without end": (lambda s: b"", lambda s: frame(DATA, 0, s)),
}


def http2(answer, again=None):
    """A server of HTTP/2 that gives each stream the same."""
    def serve(front, client):
        client.settimeout(1)  # what it has said is not the end for each: it hangs up then
        pending = b""
        client.sendall(frame(SETTINGS, 0, 0))
        while data := client.recv(65536):
            pending += data
            if pending.startswith(PREFACE):
                pending = pending[len(PREFACE):]
            while len(pending) >= 9 and len(pending) >= 9 + int.from_bytes(pending[:3], "big"):
                kind, stream = pending[3], int.from_bytes(pending[5:9], "big")
                pending = pending[9 + int.from_bytes(pending[:3], "big"):]
                if kind != HEADERS:
                    continue
                if again:
                    front.flood(client, answer(stream), again(stream))
                client.sendall(frame(HEADERS, END_HEADERS, stream, OK_HEAD) + answer(stream))
    return serve


def memory(dump):
    with open(f"/proc/{dump.process.pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmHWM:\s+(\d+)", status.read()).group(1)) >> 10


def survives(t, front, dump, name, hostile, number):
    """Three answers of that kind, and then what has happened meanwhile is known."""
    before = memory(dump)
    front.be(hostile, 3)
    t.server.load(follow.pod("meanwhile%d" % number))
    dump.wait_hurried("^upsert Pod shop/meanwhile%d " % number)
    follow.expect(dump.process.poll() is None, name + ": it has ended")
    follow.expect(memory(dump) - before < MEGABYTES, "%s: %d MB" % (name, memory(dump) - before))
    dump.none("^delete|^broken")


def answers_that_are_none(t):
    front = Front(t)
    dump = t.dump(t.kubeconfig(server=front.url))
    dump.wait("^synced")
    for number, (name, answer) in enumerate(ANSWERS.items()):
        survives(t, front, dump, name, lambda _, client, answer=answer: client.sendall(answer), number)
    follow.expect(not any(b"accept-encoding" in head.lower() for head in front.heads), "it asks for compression")


def answers_without_end(t):
    front = Front(t)
    dump = t.dump(t.kubeconfig(server=front.url))
    dump.wait("^synced")
    for number, (name, (first, again)) in enumerate(FLOODS.items()):
        survives(t, front, dump, name, lambda on, client, first=first, again=again: on.flood(client, first, again), number)
    dump.wait("headers too large: expected at most 256 KiB in an answer", errors=True)


def redirects_are_not_followed(t):
    """The token would go along."""
    elsewhere = socket.create_server(("127.0.0.1", 0))
    front = Front(t)
    dump = t.dump(t.kubeconfig(server=front.url))
    dump.wait("^synced")
    for number, status in enumerate((301, 302, 303, 307, 308)):
        answer = b"HTTP/1.1 %d x\r\nLocation: https://127.0.0.1:%d/\r\nContent-Length: 0\r\n\r\n" % (
            status, elsewhere.getsockname()[1])
        survives(t, front, dump, str(status), lambda _, client, answer=answer: client.sendall(answer), number)
        dump.wait("HTTP status %d" % status, errors=True)
    follow.expect(not select.select([elsewhere], [], [], 0)[0], "it went there")


def frames_of_http2(t):
    """From the first answer on, and then the server, which has HTTP/1.1."""
    for name, hostile in {**{name: http2(answer) for name, answer in FRAMES.items()},
                          **{name: http2(*both) for name, both in FRAME_FLOODS.items()}}.items():
        front = Front(t, ("h2", "http/1.1"))
        front.hostile = hostile
        dump = t.dump(t.kubeconfig(server=front.url))
        dump.wait("not listed", errors=True)
        follow.expect(memory(dump) < 2 * MEGABYTES, "%s: %d MB" % (name, memory(dump)))
        dump.none("^upsert|^synced|^broken")
        front.tls.set_alpn_protocols(["http/1.1"])
        front.be(None, 0)
        dump.wait_hurried("^synced")
        follow.expect(dump.exit() == 0, name + ": exit status")


def a_version_that_is_always_gone_is_no_reason_to_hurry(t):
    """Each watch is answered with 410, as a status or as an event; lists are fine."""
    for how in ("410", "410-event"):
        dump = t.follow()
        t.do("fail", resource="pods", verb="watch", how=how, times=None)
        t.do("stats", reset=True)
        t.do("streams", resource="pods", how="end")
        follow.wait_for("four requests", lambda: len(t.asked("pods")) >= 4)
        times = [entry["at"] for entry in t.asked("pods")]
        follow.expect(times[3] - times[0] >= 1, "%s: four requests in %.2f s" % (how, times[3] - times[0]))
        t.do("heal")
        t.server.load(follow.pod("after"))
        dump.wait_hurried("^upsert Pod shop/after ")
        dump.none("^delete")
        t.remove("pods", "after")
        dump.wait("^delete Pod shop/after")
        follow.expect(dump.exit() == 0, "exit status")


if __name__ == "__main__":
    follow.CASES = [answers_that_are_none, answers_without_end, redirects_are_not_followed, frames_of_http2,
                    a_version_that_is_always_gone_is_no_reason_to_hurry]
    sys.exit(follow.main())
