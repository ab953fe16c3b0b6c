"""A PTY that owns its descriptor: reads until it is empty, keeps the output in a ring, and lets nobody wait.

It is one of terminado's `PtyWithClients`, so that the stock endpoint and `/api/terminals` know it as theirs.
"""

from __future__ import annotations

import asyncio
import secrets
import signal
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from logging import Logger
from time import monotonic
from typing import Any, Final

from terminado.management import PtyWithClients

from ..protocol.codes import Code
from ..protocol.errors import RemoteProtocolError
from ..protocol.terminal_opening import Opening
from ..turns import Turns
from .binary_client import BinaryClient, Known, Write
from .flow import must_wait
from .process import ExitStatus, HubPtyProcess, terminate
from .reader import PtyReader
from .ring import ByteRing
from .sizes import Extent, Vote, smallest
from .text import TextClients

TERMINATE_S: Final = 0.1
"""How long a process has to follow a signal before the next one."""

HANGUP_S: Final = 1.0
"""How long a process may live on without its terminal."""

LINGER_S: Final = 0.5
"""A terminal whose program has ended, but which a child of it still holds open, is looked at after this."""

MAX_LINGERS: Final = 10
"""So often a child may have written something; then the terminal ends all the same."""

LOST_S: Final = 15.0
"""How long a program may have to wait for the only client, whose connection broke."""

MAX_KNOWN_CLIENTS: Final = 64


class HubPty(PtyWithClients):
    """A PTY with text clients (`clients`, as terminado has them) and binary ones (`viewers`)."""

    def __init__(
        self, argv: list[str], env: dict[str, str] | None, cwd: str | None, ring_bytes: int, turns: Turns, log: Logger
    ) -> None:
        """Start the program; on the event loop. Terminado's own constructor would start another kind of process.

        Raises:
            OSError: it cannot be started.
        """
        self.clients: list[Any] = []
        self.viewers: list[BinaryClient] = []
        self.ptyproc: HubPtyProcess = HubPtyProcess.start(argv, env or {}, cwd)
        self.ring = ByteRing(ring_bytes)
        self.epoch = secrets.token_hex(16)
        self.exit: ExitStatus | None = None
        self.over = asyncio.Event()
        """Nothing is read any more."""
        self._text = TextClients(self.clients, self.ring, log)
        self.read_buffer: Any = self._text
        """The past, as terminado's clients take it."""
        self._known: OrderedDict[tuple[str, str], Known] = OrderedDict()
        self._reader = PtyReader(self.ptyproc.fd, turns, self._take, self._end)
        self._sized = False
        self._lost: int | None = None
        self._patience: asyncio.TimerHandle | None = None
        self._on_output: Callable[[], None] = lambda: None
        self._on_end: Callable[[], None] = lambda: None
        self.extent = self.ptyproc.extent()
        self.ptyproc.input.on_read = self._input_read

    # Reading

    def start_reading(self, on_output: Callable[[], None], on_end: Callable[[], None]) -> None:
        """Read from now on. `on_output` is called for each piece of output, `on_end` when there is no more."""
        self._on_output, self._on_end = on_output, on_end
        self._reader.start()
        self.ptyproc.when_exited(self._linger)

    def _take(self, data: bytes) -> None:
        self._text.before()
        self.ring.append(data)
        for viewer in self.viewers:
            viewer.pump()
        if self.clients:
            self._text.output(data)
        self._on_output()
        self.check()

    @property
    def paused(self) -> bool:
        """Whether the program has to wait for its clients."""
        return self._reader.is_paused

    def check(self) -> None:
        """Pause the PTY while its clients do not keep up; see flow.py."""
        wanted = must_wait((*self.viewers, *self.clients)) or self._waits_for_lost()
        if wanted != self.paused:
            if wanted:
                self._reader.pause()
            else:
                self._reader.resume()

    def _waits_for_lost(self) -> bool:
        """Whether the only client's connection broke a moment ago, and it would miss output if the program went on."""
        return self._lost is not None and self.ring.head - self._lost > self.ring.capacity // 2

    def _lose(self, client: BinaryClient) -> None:
        self._found()
        self._lost = client.place
        self._patience = asyncio.get_running_loop().call_later(LOST_S, self._give_up)

    def _found(self) -> None:
        self._lost = None
        if self._patience is not None:
            self._patience.cancel()

    def _give_up(self) -> None:
        self._lost = None
        self.check()

    # The end

    def _linger(self, times: int = MAX_LINGERS) -> None:
        asyncio.get_running_loop().call_later(LINGER_S, self._outlived, times)

    def _outlived(self, times: int) -> None:
        """The program has ended: so does the terminal, when all is read; nobody waits for a child in the background."""
        if self.over.is_set():
            return
        if self.paused:  # what is not read yet may be the program's own
            self._linger(times)
            return
        if not self._reader.read() or not times:
            self._end()
        else:
            self._linger(times - 1)

    def _end(self) -> None:
        """All output is read. Nobody waits for the process here: its status is told when it has ended."""
        if self.over.is_set():
            return
        self.over.set()
        loop = asyncio.get_running_loop()
        self._reader.stop()
        self._on_end()
        self._text.died()
        self.ptyproc.close()
        kill = loop.call_later(HANGUP_S, self.ptyproc.kill, signal.SIGKILL)

        def exited() -> None:
            kill.cancel()
            self.exit = self.ptyproc.exit_status
            for viewer in tuple(self.viewers):
                viewer.pump()

        self.ptyproc.when_exited(exited)

    async def terminate(self, force: bool = False) -> bool:
        """See PtyWithClients; returns as soon as the process has ended."""
        return await terminate(self.ptyproc, force, TERMINATE_S)

    async def wait_for_end(self, timeout_s: float) -> None:
        """Wait until all its output is read, but not longer than this."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self.over.wait()

    # Clients

    def attach(
        self, principal: str, opening: Opening, write: Write, end: Callable[[int | None, str], None], read_only: bool
    ) -> BinaryClient:
        """Let a binary client in; an older connection of the same client is superseded before anything is told.

        Raises:
            RemoteProtocolError: the opening says what cannot be.
        """
        if opening.epoch is not None and opening.have > self.ring.head:
            raise RemoteProtocolError(Code.INVALID, "There is not as much output as this client says it has.")
        key = None if opening.client is None else (principal, opening.client)
        known = None if key is None else self._known.get(key)
        if known is not None and known.client is not None:
            known.client.supersede()
            self.detach(known.client)
        client = BinaryClient(self, known, opening, write, end, monotonic(), read_only)
        if key is not None:
            self._remember(key, client.known)
        client.known.client = client
        self._found()
        self.viewers.append(client)
        self.resized()
        client.start()
        self.check()
        return client

    def _remember(self, key: tuple[str, str], known: Known) -> None:
        self._known[key] = known
        self._known.move_to_end(key)
        away = [key for key, known in self._known.items() if known.client is None]
        for key in away[: max(0, len(self._known) - MAX_KNOWN_CLIENTS)]:
            del self._known[key]

    def detach(self, client: BinaryClient) -> None:
        """A binary client's socket is gone. Idempotent."""
        client.leave()
        if client.known.client is client:
            client.known.client = None
        if client in self.viewers:
            self.viewers.remove(client)
            if client.will_return and not self.viewers and not self.clients and not self.over.is_set():
                self._lose(client)
            self.resized()
            self.check()

    # Input and size

    @property
    def backlog(self) -> int:
        """Input that the program has not read."""
        return self.ptyproc.input.backlog

    def feed(self, data: bytes) -> None:
        """Type; returns at once."""
        self.ptyproc.input.write(data)

    def _input_read(self) -> None:
        for viewer in tuple(self.viewers):
            viewer.input_read()

    def resize_to_smallest(self) -> None:
        """See PtyWithClients: called by text clients."""
        self.resized()

    def resized(self) -> None:
        """Give the PTY the size that its clients want."""
        if self.over.is_set():
            return
        votes = [viewer.vote() for viewer in self.viewers]
        votes += [Vote(Extent(*size[:2])) for client in self.clients if all(size := client.size[:2])]
        wanted = smallest(votes, monotonic())
        if wanted is None and not self._sized:  # only hidden clients: better their size than none
            wanted = smallest((vote._replace(visible=True) for vote in votes), monotonic())
        if wanted is None:
            return
        self._sized = True
        with suppress(OSError):  # it has just ended
            if wanted != self.ptyproc.extent():
                self.ptyproc.set_extent(wanted)
        if wanted != self.extent:
            self.extent = wanted
            for viewer in tuple(self.viewers):
                viewer.size_changed(wanted)
