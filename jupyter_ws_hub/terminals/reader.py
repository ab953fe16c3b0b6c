"""Reads a PTY whose descriptor does not block: at once while little comes, by turns with others while much does."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from time import perf_counter
from typing import Final

from ..turns import Turns

READ_BYTES: Final = 64 * 1024
"""About how much is read in one go."""

READ_S: Final = 0.0005
"""How long reading may go on before the rest of the server has its turn."""

SHORT_READ_BYTES: Final = 1024
"""A read that gives less has most likely emptied the PTY: asking again would only say so."""


class PtyReader:
    """Gives output to `on_data` and says by `on_end` that there is no more. Belongs to the loop's thread."""

    def __init__(
        self, descriptor: int, turns: Turns, on_data: Callable[[bytes], None], on_end: Callable[[], None]
    ) -> None:
        """`turns` are shared with the other PTYs of the server: those that flood share a little of each turn."""
        self._descriptor, self._turns = descriptor, turns
        self._on_data, self._on_end = on_data, on_end
        self._listens = self._waits_for_turn = False
        self.is_paused = self.is_stopped = False

    def start(self) -> None:
        """Read from now on."""
        self._listen()

    def pause(self) -> None:
        """Read nothing until `resume`."""
        self.is_paused = True
        self._deafen()

    def resume(self) -> None:
        """Read again."""
        self.is_paused = False
        self._listen()

    def stop(self) -> None:
        """Read nothing any more. Before the descriptor is closed; idempotent."""
        self.is_stopped = True
        self._deafen()

    def read(self) -> bool:
        """Read what there is, within bounds; whether there was anything."""
        data, has_ended, _ = self._drain()
        if data:
            self._on_data(data)
        if has_ended and not self.is_stopped:
            self.stop()
            self._on_end()
        return bool(data)

    def _listen(self) -> None:
        if not (self._listens or self._waits_for_turn or self.is_paused or self.is_stopped):
            self._listens = True
            asyncio.get_running_loop().add_reader(self._descriptor, self._readable)

    def _deafen(self) -> None:
        if self._listens:
            self._listens = False
            asyncio.get_running_loop().remove_reader(self._descriptor)

    def _readable(self) -> None:
        data, has_ended, has_more = self._drain()
        if data:
            self._on_data(data)
        if self.is_stopped:
            return
        if has_ended:
            self.stop()
            self._on_end()
        elif has_more and not self._waits_for_turn:
            self._deafen()
            self._waits_for_turn = True
            self._turns.add(self._take_turn)

    def _take_turn(self) -> None:
        self._waits_for_turn = False
        if not self.is_paused and not self.is_stopped:
            self._readable()
            self._listen()

    def _drain(self) -> tuple[bytes, bool, bool]:
        """What there is to read, within bounds; whether that was the last; whether there is likely more."""
        pieces: list[bytes] = []
        size, begun_s = 0, perf_counter()
        try:
            while size < READ_BYTES and perf_counter() - begun_s < READ_S:
                piece = os.read(self._descriptor, READ_BYTES)
                if not piece:
                    return b"".join(pieces), True, False
                pieces.append(piece)
                size += len(piece)
                if len(piece) < SHORT_READ_BYTES:
                    return b"".join(pieces), False, False
        except BlockingIOError:
            return b"".join(pieces), False, False
        except OSError:  # EIO: on Linux the end of a PTY
            return b"".join(pieces), True, False
        return b"".join(pieces), False, True
