"""A client that speaks terminado's JSON protocol, on a PTY of whatever terminal manager the server has.

It is one of `PtyWithClients.clients`, beside those of the stock endpoint, so that size, output and end are shared.
Wire format: terminado/websocket.py. Output that the socket does not take at once is joined, and bounded.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any, Protocol

from ..protocol.codes import Code
from ..protocol.errors import HubError, RemoteProtocolError
from .flow import Flow, Progress

MAX_PENDING_CHARACTERS = 2 * 1024 * 1024
"""A client that lets more wait than this, while others keep up, is closed; it comes back and gets the history."""

BEHIND_CHARACTERS = 256 * 1024
"""A client that lets more wait than this is behind; when none keeps up, the PTY is paused."""

CAUGHT_UP_CHARACTERS = 64 * 1024
FRAME_CHARACTERS = 64 * 1024
STALL_S = 30.0
"""A client that takes nothing for so long no longer holds the PTY up."""


class Pty(Protocol):
    """What is used of terminado's PtyWithClients."""

    clients: list[Any]
    read_buffer: Any
    ptyproc: Any

    def resize_to_smallest(self) -> None:
        """Set the PTY's size to the smallest of its clients'."""
        ...


class Manager(Protocol):
    """What is used of terminado's terminal managers."""

    @property
    def blocking_io_executor(self) -> Any:
        """Where input is written that may have to wait."""
        ...

    def client_disconnected(self, websocket: Any) -> None:
        """Told when a client is gone."""
        ...


class JsonClient:
    """One socket's view of a terminal. `write` sends a text and is awaited before the next."""

    def __init__(
        self,
        pty: Pty,
        manager: Manager,
        write: Callable[[str], Awaitable[bool]],
        end: Callable[[int | None, str], None],
        active: Callable[[], None],
        flow: Flow | None = None,
    ) -> None:
        """`end` closes the socket, `active` tells of input or output, `flow` pauses the PTY."""
        self.size: tuple[int | None, int | None] = (None, None)
        self.terminal: Pty | None = pty
        self._manager = manager
        self._write = write
        self._end = end
        self._active = active
        self._flow = flow
        self.is_behind = False
        self._progress = Progress(monotonic())
        self._taken_characters = 0
        self._history = ""
        self._pending: deque[str] = deque()
        self._pending_characters = 0
        self._farewell = False
        self._left = False
        self._wake = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Join the terminal: `setup`, then what it has written before as one message."""
        assert self.terminal is not None
        self._writer = asyncio.create_task(self._write_all())
        self.terminal.clients.append(self)
        # The history is not held against the client: terminado bounds it, and the client did not ask for so much.
        self._history = "".join(self.terminal.read_buffer)
        self._check_flow()

    def on_pty_read(self, text: str) -> None:
        """Output of the terminal; called by the manager."""
        if self._farewell:
            return
        self._active()
        self._pending.append(text)
        self._pending_characters += len(text)
        if self._pending_characters > MAX_PENDING_CHARACTERS:
            self._give_up("The terminal writes faster than this client reads.")
        self._check_flow()
        self._wake.set()

    def _give_up(self, reason: str) -> None:
        self._pending.clear()
        self._pending_characters = 0
        self._farewell = True
        self._end(int(Code.SLOW_CONSUMER), reason)

    @property
    def holds_up(self) -> bool:
        """Whether it makes progress, and would be closed if the others went on; see flow.py."""
        much = self._pending_characters > MAX_PENDING_CHARACTERS // 2
        return much and self._progress.is_made

    def _check_flow(self) -> None:
        limit = CAUGHT_UP_CHARACTERS if self.is_behind else BEHIND_CHARACTERS
        self.is_behind = self._pending_characters > limit
        if self._flow is not None:
            self._flow.check()

    def on_pty_died(self) -> None:
        """The terminal has ended; called by the manager."""
        self.terminal = None
        self._farewell = True
        self._wake.set()

    async def _write_all(self) -> None:
        alive = await self._write(json.dumps(["setup", {}]))
        while alive:
            if self._history or self._pending:
                alive = await self._write_in_time(json.dumps(["stdout", self._take()]))
                self._check_flow()
            elif self._farewell:
                if self.terminal is None:
                    await self._write(json.dumps(["disconnect", 1]))
                    self._end(None, "")  # as terminado ends it
                return
            else:
                self._wake.clear()
                await self._wake.wait()

    def _take(self) -> str:
        """What is written next: the history whole, later what has gathered, about a frame's worth of it."""
        taken, self._history = [self._history], ""
        size = len(taken[0])
        while self._pending and size < FRAME_CHARACTERS:
            taken.append(self._pending.popleft())
            size += len(taken[-1])
            self._pending_characters -= len(taken[-1])
        return "".join(taken)

    async def _write_in_time(self, text: str) -> bool:
        try:
            async with asyncio.timeout(STALL_S):
                alive = await self._write(text)
                self._taken_characters += len(text)
                return alive
        except TimeoutError:
            self._give_up(f"This client has taken nothing for {STALL_S:g} s.")
            return False

    async def receive(self, frame: str | bytes) -> None:
        """Take a message from the client; returns when the terminal has taken its input. Other kinds are ignored.

        Raises:
            RemoteProtocolError: it is no message of terminado's protocol.
        """
        kind, arguments = self._decode(frame)
        if self.terminal is None:
            return
        if kind == "stdin" and isinstance(arguments[0], str):
            self._active()
            loop = asyncio.get_running_loop()
            try:
                await loop.run_in_executor(
                    self._manager.blocking_io_executor, self.terminal.ptyproc.write, arguments[0]
                )
            except UnicodeEncodeError as error:  # half a surrogate pair, where the terminal is not one of ours
                raise RemoteProtocolError(Code.BAD_FRAME, "Half a character cannot be typed.") from error
            except (OSError, EOFError) as error:
                raise HubError(Code.UNAVAILABLE, "The terminal takes no input any more.") from error
        elif kind == "set_size" and arguments[:2] == [None, None]:
            self._resize(None, None)
        elif kind == "set_size" and all(isinstance(n, int) and 0 < n < 65536 for n in arguments[:2]):
            self._resize(arguments[0], arguments[1])
        elif kind in ("stdin", "set_size"):
            raise RemoteProtocolError(Code.BAD_FRAME, f"A terminal takes no such message as {frame!r:.80}.")

    def _resize(self, rows: int | None, columns: int | None) -> None:
        """Terminado's clients may say that they have no size."""
        self.size = (rows, columns)
        if self.terminal is not None:
            self.terminal.resize_to_smallest()

    def _decode(self, frame: str | bytes) -> tuple[str, list[Any]]:
        try:
            message = json.loads(frame) if isinstance(frame, str) else None
        except (ValueError, RecursionError):
            message = None
        least = 2
        if not isinstance(message, list) or len(message) < least:
            raise RemoteProtocolError(Code.BAD_FRAME, "A terminal message is a JSON array: a kind and its arguments.")
        if message[0] == "set_size" and len(message) <= least:
            raise RemoteProtocolError(Code.BAD_FRAME, "set_size needs rows and columns.")
        return message[0], message[1:]

    def tick(self, now_s: float) -> None:
        """Time passes, about a second of it. Terminado's protocol has no heartbeat."""
        if self._progress.note(now_s, self._taken_characters, self._pending_characters) and self._flow is not None:
            self._flow.check()

    def closed(self) -> None:
        """The socket is gone: leave the terminal. Idempotent."""
        if self._left:
            return
        self._left = True
        if self._writer is not None:
            self._writer.cancel()
        self._farewell = True
        pty, self.terminal = self.terminal, None
        if pty is not None and self in pty.clients:
            pty.clients.remove(self)
            pty.resize_to_smallest()
            self._check_flow()
        self._manager.client_disconnected(self)
