"""Many clients on one terminal, some of which do not keep up; and what waits for whom."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from jupyter_ws_hub.protocol.terminal import MAX_DATA_BYTES, MIN_WINDOW_BYTES
from tests.support.client import Address, until
from tests.support.proxy import FaultProxy
from tests.support.server import RealServer
from tests.support.terminal_client import TerminalClient
from tests.support.terminals import FLOOD_S, echoing, make_terminal, on_new_terminal

MB = 1 << 20
RING = 4 * MB
KEPT = 20 * MB
"""What one terminal may cost at most: its ring, a window for each client, and what the allocator does not give back."""
ECHO_S = 0.25


def flood(megabytes: int, then: str = "true") -> str:
    """A command that writes so much, without an end of line in it."""
    return f"head -c {megabytes * MB} /dev/zero | tr '\\0' x; {then}"


async def stays(file: Path, exists: bool, seconds: float) -> None:
    """A file is there, or not, all the time."""
    for _ in range(int(seconds / 0.05)):
        assert await asyncio.to_thread(file.exists) == exists
        await asyncio.sleep(0.05)


async def fills(client: TerminalClient, window: int) -> None:
    """A window full comes, up to a frame that does not fit."""
    await client.wait_for(lambda: client.received - client.acked > window - MAX_DATA_BYTES, "a window full", FLOOD_S)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("how", ["never acknowledges", "never reads", "is cut off"])
async def test_nine_of_ten_clients_get_everything_beside_one_that_is_stuck(
    terminal_server: RealServer, address: Address, how: str
) -> None:
    async with AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(FaultProxy(terminal_server.port))
        first = await stack.enter_async_context(on_new_terminal(address))
        others = [await stack.enter_async_context(TerminalClient(address, first.name)) for _ in range(8)]
        stuck = TerminalClient(Address.of(terminal_server, proxy.port), first.name, acks=False)
        await stuck.connect(reads=how != "never reads", window=256 * 1024)
        stack.push_async_callback(stuck.drop)
        await first.run("true")
        if how == "is cut off":
            proxy.stall()
        before, begin = terminal_server.resident_bytes, first.received
        async with echoing(address) as waits:
            await first.run(flood(12), FLOOD_S)
            await asyncio.gather(*(client.reach(first.received, FLOOD_S) for client in others))
        assert waits.longest_but_one_s < ECHO_S, waits
        assert first.output[begin - first.base :].count(b"x") >= 12 * MB
        assert all(client.gaps == [] and client.close_code is None for client in (first, *others))
        assert terminal_server.resident_bytes - before < KEPT, "it is kept for somebody who does not take it"
        proxy.flow()
        await comes_back_with_a_gap(stuck, first)


async def comes_back_with_a_gap(stuck: TerminalClient, first: TerminalClient) -> None:
    """Who was stuck is told what is lost, and has the rest; here or after coming back."""
    if stuck.close_code is None and stuck.is_reading:
        stuck.acks = True
        await stuck.acknowledge()
    else:
        stuck.acks = True
        await stuck.connect()
    assert b"back-4" in await first.run("echo back-$((2 + 2))")
    await stuck.until(b"back-4", FLOOD_S)
    assert stuck.gaps or (stuck.welcome and stuck.welcome.start > 0), "more was written than the ring holds"
    await stuck.reach(first.received)
    assert stuck.output == first.output[stuck.base - first.base : stuck.received - first.base]


async def test_a_program_waits_for_its_only_client_and_the_server_keeps_little(
    terminal_server: RealServer, address: Address
) -> None:
    finished, window = terminal_server.root / "finished", 128 * 1024
    async with on_new_terminal(address, acks=False) as client:
        await client.connect(window=window)
        before = terminal_server.resident_bytes
        client.type(f"{flood(30, 'touch finished')}\r".encode())
        await fills(client, window)
        await stays(finished, False, 1.5)
        await client.ping()
        assert client.received - client.acked <= window, "more than the window was sent"
        assert terminal_server.resident_bytes - before < KEPT
        # A window more for an acknowledgement, and no more; in parts as well.
        for _ in range(3):
            at = client.received
            await client.acknowledge(at)
            await fills(client, window)
            await client.ping()
            assert client.received <= at + window
        await client.acknowledge(client.acked - 1000)  # lower than before: nothing is taken back
        client.acks = True
        await client.acknowledge()
        await until(finished.exists, "the program to go on", FLOOD_S)
        assert client.gaps == []
        await client.run("rm finished", FLOOD_S)
        assert client.output.count(b"x") >= 30 * MB


async def test_a_program_without_a_client_runs_on(terminal_server: RealServer, address: Address) -> None:
    alone = terminal_server.root / "alone"
    async with on_new_terminal(address) as client:
        await client.run("true")
        client.type(f"sleep 0.3; {flood(20, 'touch alone')}\r".encode())
        await client.wait_for(lambda: client.accepted == len(client.typed), "the line to be taken")
        await client.drop()
        await until(alone.exists, "the program to end", FLOOD_S)
        welcome = await client.connect()
        assert welcome.head - welcome.start >= 20 * MB or not welcome.resumed
        assert b"ok-4" in await client.run("echo ok-$((2 + 2))")
        assert client.gaps or not welcome.resumed, "more was written than the ring holds"
        assert client.received - client.base <= RING + MB


async def test_a_program_that_waits_goes_on_when_its_stuck_client_leaves(
    terminal_server: RealServer, address: Address
) -> None:
    gone = terminal_server.root / "gone"
    async with on_new_terminal(address, acks=False) as client:
        client.type(f"{flood(10, 'touch gone')}\r".encode())
        await client.wait_for(lambda: client.received > 128 * 1024, "output")
        await stays(gone, False, 0.5)
        await client.drop()
        await until(gone.exists, "the program to end", FLOOD_S)


async def test_a_slow_client_that_makes_progress_misses_nothing(terminal_server: RealServer, address: Address) -> None:
    """The terminal waits for it while it is half a ring behind, and the fast one waits with it."""
    async with on_new_terminal(address) as fast, TerminalClient(address, fast.name, acks=False) as slow:

        async def acknowledge_slowly() -> None:
            while True:
                await asyncio.sleep(0.03)
                await slow.acknowledge()

        task = asyncio.create_task(acknowledge_slowly())
        try:
            await fast.run(flood(12), FLOOD_S)
            await slow.reach(fast.received, FLOOD_S)
        finally:
            task.cancel()
            await asyncio.wait([task])
        assert slow.gaps == [] and slow.output == fast.output[slow.base - fast.base :]


@pytest.mark.parametrize(("asked", "given"), [(1, MIN_WINDOW_BYTES), (MIN_WINDOW_BYTES, MIN_WINDOW_BYTES)])
async def test_the_smallest_window_is_kept_to(address: Address, asked: int, given: int) -> None:
    async with on_new_terminal(address, acks=False) as client:
        welcome = await client.connect(window=asked)
        assert welcome.window == given
        client.type(f"{flood(1)}\r".encode())
        await client.wait_for(lambda: client.received - client.acked == given, "exactly a window")
        client.acks = True
        await client.acknowledge()
        await client.run("true", FLOOD_S)


async def test_a_small_answer_is_not_held_back_until_a_frame_is_full(address: Address) -> None:
    async with echoing(address) as waits:
        await asyncio.sleep(0)
    assert waits.median_s < 0.05, waits


async def test_many_clients_may_come_and_go_while_output_flows(address: Address) -> None:
    name = await make_terminal(address)
    async with TerminalClient(address, name) as first:
        first.type(b"seq 1 200000; echo al''l\r")
        for _ in range(30):
            other = TerminalClient(address, name)
            await other.connect()
            await other.reach(other.received + 1)
            await other.drop()
            await first.reach(other.received)
            assert other.output == first.output[other.base - first.base : other.received - first.base]
        await first.until(b"all\r\n", FLOOD_S)
        first.type(b"exit\r")
        await first.wait_closed()
