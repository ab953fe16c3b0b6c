"""Chat models behind the port `chat.assistant.Assistant`; other packages add theirs by entry point."""

from __future__ import annotations

from collections.abc import Mapping
from logging import Logger

from ..chat.assistant import Assistant

ENTRY_POINTS = "jupyter_ws_hub.assistants"


def discover(logger: Logger) -> Mapping[str, Assistant]:
    """Make the assistants that are configured, by name; none of them has started yet."""
    return {}
