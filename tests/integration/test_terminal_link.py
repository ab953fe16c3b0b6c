"""The command line's link to terminals of a real server, through networks that cut, or swallow everything."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from jupyter_ws_hub.cli.servers import Server
from jupyter_ws_hub.cli.terminal_socket import Why
from jupyter_ws_hub.protocol.terminal_input import RESERVE_BYTES

from ..soak.terminal_storm import new_terminal, terminal_storm
from ..support.address import until
from ..support.proxy import FaultProxy
from ..support.server import TOKEN, RealServer
from ..support.terminal_user import TerminalUser, attached

Start = Callable[..., RealServer]
HOLE_S = 10.0
LIVE_S = 3.0


async def make(server: RealServer) -> str:
    return await asyncio.to_thread(new_terminal, Server(server.url, TOKEN), str(server.root))


def through(server: RealServer, proxy: FaultProxy) -> Server:
    return Server(f"http://127.0.0.1:{proxy.port}{server.base_url}", TOKEN)


async def answer(user: TerminalUser, number: int) -> None:
    # The first line can be echoed before the shell has written its prompt, which then stands before the answer. The
    # echo itself has no such number.
    await user.type(b"echo $((%d + 1000))\n" % number)
    await user.wait_for(b"%d\r" % (number + 1000))


async def test_forty_faults_lose_no_byte_and_double_none(start_server: Start) -> None:
    server = start_server()
    async with terminal_storm(server, seed=2) as its:
        report = await its.run(40, 300_000, pause_s=0.1)
    assert report.digests["on the screen"] == report.digests["printed"]
    assert report.digests["in the file"] == report.digests["typed"]
    assert report.connections > 20 and (report.ended_early, report.gaps) == (0, 0)
    assert "Traceback" not in server.log_text


async def test_after_a_black_hole_it_is_soon_live_again(start_server: Start) -> None:
    server = start_server()
    name = await make(server)
    async with FaultProxy(server.port) as proxy, attached(through(server, proxy), name) as (user, _):
        await answer(user, 1)
        proxy.stall()
        for link in proxy.links:
            link.stall()  # it never comes back; those that are tried meanwhile do
        await user.type(b"echo typed $((1 + 1)) once\n")
        await asyncio.sleep(HOLE_S)
        proxy.flow()
        healed_s = time.monotonic()
        await user.wait_for(b"\ntyped 2 once\r")
        live_s = time.monotonic() - healed_s
        print(f"\nlive again {live_s:.2f} s after a black hole of {HOLE_S:.0f} s")
        assert live_s < LIVE_S
        assert bytes(user.output).count(b"\ntyped 2 once\r") == 1


async def test_a_server_that_was_started_anew_has_no_such_terminal(start_server: Start) -> None:
    server = start_server()
    name = await make(server)
    async with attached(Server(server.url, TOKEN), name) as (user, running):
        await answer(user, 1)
        await asyncio.to_thread(server.restart)
        assert await make(server) == name, "the name is used again"
        ending = await asyncio.wait_for(running, 20)
    assert ending.why is Why.GONE and user.client.exit is None


async def test_ctrl_c_gets_through_a_paste_that_nobody_reads(start_server: Start) -> None:
    server = start_server()
    async with attached(Server(server.url, TOKEN), await make(server)) as (user, _):
        await answer(user, 1)
        await user.type(b"sleep 1000\n")
        await user.wait_for(b"sleep 1000")
        pasting = asyncio.create_task(user.type(b"x" * 3_000_000))
        queue = user.client.input
        await until(
            lambda: queue.limit and queue.end > queue.sent >= queue.limit - RESERVE_BYTES, "the limit is reached"
        )
        pasting.cancel()
        assert user.link.send(b"\x03") == 1
        await until(lambda: user.output.endswith((b"# ", b"$ ")), "the prompt")  # a shell drops what is typed before
        await answer(user, 2)


async def test_the_rest_of_the_output_and_the_exit_come_to_who_was_away(start_server: Start) -> None:
    server = start_server()
    name = await make(server)
    async with FaultProxy(server.port) as proxy, attached(through(server, proxy), name) as (user, running):
        await answer(user, 1)
        await user.type(b"stty -opost; sleep 0.3; seq 1 200000; exit 4\n")
        await until(lambda: user.client.input.unread == 0, "the command is taken")
        proxy.stall()
        proxy.cut_all()
        await asyncio.sleep(1)
        proxy.flow()
        assert (await asyncio.wait_for(running, 20)).why is Why.EXITED
    assert user.client.exit is not None and user.client.exit.code == 4
    assert bytes(user.output).endswith(b"\n199999\n200000\n")
    assert user.cleared == 0
