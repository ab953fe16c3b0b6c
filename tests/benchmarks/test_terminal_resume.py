"""The screen of the resume benchmark: a line that is missing or came twice must not pass unseen."""

from __future__ import annotations

import asyncio
import time
from typing import cast

import pytest

from jupyter_ws_hub.cli.terminal_link import TerminalLink
from jupyter_ws_hub.protocol.terminal import Welcome
from jupyter_ws_hub.protocol.terminal_client import Cleared, Joined, Output

from .terminal_resume import Screen

JOINED = Joined(Welcome("0" * 32, 0, 0, 0, 0, 24, 80, 1), first=False, lost_input=0)


class NoLink:
    """Takes acknowledgements."""

    def consumed(self, until: int) -> None: ...


def screen_with(*pieces: bytes) -> Screen:
    screen = Screen()
    screen.link = cast(TerminalLink, NoLink())
    for piece in pieces:
        screen.on_event(Output(piece, 0))
    return screen


def test_lines_may_be_cut_anywhere() -> None:
    screen = screen_with(b"$ stty\n5 1", b"00\n6 ", b"200\n")
    screen.check()
    assert (screen.numbers, screen.stamp_ns) == ([5, 6], 200)


@pytest.mark.parametrize("lines", [b"5 100\n7 200\n", b"5 100\n5 100\n", b"6 100\n5 100\n"])
def test_missing_and_doubled_lines_are_seen(lines: bytes) -> None:
    with pytest.raises(RuntimeError, match="missing or doubled"):
        screen_with(lines).check()


def test_a_gap_is_seen() -> None:
    screen = screen_with(b"5 100\n6 200\n")
    screen.on_event(Cleared(10))
    with pytest.raises(RuntimeError, match="cleared 1 times"):
        screen.check()


async def test_output_of_an_old_connection_is_no_resume() -> None:
    screen = screen_with(b"5 100\n")
    then_ns = time.monotonic_ns()
    waiting = asyncio.create_task(screen.resumed_after(then_ns))
    screen.on_event(Output(b"6 200\n", 0))
    await asyncio.sleep(0)
    assert not waiting.done()
    screen.on_event(JOINED)
    screen.on_event(Output(b"7 300\n", 0))
    assert await waiting > 0
