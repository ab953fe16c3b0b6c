"""A PTY that reads until it is empty, waits for nobody, and ends by itself. With real programs."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from time import monotonic
from typing import Any

import pytest

from jupyter_ws_hub.protocol import terminal as wire
from jupyter_ws_hub.protocol.codes import NORMAL_CLOSURE, Code
from jupyter_ws_hub.protocol.errors import RemoteProtocolError
from jupyter_ws_hub.protocol.terminal_opening import Opening
from jupyter_ws_hub.terminals.process import ExitStatus
from jupyter_ws_hub.terminals.pty import MAX_KNOWN_CLIENTS, HubPty
from jupyter_ws_hub.terminals.sizes import Extent
from jupyter_ws_hub.turns import Turns

from ..support.client import until

MIB = 1024 * 1024


class Viewer:
    """A binary client that takes everything, and acknowledges it if it is to."""

    def __init__(self, pty: HubPty, principal: str = "me", acks: bool = True, **opening: Any) -> None:
        """Attach."""
        self.pty = pty
        self.acks = acks
        self.frames: list[Any] = []
        self.output = bytearray()
        self.ends: list[int | None] = []
        self.client = pty.attach(principal, Opening(**opening), self.write, self.end, read_only=False)

    def write(self, frames: Sequence[bytes]) -> asyncio.Future[None]:
        """Take frames."""
        for frame in map(wire.decode_server_frame, frames):
            if isinstance(frame, wire.Data):
                self.output += frame.payload
            else:
                self.frames.append(frame)
        loop = asyncio.get_running_loop()
        if self.acks:
            loop.call_soon(self.acknowledge)
        done = loop.create_future()
        done.set_result(None)
        return done

    def end(self, code: int | None, reason: str) -> None:
        """The socket is closed."""
        self.ends.append(code)

    def acknowledge(self) -> None:
        """All that has come."""
        self.client.receive(wire.encode(wire.Ack(self.welcome.start + len(self.output))))

    def type(self, text: str) -> None:
        """Input."""
        self.client.receive(wire.encode(wire.Data(text.encode())))

    @property
    def welcome(self) -> wire.Welcome:
        """The first frame."""
        first: wire.Welcome = self.frames[0]
        return first

    @property
    def exits(self) -> list[wire.Exit]:
        """How it ended."""
        return [frame for frame in self.frames if isinstance(frame, wire.Exit)]


@asynccontextmanager
async def running(command: str, ring_bytes: int = 4 * MIB) -> AsyncIterator[HubPty]:
    """A PTY with a shell command in it."""
    pty = HubPty(["/bin/sh", "-c", command], dict(os.environ), None, ring_bytes, Turns(), logging.getLogger("test"))
    pty.start_reading(lambda: None, lambda: None)
    try:
        yield pty
    finally:
        assert await pty.terminate(force=True)
        await pty.wait_for_end(5)


async def test_the_output_of_a_program_that_ends_at_once_arrives_whole_with_its_status() -> None:
    async with running("read line; head -c 1000000 /dev/zero | tr '\\0' x; exit 7") as pty:
        viewer = Viewer(pty)
        viewer.type("go\n")
        await until(lambda: bool(viewer.exits), "the exit")
        assert viewer.output.count(b"x") == 1_000_000
        assert viewer.exits == [wire.Exit(7, 0, len(viewer.output))]
        assert viewer.ends == [NORMAL_CLOSURE]


async def test_who_was_away_gets_the_rest_and_the_status() -> None:
    async with running("read line; echo first; read line; echo last; kill -TERM $$") as pty:
        viewer = Viewer(pty, client="c")
        viewer.type("\n")
        await until(lambda: b"first\r\n" in viewer.output, "some output")
        viewer.type("\n")
        pty.detach(viewer.client)
        have = len(viewer.output)
        await until(lambda: pty.exit is not None, "the end")
        again = Viewer(pty, client="c", epoch=pty.epoch, have=have, sent=2)
        assert again.welcome.resumed and not again.welcome.fresh and again.welcome.accepted == 2
        assert (viewer.output + again.output).endswith(b"last\r\n")
        assert again.exits == [wire.Exit(143, signal.SIGTERM, pty.ring.head)]


async def test_the_end_of_a_terminal_does_not_stop_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    waitpid = os.waitpid

    def wait(pid: int, options: int) -> tuple[int, int]:
        assert options & os.WNOHANG
        return waitpid(pid, options)

    def sleep(seconds: float) -> None:
        raise AssertionError("the loop must not sleep")

    monkeypatch.setattr("os.waitpid", wait)
    monkeypatch.setattr("time.sleep", sleep)
    async with running("read line; kill -KILL $$") as pty:
        viewer = Viewer(pty)
        viewer.type("\n")
        await until(lambda: bool(viewer.exits), "the exit")
        assert viewer.exits[0].signal == signal.SIGKILL and pty.ptyproc.closed


async def test_a_child_that_keeps_the_terminal_open_does_not_keep_it_alive() -> None:
    async with running("trap '' HUP; (echo child; sleep 20) & echo last; exit 3") as pty:
        viewer = Viewer(pty)
        await until(lambda: viewer.ends == [NORMAL_CLOSURE], "the end")
        assert pty.exit == ExitStatus(3)
        assert b"last\r\n" in viewer.output
        assert isinstance(viewer.frames[-1], wire.Exit)


async def test_a_child_that_writes_without_end_does_not_keep_it_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jupyter_ws_hub.terminals.pty.LINGER_S", 0.02)
    async with running("trap '' HUP; (yes; sleep 20) & exit 3") as pty:
        viewer = Viewer(pty)
        await until(lambda: viewer.ends == [NORMAL_CLOSURE], "the end")
        assert pty.exit == ExitStatus(3)


async def test_who_lives_on_without_its_terminal_is_killed_and_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jupyter_ws_hub.terminals.pty.HANGUP_S", 0.05)
    async with running("trap '' HUP; exec 0<&- 1>&- 2>&-; exec sleep 1000") as pty:
        await until(lambda: pty.exit is not None, "the end")
        assert pty.exit == ExitStatus(137, signal.SIGKILL)


async def test_the_only_client_pauses_the_program_until_it_reads() -> None:
    async with running("yes", ring_bytes=MIB) as pty:
        viewer = Viewer(pty, acks=False)
        await until(lambda: pty.paused, "the pause")
        head = pty.ring.head
        assert len(viewer.output) == wire.WINDOW_BYTES <= head < wire.WINDOW_BYTES + 2 * 64 * 1024
        await asyncio.sleep(0.05)
        assert pty.ring.head == head
        viewer.acks = True
        viewer.acknowledge()
        await until(lambda: len(viewer.output) > 4 * MIB, "the flood to go on")
        assert viewer.output == b"y\r\n" * (len(viewer.output) // 3) + b"y\r\n"[: len(viewer.output) % 3]
        viewer.acks = False
        await until(lambda: pty.paused, "the second pause")
        viewer.client.will_return = False
        pty.detach(viewer.client)
        assert not pty.paused
        await until(lambda: pty.ring.head > 8 * MIB, "the program to run on alone")


async def test_the_program_waits_a_while_for_the_only_client_whose_connection_broke(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("jupyter_ws_hub.terminals.pty.LOST_S", 0.3)
    async with running("yes", ring_bytes=MIB) as pty:
        viewer = Viewer(pty, client="c")
        await until(lambda: len(viewer.output) > MIB, "the flood")
        pty.detach(viewer.client)
        await until(lambda: pty.paused, "the program to wait")
        have = len(viewer.output)
        again = Viewer(pty, client="c", epoch=pty.epoch, have=have)
        await until(lambda: len(again.output) > 2 * MIB, "the flood to go on")
        assert not any(isinstance(frame, wire.Gap) for frame in again.frames)
        pty.detach(again.client)
        await until(lambda: pty.paused, "the program to wait again")
        head = pty.ring.head
        await until(lambda: pty.ring.head > head + 4 * MIB, "the program to go on without anybody")
        pty.ptyproc.kill(signal.SIGKILL)


async def test_it_waits_anew_for_one_that_came_and_was_lost_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jupyter_ws_hub.terminals.pty.LOST_S", 0.4)
    async with running("yes", ring_bytes=MIB) as pty:
        viewer = Viewer(pty, client="c")
        await until(lambda: len(viewer.output) > MIB, "the flood")
        have = len(viewer.output)
        pty.detach(viewer.client)
        for _ in range(6):  # comes and goes without having seen more
            await asyncio.sleep(0.15)
            again = Viewer(pty, client="c", acks=False, epoch=pty.epoch, have=have)
            assert not any(isinstance(frame, wire.Gap) for frame in again.frames)
            pty.detach(again.client)
        pty.ptyproc.kill(signal.SIGKILL)


@pytest.mark.parametrize("how", ["goodbye", "no id", "others"])
async def test_the_program_waits_for_nobody_who_will_not_be_missed(how: str) -> None:
    async with running("yes", ring_bytes=MIB) as pty:
        viewer = Viewer(pty, client=None if how == "no id" else "c")
        others = [Viewer(pty)] if how == "others" else []
        if how == "goodbye":
            viewer.client.receive(wire.encode(wire.Bye()))
        pty.detach(viewer.client)
        await until(lambda: pty.ring.head > 8 * MIB, "the program to run on")
        assert all(not other.ends for other in others)


async def test_one_stuck_client_does_not_hold_up_ten() -> None:
    async with running("yes", ring_bytes=MIB // 2) as pty:
        stuck = Viewer(pty, acks=False, client="stuck")
        others = [Viewer(pty) for _ in range(9)]
        seconds = count(1)

        def are_through() -> bool:
            stuck.client.tick(monotonic() + next(seconds))
            return all(len(viewer.output) > 2 * MIB for viewer in others)

        await until(are_through, "the others")
        assert len(stuck.output) == wire.WINDOW_BYTES
        stuck.acks = True
        stuck.acknowledge()
        await until(lambda: any(isinstance(frame, wire.Gap) for frame in stuck.frames), "the gap")


async def test_a_newer_connection_takes_the_olders_place_of_the_same_user_only() -> None:
    async with running("stty raw -echo; echo ready; cat") as pty:
        first, stranger = Viewer(pty, client="c"), Viewer(pty, "you", client="c")
        await until(lambda: b"ready" in first.output, "the raw mode")
        first.type("abc")
        second = Viewer(pty, client="c", sent=3)
        assert first.ends == [Code.SUPERSEDED] and stranger.ends == []
        assert (second.welcome.fresh, second.welcome.accepted) == (False, 3)
        first.type("ghost")
        second.type("def")
        await until(lambda: second.output.endswith(b"def"), "the echo")
        assert b"ghost" not in second.output and second.output.count(b"abc") == 1
        assert len(pty.viewers) == 2


async def test_who_claims_more_than_there_is_is_refused_and_takes_nobodys_place() -> None:
    async with running("cat") as pty:
        viewer = Viewer(pty, client="c")
        with pytest.raises(RemoteProtocolError) as caught:
            Viewer(pty, client="c", epoch=pty.epoch, have=1)
        assert caught.value.code is Code.INVALID
        assert viewer.ends == [] and len(pty.viewers) == 1


async def test_clients_of_the_past_are_forgotten_when_there_are_too_many() -> None:
    async with running("cat") as pty:
        here = Viewer(pty, client="here")
        here.type("x")
        for n in range(3 * MAX_KNOWN_CLIENTS):
            pty.detach(Viewer(pty, client=f"c{n}").client)
        assert len(pty._known) <= MAX_KNOWN_CLIENTS + 1
        assert not Viewer(pty, client="here").welcome.fresh
        assert Viewer(pty, client="c0", sent=5).welcome.accepted == 5


class TextClient:
    """A client as terminado has them."""

    size = (20, 60)


async def test_the_size_is_the_smallest_and_everybody_is_told() -> None:
    async with running("cat") as pty:
        one = Viewer(pty, rows=40, columns=100)
        assert pty.ptyproc.extent()[:2] == (40, 100) == (one.welcome.rows, one.welcome.columns)
        two = Viewer(pty, rows=30, columns=120)
        assert one.frames[-1] == wire.Size(30, 100) and (two.welcome.rows, two.welcome.columns) == (30, 100)
        pty.clients.append(TextClient())
        pty.resize_to_smallest()
        assert pty.ptyproc.getwinsize() == (20, 60)
        pty.clients.clear()
        two.client.receive(wire.encode(wire.Resize(30, 120, visible=False)))
        assert pty.ptyproc.extent() == Extent(40, 100)
        pty.ptyproc.set_extent(Extent(10, 10))  # as `stty rows 10` does
        one.client.receive(wire.encode(wire.Resize(40, 100)))
        assert pty.ptyproc.extent() == Extent(40, 100)
        pty.detach(one.client)
        assert pty.ptyproc.extent() == Extent(40, 100)  # who is hidden does not make it larger or smaller


async def test_the_first_client_gives_its_size_even_if_it_is_hidden() -> None:
    async with running("cat") as pty:
        Viewer(pty, rows=40, columns=100, visible=False)
        assert pty.ptyproc.getwinsize() == (40, 100)
