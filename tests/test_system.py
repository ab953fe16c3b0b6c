"""What this system has; what others lack is tried in tests/integration/test_other_systems.py."""

from __future__ import annotations

import asyncio
import os
import sys
from types import SimpleNamespace

import pytest

from jupyter_ws_hub import system
from jupyter_ws_hub.system import can_start_processes, has_descriptors, has_terminals


async def test_this_system_has_it_all() -> None:
    assert has_descriptors() and has_terminals() and can_start_processes()


@pytest.mark.parametrize("lacking", ["pwritev", "O_DIRECTORY", "statvfs"])
def test_each_call_is_needed(lacking: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, lacking)
    assert not has_descriptors()


def test_calls_that_take_no_directory_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "supports_dir_fd", set())
    assert not has_descriptors()


def test_without_termios_there_are_no_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "termios", None)
    assert not has_terminals()


async def test_the_loop_of_jupyter_on_windows_starts_no_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(asyncio.get_running_loop(), asyncio.SelectorEventLoop)
    monkeypatch.setattr(system, "os", SimpleNamespace(name="nt"))
    assert not can_start_processes()
