"""Input and output of a terminal count as activity, as at the stock endpoint, but are noted once a second at most."""

from __future__ import annotations

import time
from collections.abc import Callable, MutableMapping
from typing import Any

from jupyter_server._tz import utcnow

INTERVAL_S = 1.0


class TerminalActivity:
    """Of one connection to a terminal."""

    def __init__(self, terminal: Any, settings: MutableMapping[str, Any], active: Callable[[], None]) -> None:
        """`settings` are the server's; `active` tells it that a person did something."""
        self._terminal, self._settings, self._active = terminal, settings, active
        self._noted_s = float("-inf")

    def note(self) -> None:
        """Something came or went."""
        now_s = time.monotonic()
        if now_s - self._noted_s >= INTERVAL_S:
            self._noted_s = now_s
            self._terminal.last_activity = self._settings["terminal_last_activity"] = utcnow()
            self._active()
