"""Writing much to a WebSocket: ready-made frames from a thread, which writes them itself where it can."""

from __future__ import annotations

import asyncio
import select
import socket
from collections.abc import Awaitable, Callable
from typing import Any, Final

from tornado.iostream import StreamClosedError

from .lending import LentStream

WAIT_MS: Final = 5
"""A thread waits so long for the other side to take what was sent; then the loop does, and the thread is free."""

Run = Callable[..., Awaitable[Any]]


async def write_from(connection: Any, run: Run, fill: Callable[[], memoryview]) -> bool:
    """See Wire.send_from. `connection` is Tornado's, None if the socket is gone; `run` runs a function in a thread."""
    try:
        while connection is not None and not connection.is_closing() and connection.stream is not None:
            stream = connection.stream
            if not isinstance(stream, LentStream):  # TLS: only its own stream can write to it
                await stream.write(await run(fill))
                return True
            if (lent := stream.lend()) is not None:
                # Cancelled or not: the thread goes on to write, and nobody else may before it is done.
                await asyncio.shield(asyncio.ensure_future(_write_by_thread(stream, lent, run, fill)))
                return True
            await stream.write(b"")
    except StreamClosedError:
        pass
    return False


async def _write_by_thread(stream: LentStream, lent: socket.socket, run: Run, fill: Callable[[], memoryview]) -> None:
    """Let a thread write until nothing is left or the socket takes no more; the loop sends what is left then."""
    rest = memoryview(b"")
    try:
        rest = await run(_write, lent, fill)
    finally:
        stream.give_back(rest)


def _write(lent: socket.socket, fill: Callable[[], memoryview]) -> memoryview:
    """Write until nothing is left, or the socket takes no more: what it has not taken of the last frames."""
    room = select.poll()
    room.register(lent, select.POLLOUT)
    with lent:
        while frames := fill():
            while frames:
                try:
                    frames = frames[lent.send(frames) :]
                except BlockingIOError:
                    if not room.poll(WAIT_MS):
                        return frames
                except OSError:
                    return frames  # the loop finds out what is wrong with it
    return frames
