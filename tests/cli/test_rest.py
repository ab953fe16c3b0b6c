"""Requests to a small HTTP server, and what is said when they fail."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from jupyter_ws_hub.cli.rest import NotFound, request
from jupyter_ws_hub.cli.servers import FAILED, REFUSED, CommandError, Server

from ..support.server import free_port


class Handler(BaseHTTPRequestHandler):
    """Answers `/<status>` with that status; `/echo` with what it got."""

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        seen = {
            "method": self.command,
            "token": self.headers.get("Authorization"),
            "body": self.rfile.read(length).decode(),
        }
        name = self.path.strip("/")
        status = int(name) if name.isdigit() else 200
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/login")
        self.end_headers()
        answer = {"message": "no such terminal"} if status == 404 else seen
        self.wfile.write(b"<html>" if name == "page" else json.dumps(answer).encode())

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Be quiet."""


@pytest.fixture
def server() -> Iterator[Server]:
    http = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, args=(0.01,))
    thread.start()
    yield Server(f"http://127.0.0.1:{http.server_port}/", "secret")
    http.shutdown()
    thread.join()
    http.server_close()


def test_a_request_has_the_token_and_the_body(server: Server) -> None:
    assert request(server, "echo") == {"method": "GET", "token": "token secret", "body": ""}
    assert request(server, "echo", {"a": 1}) == {"method": "POST", "token": "token secret", "body": '{"a": 1}'}


@pytest.mark.parametrize("status", [401, 403, 302])
def test_a_refused_login_says_what_to_do(server: Server, status: int) -> None:
    with pytest.raises(CommandError, match="--token") as caught:
        request(server, str(status))
    assert caught.value.status == REFUSED
    with pytest.raises(CommandError, match="wants a token"):
        request(Server(server.url), str(status))


def test_other_failures_say_what_the_server_says(server: Server) -> None:
    with pytest.raises(NotFound, match="404: no such terminal"):
        request(server, "404")
    with pytest.raises(CommandError, match="500") as caught:
        request(server, "500")
    assert caught.value.status == FAILED


def test_something_else_than_a_jupyter_server(server: Server) -> None:
    with pytest.raises(CommandError, match="does not answer"):
        request(server, "page")


def test_nobody_there() -> None:
    with pytest.raises(CommandError, match="cannot be reached"):
        request(Server(f"http://127.0.0.1:{free_port()}/"), "x")
