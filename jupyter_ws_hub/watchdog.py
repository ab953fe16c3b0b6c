"""Finds what blocks the event loop: a thread asks the loop for a beat, and looks at its stack when none comes.

For debugging. It knows nothing of the hub; a stall is told when it is over, with the callback that was running.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable
from logging import Logger
from types import FrameType
from typing import Final

import msgspec

INNERMOST: Final = 8
"""Frames of the stack that are told."""
REPORT_INTERVAL_S: Final = 10.0
"""One warning at most in this time; the next one says how many stalls it left out."""
STOP_S: Final = 2.0
NOT_SEEN: Final = "(not seen)"


class Stall(msgspec.Struct, frozen=True):
    """A time in which the event loop did nothing else."""

    duration_ms: float
    """At least: it is measured from the beat that was asked for, not from the callback's begin."""
    callback: str
    """What the loop had called, as `function (file:line)`, the line being where it was."""
    at: float
    """When it was over, in seconds since 1970-01-01 UTC."""
    stack: tuple[str, ...] = ()
    """The innermost frames below the callback, the innermost last."""


def _name(frame: FrameType) -> str:
    code = frame.f_code
    return f"{code.co_qualname} ({code.co_filename}:{frame.f_lineno})"


def _is_loop(frame: FrameType) -> bool:
    """Whether it is asyncio's own frame around a callback (asyncio/events.py: Handle._run)."""
    return frame.f_code.co_name == "_run" and frame.f_code.co_filename.endswith("events.py")


def look(thread_id: int) -> tuple[str, ...]:
    """The frames of a loop's thread from the callback that runs to the innermost one; empty where none runs."""
    frame = sys._current_frames().get(thread_id)
    frames: list[str] = []
    while frame is not None:
        if _is_loop(frame):
            return tuple(reversed(frames))
        frames.append(_name(frame))
        frame = frame.f_back
    return ()


class StallMonitor:
    """Watches one event loop from a thread of its own."""

    def __init__(self, stall_ms: float, logger: Logger, clock: Callable[[], float] = time.time) -> None:
        """A beat that takes longer than `stall_ms` is a stall. Nothing runs before `start`."""
        self.longest: Stall | None = None
        """The longest stall since the start."""
        self._stall_s = stall_ms / 1000
        self._logger = logger
        self._clock = clock
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._reported_s = float("-inf")
        self._left_out = 0

    def start(self) -> None:
        """Begin to watch the running loop."""
        arguments = (asyncio.get_running_loop(), threading.get_ident())
        self._thread = threading.Thread(target=self._watch, args=arguments, name="jupyter-ws-hub-watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; also when the loop has ended, and from the loop's own thread. Idempotent."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(STOP_S)

    def _watch(self, loop: asyncio.AbstractEventLoop, thread_id: int) -> None:
        # So much is not seen of a stall at its begin.
        pause_s = self._stall_s / 4
        while True:
            paused_s = time.perf_counter()
            if self._stopped.wait(pause_s):
                return
            # This thread too was kept from running: C code holds the interpreter, or has let go of it just now.
            kept_s = time.perf_counter() - paused_s - pause_s
            kept_s = kept_s if kept_s >= self._stall_s else 0.0
            stack = look(thread_id) if kept_s else ()
            beat = _Beat()
            try:
                loop.call_soon_threadsafe(beat.come)
            except RuntimeError:  # the loop is closed
                return
            if not beat.arrived.wait(self._stall_s):
                stack = stack or look(thread_id)
            # Waits in steps, because the loop may never beat again.
            while not beat.arrived.wait(self._stall_s):
                if self._stopped.is_set() or loop.is_closed():
                    return
            if beat.took_s + kept_s >= self._stall_s:
                self._report(beat.took_s + kept_s, stack)

    def _report(self, took_s: float, stack: tuple[str, ...]) -> None:
        # Nothing is seen where the whole process stood still, or another thread held the interpreter.
        callback = stack[0] if stack else NOT_SEEN
        stall = Stall(round(took_s * 1000, 1), callback, self._clock(), stack[1:][-INNERMOST:])
        if self.longest is None or stall.duration_ms > self.longest.duration_ms:
            self.longest = stall
        now_s = time.monotonic()
        if now_s - self._reported_s < REPORT_INTERVAL_S:
            self._left_out += 1
            return
        more = f" ({self._left_out} others since the last warning)" if self._left_out else ""
        self._reported_s, self._left_out = now_s, 0
        inner = "".join(f"\n    {frame}" for frame in stall.stack)
        self._logger.warning(
            "The event loop stood still for %.0f ms in %s%s%s", stall.duration_ms, callback, more, inner
        )


class _Beat:
    """A beat that was asked for now, and when it came."""

    def __init__(self) -> None:
        self.arrived = threading.Event()
        self.took_s = 0.0
        self._asked_s = time.perf_counter()

    def come(self) -> None:
        self.took_s = time.perf_counter() - self._asked_s
        self.arrived.set()
