"""What may be in a notification."""

from __future__ import annotations

import msgspec
import pytest

from jupyter_ws_hub.notices.notification import MAX_EXPIRES_MS, Action, NotifyParams, check
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError

WEB = ["https://example.org", "http://127.0.0.1:6006/#scalars", "HTTPS://example.org/a?b=c"]
NO_WEB = [
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java\nscript:alert(1)",
    "\x01javascript:alert(1)",
    " javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:x",
    "file:///etc/passwd",
    "blob:https://example.org/1",
    "//example.org",
    "example.org",
    "https:",
    "https:///path",
    "https://google.com@evil.example/",
    "https://user:password@example.org/",
    "https://[::1",
    "https://example.org/\u202egpj.exe",
    "https://example.org/\r\nX: y",
]
PATHS = ["a.ipynb", "data/plot 1.png", "größe/été.txt", "a/b:c"]
NO_PATHS = ["/etc/passwd", "../secret", "a/../../b", "a//b", "a/./b", "a\\..\\b", "javascript:alert(1)", "a/", "C:/x"]
COMMANDS = ["docmanager:open", "@scope/extension:do-it", "help:about", "a:b:c"]
NO_COMMANDS = ["open", "docmanager:", ":open", "a:b c", "a:b;c", "a:b\n", "<a>:b"]


def action(kind: str, target: str, label: str = "Open") -> NotifyParams:
    """A notification with this button."""
    return NotifyParams("t", actions=[msgspec.convert({"label": label, "kind": kind, "target": target}, Action)])


def code(params: NotifyParams) -> Code | None:
    """With what it is refused."""
    try:
        check(params)
    except HubError as error:
        return error.code
    return None


@pytest.mark.parametrize(
    ("kind", "target"),
    [("url", one) for one in WEB] + [("path", one) for one in PATHS] + [("command", one) for one in COMMANDS],
)
def test_these_can_be_opened(kind: str, target: str) -> None:
    assert code(action(kind, target)) is None


@pytest.mark.parametrize(
    ("kind", "target"),
    [("url", one) for one in NO_WEB] + [("path", one) for one in NO_PATHS] + [("command", one) for one in NO_COMMANDS],
)
def test_these_cannot_be_opened(kind: str, target: str) -> None:
    assert code(action(kind, target)) is Code.INVALID


def test_a_label_has_no_control_characters() -> None:
    assert code(action("path", "a", "Open\u202e")) is Code.INVALID


def test_sizes() -> None:
    assert code(NotifyParams("x" * 200, "x" * 4000, id="x" * 64, expires_in_ms=MAX_EXPIRES_MS)) is None
    for title in ("", " ", "\n\t", "x" * 201):
        assert code(NotifyParams(title)) is Code.INVALID
    assert code(NotifyParams("t", "x" * 4001)) is Code.TOO_BIG
    for id in ("", "x" * 65):
        assert code(NotifyParams("t", id=id)) is Code.INVALID
    assert code(NotifyParams("t", expires_in_ms=MAX_EXPIRES_MS + 1)) is Code.INVALID
