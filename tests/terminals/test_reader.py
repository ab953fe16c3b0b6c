"""A PTY is read whole and in order, at once or by turns, and not at all while it is paused. With real PTYs."""

from __future__ import annotations

import asyncio
import os
import pty
import tty
from collections.abc import Iterator
from functools import partial

import pytest

from jupyter_ws_hub.terminals import reader as module
from jupyter_ws_hub.terminals.reader import PtyReader
from jupyter_ws_hub.turns import Turns

from ..support.client import until
from ..support.fakes import turns as pass_turns


class Program:
    """The other side of a PTY, and what is read of it."""

    def __init__(self, turns: Turns) -> None:
        """A raw PTY."""
        self.master, self.slave = pty.openpty()
        tty.setraw(self.slave)
        os.set_blocking(self.master, False)
        self.pieces: list[bytes] = []
        self.ends = 0
        self.reader = PtyReader(self.master, turns, self.pieces.append, self.end)

    def end(self) -> None:
        """There is no more."""
        self.ends += 1

    def say(self, data: bytes) -> None:
        """Write; there must be room."""
        assert os.write(self.slave, data) == len(data)

    @property
    def output(self) -> bytes:
        """All that was read."""
        return b"".join(self.pieces)

    def close(self) -> None:
        """Let go of it."""
        self.reader.stop()
        os.close(self.master)


@pytest.fixture
def programs() -> Iterator[list[Program]]:
    made: list[Program] = []
    yield made
    for program in made:
        os.close(program.master)
        os.close(program.slave)


async def test_what_is_written_is_read_in_the_next_turn(programs: list[Program]) -> None:
    program = Program(Turns())
    programs.append(program)
    program.reader.start()
    program.say(b"key")
    await until(lambda: program.output == b"key", "the key")
    program.reader.stop()
    program.say(b"too late")
    await pass_turns(5)
    assert program.output == b"key"


async def test_a_paused_reader_reads_nothing_and_loses_nothing(programs: list[Program]) -> None:
    program = Program(Turns())
    programs.append(program)
    program.reader.start()
    program.reader.pause()
    program.say(b"first")
    await pass_turns(5)
    assert program.pieces == []
    program.reader.resume()
    program.reader.resume()
    program.say(b"second")
    await until(lambda: program.output == b"firstsecond", "all")
    program.reader.stop()


async def test_those_that_flood_share_their_turns_and_a_quiet_one_waits_for_none_of_them(
    programs: list[Program], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "READ_BYTES", 1024)
    turns = Turns()
    floods, quiet = [Program(turns) for _ in range(5)], Program(turns)
    programs += [*floods, quiet]
    for number, program in enumerate(floods):
        program.say(bytes([number]) * 3072)
    order: list[int] = []

    def note(number: int, data: bytes) -> None:
        order.append(number)

    for number, program in enumerate(floods):
        program.reader._on_data = partial(note, number)
    quiet.say(b"key")
    for program in programs:
        program.reader.start()
    await until(lambda: len(order) >= 15 and quiet.output == b"key", "all")
    rounds = [order[n : n + 5] for n in range(0, 15, 5)]
    assert all(sorted(one) == [0, 1, 2, 3, 4] for one in rounds)
    for program in programs:
        program.reader.stop()


async def test_pausing_in_the_midst_of_a_flood_holds_at_once(
    programs: list[Program], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "READ_BYTES", 1024)
    program = Program(Turns())
    programs.append(program)
    program.say(bytes(3000))

    def take(data: bytes) -> None:
        program.pieces.append(data)
        program.reader.pause()

    def has(size: int) -> bool:
        return len(program.output) == size

    program.reader._on_data = take
    program.reader.start()
    for size in (1024, 2048, 3000):
        await until(partial(has, size), "a piece")
        await pass_turns(5)
        assert len(program.output) == size
        program.reader.resume()
    program.reader.stop()


async def test_the_end_is_told_once_after_the_last_byte() -> None:
    program = Program(Turns())
    program.say(b"last words")
    os.close(program.slave)
    program.reader.start()
    await until(lambda: program.ends > 0, "the end")
    await asyncio.sleep(0)
    assert (program.output, program.ends, program.reader.is_stopped) == (b"last words", 1, True)
    program.close()
