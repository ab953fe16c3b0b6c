"""Writes a connection's frames to its socket, one in flight: at once after a message that is answered at once, else in
the next turn of the loop, so that all that is ready shares a frame.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import perf_counter
from typing import Final, Protocol

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
    ) -> None:
        """`write` writes a frame and gives None if the socket is gone; `has_more` says whether more was read than was
        handled; `on_over` is called when all is written. `frames` is to be set before anything is ready.
        """
        self._write_frame = write
        self._has_more = has_more
        self._on_over = on_over
        self._in_flight = False
        self._scheduled: asyncio.Handle | None = None
        self._receiving = False
        self._due = False

    def ready(self) -> None:
        """There may be something to write."""
        if self._receiving:
            self._due = True
        elif not self._in_flight and self._scheduled is None:
            self._scheduled = asyncio.get_running_loop().call_soon(self._write)

    def receive(self, take: Callable[[str | bytes], None], message: str | bytes) -> None:
        """Let a message be taken; what it leads to goes out now, unless more messages were read already."""
        self._receiving = True
        try:
            take(message)
        finally:
            self._receiving = False
        if not self._due:
            return
        self._due = False
        if self._in_flight or self._has_more():
            self.ready()
        else:
            if self._scheduled is not None:
                self._scheduled.cancel()
            self._write()

    def _write(self, written: asyncio.Future[None] | None = None) -> None:
        """Write frames; `written` is the one before."""
        self._scheduled, self._in_flight = None, False
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
