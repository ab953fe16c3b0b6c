"""A server on loopback that answers each POST as it is told, and keeps what has come."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Answering:
    """What has come, and what is answered."""

    def __init__(self) -> None:
        """It says that all is well."""
        self.status = 201
        self.body: bytes | None = None
        self.got: list[dict[str, Any]] = []
        self.heads: list[dict[str, str]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.url = ""


@contextmanager
def answering(tls: ssl.SSLContext | None = None) -> Iterator[Answering]:
    """Run one, until this is left."""
    told = Answering()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.heads.append({"path": self.path, **{name: value for name, value in self.headers.items()}})
            notification = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            told.gate.wait(10)
            told.got.append(notification)
            body = told.body if told.body is not None else json.dumps({"id": notification["id"]}).encode()
            self.send_response(told.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *request: Any) -> None:
            """The client is gone: that is what some tests want."""

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    told.url = f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}/base/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield told
    finally:
        told.gate.set()
        server.shutdown()
        thread.join()
        server.server_close()
