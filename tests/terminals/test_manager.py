"""The stock manager's ways hold for ours: names, models, activity, metrics, culling; and what it adds."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from jupyter_server.prometheus.metrics import TERMINAL_CURRENTLY_RUNNING_TOTAL
from tornado.web import HTTPError
from traitlets.config import Config

from jupyter_ws_hub.terminals.input_queue import MAX_BACKLOG_BYTES
from jupyter_ws_hub.terminals.manager import MAX_ENDED, HubTerminalManager
from jupyter_ws_hub.terminals.pty import HubPty

from ..support.client import WAIT_S, until


def running_total() -> float:
    return float(TERMINAL_CURRENTLY_RUNNING_TOTAL._value.get())


@asynccontextmanager
async def managing(command: str = "cat", **traits: Any) -> AsyncIterator[HubTerminalManager]:
    """A manager; all its terminals are ended."""
    config = Config({"HubTerminalManager": traits})
    manager = HubTerminalManager(shell_command=["/bin/sh", "-c", command], config=config)
    try:
        yield manager
    finally:
        await manager.kill_all()


def pty_of(manager: HubTerminalManager, name: str) -> HubPty:
    pty = manager.terminals[name]
    assert isinstance(pty, HubPty)
    return pty


async def test_a_terminal_is_made_listed_and_ended_as_ever() -> None:
    async with managing() as manager:
        model = manager.create(cwd="/")
        assert model["name"] == "1" and manager.list() == [manager.get("1")]
        assert manager.create()["name"] == "2" and running_total() == 2
        assert os.readlink(f"/proc/{pty_of(manager, '1').ptyproc.pid}/cwd") == "/"
        await manager.terminate("1", force=True)
        assert list(manager.terminals) == ["2"] and running_total() == 1
        with pytest.raises(HTTPError):
            manager.get("1")
        await manager.terminate_all()
        assert manager.list() == [] and manager.ptys_by_fd == {} and running_total() == 0


async def test_a_program_that_ends_frees_its_name_and_the_count() -> None:
    async with managing("read line; exit 3") as manager:
        manager.create()
        pty = pty_of(manager, "1")
        pty.feed(b"\n")
        await until(lambda: not manager.terminals, "the end")
        assert running_total() == 0
        assert manager.find("1", None) is None
        assert manager.find("1", pty.epoch) is pty
        assert manager.find("2", pty.epoch) is None
        manager.create()
        assert manager.find("1", None) is pty_of(manager, "1") is not pty
        assert manager.find("1", pty.epoch) is pty
        assert manager.find("1", "00" * 16) is None


async def test_what_has_ended_is_kept_for_a_while_and_not_without_end() -> None:
    async with managing("exit", after_life_s=0.2) as manager:
        pty = manager.get_terminal("mine")
        assert isinstance(pty, HubPty)
        await until(lambda: not manager.terminals, "the end")
        assert manager.find("mine", pty.epoch) is pty
        await until(lambda: manager.find("mine", pty.epoch) is None, "it to be forgotten")
    async with managing("exit", after_life_s=0.05) as manager:
        seen = manager.get_terminal("seen")
        assert isinstance(seen, HubPty)
        viewers: list[Any] = seen.viewers
        viewers.append(SimpleNamespace(pump=lambda: None))
        await asyncio.sleep(0.2)
        assert manager.find("seen", seen.epoch) is seen  # somebody still fetches its output
        viewers.clear()
        await until(lambda: manager.find("seen", seen.epoch) is None, "it to be forgotten")
    async with managing("exit") as manager:
        made = [manager.get_terminal(f"t{n}") for n in range(MAX_ENDED + 3)]
        await until(lambda: not manager.terminals, "the ends")
        kept = [pty for pty in made if isinstance(pty, HubPty) and manager.find(pty.term_name or "", pty.epoch)]
        assert len(kept) == MAX_ENDED


async def test_output_counts_as_activity_and_the_idle_are_culled() -> None:
    async with managing("read line; echo answer; cat", cull_inactive_timeout=1, cull_interval=1) as manager:
        manager.create()
        pty: Any = pty_of(manager, "1")
        pty.last_activity -= timedelta(hours=1)
        pty.feed(b"\n")
        await until(lambda: b"answer" in pty.ring.read(0, 1000), "the answer")
        before = pty.last_activity
        pty.last_activity -= timedelta(hours=1)
        assert before > pty.last_activity
        await until(lambda: not manager.terminals, "it to be culled", WAIT_S)


async def test_a_terminal_that_nobody_created_by_the_book_has_its_activity_too() -> None:
    async with managing() as manager:
        manager.get_terminal("named")
        assert manager.get("named")["last_activity"]


async def test_the_ring_is_as_large_as_configured() -> None:
    async with managing(ring_bytes=64 * 1024) as manager:
        manager.create()
        assert pty_of(manager, "1").ring.capacity == 64 * 1024


async def test_stock_input_is_queued_at_once_and_waits_only_when_too_much_is_unread() -> None:
    """terminado writes in `run_on_executor`: with the socket as first argument, or with the process's own method."""
    async with managing("stty raw; echo ready; sleep 1000") as manager:
        manager.create()
        pty = pty_of(manager, "1")
        await until(lambda: b"ready" in pty.ring.read(0, 100), "the raw mode")
        executor = manager.blocking_io_executor
        socket = SimpleNamespace(terminal=pty)
        assert executor.submit(lambda its, text: its.terminal.ptyproc.write(text), socket, "x").done()
        assert executor.submit(pty.ptyproc.write, "x").done()
        await asyncio.sleep(0)
        paste = executor.submit(pty.ptyproc.write, "p" * (MAX_BACKLOG_BYTES + 200_000))
        more = executor.submit(lambda its, text: its.terminal.ptyproc.write(text), socket, "x")
        assert not paste.done() and not more.done()
        pty.feed(b"\x03")  # raw: no signal
        assert not paste.done()
        await manager.terminate("1", force=True)
        assert paste.done() and more.done()
        with pytest.raises(ZeroDivisionError):
            executor.submit(lambda: 1 / 0).result()
