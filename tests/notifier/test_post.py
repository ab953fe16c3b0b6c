"""One notification by HTTP."""

from __future__ import annotations

import json
import socket
import threading

import pytest

from jupyter_ws_hub.notifier.finding import Target
from jupyter_ws_hub.notifier.post import NotifyError, TooSlow, post

from .answering import answering

NOTE = {"id": "n1", "title": "t"}


def test_it_is_posted_under_the_server_s_base_url_with_what_lets_in() -> None:
    with answering() as told:
        assert post(Target(told.url, "token t"), NOTE, 5) == "n1"
    assert told.got == [NOTE]
    assert told.heads[0]["path"] == "/base/api/ws-hub/notifications"
    assert (told.heads[0]["Authorization"], told.heads[0]["Content-Type"]) == ("token t", "application/json")


def test_without_anything_that_lets_in_nothing_is_sent_for_that() -> None:
    with answering() as told:
        post(Target(told.url), NOTE, 5)
    assert "Authorization" not in told.heads[0]


@pytest.mark.parametrize(
    ("status", "body", "code", "words"),
    [
        (429, {"code": "rate_limited", "message": "Wait.", "retry_after_ms": 100}, "rate_limited", "Wait."),
        (403, {"message": "Forbidden", "reason": None}, "unauthenticated", "does not let this in"),
        (302, "", "unauthenticated", "does not let this in"),
        (404, "<html>", "not_found", "is jupyter_ws_hub on there"),
        (405, {}, "not_found", "is jupyter_ws_hub on there"),
        (502, "Bad gateway", "", "answers 502"),
        (200, {"id": "x"}, "", "answers 200"),
        (201, "nothing", "", "answers 201"),
        (201, [], "", "answers 201"),
        (201, {"id": 1}, "", "answers 201"),
    ],
)
def test_what_the_server_says_is_told(status: int, body: object, code: str, words: str) -> None:
    with answering() as told:
        told.status = status
        told.body = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        with pytest.raises(NotifyError, match=words) as caught:
            post(Target(told.url, "token geheim"), NOTE, 5)
    assert caught.value.code == code
    assert "geheim" not in str(caught.value)
    assert caught.value.retry_after_ms == (100 if status == 429 else None)


def test_a_server_that_is_not_there_is_told_at_once() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(NotifyError, match="cannot be reached"):
        post(Target(f"http://127.0.0.1:{port}/"), NOTE, 5)


def test_a_server_that_does_not_answer_is_not_waited_for_long() -> None:
    with answering() as told:
        told.gate.clear()
        with pytest.raises(TooSlow, match=r"within 0\.1 s"):
            post(Target(told.url), NOTE, 0.1)


def test_an_answer_without_a_form_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        target = Target(f"http://127.0.0.1:{server.getsockname()[1]}/")

        def answer() -> None:
            connection, _ = server.accept()
            connection.recv(65536)
            connection.sendall(b"\x00\x01garbage\r\n\r\n")
            connection.close()

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(NotifyError, match="cannot be reached"):
            post(target, NOTE, 5)
        thread.join()
