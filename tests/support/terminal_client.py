"""A client of one terminal over the binary protocol, as plain as PROTOCOL.md, section 3.1, and made to be misused.

It has one socket at a time and comes back only when told to. What it sends and acknowledges is up to the tests.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Any, Self
from urllib.parse import urlencode
from uuid import uuid4

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from jupyter_ws_hub.protocol import TERMINAL_SUBPROTOCOL
from jupyter_ws_hub.protocol import terminal as wire
from jupyter_ws_hub.protocol.terminal_input import RESERVE_BYTES

from .address import NET_ERRORS, WAIT_S, Address, end_tasks


class TerminalClient:
    """One client id on one terminal. All offsets are absolute, as on the wire."""

    def __init__(self, address: Address, name: str, *, client: str | None = None, acks: bool = True) -> None:
        """Nothing happens before `connect`. Without `acks` it acknowledges only when told to."""
        self.address = address
        self.name = name
        self.client = uuid4().hex if client is None else client
        self.acks = acks
        self.welcome: wire.Welcome | None = None
        self.output = bytearray()
        """What came without a gap: the bytes from `base` to `received`."""
        self.base = self.received = self.acked = 0
        self.typed = bytearray()
        """All input of this client ever; what is beyond `sent` waits for the limit."""
        self.sent = self.accepted = self.limit = 0
        self.gaps: list[wire.Gap] = []
        self.sizes: list[wire.Size] = []
        self.errors: list[wire.Error] = []
        self.pongs: list[bytes] = []
        self.replay: wire.Replay | None = None
        self.exit: wire.Exit | None = None
        self.received_at_exit = 0
        self.close_code: int | None = None
        self.mark = 0
        """Up to where a test has looked at the output."""
        self._socket: ClientConnection | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._news = asyncio.Condition()
        self._wake = asyncio.Event()
        self._pings = count(1)

    async def __aenter__(self) -> Self:
        """Connect."""
        await self.connect()
        return self

    async def __aexit__(self, *exception: object) -> None:
        """Vanish."""
        await self.drop()

    @property
    def socket(self) -> ClientConnection:
        """The socket of the newest connection."""
        assert self._socket is not None
        return self._socket

    @property
    def allowed(self) -> int:
        """Up to where input may be sent; some of the limit is kept for keys that make signals."""
        return min(len(self.typed), self.limit - RESERVE_BYTES)

    def twin(self) -> TerminalClient:
        """The same client once more, as its second connection beside the first would be made; not connected."""
        other = TerminalClient(self.address, self.name, client=self.client, acks=self.acks)
        other.welcome, other.sent, other.typed = self.welcome, self.sent, self.typed[:]
        other.base = other.received = other.mark = self.received
        return other

    @property
    def is_reading(self) -> bool:
        """Whether what the server sends is read."""
        return bool(self._tasks)

    def query(self, **parameters: object) -> str:
        """The query of a connection that goes on where this client is; `parameters` come first, None leaves out."""
        known: dict[str, object] = {"client": self.client}
        if self.welcome is not None:
            known |= {"epoch": self.welcome.epoch, "have": self.received, "sent": self.sent}
        known |= parameters
        return urlencode({key: value for key, value in known.items() if value is not None})

    async def connect(self, *, reads: bool = True, timeout_s: float = WAIT_S, **parameters: object) -> wire.Welcome:
        """Open a connection in the place of the last one. Without `reads` nothing is read after WELCOME.

        Raises:
            ConnectionClosed: the server closed instead of a WELCOME.
        """
        await self.drop()
        path = f"ws/terminal/{self.name}?{self.query(**parameters)}"
        self._socket = socket = await self.address.open(path, TERMINAL_SUBPROTOCOL, timeout_s)
        assert socket.subprotocol == TERMINAL_SUBPROTOCOL, "the binary protocol was not selected"
        async with asyncio.timeout(timeout_s):
            first = wire.decode_server_frame(await socket.recv(decode=False))
        assert isinstance(first, wire.Welcome), f"no WELCOME but {first}"
        self._begin(first)
        if reads:
            self._tasks = [asyncio.create_task(self._read(socket)), asyncio.create_task(self._write(socket))]
        return first

    def _begin(self, welcome: wire.Welcome) -> None:
        if welcome.resumed:
            assert welcome.start == self.received, f"resumed at {welcome.start}, not {self.received}"
        else:
            self._restart(welcome.start)
        self.welcome, self.close_code = welcome, None
        self.accepted, self.limit = welcome.accepted, welcome.input_limit
        if welcome.fresh:  # what was not acknowledged is not sent again
            assert welcome.accepted == self.sent
        self.sent = welcome.accepted
        self.acked = self.received
        self._wake.set()

    def _restart(self, at: int) -> None:
        self.output.clear()
        self.base = self.received = self.mark = at

    async def reconnect(self, attempts: int = 500, pause_s: float = 0.04) -> wire.Welcome:
        """Connect, again and again while the network is gone; a final close code is raised."""
        for _ in range(attempts):
            try:
                return await self.connect(timeout_s=2)
            except ConnectionClosed as closed:
                if closed.rcvd is not None and closed.rcvd.code >= 4500:
                    raise
            except NET_ERRORS:
                pass
            await asyncio.sleep(pause_s)
        raise AssertionError(f"no connection in {attempts} attempts")

    async def drop(self) -> None:
        """Cut the connection, as a client that vanishes does; raises what was wrong with what has come."""
        tasks, self._tasks = self._tasks, []
        errors = await end_tasks(tasks)
        if self._socket is not None:
            self._socket.transport.abort()
            await self._socket.wait_closed()
        if errors:
            raise errors[0]

    async def send(self, *frames: wire.ClientFrame) -> None:
        """Send frames as they are, uncounted; nothing happens if the connection is gone."""
        with suppress(ConnectionClosed):
            for frame in frames:
                await self.socket.send(wire.encode(frame))

    def type(self, data: bytes) -> None:
        """Give input, to be sent as the limit allows, now and after every later `connect`."""
        self.typed += data
        self._wake.set()

    async def press(self, key: bytes) -> None:
        """A key that makes a signal: what was held back is dropped, then it goes alone in its frame, at once."""
        del self.typed[self.sent :]
        self.typed += key
        self.sent += len(key)
        await self.send(wire.Data(key))

    async def acknowledge(self, byte_offset: int | None = None) -> None:
        """Say that output up to there, or all that came, is consumed."""
        self.acked = self.received if byte_offset is None else byte_offset
        await self.send(wire.Ack(self.acked))

    async def _write(self, socket: ClientConnection) -> None:
        with suppress(ConnectionClosed):
            while self.close_code is None:
                await self._wake.wait()
                self._wake.clear()
                while self.sent < (end := min(self.allowed, self.sent + wire.MAX_DATA_BYTES)):
                    piece = bytes(self.typed[self.sent : end])
                    self.sent = end
                    await socket.send(wire.encode(wire.Data(piece)))

    async def _read(self, socket: ClientConnection) -> None:
        try:
            while True:
                frame = wire.decode_server_frame(await socket.recv(decode=False))
                async with self._news:
                    await self._take(frame)
                    self._news.notify_all()
        except ConnectionClosed:
            self.close_code = socket.close_code
            self._wake.set()
        finally:
            async with self._news:
                self._news.notify_all()

    async def _take(self, frame: wire.ServerFrame | None) -> None:
        match frame:
            case wire.Data(payload):
                assert self.exit is None, "output after EXIT"
                self.output += payload
                self.received += len(payload)
                if self.acks:
                    await self.acknowledge()
            case wire.InputAck(accepted, limit):
                assert accepted >= self.accepted and limit >= self.limit, "they only grow"
                self.accepted, self.limit = accepted, limit
                self._wake.set()
            case wire.Gap(begin, until):
                assert begin == self.received < until, f"a gap from {begin} to {until} at {self.received}"
                self.gaps.append(frame)
                self._restart(until)
            case wire.Exit():
                self.exit, self.received_at_exit = frame, self.received
            case wire.Ping(data):
                await self.send(wire.Pong(data))
            case _:
                self._note(frame)

    def _note(self, frame: wire.ServerFrame | None) -> None:
        match frame:
            case wire.Size():
                self.sizes.append(frame)
            case wire.Error():
                self.errors.append(frame)
            case wire.Pong(data):
                self.pongs.append(data)
            case wire.Replay():
                self.replay = frame
            case _:
                raise AssertionError(f"what is {frame}?")

    # Waiting, always with a bound

    async def wait_for(self, condition: Callable[[], Any], what: str, timeout_s: float = WAIT_S) -> Any:
        """Wait until something that was received makes `condition` true; also looked at when the socket ends."""
        try:
            async with asyncio.timeout(timeout_s), self._news:
                return await self._news.wait_for(condition)
        except TimeoutError:
            tail = bytes(self.output[-200:])
            state = f"{self.received=} {self.accepted=} {self.limit=} {self.close_code=} {self.gaps=}"
            raise AssertionError(f"after {timeout_s} s still not: {what}; {state}; it ends in {tail!r}") from None

    async def until_size(self, rows: int, columns: int) -> None:
        """Wait until the size that was told last is this one."""
        size = (rows, columns)
        await self.wait_for(
            lambda: self.sizes and (self.sizes[-1].rows, self.sizes[-1].columns) == size, f"a size of {size}"
        )

    async def until(self, marker: bytes, timeout_s: float = WAIT_S) -> bytes:
        """The output from where the last call ended to where `marker` has come."""
        searched = self.mark

        def found() -> int:
            nonlocal searched
            searched = max(searched, self.mark)  # a gap may have moved it
            at = self.output.find(marker, searched - self.base)
            searched = max(searched, self.received - len(marker) + 1)
            return at + 1

        at = await self.wait_for(found, f"{marker!r} in the output", timeout_s)
        start, self.mark = self.mark - self.base, self.base + at - 1 + len(marker)
        return bytes(self.output[start : at - 1 + len(marker)])

    async def reach(self, byte_offset: int, timeout_s: float = 3 * WAIT_S) -> None:
        """Wait until the output has come up to an offset."""
        await self.wait_for(lambda: self.received >= byte_offset, f"output up to {byte_offset}", timeout_s)

    async def run(self, command: str, timeout_s: float = WAIT_S) -> bytes:
        """Have the shell run a command and wait until it has ended; its output, with the echo of its line."""
        mark = f"{next(self._pings)}-{uuid4().hex[:6]}"
        self.type(f"{command}; echo do''ne-{mark}\r".encode())
        return await self.until(f"done-{mark}\r\n".encode(), timeout_s)

    async def start(self, program: str, *, after: str = "true") -> None:
        """Have the shell run `after`, and then a program that stays; returns when `after` has run, at `mark`."""
        mark = uuid4().hex[:6]
        self.type(f"{after}; printf go''-{mark}; {program}\r".encode())
        await self.until(f"go-{mark}".encode())

    async def start_sleep(self, *, after: str = "true") -> None:
        """Have the shell run `after`, and then a program that never reads; returns when it has the terminal."""
        mark = uuid4().hex[:6]
        self.type(f"{after}; sh -c 'printf go\"\"-{mark}; exec sleep 1000'\r".encode())
        await self.until(f"go-{mark}".encode())

    async def start_raw(self, program: str) -> None:
        """Start a program in a terminal that changes no byte, echoes nothing, and makes no signals."""
        await self.start(program, after="stty raw -echo")

    async def tty(self) -> str:
        """The path of the terminal's device; the shell must be at its prompt."""
        return "/dev/" + (await self.run("tty")).rpartition(b"/dev/")[2].split()[0].decode()

    async def ping(self, timeout_s: float = WAIT_S) -> None:
        """Go there and back: what was sent before has been dealt with, or at least read."""
        data = next(self._pings).to_bytes(8)
        await self.send(wire.Ping(data))
        await self.wait_for(lambda: data in self.pongs, "a pong", timeout_s)

    async def wait_closed(self, timeout_s: float = WAIT_S) -> int:
        """Wait for the server's end of the connection, give its close code."""
        code = await self.wait_for(lambda: self.close_code, "the end of the connection", timeout_s)
        assert isinstance(code, int)
        return code

    def sha256(self) -> str:
        """Of the output from `base` on."""
        return hashlib.sha256(self.output).hexdigest()
