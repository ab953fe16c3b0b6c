"""Activity of a terminal reaches the server, but not with every byte."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from jupyter_ws_hub.handlers.terminal_activity import TerminalActivity


def test_it_is_noted_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now_s[0])
    settings: dict[str, Any] = {}
    told: list[float] = []
    terminal = SimpleNamespace(last_activity=None)
    activity = TerminalActivity(terminal, settings, lambda: told.append(now_s[0]))
    for now_s[0] in (100.0, 100.5, 100.99, 101.0, 101.1, 105.0):
        activity.note()
    assert told == [100.0, 101.0, 105.0]
    assert terminal.last_activity is settings["terminal_last_activity"] is not None
