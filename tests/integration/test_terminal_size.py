"""A terminal's size: the smallest of its visible clients', told to all, known again to who comes back."""

from __future__ import annotations

import random

import pytest

from jupyter_ws_hub.protocol.terminal import Resize, Size
from tests.support.client import Address, until
from tests.support.terminal_client import TerminalClient
from tests.support.terminals import FLOOD_S, on_new_terminal, window_size


async def test_the_size_of_the_query_is_there_before_anything_is_typed(address: Address) -> None:
    async with on_new_terminal(address) as client:
        tty = await client.tty()
        welcome = await client.connect(rows=33, columns=111)
        assert (welcome.rows, welcome.columns) == (33, 111)
        assert window_size(tty)[:2] == (33, 111)
        assert b"33 111\r\n" in await client.run("stty size")


async def test_pixels_reach_the_program(address: Address) -> None:
    async with on_new_terminal(address) as client, TerminalClient(address, client.name) as other:
        tty = await client.tty()
        await client.send(Resize(24, 80, 800, 600))
        for one in (client, other):
            await one.until_size(24, 80)
            assert one.sizes[-1] == Size(24, 80, 800, 600)
        assert window_size(tty) == (24, 80, 800, 600)
        await client.send(Resize(24, 80, 1600, 1200))  # a finer screen, the same rows and columns
        await until(lambda: window_size(tty) == (24, 80, 1600, 1200), "the pixels")


@pytest.mark.parametrize("seed", [1, 2])
async def test_after_a_storm_of_sizes_the_last_one_holds(address: Address, seed: int) -> None:
    made = random.Random(seed)
    async with on_new_terminal(address) as client:
        tty = await client.tty()
        await client.start("cat > /dev/null", after="trap : WINCH")
        for _ in range(999):
            await client.send(Resize(made.randrange(2, 200), made.randrange(2, 300)))
        await client.send(Resize(41, 143))
        await client.ping()
        await client.until_size(41, 143)
        assert window_size(tty)[:2] == (41, 143)
        client.type(b"\x04")
        assert b"41 143\r\n" in await client.run("stty size")
        assert client.errors == [] and client.close_code is None


async def test_sizes_and_keys_and_output_mixed_keep_their_order(address: Address) -> None:
    async with on_new_terminal(address) as client:
        for n in range(20, 40):
            await client.send(Resize(n, 2 * n))
            assert f"{n} {2 * n}\r\n".encode() in await client.run("stty size")


async def test_the_smallest_of_the_visible_clients_counts(address: Address) -> None:
    async with on_new_terminal(address) as wide, TerminalClient(address, wide.name) as high:
        tty = await wide.tty()
        await wide.send(Resize(30, 200))
        await wide.until_size(30, 200)
        await high.send(Resize(60, 100))
        for client in (wide, high):
            await client.until_size(30, 100)
        await high.send(Resize(60, 100, visible=False))
        for client in (wide, high):
            await client.until_size(30, 200)
        await high.send(Resize(10, 10, visible=False))
        await high.ping()
        assert window_size(tty)[:2] == (30, 200), "a hidden client counts"
        await high.send(Resize(20, 50))
        await wide.until_size(20, 50)
        await high.drop()
        await wide.until_size(30, 200)
        assert window_size(tty)[:2] == (30, 200)


async def test_a_client_that_opens_hidden_does_not_count(address: Address) -> None:
    async with on_new_terminal(address) as client:
        await client.send(Resize(30, 100))
        await client.until_size(30, 100)
        hidden = TerminalClient(address, client.name)
        welcome = await hidden.connect(rows=5, columns=5, visible=0)
        assert (welcome.rows, welcome.columns) == (30, 100)
        await hidden.send(Resize(6, 6, visible=True))
        await client.until_size(6, 6)
        await hidden.drop()
        await client.until_size(30, 100)


async def test_a_client_without_a_size_does_not_count(address: Address) -> None:
    async with on_new_terminal(address) as client, TerminalClient(address, client.name) as other:
        await client.send(Resize(30, 100))
        await client.until_size(30, 100)
        for nothing in (Resize(0, 0), Resize(0, 50), Resize(5, 0)):
            await other.send(nothing)
            await other.ping()
            assert client.sizes[-1] == Size(30, 100), nothing
        assert b"30 100\r\n" in await other.run("stty size")


async def test_a_size_is_known_again_after_a_resume(address: Address) -> None:
    async with on_new_terminal(address) as near, TerminalClient(address, near.name) as far:
        await near.send(Resize(30, 100, 10, 10))
        await far.send(Resize(20, 120, 5, 5))
        await near.until_size(20, 100)
        await far.drop()
        await near.until_size(30, 100)
        welcome = await far.connect()  # says nothing of its size
        assert welcome.resumed
        assert (welcome.rows, welcome.columns) == (20, 100)
        await near.until_size(20, 100)


async def test_the_last_client_s_size_stays_while_nobody_is_there(address: Address) -> None:
    async with on_new_terminal(address) as client:
        tty = await client.tty()
        await client.send(Resize(35, 135))
        await client.until_size(35, 135)
        await client.drop()
        welcome = await client.connect()
        assert (welcome.rows, welcome.columns) == (35, 135)
        assert window_size(tty)[:2] == (35, 135)


async def test_giant_sizes_harm_nobody(address: Address) -> None:
    async with on_new_terminal(address) as client:
        await client.send(Resize(65535, 65535, 65535, 65535))
        await client.run("true")
        await client.send(Resize(1, 1))
        await client.until_size(1, 1)
        await client.send(Resize(24, 80))
        assert b"24 80\r\n" in await client.run("stty size", FLOOD_S)
        assert client.close_code is None
