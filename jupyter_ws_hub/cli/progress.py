"""What a person sees while files move: bars on a terminal, plain lines elsewhere, or only what went wrong."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import IO, Protocol, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)


def in_words(count: int) -> str:
    """Bytes for a person."""
    value = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def plain(text: str) -> str:
    """A text that does nothing to a terminal: names of files may hold anything."""
    return "".join(char if char.isprintable() or char == "\n" else "?" for char in text)


class Bar(Protocol):
    """One thing that moves."""

    def size(self, size: int) -> None:
        """It is as large as that: of a folder of the server it is not known at first."""

    def at(self, byte_offset: int) -> None:
        """How far it has come."""

    def notice(self, text: str) -> None:
        """Why it does not go on; nothing when it does."""

    def end(self) -> None:
        """It moves no more, whatever became of it."""


class Display(Protocol):
    """All that moves; used as a context."""

    def __enter__(self) -> Self:
        """Begin."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """The end."""

    def total(self, size: int) -> None:
        """How many bytes there are in all."""

    def bar(self, name: str, size: int) -> Bar:
        """Something begins to move."""

    def line(self, text: str) -> None:
        """Say something that stays."""


class _Quiet:
    """Says nothing; also the base of those that say a little."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass

    def total(self, size: int) -> None:
        pass

    def bar(self, name: str, size: int) -> Bar:
        return _NoBar()

    def line(self, text: str) -> None:
        pass


class _NoBar:
    def size(self, size: int) -> None:
        pass

    def at(self, byte_offset: int) -> None:
        pass

    def notice(self, text: str) -> None:
        pass

    def end(self) -> None:
        pass


class _Lines(_Quiet):
    """One line per thing that has something to say."""

    def __init__(self, out: IO[str]) -> None:
        self._out = out

    def bar(self, name: str, size: int) -> Bar:
        return _LineBar(self, name)

    def line(self, text: str) -> None:
        print(plain(text), file=self._out, flush=True)


class _LineBar(_NoBar):
    def __init__(self, lines: _Lines, name: str) -> None:
        self._lines = lines
        self._name = name
        self._noticed = ""

    def notice(self, text: str) -> None:
        if text != self._noticed:
            self._noticed = text
            self._lines.line(f"{self._name}: {text or 'goes on'}")


class _Bars:
    """Bars by rich: one per large file, and one for all."""

    def __init__(self, out: IO[str]) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", markup=True),
            BarColumn(bar_width=None),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(compact=True),
            console=Console(file=out),
            expand=True,
        )
        self._all: TaskID | None = None

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._progress.stop()

    def total(self, size: int) -> None:
        self._all = self._progress.add_task("in all", total=size)

    def bar(self, name: str, size: int) -> Bar:
        return _RichBar(self, self._progress, name, size)

    def moved(self, count: int) -> None:
        """So many bytes more, of whatever."""
        if self._all is not None:
            self._progress.advance(self._all, count)

    def line(self, text: str) -> None:
        self._progress.console.print(escape(plain(text)), highlight=False, soft_wrap=True)


class _RichBar:
    def __init__(self, bars: _Bars, progress: Progress, name: str, size: int) -> None:
        self._bars = bars
        self._progress = progress
        self._name = escape(plain(name if len(name) <= 40 else f"…{name[-39:]}").replace("\n", "?"))
        self._task = progress.add_task(self._name, total=size)
        self._at = 0

    def size(self, size: int) -> None:
        self._progress.update(self._task, total=size)

    def at(self, byte_offset: int) -> None:
        if byte_offset != self._at:
            self._bars.moved(byte_offset - self._at)
            self._at = byte_offset
            self._progress.update(self._task, completed=byte_offset)

    def notice(self, text: str) -> None:
        what = f"{self._name} [yellow]({escape(plain(text))})[/]" if text else self._name
        self._progress.update(self._task, description=what)

    def end(self) -> None:
        self._progress.remove_task(self._task)


def make_display(*, quiet: bool) -> Display:
    """Bars where standard error is a terminal, else lines on standard output."""
    if quiet:
        return _Quiet()
    return _Bars(sys.stderr) if sys.stderr.isatty() else _Lines(sys.stdout)


class Clock:
    """How long something took, in words."""

    def __init__(self) -> None:
        """Now."""
        self._began_s = time.monotonic()

    def rate(self, count: int) -> str:
        """`1.2 GB in 3.4 s (350.0 MB/s)`."""
        took_s = time.monotonic() - self._began_s
        return f"{in_words(count)} in {took_s:.1f} s ({in_words(int(count / max(took_s, 0.001)))}/s)"
