"""Standard input and output beside a loop: nothing blocks it, all is told."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from jupyter_ws_hub.cli.streams import Keyboard, Screen

from ..support.address import until


async def test_the_screen_writes_in_order_and_tells_how_far_it_is() -> None:
    read, write = os.pipe()
    marks: list[int] = []
    screen = Screen(write, marks.append, lambda error: None)
    screen.write(b"a", 1)
    screen.write(b"notice")
    screen.write(b"b", 2)
    await screen.flush()
    assert os.read(read, 100) == b"anoticeb"
    assert marks[-1] == 2 and marks == sorted(marks)
    os.close(read)
    os.close(write)


async def test_who_reads_nothing_blocks_nobody() -> None:
    read, write = os.pipe()
    marks: list[int] = []
    screen = Screen(write, marks.append, lambda error: None)
    for number in range(20):
        screen.write(bytes([number]) * 60_000, number)
    await asyncio.sleep(0)
    assert 19 not in marks
    seen = bytearray()
    while len(seen) < 20 * 60_000:
        seen += await asyncio.to_thread(os.read, read, 65536)
    await screen.flush()
    assert marks[-1] == 19
    assert bytes(seen) == b"".join(bytes([number]) * 60_000 for number in range(20))
    os.close(read)
    os.close(write)


async def test_a_closed_pipe_is_told_once_and_the_rest_is_dropped() -> None:
    read, write = os.pipe()
    os.close(read)
    errors: list[OSError] = []
    screen = Screen(write, lambda until: None, errors.append)
    screen.write(b"a")
    await screen.flush()
    screen.write(b"b")
    await screen.flush()
    assert [type(error) for error in errors] == [BrokenPipeError]
    os.close(write)


async def test_the_keyboard_reads_pauses_and_ends() -> None:
    read, write = os.pipe()
    seen: list[bytes] = []
    keyboard = Keyboard(read, seen.append)
    keyboard.resume()
    keyboard.resume()
    os.write(write, b"one")
    await until(lambda: seen == [b"one"], "the first")
    keyboard.pause()
    os.write(write, b"two")
    await asyncio.sleep(0.02)
    assert seen == [b"one"]
    keyboard.resume()
    await until(lambda: seen == [b"one", b"two"], "the second")
    os.close(write)
    await until(lambda: seen[-1] == b"", "the end")
    keyboard.resume()
    await asyncio.sleep(0)
    assert seen == [b"one", b"two", b""]
    os.close(read)


async def test_a_plain_file_is_read_in_pieces_and_may_be_paused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(bytes(200_000))
    fd = os.open(file, os.O_RDONLY)
    seen: list[bytes] = []

    def take(data: bytes) -> None:
        seen.append(data)
        if len(seen) == 2:
            keyboard.pause()

    keyboard = Keyboard(fd, take)
    keyboard.resume()
    await until(lambda: len(seen) == 2, "two pieces")
    await asyncio.sleep(0.02)
    assert len(seen) == 2
    keyboard.resume()
    await until(lambda: seen[-1] == b"", "the end")
    assert b"".join(seen) == bytes(200_000)
    os.close(fd)
