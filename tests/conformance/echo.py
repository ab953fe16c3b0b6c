"""A Jupyter Server extension with our base classes, and nothing but echo on them: see PATHS.

Loaded beside jupyter_ws_hub, whose parts it uses; the limits are raised to what the largest cases send (16 MiB).
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from jupyter_server.serverapp import ServerApp
from jupyter_server.utils import url_path_join
from tornado.websocket import WebSocketProtocol

from jupyter_ws_hub.handlers.base import HubSocket
from jupyter_ws_hub.handlers.direct import directly

MAX_MESSAGE_BYTES = 64 * 1024 * 1024


class EchoSocket(HubSocket):
    """Says whatever is said to it."""

    @property
    def max_message_size(self) -> int:
        """More than any case sends."""
        return MAX_MESSAGE_BYTES

    def opened(self, *args: str) -> None:
        """There is no protocol to begin."""

    def received(self, message: str | bytes) -> Awaitable[None] | None:
        """Send it back, as what it came: text or binary."""
        return self._echo(message)

    async def _echo(self, message: str | bytes) -> None:
        await self.send(message)


class DirectEchoSocket(EchoSocket):
    """The same, as terminals read and write."""

    def get_websocket_protocol(self) -> WebSocketProtocol | None:
        """See WebSocketHandler."""
        return directly(super().get_websocket_protocol())

    def received(self, message: str | bytes) -> None:
        """Send it back; the future is the writer's own."""
        if isinstance(message, str):
            self.write_text(message.encode())
        else:
            self.write_binary([message])


PATHS: dict[str, type[EchoSocket]] = {"conformance/echo": EchoSocket, "conformance/direct": DirectEchoSocket}


def _load_jupyter_server_extension(serverapp: ServerApp) -> None:
    # Extensions are loaded in the order of their names: jupyter_ws_hub is there.
    (hub,) = serverapp.extension_manager.extension_apps["jupyter_ws_hub"]
    application: Any = serverapp.web_app
    for path, handler in PATHS.items():
        rule = (url_path_join(serverapp.base_url, path), handler, {"parts": hub._parts})
        application.add_handlers(".*$", [rule])


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": __name__}]
