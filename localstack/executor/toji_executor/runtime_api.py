"""Lambda's runtime interface: the process asks for the next invocation, and posts what became of it."""

import queue
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PREFIX = "/2018-06-01/runtime/"

# What a process did, as the first field of an event.
NEXT, INIT_ERROR, RESPONSE, ERROR, EXIT = "next", "init error", "response", "error", "exit"


class RuntimeApi:
    """Serves one process. `invocations` are handed out in order; `events` tells what the process did."""

    def __init__(self):
        self.invocations = queue.Queue()  # (headers, body), or None when it is over
        self.events = queue.Queue()  # (kind, request id, body)
        api = self

        class Handler(_Handler):
            def handle_next(self):
                api.events.put((NEXT, None, b""))
                return api.invocations.get()

            def handle_event(self, *event):
                api.events.put(event)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True, name="toji-runtime-api").start()

    @property
    def address(self):
        return f"127.0.0.1:{self.server.server_port}"

    def close(self):
        self.invocations.put(None)  # whoever waits for an invocation stops waiting
        self.server.shutdown()
        self.server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # one packet an answer

    def do_GET(self):
        if self.path != PREFIX + "invocation/next":
            return self.answer(404)
        invocation = self.handle_next()
        if invocation is None:
            return self.answer(410)
        headers, body = invocation
        self.answer(200, body, headers)

    def do_POST(self):
        body = self.body()
        match self.path.removeprefix(PREFIX).split("/"):
            case ["init", "error"]:
                self.handle_event(INIT_ERROR, None, body)
            case ["invocation", request_id, ("response" | "error") as kind]:
                self.handle_event(RESPONSE if kind == "response" else ERROR, request_id, body)
            case _:
                return self.answer(404)
        self.answer(202, b'{"status":"OK"}')

    def body(self):
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():  # trailers
            pass
        return body

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *args):
        pass
