"""A Jupyter Server extension with one endpoint, `/conformance/echo`: our base class, and nothing but echo on it.

Loaded beside jupyter_ws_hub, whose parts it uses; the limits are raised to what the largest cases send (16 MiB).
"""

from __future__ import annotations

from typing import Any

from jupyter_server.serverapp import ServerApp
from jupyter_server.utils import url_path_join

from jupyter_ws_hub.handlers.base import HubSocket

PATH = "conformance/echo"
MAX_MESSAGE_BYTES = 64 * 1024 * 1024


class EchoSocket(HubSocket):
    """Says whatever is said to it."""

    @property
    def max_message_size(self) -> int:
        """More than any case sends."""
        return MAX_MESSAGE_BYTES

    def opened(self, *args: str) -> None:
        """There is no protocol to begin."""

    async def received(self, message: str | bytes) -> None:
        """Send it back, as what it came: text or binary."""
        await self.send(message)


def _load_jupyter_server_extension(serverapp: ServerApp) -> None:
    # Extensions are loaded in the order of their names: jupyter_ws_hub is there.
    (hub,) = serverapp.extension_manager.extension_apps["jupyter_ws_hub"]
    rule = (url_path_join(serverapp.base_url, PATH), EchoSocket, {"parts": hub._parts})
    application: Any = serverapp.web_app
    application.add_handlers(".*$", [rule])


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": __name__}]
