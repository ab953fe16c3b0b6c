"""The URL table: these endpoints and no others, all under base_url, each by a handler that decides on access."""

from __future__ import annotations

import re
from typing import Any

import pytest
from jupyter_server.base.handlers import JupyterHandler
from tornado.httpclient import HTTPClientError

from jupyter_ws_hub.handlers.base import HubSocket
from jupyter_ws_hub.handlers.file_download import FileDownloadHandler
from jupyter_ws_hub.handlers.file_stream import FileStreamHandler
from jupyter_ws_hub.handlers.http import ChatGoneHandler
from jupyter_ws_hub.handlers.hub import HubHandler
from jupyter_ws_hub.handlers.notices import NotificationsHandler
from jupyter_ws_hub.handlers.routes import routes
from jupyter_ws_hub.handlers.terminal import TerminalHandler


@pytest.fixture
def parts(jp_serverapp: Any) -> Any:
    (app,) = jp_serverapp.extension_manager.extension_apps["jupyter_ws_hub"]
    return app._parts


def handler_of(parts: Any, path: str) -> type | None:
    for pattern, handler, _ in routes(parts):
        if re.fullmatch(pattern, path):
            return handler
    return None


def test_the_endpoints_have_their_handlers(parts: Any) -> None:
    assert handler_of(parts, "/ws") is HubHandler
    assert handler_of(parts, "/ws/chat") is ChatGoneHandler
    assert handler_of(parts, "/ws/terminal/1") is TerminalHandler
    assert handler_of(parts, "/ws/terminal/my_terminal") is TerminalHandler
    assert handler_of(parts, "/ws/file-stream/0123abcd") is FileStreamHandler
    assert handler_of(parts, "/ws/file-stream/0123abcd/content") is FileDownloadHandler
    assert handler_of(parts, "/api/ws-hub/notifications") is NotificationsHandler
    assert len(routes(parts)) == 6


@pytest.mark.parametrize(
    "path", ["/", "/ws/", "/wsx", "/ws/terminal", "/ws/terminal/", "/ws/terminal/a/b", "/ws/file-stream/../etc"]
)
def test_nothing_else_has_one(parts: Any, path: str) -> None:
    assert handler_of(parts, path) is None


def test_every_handler_is_jupyter_s_and_is_handed_the_parts(parts: Any) -> None:
    for _, handler, arguments in routes(parts):
        assert issubclass(handler, JupyterHandler)
        assert arguments == {"parts": parts}
        if issubclass(handler, HubSocket):
            assert getattr(handler.get, "__allow_unauthenticated", None) is False


@pytest.mark.parametrize("path", ["ws", "ws/chat", "ws/terminal/1", "ws/file-stream/1"])
async def test_without_base_url_there_is_nothing(
    http_server_client: Any, jp_serverapp: Any, jp_auth_header: dict[str, str], path: str
) -> None:
    with pytest.raises(HTTPClientError) as caught:
        await http_server_client.fetch(f"/{path}", headers=jp_auth_header, follow_redirects=False)
    assert caught.value.code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "HEAD"])
@pytest.mark.parametrize("path", ["ws", "ws/terminal/1", "ws/file-stream/1"])
async def test_a_socket_takes_no_other_method_than_get(jp_fetch: Any, method: str, path: str) -> None:
    with pytest.raises(HTTPClientError) as caught:
        await jp_fetch(*path.split("/"), method=method, allow_nonstandard_methods=True)
    assert caught.value.code in (403, 405)
