"""The URL table. Everything is under the server's base_url, which ExtensionApp puts in front."""

from __future__ import annotations

from typing import Any

from .file_download import FileDownloadHandler
from .file_stream import FileStreamHandler
from .http import ChatGoneHandler
from .hub import HubHandler
from .notices import NotificationsHandler
from .parts import Parts
from .terminal import TerminalHandler


def routes(parts: Parts) -> list[tuple[str, type, dict[str, Any]]]:
    """All endpoints of this extension."""
    table: list[tuple[str, type]] = [
        (r"/ws", HubHandler),
        (r"/ws/chat", ChatGoneHandler),
        (r"/ws/terminal/(\w+)", TerminalHandler),
        (r"/ws/file-stream/(\w+)", FileStreamHandler),
        (r"/ws/file-stream/(\w+)/content", FileDownloadHandler),
        (r"/api/ws-hub/notifications", NotificationsHandler),
    ]
    return [(pattern, handler, {"parts": parts}) for pattern, handler in table]
