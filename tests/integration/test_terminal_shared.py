"""One terminal for the stock, the JSON and the binary endpoint, and for the platform's own ways to see and end it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from jupyter_ws_hub.protocol import TERMINAL_SUBPROTOCOL
from jupyter_ws_hub.protocol.codes import NORMAL_CLOSURE
from jupyter_ws_hub.protocol.terminal import Resize
from tests.support.client import Address, until
from tests.support.proxy import FaultProxy
from tests.support.server import RealServer
from tests.support.terminal_client import TerminalClient
from tests.support.terminals import (
    FLOOD_S,
    close_code,
    echoing,
    make_terminal,
    on_new_terminal,
    rest,
    terminal_names,
    window_size,
)

from .test_terminal_process import joined, read_to_end, read_until, send

HAS_STOCK_CLIENTS = True
STOCK = "terminals/websocket"
ECHO_S = 0.25
MB = 1 << 20

OWN_MANAGER = """
from jupyter_server_terminals.terminalmanager import TerminalManager

class OwnManager(TerminalManager):
    "An administrator's."

c.TerminalsExtensionApp.terminal_manager_class = OwnManager
"""
CULLING = "c.TerminalManager.cull_inactive_timeout = 2\nc.TerminalManager.cull_interval = 1\n"


async def last_activity(address: Address, name: str) -> datetime:
    """As the list of terminals has it."""
    status, model = await rest(address, "GET", f"terminals/{name}")
    assert status == 200
    return datetime.fromisoformat(model["last_activity"])


async def test_what_is_typed_at_one_endpoint_shows_at_all(address: Address) -> None:
    async with on_new_terminal(address) as ours:
        async with joined(address, ours.name, STOCK) as stock, joined(address, ours.name) as ours_json:
            ours.type(b"echo fr''om-ours \xc3\xa4\xf0\x9f\x98\x80\r")
            for one in (stock, ours_json):
                await read_until(one, "from-ours ä😀\r\n")
            await ours.until(b"from-ours \xc3\xa4\xf0\x9f\x98\x80\r\n")
            await send(stock, "echo fr''om-stock ö\r")
            await ours.until("from-stock ö\r\n".encode())
            await read_until(ours_json, "from-stock ö\r\n")
            await send(ours_json, "echo fr''om-json\r")
            await ours.until(b"from-json\r\n")
            await read_until(stock, "from-json\r\n")


async def test_the_size_is_the_smallest_of_all_endpoints_clients(address: Address) -> None:
    async with on_new_terminal(address) as ours, joined(address, ours.name, STOCK) as stock:
        tty = await ours.tty()
        await ours.send(Resize(30, 100))
        await until(lambda: window_size(tty)[:2] == (30, 100), "our size")
        await stock.send('["set_size", 40, 80, 0, 0]')
        await until(lambda: window_size(tty)[:2] == (30, 80), "the smallest of both")
        await ours.until_size(30, 80)
        await stock.close()
        await until(lambda: window_size(tty)[:2] == (30, 100), "our size again")


async def test_a_dead_stock_client_harms_no_live_one(start_server: Callable[..., Any]) -> None:
    """The stock handler itself writes its complaints about that into the log: each has a traceback."""
    server = start_server()
    address, before = Address.of(server), server.resident_bytes
    async with FaultProxy(server.port) as proxy, on_new_terminal(address) as ours:
        far = Address.of(server, proxy.port)
        async with joined(far, ours.name, STOCK) as silent, joined(address, ours.name, STOCK) as live:
            await ours.run("echo here")
            await read_until(silent, "here")
            proxy.stall()
            async with echoing(address) as waits:
                for _ in range(6):
                    await ours.run(f"head -c {2 * MB} /dev/zero | tr '\\0' x; echo ro''und", FLOOD_S)
                    assert (await read_until(live, "round\r\n")).count("x") >= 2 * MB
            assert waits.longest_but_one_s < ECHO_S, waits
            assert ours.gaps == []
            proxy.cut_all("rst")
            proxy.flow()
            await ours.run("echo still here")
            await read_until(live, "still here")
    assert server.resident_bytes - before < 64 * MB


async def test_a_paste_at_the_stock_endpoint_that_nobody_reads_stalls_no_other_terminal(address: Address) -> None:
    async with on_new_terminal(address) as stuck, joined(address, stuck.name, STOCK) as stock:
        await stuck.start_sleep(after="stty raw -echo")
        await send(stock, " " * MB)
        async with on_new_terminal(address) as other, joined(address, other.name, STOCK) as beside:
            async with echoing(address) as waits:
                for n in range(10):
                    await send(beside, f"echo be''side-{n}\r")
                    await read_until(beside, f"beside-{n}\r\n")
                    await other.run("true")
            assert waits.longest_but_one_s < ECHO_S, waits


@pytest.mark.parametrize("key", ["\x03", "\x1c"])
async def test_a_signal_key_at_the_stock_endpoint_is_not_stuck_behind_a_paste(address: Address, key: str) -> None:
    async with on_new_terminal(address) as ours, joined(address, ours.name, STOCK) as stock:
        await ours.start_sleep()
        await send(stock, "echo pasted\n" * 50_000)
        await send(stock, key)
        await ours.until(b"^" + bytes([ord(key) + 0x40]))
        assert b"alive-4" in await ours.run("echo alive-$((2 + 2))")


async def test_a_paste_at_the_stock_endpoint_arrives_whole(terminal_server: RealServer, address: Address) -> None:
    lines = "".join(f"line {n}\n" for n in range(80_000))
    async with on_new_terminal(address) as ours, joined(address, ours.name, STOCK) as stock:
        await ours.start("cat > stock.txt", after="stty -echo")
        await send(stock, lines)
        copy = terminal_server.root / "stock.txt"
        await until(lambda: copy.exists() and copy.stat().st_size == len(lines), "the file", FLOOD_S)
        assert copy.read_text() == lines


async def test_the_end_is_told_at_all_endpoints(address: Address) -> None:
    async with on_new_terminal(address) as ours:
        async with joined(address, ours.name, STOCK) as stock, joined(address, ours.name) as ours_json:
            ours.type(b"echo la''st; exit 4\r")
            ends = await asyncio.gather(read_to_end(stock), read_to_end(ours_json))
            for frames in ends:
                assert frames[-1] == '["disconnect", 1]'
                assert "last\r\n" in "".join(json.loads(frame)[1] for frame in frames if "stdout" in frame)
        assert await ours.wait_closed() == NORMAL_CLOSURE
        assert ours.exit and ours.exit.code == 4


async def test_the_list_shows_terminals_and_when_they_were_active(address: Address) -> None:
    async with on_new_terminal(address) as client:
        assert client.name in await terminal_names(address)
        await client.run("true")
        first = await last_activity(address, client.name)
        await asyncio.sleep(1.1)  # activity is noted once a second
        await client.ping()
        assert await last_activity(address, client.name) == first, "a ping is no activity"
        await client.run("true")
        assert await last_activity(address, client.name) > first


async def test_an_idle_terminal_is_culled_and_one_that_is_used_is_not(start_server: Callable[..., Any]) -> None:
    server = start_server(config=CULLING)
    address = Address.of(server)
    async with on_new_terminal(address) as used, on_new_terminal(address) as idle:
        await idle.run("true")
        busy = asyncio.create_task(type_on(used))
        try:
            assert await idle.wait_closed(FLOOD_S) == NORMAL_CLOSURE
            assert idle.exit is not None
            await asyncio.sleep(3)  # longer than an idle one lives
            assert await terminal_names(address) == [used.name]
        finally:
            busy.cancel()
            await asyncio.wait([busy])
        await used.wait_closed(FLOOD_S)
        assert await terminal_names(address) == []
    assert "Traceback" not in server.log_text


async def type_on(client: TerminalClient) -> None:
    """Use a terminal."""
    while True:
        await client.run("true")
        await asyncio.sleep(0.3)


async def test_a_deleted_terminal_is_gone_at_once_and_a_second_delete_finds_none(address: Address) -> None:
    name = await make_terminal(address)
    socket = await address.open(f"ws/terminal/{name}?client=a", TERMINAL_SUBPROTOCOL)
    assert (await rest(address, "DELETE", f"terminals/{name}"))[0] == 204
    assert name not in await terminal_names(address)
    assert (await rest(address, "DELETE", f"terminals/{name}"))[0] == 404
    assert await close_code(socket) == NORMAL_CLOSURE


async def test_an_administrator_s_own_manager_wins_and_the_log_says_what_that_means(
    start_server: Callable[..., Any],
) -> None:
    server = start_server(config=OWN_MANAGER)
    address = Address.of(server)
    name = await make_terminal(address)
    socket = await address.open(f"ws/terminal/{name}", TERMINAL_SUBPROTOCOL)
    assert socket.subprotocol is None
    assert json.loads(await asyncio.wait_for(socket.recv(), 5)) == ["setup", {}]
    await send(socket, "echo js''on\r")
    assert "json\r\n" in await read_until(socket, "json\r\n")
    socket.transport.abort()
    await socket.wait_closed()
    assert "OwnManager" in server.log_text
    assert "Traceback" not in server.log_text


async def test_the_manager_is_ours_where_nobody_has_set_another(terminal_server: RealServer, address: Address) -> None:
    async with on_new_terminal(address) as client:
        assert client.welcome is not None
    assert "terminal_manager_class" not in terminal_server.log_text
