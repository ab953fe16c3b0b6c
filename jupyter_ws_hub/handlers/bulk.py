"""Writing much to a WebSocket: ready-made frames from a thread, which writes them itself where it can."""

from __future__ import annotations

import asyncio
import select
import socket
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any, Final

from tornado.iostream import IOStream, StreamClosedError

from .lending import LentStream

WAIT_MS: Final = 5
"""A thread waits so long for the other side to take what was sent; then the loop does, and the thread is free."""

TURN_S: Final = 0.02
"""A thread writes for so long before others may."""

Run = Callable[..., Awaitable[Any]]


async def write_plainly(stream: IOStream, run: Run, fill: Callable[[], memoryview]) -> bool:
    """The same on a stream to which nobody else writes, of plain HTTP; it returns when the kernel has it all."""
    try:
        if type(stream) is IOStream and not stream.closed():
            rest = await run(_write, stream.socket.dup(), fill)
        else:
            rest = await run(fill)
        if rest:  # else the client has all of it, and may have left
            await stream.write(rest)
    except StreamClosedError:
        return False
    return True


async def write_from(connection: Any, run: Run, fill: Callable[[], memoryview]) -> bool:
    """See Wire.send_from. `connection` is Tornado's, None if the socket is gone; `run` runs a function in a thread."""
    try:
        while connection is not None and not connection.is_closing() and connection.stream is not None:
            stream = connection.stream
            if not isinstance(stream, LentStream):  # TLS: only its own stream can write to it
                await stream.write(await run(fill))
                return True
            if (lent := stream.lend()) is not None:
                writing = asyncio.create_task(_write_by_thread(stream, lent, run, fill))
                writing.add_done_callback(_looked_at)
                # Cancelled or not: the thread goes on to write, and nobody else may before it is done.
                await asyncio.shield(writing)
                return True
            await stream.write(b"")
    except StreamClosedError:
        pass
    return False


def _looked_at(task: asyncio.Task[None]) -> None:
    """If nobody waits for it any more, nobody need be told how it went."""
    if not task.cancelled():
        task.exception()


async def _write_by_thread(stream: LentStream, lent: socket.socket, run: Run, fill: Callable[[], memoryview]) -> None:
    """Let a thread write until nothing is left or the socket takes no more; the loop sends what is left then."""
    rest = memoryview(b"")
    try:
        rest = await run(_write, lent, fill)
    finally:
        stream.give_back(rest)


def _write(lent: socket.socket, fill: Callable[[], memoryview]) -> memoryview:
    """Write for a while, until nothing is left, or the socket takes no more: what it has not taken of the last frames.

    What others want to write waits meanwhile, and a disk may be slow.
    """
    room = select.poll()
    room.register(lent, select.POLLOUT)
    end_s = monotonic() + TURN_S
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
            if monotonic() > end_s:
                break
    return frames
