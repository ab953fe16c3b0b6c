"""The end of a terminal's program: all of its output, then how it ended, also for who was away."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from contextlib import suppress

import pytest

from jupyter_ws_hub.protocol.codes import NORMAL_CLOSURE
from tests.support.client import Address, HubClient, until
from tests.support.server import RealServer
from tests.support.terminal_client import TerminalClient
from tests.support.terminals import FLOOD_S, delete_terminal, make_terminal, on_new_terminal, terminal_names

MB = 1_000_000
BURST = f"head -c {MB} /dev/zero | tr '\\0' x; printf e''nd; exit 7\r".encode()
FREEZE_MS = 60
"""Much less than the 100 ms for which the stock manager sleeps; the machine is shared, so the best round counts."""
ROUNDS = 3


async def told(client: TerminalClient) -> tuple[int, int]:
    """The exit code and signal, told after the last byte and before a normal end."""
    assert await client.wait_closed(FLOOD_S) == NORMAL_CLOSURE
    assert client.exit is not None, "the end was not told"
    assert client.exit.byte_offset == client.received_at_exit == client.received
    return client.exit.code, client.exit.signal


async def test_the_output_of_a_program_that_ends_at_once_comes_whole(address: Address) -> None:
    for _ in range(5):
        async with on_new_terminal(address) as client:
            client.type(BURST)
            assert await told(client) == (7, 0)
            assert client.output.count(b"x") >= MB and client.output.endswith(b"end")


async def test_a_slow_client_gets_it_whole_too(address: Address) -> None:
    """It acknowledges little by little, so most is still in the ring when the program has ended."""
    async with on_new_terminal(address, acks=False) as client:
        client.type(BURST)
        while client.exit is None:
            await client.wait_for(lambda: client.received > client.acked or client.exit, "more", FLOOD_S)
            await client.acknowledge()
            await asyncio.sleep(0.02)
        assert await told(client) == (7, 0)
        assert client.output.count(b"x") >= MB and client.output.endswith(b"end")


async def test_who_was_away_comes_back_to_the_rest_and_the_end(address: Address) -> None:
    name = await make_terminal(address)
    client = TerminalClient(address, name)
    await client.connect()
    await client.run("true")
    client.type(b"sleep 0.3; " + BURST)
    await client.wait_for(lambda: client.accepted == len(client.typed), "the line to be taken")
    await client.drop()
    for _ in range(200):
        if name not in await terminal_names(address):
            break
        await asyncio.sleep(0.05)
    else:
        raise AssertionError("an ended terminal is still in the list")
    welcome = await client.connect()
    assert welcome.resumed
    assert await told(client) == (7, 0)
    assert client.output.count(b"x") >= MB and client.output.endswith(b"end")
    await client.connect()  # again: the end is not told once only
    assert await told(client) == (7, 0)


async def test_who_was_away_is_told_of_the_end_though_the_name_is_another_s_now(address: Address) -> None:
    name = await make_terminal(address)
    client = TerminalClient(address, name)
    await client.connect()
    await client.run("true")
    client.type(b"sleep 0.2; exit 9\r")
    await client.wait_for(lambda: client.accepted == len(client.typed), "the line to be taken")
    await client.drop()
    async with TerminalClient(address, name) as other:
        assert await told(other) == (9, 0)
    assert await make_terminal(address) == name
    try:
        await client.connect()
        assert await told(client) == (9, 0)
        async with TerminalClient(address, name) as new:
            await new.run("true")
    finally:
        await delete_terminal(address, name)


@pytest.mark.parametrize("code", [0, 1, 42, 255])
async def test_the_exit_code_is_told(address: Address, code: int) -> None:
    async with on_new_terminal(address) as client, TerminalClient(address, client.name) as other:
        client.type(f"exit {code}\r".encode())
        assert await told(client) == await told(other) == (code, 0)


@pytest.mark.parametrize("number", [1, 9, 11, 15])
async def test_the_signal_that_ended_the_shell_is_told(address: Address, number: int) -> None:
    async with on_new_terminal(address) as client:
        client.type(f"exec sh -c 'kill -{number} $$'\r".encode())
        assert await told(client) == (128 + number, number)


async def test_a_deleted_terminal_ends_too(address: Address) -> None:
    name = await make_terminal(address)
    async with TerminalClient(address, name) as client:
        await client.run("true")
        assert await delete_terminal(address, name) == 204
        code, signal = await told(client)
        assert signal > 0 or code >= 0, "its status is known"
        assert name not in await terminal_names(address)


async def test_a_shell_that_ignores_all_signals_is_killed_by_delete(address: Address) -> None:
    name = await make_terminal(address)
    async with TerminalClient(address, name) as client:
        await client.start("while :; do sleep 1; done", after="trap '' HUP INT TERM QUIT CONT")
        assert await delete_terminal(address, name) == 204
        assert await told(client) == (128 + 9, 9)


async def test_a_child_that_holds_the_terminal_does_not_hide_the_shell_s_end(address: Address) -> None:
    """As with ssh: nobody waits for what runs in the background."""
    async with on_new_terminal(address) as client:
        await client.start("true", after="(trap '' HUP; sleep 1; echo la''te; sleep 600) & holder=$!; echo pid-$holder")
        pid = int(bytes(client.output).split(b"pid-")[-1].split()[0])
        try:
            client.type(b"exit 5\r")
            assert await told(client) == (5, 0)
            assert client.name not in await terminal_names(address)
        finally:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


async def test_the_end_of_terminals_freezes_nobody_and_leaves_nothing(
    terminal_server: RealServer, address: Address
) -> None:
    async with HubClient(address) as hub, on_new_terminal(address):
        await hub.request("gauge.collect")
        descriptors = terminal_server.descriptors
        lags_ms: list[float] = []
        while len(lags_ms) < ROUNDS and min(lags_ms, default=FREEZE_MS) >= FREEZE_MS:
            lags_ms.append(await lag_of_ends_ms(hub, address))
        assert min(lags_ms) < FREEZE_MS, lags_ms
        await until(lambda: terminal_server.descriptors <= descriptors, "the terminals' descriptors to be closed")
        assert zombies_of(terminal_server.pid) == []


async def lag_of_ends_ms(hub: HubClient, address: Address) -> float:
    """How late the server's loop was at most while five terminals ended, but for garbage collections."""
    clients = [TerminalClient(address, await make_terminal(address)) for _ in range(5)]
    for client in clients:
        await client.connect()
        await client.run("true")
    await hub.request("gauge.begin")
    for client in clients:
        client.type(b"exit\r")
        assert await told(client) == (0, 0)
    lag = await hub.request("gauge.read")
    return float(lag["max_ms"] - lag["gc_max_ms"])


def zombies_of(pid: int) -> list[str]:
    """The children of a process that have ended and that it has not waited for."""
    listed = subprocess.run(["ps", "-o", "stat=,comm=", "--ppid", str(pid)], capture_output=True, text=True).stdout
    return [line for line in listed.splitlines() if line.startswith("Z")]
