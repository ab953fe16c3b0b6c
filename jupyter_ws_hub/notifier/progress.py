"""A notification that shows how far something has come; a thread tells of it, so that the work never waits.

with notify.progress("Training", total=epochs) as progress:
    for epoch in range(epochs):
        ...
        progress.update(message=f"loss {loss:.3f}")
"""

from __future__ import annotations

import atexit
import math
import os
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Self, TypeAlias

INTERVAL_S: Final = 0.25
JOIN_S: Final = 4.0
"""Longer than one post can take."""
MAX_REASON_CHARACTERS: Final = 500
LEFT_S: Final = 2.0
"""A script whose loop was left is given so long to end by an error."""

Post: TypeAlias = Callable[..., bool]
"""Posts a notification, or does not, as Notifier does; never raises."""


def duration(seconds: float) -> str:
    """For people: 42 s, 12 min, 3 h 5 min."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{round(seconds)} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


class Progress:
    """Used as `with`; what ends it by an exception makes an error of it. Usable from all threads."""

    def __init__(
        self, post: Post, title: str, total: float | None = None, *, id: str | None = None, source: str | None = None
    ) -> None:
        """`total` is how much there is to do in all, in whatever unit; None where that is not known."""
        self._post, self._title, self._source = post, title, source
        self._id = id or os.urandom(16).hex()
        self._total = total
        self._done = 0.0
        self._message = ""
        self._change = threading.Condition()
        self._is_new = self._is_over = False
        self._thread: threading.Thread | None = None
        self._began_s = time.monotonic()
        self._pid = os.getpid()
        self._unwatch: Callable[[], None] | None = None
        self._is_left = self._is_script = False

    def __enter__(self) -> Self:
        """It begins."""
        self._began_s = time.monotonic()
        self._unwatch = _watch_cell(self)
        if self._unwatch is None:
            self._unwatch = _watch_script(self)
            self._is_script = self._unwatch is not None
        self._tell()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """It has ended: done, failed, interrupted, or left before the end."""
        if error is None:
            self.finish()
        elif isinstance(error, GeneratorExit):
            # A loop that was left lets go of its iterator, and nobody can tell by a break or by an exception; but
            # when the cell has ended, IPython can, and of a script what its errors are shown by.
            self._is_left = True
            if self._unwatch is None:
                self.end("info", f"Stopped at {self._count()} after {self._took()}")
            elif self._is_script:
                timer = threading.Timer(LEFT_S, self.cell_ended, (None,))
                timer.daemon = True
                timer.start()
        elif isinstance(error, KeyboardInterrupt):
            self.end("warning", f"Interrupted at {self._count()} after {self._took()}")
        else:
            self.fail(error)

    def cell_ended(self, error: BaseException | None) -> None:
        """The cell or script in which it began has ended, perhaps by an error; what goes on in the background goes on.

        Also to be called when a script goes on after its loop was left: that was no error then.
        """
        unwatch, self._unwatch = self._unwatch, None
        if unwatch is not None:
            unwatch()  # what other cells do has nothing to do with it
        if error is not None or self._is_left:
            left = error or GeneratorExit()
            self.__exit__(type(left), left, None)

    def update(self, by: float = 1, message: str | None = None) -> None:
        """It has come further by so much; `message` is shown from now on."""
        if self._is_child:
            return
        with self._change:
            self._done += by
            self._message = self._message if message is None else message
        self._tell()

    def set(self, done: float | None = None, message: str | None = None, *, total: float | None = None) -> None:
        """How far it has come in all, of how much."""
        if self._is_child:
            return
        with self._change:
            self._done = self._done if done is None else done
            self._message = self._message if message is None else message
            self._total = self._total if total is None else total
        self._tell()

    def finish(self, message: str | None = None) -> None:
        """It is done. Idempotent, as are `fail` and the end of the block: the first end counts."""
        self.end("success", message or f"{self._count()} in {self._took()}", progress=1.0)

    def fail(self, reason: object) -> None:
        """It has failed."""
        text = _words(reason) if isinstance(reason, BaseException) else str(reason)
        self.end("error", f"At {self._count()} after {self._took()}: {text}"[:MAX_REASON_CHARACTERS])

    @property
    def _is_child(self) -> bool:
        """In a process that was forked off nothing is told, and no lock is taken: who holds it may not be there."""
        return self._pid != os.getpid()

    @property
    def fraction(self) -> float:
        """How far it has come, from 0 to 1; 0 where the total is not known."""
        share = float(self._done) / float(self._total) if self._total else 0.0
        return min(1.0, max(0.0, share)) if math.isfinite(share) else 0.0

    def _count(self) -> str:
        return f"{self._done:g}" if self._total is None else f"{self._done:g} of {self._total:g}"

    def _took(self) -> str:
        return duration(time.monotonic() - self._began_s)

    def _text(self) -> str:
        parts = [self._message, self._count()]
        if 0 < self.fraction < 1:
            left_s = (time.monotonic() - self._began_s) * (1 - self.fraction) / self.fraction
            parts.append(f"{duration(left_s)} left")
        return " · ".join(part for part in parts if part)

    def _tell(self) -> None:
        with self._change:
            self._is_new = not self._is_over
            if self._thread is None and self._is_new:
                self._thread = threading.Thread(target=self._run, name="jupyter-ws-hub-progress", daemon=True)
                self._thread.start()
            self._change.notify()

    def _run(self) -> None:
        """Tell of what is new, not too often, until the end."""
        while True:
            with self._change:
                self._change.wait_for(lambda: self._is_new or self._is_over)
                if self._is_over:
                    return
                self._is_new = False
                message, progress = self._text(), min(self.fraction, 0.999)
            self._post(self._title, message, id=self._id, progress=progress, source=self._source)
            with self._change:
                self._change.wait_for(lambda: self._is_over, INTERVAL_S)

    def end(self, level: str, message: str, progress: float | None = None) -> None:
        """It has ended like this."""
        if self._is_child:
            return
        with self._change:
            if self._is_over:
                return
            self._is_over = True
            self._change.notify()
        if self._unwatch is not None:
            self._unwatch()
        if self._thread is not None:
            self._thread.join(JOIN_S)  # what it tells now must not come after this
        self._post(self._title, message, level=level, id=self._id, progress=progress, source=self._source)


def _words(error: BaseException) -> str:
    """What has gone wrong: its type, and the first line of what it says. What comes after is for the program's log."""
    name = type(error).__name__
    try:
        lines = str(error).strip().splitlines()
    except Exception:  # noqa: BLE001  # it cannot say
        return name
    return f"{name}: {lines[0]}" if lines else name


def _watch_cell(progress: Progress) -> Callable[[], None] | None:
    """In IPython: call `cell_ended` when the cell in which it began has ended. Gives what ends the watching."""
    ipython = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if ipython is None or threading.current_thread() is not threading.main_thread():
        return None

    def on_end(result: Any = None) -> None:
        progress.cell_ended(getattr(result, "error_in_exec", None))

    def stop() -> None:
        try:
            ipython.events.unregister("post_run_cell", on_end)
        except ValueError:
            pass  # it was so before

    ipython.events.register("post_run_cell", on_end)
    return stop


class ScriptEnd:
    """A `sys.excepthook` that also tells those who watch that an error ends the script."""

    def __init__(self, show: Callable[[type[BaseException], BaseException, TracebackType | None], object]) -> None:
        """`show` does what is else done with such errors."""
        self._show = show
        self.watching: set[Callable[[BaseException | None], None]] = set()

    def __call__(self, kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        """See sys.excepthook."""
        self._show(kind, error, traceback)
        for ended in tuple(self.watching):
            ended(error)


def _watch_script(progress: Progress) -> Callable[[], None] | None:
    """Call `cell_ended` when the script in which it began ends, by an error or not. Gives what ends the watching."""
    if threading.current_thread() is not threading.main_thread():
        return None
    hook = sys.excepthook
    if not isinstance(hook, ScriptEnd):
        sys.excepthook = hook = ScriptEnd(hook)  # it stays: others may have put theirs around it

    def stop() -> None:
        hook.watching.discard(progress.cell_ended)
        atexit.unregister(on_exit)

    def on_exit() -> None:
        progress.cell_ended(None)

    hook.watching.add(progress.cell_ended)
    atexit.register(on_exit)
    return stop
