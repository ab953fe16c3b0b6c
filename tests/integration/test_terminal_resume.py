"""A terminal's client that comes back goes on at the byte where it was, both ways, or is told that it cannot."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Callable
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.terminal import Data
from tests.support.client import WAIT_S, Address, until
from tests.support.proxy import Fault, FaultProxy, Side, Way
from tests.support.server import RealServer
from tests.support.terminal_client import TerminalClient
from tests.support.terminals import FLOOD_S, delete_terminal, make_terminal, on_new_terminal, terminal_names

CUTS = 24
OTHER_EPOCH = "0123456789abcdef" * 2


async def opening_ends_with(client: TerminalClient, **parameters: Any) -> int:
    """The close code of a connection that gets no WELCOME."""
    with pytest.raises(ConnectionClosed) as closed:
        await client.connect(**parameters)
    assert closed.value.rcvd is not None, "it was cut, not closed"
    return closed.value.rcvd.code


def fault_of(made: random.Random, number: int) -> Fault:
    """A connection that ends somewhere: by RST or FIN, told to one side only, or by a hole that swallows all."""
    after = made.choice([made.randrange(600, 1500), made.randrange(1500, 100_000)])
    unaware: Side | None = made.choice([None, None, "client", "server"])
    match number % 3:
        case 0:
            return Fault(down=Way(cut_after=after), how=made.choice(["rst", "fin"]), unaware=unaware)
        case 1 if made.random() < 0.8:  # acknowledgements are small: later there would be hardly any cut
            return Fault(up=Way(cut_after=made.randrange(500, 900)), how=made.choice(["rst", "fin"]), unaware=unaware)
        case 1:
            return Fault(up=Way(cut_after=after), how=made.choice(["rst", "fin"]), unaware=unaware)
    return Fault(down=Way(swallow_after=after), up=Way(swallow_after=after))


async def through_cuts(client: TerminalClient, proxy: FaultProxy, done: Callable[[], bool], seed: int) -> int:
    """Come back after each cut, and not later than a client that sees that nothing moves; gives how often."""
    made, cuts = random.Random(seed), 0

    def fault(number: int) -> Fault:
        return fault_of(made, number) if cuts < CUTS else Fault()

    proxy.fault = fault
    while not done():
        proxy.cut_all(unaware="server")  # it notices only that there is a newer connection
        welcome = await client.reconnect()
        assert (welcome.resumed, welcome.fresh) == (True, False)
        cuts += 1
        await moves(client, done)
    return cuts


async def moves(client: TerminalClient, done: Callable[[], bool]) -> None:
    """Returns when the connection is lost or has moved nothing for a while, or all is done."""
    seen: tuple[int, int] | None = None
    while client.close_code is None and not done() and seen != (client.received, client.accepted):
        seen = (client.received, client.accepted)
        try:
            async with asyncio.timeout(0.5):
                await client.wait_for(lambda: client.close_code is not None or done(), "an end")
        except TimeoutError:
            continue


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", [1, 2])
async def test_output_goes_on_at_the_byte_whatever_the_network_does(terminal_server: RealServer, seed: int) -> None:
    expected = "".join(f"{n}\n" for n in range(1, 500_001)).encode()
    async with FaultProxy(terminal_server.port) as proxy:
        async with on_new_terminal(Address.of(terminal_server, proxy.port)) as client:
            await client.start_raw("seq 1 500000; cat")
            begin = client.mark
            cuts = await through_cuts(client, proxy, lambda: client.received >= begin + len(expected), seed)
            got = bytes(client.output[begin - client.base :])
            assert client.gaps == []
            assert hashlib.sha256(got).digest() == hashlib.sha256(expected).digest()
            assert cuts >= 5, "it was hardly cut"


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", [3, 4])
async def test_input_arrives_once_and_in_order_whatever_the_network_does(
    terminal_server: RealServer, seed: int
) -> None:
    """What the program has read is hashed by itself: its count and its sum, not what comes back, tell the truth."""
    data = "".join(f"{n}\n" for n in range(1, 200_001)).encode()
    async with FaultProxy(terminal_server.port) as proxy, on_new_terminal(Address.of(terminal_server)) as near:
        async with TerminalClient(Address.of(terminal_server, proxy.port), near.name) as far:
            await near.start_raw(f"head -c {len(data)} | tee copy-{seed}.bin | cat; printf en''d; cat")
            far.type(data)
            cuts = await through_cuts(far, proxy, lambda: far.accepted >= len(data), seed)
            assert cuts >= 5, "it was hardly cut"
            proxy.fault = Fault()
            await far.reconnect()
            await near.until(b"end", FLOOD_S)
            copy = (terminal_server.root / f"copy-{seed}.bin").read_bytes()
            assert (len(copy), hashlib.sha256(copy).digest()) == (len(data), hashlib.sha256(data).digest())
            await far.until(b"end")
            assert far.output == near.output[far.base - near.base :]


async def test_a_newer_connection_takes_the_older_one_s_place(address: Address) -> None:
    async with on_new_terminal(address) as old:
        await old.run("echo here")
        async with old.twin() as new:
            assert await old.wait_closed() == Code.SUPERSEDED
            assert new.welcome and new.welcome.resumed and not new.welcome.fresh
            assert new.welcome.accepted == old.sent
            assert b"still-here" in await new.run("echo still-''here")


async def test_who_comes_back_again_and_again_leaves_no_sockets_behind(
    terminal_server: RealServer, address: Address
) -> None:
    """Each time the network goes silent, so the server cannot tell the older connections, which take nothing more."""
    async with on_new_terminal(address) as near, TerminalClient(address, near.name) as far:
        await near.run("true")
        near.type(b"sh -c 'while sleep 0.01; do seq 1 2000; done'\r")
        descriptors = terminal_server.descriptors
        async with FaultProxy(terminal_server.port) as proxy:
            far.address = Address.of(terminal_server, proxy.port)
            for _ in range(40):
                await far.reconnect()
                await far.reach(far.received + 1)
                for link in proxy.links:
                    link.stall()
            assert len(proxy.links) >= 40
            await far.drop()
            far.address = address
            await far.reconnect()
            await far.reach(far.received + 1)
            await until(lambda: terminal_server.descriptors <= descriptors + 1, "the old sockets to be closed")
            await near.press(b"\x03")
            assert b"alive-4" in await near.run("echo alive-$((2 + 2))")


async def test_two_connections_of_one_client_that_fight_lose_nothing(address: Address) -> None:
    async with on_new_terminal(address) as one:
        await one.start_raw("cat")
        one.type(b"".join(b"%d," % n for n in range(3000)))
        for _ in range(30):
            welcome = await one.connect()
            assert welcome.resumed and not welcome.fresh
            two = one.twin()
            await two.connect()
            assert await one.wait_closed() == Code.SUPERSEDED
            await two.drop()
            one.sent = max(one.sent, two.sent)  # what its other connection has sent is sent by it
        await one.connect()
        begin = one.mark
        await one.until(b",2999,")
        assert one.output[begin - one.base :] == one.typed[-len(one.output[begin - one.base :]) :]
        assert one.output.endswith(b"".join(b"%d," % n for n in range(3000)))


async def test_frames_of_a_superseded_connection_are_thrown_away(terminal_server: RealServer, address: Address) -> None:
    """They are on their way while the newer one is welcomed, and the client sends them again: nothing comes twice."""
    late = Way(delay_s=0.7)
    async with FaultProxy(terminal_server.port) as proxy:
        async with on_new_terminal(Address.of(terminal_server, proxy.port)) as old:
            await old.start_raw("cat")
            proxy.fault = Fault(up=late)
            await old.connect()
            sent = old.sent
            await old.send(Data(b"late"))
            new = old.twin()
            new.address = address
            new.type(b"late")
            new.sent += len(b"late")
            async with new:
                assert new.welcome and new.welcome.accepted == sent, "told before it came: the newer one sends it"
                await new.until(b"late")
                assert await old.wait_closed() == Code.SUPERSEDED
                await asyncio.sleep(2 * late.delay_s)  # now it would have come
                await new.ping()
                new.type(b"|")
                assert await new.until(b"|") == b"|"


async def test_input_that_was_taken_is_not_taken_again(address: Address) -> None:
    async with on_new_terminal(address) as client:
        await client.start_raw("cat")
        client.type(b"0123456789")
        await client.until(b"9")
        await client.wait_for(lambda: client.accepted == client.sent, "all to be taken")
        for _ in range(3):
            welcome = await client.connect()
            assert welcome.accepted == len(client.typed), "what stands there is sent again"
        client.type(b"ab")
        assert await client.until(b"b") == b"ab"


async def test_a_client_that_was_away_gets_what_was_written_meanwhile(address: Address) -> None:
    async with on_new_terminal(address) as near, TerminalClient(address, near.name) as far:
        await near.run("true")
        await far.reach(near.received)
        await far.drop()
        await near.run("seq 1 20000")
        written = near.received  # the prompt may come after the answer
        welcome = await far.connect()
        assert welcome.resumed and welcome.head >= written
        await far.reach(near.received)
        assert far.output == near.output[far.base - near.base :]


@pytest.mark.parametrize("have", [10**12, 2**64 - 1])
async def test_a_client_that_has_more_than_there_is_begins_anew(address: Address, have: int) -> None:
    async with on_new_terminal(address) as client:
        await client.run("true")
        client.received = 0
        try:
            welcome = await client.connect(have=have)
        except ConnectionClosed as closed:
            assert closed.rcvd and closed.rcvd.code in (Code.BAD_FRAME, Code.INVALID)
        else:
            assert not welcome.resumed and welcome.start <= welcome.head < have


async def test_a_client_without_an_id_cannot_resume_but_sees_everything(address: Address) -> None:
    async with on_new_terminal(address) as client:
        await client.run("echo be''fore")
        nobody = TerminalClient(address, client.name)
        welcome = await nobody.connect(client=None)
        assert welcome.accepted == 0
        await nobody.until(b"before\r\n")
        await nobody.run("echo typ''ed")
        await nobody.drop()
        assert client.close_code is None


async def test_a_forgotten_client_is_told_that_its_keys_may_be_lost(address: Address) -> None:
    async with on_new_terminal(address) as client:
        await client.run("true")
        stranger = TerminalClient(address, client.name)
        stranger.typed, stranger.sent = bytearray(17), 17
        welcome = await stranger.connect(epoch=client.welcome.epoch if client.welcome else "", have=0, sent=17)
        assert welcome.fresh and welcome.accepted == 17
        assert b"ok-4" in await stranger.run("echo ok-$((2 + 2))")
        await stranger.drop()


async def test_an_epoch_that_is_not_the_terminal_s_is_gone(address: Address) -> None:
    async with on_new_terminal(address) as client:
        other = TerminalClient(address, client.name)
        assert await opening_ends_with(other, epoch=OTHER_EPOCH) == Code.NOT_FOUND
        assert await opening_ends_with(other, epoch=OTHER_EPOCH, have=5, sent=5) == Code.NOT_FOUND
        assert await opening_ends_with(TerminalClient(address, "nowhere")) == Code.NOT_FOUND
        assert "nowhere" not in await terminal_names(address)
        await client.run("true")


@pytest.mark.parametrize("how", ["exit", "DELETE"])
async def test_another_terminal_under_the_same_name_is_not_taken_for_the_old_one(address: Address, how: str) -> None:
    name = await make_terminal(address)
    async with TerminalClient(address, name) as client:
        await client.run("true")
        if how == "exit":
            client.type(b"exit 3\r")
        else:
            assert await delete_terminal(address, name) == 204
        assert await client.wait_closed() == 1000
        again = await make_terminal(address)
        assert again == name, "the lowest free name is taken"
        try:
            await ends_as_the_old_one(client)
            async with TerminalClient(address, name) as new:
                assert new.welcome and client.welcome and new.welcome.epoch != client.welcome.epoch
                await new.run("true")
        finally:
            await delete_terminal(address, name)


async def ends_as_the_old_one(client: TerminalClient) -> None:
    """Within a minute the old terminal's end is still known: it is told again, or that it is gone."""
    try:
        welcome = await client.connect()
    except ConnectionClosed as closed:
        assert closed.rcvd and closed.rcvd.code == Code.NOT_FOUND
    else:
        assert client.welcome and welcome.epoch == client.welcome.epoch
        await client.wait_for(lambda: client.exit, "the end of the old one")


async def test_after_a_restart_of_the_server_the_terminal_is_gone(start_server: Callable[..., Any]) -> None:
    server = start_server()
    address = Address.of(server)
    client = TerminalClient(address, await make_terminal(address))
    await client.connect()
    await client.run("echo be''fore")
    await asyncio.to_thread(server.restart)
    assert await client.wait_closed() in (Code.SHUTTING_DOWN, 1000, 1001)
    assert await make_terminal(address) == client.name
    assert await opening_ends_with(client) == Code.NOT_FOUND
    async with TerminalClient(address, client.name) as new:
        assert b"before" not in await new.run("true", WAIT_S)
    assert "Traceback" not in server.log_text
