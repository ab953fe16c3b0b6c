"""The connections of one terminal client: opened, watched, replaced, for ever, until there is a reason to end.

The rules are in `TerminalClient`; here are its sockets and its clock. It knows no keyboard and no screen: whoever uses
it hands in input, gets events, and says what was consumed.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from ..protocol.codes import NORMAL_CLOSURE, Code
from ..protocol.errors import RemoteProtocolError
from ..protocol.terminal import WINDOW_BYTES
from ..protocol.terminal_client import Event, TerminalClient
from .servers import Server
from .sockets import FAILURES, close_code, drop
from .terminal_socket import Ending, Opened, Over, Why, check_close, check_failure, open_terminal

BACKOFF_S: Final = (0.0, 0.1, *[0.2] * 40, 0.5, 1.0, 2.0, 4.0, 5.0)
"""Somebody is typing: who was away for a few seconds is back within a quarter of one."""
JITTER: Final = 0.2
ATTEMPT_S: Final = 2.5
PATIENT_EVERY: Final = 8
PATIENT_ATTEMPT_S: Final = 10.0
"""For one attempt of so many: a line may be so slow that a connection takes longer."""
BYE_S: Final = 1.0
LOOK_S: Final = 1.0
"""How often to look for silence: less than the shortest silence that counts."""
BACKLOG_BYTES: Final = 2 * WINDOW_BYTES
"""With so much that the screen has not consumed no further connection is opened."""


class Away(msgspec.Struct, frozen=True):
    """The connection is lost or silent; others are tried."""


class Back(msgspec.Struct, frozen=True):
    """The connection that was silent speaks again; after a lost one it is `Joined` that says so."""


LinkEvent: TypeAlias = Event | Away | Back


class TerminalLink:
    """One client's way to one terminal. `run` once; the other methods may be called at any time, on its loop."""

    def __init__(
        self,
        server: Server,
        name: str,
        client: TerminalClient,
        on_event: Callable[[LinkEvent], None],
        on_room: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_event` gets what happens, in order; for each `Output`, `consumed` has to be called some time.

        `on_room` is called when there may be room for input that `send` did not take.
        """
        self.connections = 0
        """How many were live so far."""
        self._server = server
        self._name = name
        self._client = client
        self._on_event = on_event
        self._on_room = on_room
        self._woken = asyncio.Event()
        self._eased = asyncio.Event()
        self._leave = asyncio.Event()
        self._socket: ClientConnection | None = None
        self._dialing = False
        """Whether a connection beside the current one is being tried."""

    def send(self, data: bytes) -> int:
        """Take input and say how many bytes were taken; with fewer than there are, wait for `on_room`."""
        taken = self._client.feed(data)
        self._woken.set()
        return taken

    def consumed(self, until: int) -> None:
        """The output up to this byte offset is on the screen."""
        self._client.consumed(until, self._now_s())
        self._woken.set()
        self._eased.set()

    def resize(self, rows: int, columns: int, width_px: int = 0, height_px: int = 0) -> None:
        """The screen's size."""
        self._client.resize(rows, columns, width_px, height_px)
        self._woken.set()

    def detach(self) -> None:
        """Leave for good; `run` returns soon."""
        self._leave.set()

    async def run(self) -> Ending:
        """Stay connected until the terminal or the user has ended it, or the server lets nobody come back."""
        main = asyncio.create_task(self._connections())
        leaving = asyncio.create_task(self._leave.wait())
        try:
            await asyncio.wait([main, leaving], return_when=asyncio.FIRST_COMPLETED)
            if main.done():
                return main.result()
            await self._say_bye()
            return Ending(Why.DETACHED)
        finally:
            await _cancel(main, leaving)
            drop(self._socket)

    async def _say_bye(self) -> None:
        socket = self._socket
        if socket is None or not self._client.connected:
            return
        self._client.bye()
        try:
            async with asyncio.timeout(BYE_S):
                for frame in self._client.frames(self._now_s()):
                    await socket.send(frame)
                await socket.close()
        except (TimeoutError, ConnectionClosed):
            return  # who is away cannot say so

    async def _connections(self) -> Ending:
        try:
            opened = await self._dial(lambda: True)
            while opened is not None:
                opened = await self._live(*opened)
        except Over as over:
            return over.ending
        except RemoteProtocolError as error:
            return Ending(Why.GONE if error.code is Code.NOT_FOUND else Why.BROKEN, error.message)
        raise AssertionError("a connection is tried for ever")

    async def _live(self, socket: ClientConnection, welcome: str | bytes) -> Opened | None:
        """One connection's life; returns the next one."""
        self._socket, self._dialing = socket, False
        opened: Opened | None = None
        tasks: list[asyncio.Task[None] | asyncio.Task[int]] = []
        beside = asyncio.create_task(self._beside())
        try:
            self._hand_on(welcome)
            self.connections += 1
            reading, writing = asyncio.create_task(self._read(socket)), asyncio.create_task(self._write(socket))
            tasks += [reading, writing]
            await asyncio.wait([*tasks, beside], return_when=asyncio.FIRST_COMPLETED)
            if not beside.done():
                if writing.done():
                    writing.result()
                superseded = self._is_superseded(reading.result())
                self._client.lost()
                self._on_event(Away())
                if not superseded:
                    opened = await self._dial(lambda: True)
                    return opened
            opened = await beside
            return opened
        finally:
            await _cancel(*tasks, beside)
            self._client.lost()
            drop(socket)
            left_over = None if beside.cancelled() or beside.exception() is not None else beside.result()
            if left_over is not None and left_over is not opened:
                drop(left_over[0])

    def _is_superseded(self, code: int) -> bool:
        """Whether the one that is being tried beside has taken the place of a connection that ended with `code`.

        It may also have been one that was given up in the midst of its handshake and reached the server late: nobody
        else has this client's id, so then it comes back, too.

        Raises:
            Over: there is no next connection.
        """
        if self._client.exit is not None:
            raise Over(Why.EXITED)
        if code == Code.SUPERSEDED:
            return self._dialing
        check_close(code)
        return False

    async def _read(self, socket: ClientConnection) -> int:
        """Hand on what comes until the program or the connection ends; returns the close code."""
        try:
            while self._client.exit is None:
                self._hand_on(await socket.recv())
                self._woken.set()
            return NORMAL_CLOSURE
        except ConnectionClosed as closed:
            return close_code(closed)

    def _hand_on(self, message: str | bytes) -> None:
        if isinstance(message, str):
            raise RemoteProtocolError(Code.BAD_FRAME, "A terminal's frames are binary.")
        room = self._client.input.room
        for event in self._client.receive(message, self._now_s()):
            self._on_event(event)
        if self._client.input.room > room:
            self._on_room()

    async def _write(self, socket: ClientConnection) -> None:
        """Send what the client has to say; the end of the connection is for the reader to see."""
        try:
            while True:
                self._woken.clear()
                now_s = self._now_s()
                for frame in self._client.frames(now_s):
                    await socket.send(frame)
                try:
                    async with asyncio.timeout_at(self._client.next_s(now_s)):
                        await self._woken.wait()
                except TimeoutError:
                    continue
        except ConnectionClosed:
            await asyncio.Future()

    async def _beside(self) -> Opened | None:
        """Wait until the connection is too silent, then open another; returns it when it has its first frame."""
        while True:
            if self._is_silent():
                self._dialing = True
                self._on_event(Away())
                opened = await self._dial(self._is_silent)
                if opened is not None:
                    return opened
                self._dialing = False
                self._on_event(Back())
            alarm_s = self._client.alarm_s
            left_s = LOOK_S if alarm_s is None else alarm_s - self._now_s()
            await asyncio.sleep(max(0.0, min(LOOK_S, left_s)))

    def _is_silent(self) -> bool:
        return (self._dialing and not self._client.connected) or self._client.wants_second(self._now_s())

    async def _dial(self, wanted: Callable[[], bool]) -> Opened | None:
        """Try until a connection has its first frame, or none is `wanted` any more."""
        for number in itertools.count():
            pause_s = BACKOFF_S[min(number, len(BACKOFF_S) - 1)]
            await asyncio.sleep(pause_s * random.uniform(1 - JITTER, 1 + JITTER))
            while self._client.backlog > BACKLOG_BYTES:
                self._eased.clear()
                await self._eased.wait()
            if not wanted():
                break
            try:
                async with asyncio.timeout(ATTEMPT_S if (number + 1) % PATIENT_EVERY else PATIENT_ATTEMPT_S):
                    return await open_terminal(self._server, self._name, self._client.query())
            except FAILURES as error:
                check_failure(error, known=self._client.epoch is not None)
        return None

    def _now_s(self) -> float:
        return asyncio.get_running_loop().time()


async def _cancel(*tasks: asyncio.Task[Any]) -> None:
    """End tasks whose results nobody needs any more."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
