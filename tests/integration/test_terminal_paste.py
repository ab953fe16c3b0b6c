"""Large pastes: into a program that reads, into one that reads late, and into one that never reads."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from jupyter_ws_hub.protocol.terminal import Resize
from tests.support.client import Address, until
from tests.support.server import RealServer
from tests.support.terminal_client import TerminalClient
from tests.support.terminals import FLOOD_S, echoing, on_new_terminal, window_size

SIZES = [64 * 1024, 1_000_000]
ECHO_S = 0.25
"""Generous: the machine may be shared."""
MB = 1 << 20
LINE = b"touch leak\n"
"""A line of a paste that nobody may ever run."""


def lines(size: int) -> bytes:
    """Numbered lines."""
    text = b"".join(b"line %d %s\n" % (n, b"-" * (n % 70)) for n in range(size // 20 + 20))
    assert len(text) > size
    return text[: text.rindex(b"\n", 0, size) + 1]


@pytest.mark.parametrize("size", SIZES)
async def test_a_paste_into_a_cooked_terminal_arrives_whole(
    terminal_server: RealServer, address: Address, size: int
) -> None:
    data = lines(size)
    async with on_new_terminal(address) as client:
        await client.start(f"tee pasted-{size}", after="stty -echo")
        client.type(data)
        await arrives(terminal_server.root / f"pasted-{size}", data)
        client.type(b"\x04")
        assert data.replace(b"\n", b"\r\n") in await client.run("stty echo", FLOOD_S)


@pytest.mark.parametrize("size", SIZES)
async def test_a_paste_that_is_echoed_arrives_whole(terminal_server: RealServer, address: Address, size: int) -> None:
    """Its echo and the output of `tee` share one way back, which must not jam. Linux drops some echo in a hurry."""
    data = lines(size)
    async with on_new_terminal(address) as client:
        await client.start(f"tee echoed-{size}")
        client.type(data)
        await arrives(terminal_server.root / f"echoed-{size}", data)
        client.type(b"\x04")
        assert await client.run("true", FLOOD_S)


async def arrives(file: Path, data: bytes) -> None:
    """A program has read all that was typed, and nothing else."""
    await until(lambda: file.exists() and file.stat().st_size >= len(data), "the file", FLOOD_S)
    assert await asyncio.to_thread(file.read_bytes) == data


async def taken(client: TerminalClient) -> None:
    """As much of what was typed as may be sent is taken, though nobody reads."""

    def it_is() -> bool:
        return client.accepted == client.sent == client.allowed

    await client.wait_for(it_is, "the input to be taken")


async def test_a_paste_waits_for_a_program_that_reads_late(address: Address) -> None:
    data = lines(1_000_000)
    async with on_new_terminal(address) as client, echoing(address) as waits:
        await client.start_raw("sleep 2; cat")
        client.type(data)
        await client.reach(client.mark + len(data), FLOOD_S)
        assert bytes(client.output[client.mark - client.base :]) == data
    assert waits.longest_but_one_s < ECHO_S, waits


@pytest.mark.parametrize("size", [100, 4000, 5000, 9000, 12_000, *SIZES, 3_000_000])
@pytest.mark.parametrize("key", [b"\x03", b"\x1c", b"\x1a"], ids=["Ctrl-C", "Ctrl-backslash", "Ctrl-Z"])
async def test_a_signal_key_overtakes_a_paste_that_nobody_reads_and_drops_it(
    terminal_server: RealServer, address: Address, size: int, key: bytes
) -> None:
    async with on_new_terminal(address) as client:
        await client.start_sleep(after="rm -f leak")
        client.type(LINE * (size // len(LINE)))
        await taken(client)
        await client.press(key)
        assert b"alive-4" in await client.run("echo alive-$((2 + 2))")
        assert not (terminal_server.root / "leak").exists(), "a part of the paste was run"
        assert client.errors == []
        await client.wait_for(lambda: client.accepted == client.sent, "what was dropped to count as taken")
        # The terminal is as before: another paste of the same size is read.
        await client.start("cat > /dev/null", after="stty -echo")
        client.type(lines(size))
        await client.wait_for(lambda: client.accepted == len(client.typed), "the next paste", FLOOD_S)
        client.type(b"\x04")
        await client.run("stty echo", FLOOD_S)


@pytest.mark.parametrize("mode", ["raw", "cooked"])
async def test_a_paste_that_nobody_reads_holds_up_nothing_else(
    terminal_server: RealServer, address: Address, mode: str
) -> None:
    before = terminal_server.resident_bytes
    async with on_new_terminal(address) as client, TerminalClient(address, client.name) as other:
        tty = await client.tty()
        await client.start_sleep(after="stty raw -echo" if mode == "raw" else "stty -echo")
        client.type(LINE * 700_000)
        await taken(client)
        async with echoing(address) as waits:
            for rows in range(20, 60):
                await client.send(Resize(rows, 100, 0, 0))
                await client.until_size(rows, 100)
                assert window_size(tty)[:2] == (rows, 100)
            await asyncio.gather(client.ping(), other.ping())
        assert waits.longest_but_one_s < ECHO_S, waits
        assert client.accepted < 2 * MB, "the server may not keep so much for a program that does not read"
        assert terminal_server.resident_bytes - before < 12 * MB
        assert client.close_code is None and other.close_code is None


async def test_input_of_another_client_is_taken_beside_a_paste_that_nobody_reads(address: Address) -> None:
    async with on_new_terminal(address) as client, TerminalClient(address, client.name) as other:
        await client.start_sleep()
        client.type(LINE * 50_000)
        await taken(client)
        other.type(b"x")
        await other.wait_for(lambda: other.accepted == 1, "the other's key to be taken")
        await other.press(b"\x03")
        assert b"alive-4" in await other.run("rm -f leak; echo alive-$((2 + 2))")


async def test_a_signal_key_in_a_raw_terminal_is_a_byte_like_any_other(address: Address) -> None:
    async with on_new_terminal(address) as client:
        await client.start_raw("sleep 1; cat")
        client.type(b"before")
        await client.wait_for(lambda: client.accepted == len(client.typed), "it to be taken")
        await client.press(b"\x03")
        await client.wait_for(lambda: client.accepted == len(client.typed), "it to be taken")
        client.type(b"after")
        assert await client.until(b"after") == b"before\x03after"
