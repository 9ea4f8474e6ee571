# SPDX-License-Identifier: GPL-2.0-or-later
"""One connection: HTTP/1.1 requests in, responses out. HTTP/2, which real servers prefer, is beyond Python's standard
library; a client that offers both gets 1.1 by ALPN."""

import http.server
import ssl
import time
import traceback
import uuid
import zlib

import faults
import shape
import streams
from request import Request, Response
from status import Refusal, refusal
from watch import Order

BODY_MAX = 16 << 20
GZIP_AT = 128 << 10
FLOW_SCHEMA, PRIORITY_LEVEL = str(uuid.uuid4()), str(uuid.uuid4())


class Connection(http.server.BaseHTTPRequestHandler):
    """app: the Server whose parts this uses."""

    protocol_version = "HTTP/1.1"
    wbufsize = 0

    def __init__(self, sock, address, app):
        self.app = app
        super().__init__(sock, address, None)

    def log_message(self, format, *args):
        pass

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except (streams.Gone, OSError, ValueError):
            self.close_connection = True

    def read_body(self):
        if self.headers.get("Transfer-Encoding"):
            raise refusal(411, "", "a body needs its length")
        length = int(self.headers.get("Content-Length") or 0)
        if length > BODY_MAX:
            raise refusal(413, "RequestEntityTooLarge", f"the limit is {BODY_MAX}")
        return self.rfile.read(length) if length else b""

    def serve(self):
        app = self.app
        request = Request(app.registry, self.command, self.path, self.headers)
        fault, response = {"how": "none"}, None
        try:
            request.body = self.read_body()
            replay = app.replays.take(request)
            if replay:
                app.stats.request(request, replay.code)
                self.replay(replay)
                return
            request.user = app.auth.claimed(request)
            fault = app.faults.take(request) or fault
            self.strike_early(request, fault)
            response = self.respond(request, fault)
        except Refusal as error:
            response = Response.refused(error)
        except (streams.Gone, OSError):
            app.stats.request(request, 0)
            raise
        except Exception:
            app.stats.error(traceback.format_exc())
            response = Response.refused(refusal(500, "InternalError", "Internal error occurred: see stats"))
        app.stats.request(request, response.code)
        self.send(request, response, fault)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = serve

    def certificate(self):
        return self.connection.getpeercert() if isinstance(self.connection, ssl.SSLSocket) else None

    def strike_early(self, request, fault):
        """What goes wrong before an answer is thought of."""
        stream = streams.Stream(self.connection, self.app.stats, self.app.lookout)
        if fault["how"] == "reset":
            stream.reset()
        if fault["how"] == "silent" and not fault.get("headers", request.verb == "watch"):
            stream.hang()
        if fault["how"] == "slow":
            time.sleep(fault.get("delay", 0))

    def respond(self, request, fault):
        app = self.app
        app.auth.identify(request, self.certificate())
        found = faults.refusal_for(request, fault, app.store)
        if found:
            raise found
        app.auth.authorize(request)
        return app.api.answer(request)

    def head(self, response):
        headers = {"audit-id": str(uuid.uuid4()), "cache-control": "no-cache, private"} | response.headers
        if response.code != 401:
            headers |= {"x-kubernetes-pf-flowschema-uid": FLOW_SCHEMA,
                        "x-kubernetes-pf-prioritylevel-uid": PRIORITY_LEVEL}
        return headers | {"date": self.date_time_string()}

    def reason(self, code):
        return self.responses[code][0] if code in self.responses else "Unknown"

    def send(self, request, response, fault):
        kind = streams.KINDS.get(fault["how"])
        stream = (kind(self.connection, self.app.stats, self.app.lookout, fault) if kind else
                  streams.Stream(self.connection, self.app.stats, self.app.lookout))
        if response.watch:
            self.send_watch(stream, request, response, fault)
            return
        headers = self.head(response)
        body = self.compressed(response, headers)
        if isinstance(body, bytes) and len(body) <= streams.CHUNK_AT:
            stream.start(response.code, self.reason(response.code), headers, len(body))
            if body and self.command != "HEAD":
                stream.write(body)
        else:
            stream.start(response.code, self.reason(response.code), headers, None)
            for piece in [body] if isinstance(body, bytes) else body:
                if piece:
                    stream.write(piece)
        stream.finish()

    def compressed(self, response, headers):
        """Large answers go out compressed to those who can read it, as a real server does."""
        body = response.body
        large = not isinstance(body, bytes) or len(body) > GZIP_AT
        if not large or "gzip" not in (self.headers.get("Accept-Encoding") or ""):
            return body
        headers |= {"content-encoding": "gzip", "vary": "Accept-Encoding"}
        return gzip_pieces([body] if isinstance(body, bytes) else body)

    def send_watch(self, stream, request, response, fault):
        watch = response.watch
        fd = self.connection.fileno()
        try:
            stream.start(200, "OK", self.head(response), None)
            self.app.lookout.watch(fd, lambda: watch.watcher.events.put(Order("gone")))
            if fault["how"].endswith(faults.EVENT):
                stream.write(faults.error_event(fault["how"], request, self.app.store))
            else:
                self.send_lines(stream, watch)
            stream.finish()
        finally:
            self.app.lookout.forget(fd)
            watch.close()

    def send_lines(self, stream, watch):
        for line in watch.lines():
            if isinstance(line, Order):
                if self.obey(stream, watch, line):
                    return
            else:
                stream.write(line)
                self.app.stats.count("events_sent")

    def obey(self, stream, watch, order):
        """Misbehaviour of a watch that is open. True: it is to end well."""
        how = order.how
        if how == "gone":
            raise streams.Gone("the client left")
        if how.endswith(faults.EVENT):
            stream.write(faults.error_event(how, None, self.app.store))
            return True
        if how == "reset":
            stream.reset()
        if how == "silent":
            self.app.lookout.forget(self.connection.fileno())
            stream.hang()
        if how in ("cut", "cut-clean"):
            stream.half(self.some_event(watch)) if how == "cut" else stream.write(self.some_event(watch)[:40])
            stream.finish() if how == "cut-clean" else None
            stream.cut()
        if how == "garbage":
            stream.write(streams.Garbage(self.connection, self.app.stats, self.app.lookout, order.rest).garbage(
                b'{"type"'))
        return False

    def some_event(self, watch):
        """An event to be cut: of an object there is, or a bookmark."""
        for entry in self.app.store.entries(watch.resource):
            return shape.event("MODIFIED", watch.form.object(entry))
        return watch.form.bookmark(self.app.store.version, False)

    def replay(self, replay):
        stream = streams.Stream(self.connection, self.app.stats, self.app.lookout)
        headers = replay.headers | {"date": self.date_time_string()}
        whole = not replay.hold and len(replay.body) <= streams.CHUNK_AT
        stream.start(replay.code, self.reason(replay.code), headers, len(replay.body) if whole else None)
        stream.write(replay.body)
        if replay.hold:
            stream.hang()
        stream.finish()


def gzip_pieces(pieces):
    packer = zlib.compressobj(1, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    for piece in pieces:
        yield packer.compress(piece)
    yield packer.flush()
