"""The clients of a PTY that take text, as terminado's do: the stock endpoint's and our own JSON ones."""

from __future__ import annotations

import codecs
from collections import deque
from collections.abc import Callable, Iterator
from logging import Logger
from typing import Any, Final

from .queries import remove_queries
from .ring import ByteRing

HISTORY_BYTES: Final = 128 * 1024
"""How much of the past a new text client gets; more would hold the event loop too long."""

MAX_CHARACTER_BYTES: Final = 4


def unfinished(tail: bytes) -> bytes:
    """The bytes at the end that are the beginning of a UTF-8 character."""
    for size in range(1, min(MAX_CHARACTER_BYTES, len(tail) + 1)):
        first = tail[-size]
        if first & 0b1100_0000 != 0b1000_0000:
            needed = 2 if first >> 5 == 0b110 else 3 if first >> 4 == 0b1110 else 4 if first >> 3 == 0b11110 else 1
            return tail[-size:] if needed > size else b""
    return b""


class TextClients:
    """They share one decoder, which runs only while there are any."""

    def __init__(self, clients: list[Any], ring: ByteRing, log: Logger) -> None:
        """`clients` is the PTY's own list, which changes."""
        self._clients = clients
        self._ring = ring
        self._log = log
        self._decode: Callable[[bytes], str] | None = None

    def history(self) -> str:
        """What a new client gets: without queries, and without the beginning of a character that is not there yet."""
        begin = self._ring.last_lines(HISTORY_BYTES)
        output = self._ring.read(begin, self._ring.head - begin)
        output = output[: len(output) - len(unfinished(output[-MAX_CHARACTER_BYTES:]))]
        return remove_queries(output.decode(errors="replace"))

    def copy(self) -> deque[str]:
        """The history as terminado's clients take it."""
        return deque(self)

    def __iter__(self) -> Iterator[str]:
        """See `copy`."""
        history = self.history()
        if history:
            yield history

    def before(self) -> None:
        """Called before output goes into the ring."""
        if not self._clients:
            self._decode = None
        elif self._decode is None:
            begin = max(self._ring.start, self._ring.head - MAX_CHARACTER_BYTES)
            self._decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
            self._decode(unfinished(self._ring.read(begin, MAX_CHARACTER_BYTES)))

    def output(self, data: bytes) -> None:
        """Give output to all; a client that fails does not take it from the others."""
        if self._decode is None:
            return
        text = self._decode(data)
        if text:
            self._each(lambda client: client.on_pty_read(text))

    def died(self) -> None:
        """The terminal has ended."""
        self._each(lambda client: client.on_pty_died())

    def _each(self, tell: Callable[[Any], None]) -> None:
        for client in tuple(self._clients):
            try:
                tell(client)
            except Exception as error:  # noqa: BLE001  # a stock client whose socket is gone, or a stranger's
                self._log.debug("A client of a terminal could not be told of its output: %r", error)
