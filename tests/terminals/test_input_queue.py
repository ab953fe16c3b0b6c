"""Input waits in the queue and nowhere else, in order, and Ctrl-C overtakes what nobody reads. With real PTYs."""

from __future__ import annotations

import asyncio
import os
import pty
import termios
import tty
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from jupyter_ws_hub.terminals.input_queue import MAX_BACKLOG_BYTES, InputQueue, signal_characters

from ..support.client import until

KERNEL_BYTES = 128 * 1024
"""More than any kernel keeps of a PTY's unread input."""


@dataclass
class Pair:
    """A PTY, whose program is the test."""

    master: int
    slave: int

    def read(self) -> bytes:
        """What a program gets now."""
        try:
            return os.read(self.slave, 1 << 20)
        except BlockingIOError:
            return b""


@pytest.fixture
def pair() -> Iterator[Pair]:
    master, slave = pty.openpty()
    os.set_blocking(master, False)
    os.set_blocking(slave, False)
    yield Pair(master, slave)
    for descriptor in (master, slave):
        os.close(descriptor)


@pytest.fixture
def raw(pair: Pair) -> Pair:
    tty.setraw(pair.slave)
    return pair


def seen(pair: Pair) -> bytes:
    """The last of what the terminal shows."""
    last = b""
    while True:
        try:
            last = os.read(pair.master, 1 << 20)
        except BlockingIOError:
            return last


async def read_all(pair: Pair, size: int) -> bytes:
    got = bytearray()

    def all_there() -> bool:
        got.extend(pair.read())
        return len(got) >= size

    await until(all_there, f"{size} bytes")
    return bytes(got)


async def test_input_goes_through_at_once_and_any_byte_is_one(raw: Pair) -> None:
    queue = InputQueue(raw.master)
    queue.write(bytes(range(256)))
    assert queue.backlog == 0
    assert raw.read() == bytes(range(256))
    queue.close()


async def test_a_paste_that_nobody_reads_waits_and_arrives_whole_and_in_order(raw: Pair) -> None:
    queue, told = InputQueue(raw.master), list[int]()
    queue.on_read = lambda: told.append(queue.backlog)
    paste = os.urandom(KERNEL_BYTES * 4)
    queue.write(paste)
    for byte in b"typed after it":
        queue.write(bytes([byte]))
    assert queue.backlog > KERNEL_BYTES
    assert await read_all(raw, len(paste) + 14) == paste + b"typed after it"
    await until(lambda: queue.backlog == 0, "an empty queue")
    assert told == sorted(told, reverse=True) and told[-1] == 0
    queue.close()


async def test_who_writes_too_much_is_told_when_there_is_room(raw: Pair) -> None:
    queue, told = InputQueue(raw.master), list[str]()
    queue.when_short(lambda: told.append("at once"))
    queue.write(bytes(MAX_BACKLOG_BYTES + KERNEL_BYTES))
    queue.when_short(lambda: told.append("later"))
    await asyncio.sleep(0)
    assert told == ["at once"]
    await read_all(raw, KERNEL_BYTES)
    await until(lambda: told == ["at once", "later"], "room")
    queue.close()


async def test_a_queue_that_waits_leaves_the_processor_alone(raw: Pair) -> None:
    queue = InputQueue(raw.master)
    queue.write(bytes(KERNEL_BYTES))
    await asyncio.sleep(0.05)
    before_s = os.times().user + os.times().system
    await asyncio.sleep(0.5)
    assert os.times().user + os.times().system - before_s < 0.25
    queue.close()


@pytest.mark.parametrize("size", [100, 5000, 9000, KERNEL_BYTES])
@pytest.mark.parametrize("character", [b"\x03", b"\x1c", b"\x1a"])
async def test_an_interrupt_overtakes_what_nobody_reads_and_drops_it(pair: Pair, character: bytes, size: int) -> None:
    queue = InputQueue(pair.master)
    queue.write(b"a line\n" * (size // 7))
    assert queue.backlog or size < KERNEL_BYTES
    queue.write(character)
    assert queue.backlog == 0
    await until(lambda: seen(pair).endswith(b"^" + bytes([character[0] + 64])), "the terminal to take it")
    assert pair.read() == b""
    queue.write(b"next\n")
    assert pair.read() == b"next\n"
    queue.close()


async def test_an_interrupt_is_a_byte_like_any_other_where_the_program_wants_it_raw(raw: Pair) -> None:
    queue = InputQueue(raw.master)
    paste = bytes(KERNEL_BYTES)
    queue.write(paste)
    queue.write(b"\x03")
    assert await read_all(raw, len(paste) + 1) == paste + b"\x03"
    queue.close()


async def test_an_interrupt_within_a_paste_is_part_of_it(pair: Pair) -> None:
    attributes = termios.tcgetattr(pair.slave)
    attributes[3] &= ~termios.ISIG
    termios.tcsetattr(pair.slave, termios.TCSANOW, attributes)
    assert signal_characters(pair.master) == b""
    queue = InputQueue(pair.master)
    queue.write(b"x\x03y\n")
    assert pair.read() == b"x\x03y\n"
    queue.close()


async def test_other_characters_can_be_chosen_for_signals(pair: Pair) -> None:
    attributes = termios.tcgetattr(pair.slave)
    attributes[6][termios.VINTR] = b"\x07"
    termios.tcsetattr(pair.slave, termios.TCSANOW, attributes)
    assert b"\x07" in signal_characters(pair.master) and b"\x03" not in signal_characters(pair.master)


async def test_after_the_end_input_is_dropped_and_nobody_waits_for_ever(raw: Pair) -> None:
    queue, told = InputQueue(raw.master), list[str]()
    queue.write(bytes(MAX_BACKLOG_BYTES + KERNEL_BYTES))
    queue.when_short(lambda: told.append("over"))
    queue.close()
    queue.close()
    assert (queue.backlog, told) == (0, ["over"])
    queue.write(b"too late")
    queue.when_short(lambda: told.append("again"))
    assert (queue.backlog, told) == (0, ["over", "again"])
