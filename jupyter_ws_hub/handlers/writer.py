"""Writes a connection's frames to its socket, one in flight: at once after a message that is answered at once, else in
the next turn of the loop, so that all that is ready shares a frame.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import perf_counter
from typing import Final, Protocol

from ..turns import Turns

SLICE_S: Final = 0.0005
"""How long a connection may go on writing before the others have their turn."""


class Frames(Protocol):
    """Where the frames come from: a connection."""

    def frame(self) -> bytes | None:
        """The next frame, None if there is none now."""
        ...

    @property
    def is_over(self) -> bool:
        """Whether no frame will come any more."""
        ...


class FrameWriter:
    """The writer of one socket."""

    frames: Frames

    def __init__(
        self,
        write: Callable[[bytes], asyncio.Future[None] | None],
        has_more: Callable[[], bool],
        on_over: Callable[[], None],
        turns: Turns,
    ) -> None:
        """`write` writes a frame and gives None if the socket is gone; `has_more` says whether more was read than was
        handled; `on_over` is called when all is written; `turns` has the others who write. `frames` is to be set before
        anything is ready.
        """
        self._write_frame = write
        self._has_more = has_more
        self._on_over = on_over
        self._turns = turns
        self._in_flight = False
        self._is_waiting = self._is_due = False
        self._receiving = False
        self._is_answered = False

    def ready(self) -> None:
        """There may be something to write."""
        if self._receiving:
            self._is_answered = True
        elif not self._in_flight:
            self._is_due = True
            if not self._is_waiting:
                self._is_waiting = True
                self._turns.add(self._turn)

    def _turn(self) -> None:
        self._is_waiting = False
        if self._is_due and not self._in_flight:
            self._write()

    def receive(self, take: Callable[[str | bytes], None], message: str | bytes) -> None:
        """Let a message be taken; what it leads to goes out now, unless more messages were read already."""
        self._receiving = True
        try:
            take(message)
        finally:
            self._receiving = False
        if not self._is_answered:
            return
        self._is_answered = False
        if self._in_flight or self._has_more():
            self.ready()
        else:
            self._write()

    def _write(self, written: asyncio.Future[None] | None = None) -> None:
        """Write frames; `written` is the one before."""
        self._is_due = self._in_flight = False
        if written is not None and (written.cancelled() or written.exception()):
            return  # the socket is gone, which its handler learns
        begun_s = perf_counter()
        while (frame := self.frames.frame()) is not None:
            future = self._write_frame(frame)
            if future is None:
                return
            if not future.done() or perf_counter() - begun_s > SLICE_S:
                self._in_flight = True
                future.add_done_callback(self._write)
                return
        if self.frames.is_over:
            self._on_over()
