"""What goes through a terminal over the binary protocol is not touched: every byte, both ways, in any pieces."""

from __future__ import annotations

import asyncio
import random

import pytest

from jupyter_ws_hub.protocol.terminal import MAX_DATA_BYTES, Data
from tests.support.client import Address
from tests.support.proxy import Fault, FaultProxy, Way
from tests.support.server import RealServer
from tests.support.terminal_client import TerminalClient
from tests.support.terminals import FLOOD_S, on_new_terminal

ALL_BYTES = bytes(range(256))
ZDLE, ZPAD, XON, XOFF = 0x18, 0x2A, 0x11, 0x13


def zmodem_like(number: int, seed: int) -> bytes:
    """Frames as ZMODEM's: a header of pads and ZDLE, random bytes with the usual escapes, an end and a checksum.

    Unlike ZMODEM's own it also has bare XON, XOFF, CR, DEL and 0xFF in it, which a terminal must pass on as well.
    """
    made, stream = random.Random(seed), bytearray()
    for _ in range(number):
        stream += bytes([ZPAD, ZPAD, ZDLE, ord("C"), 0x0A]) + made.randbytes(8)
        for byte in made.randbytes(1024):
            stream += bytes([ZDLE, byte ^ 0x40]) if byte in (ZDLE, XON, XOFF, 0x91, 0x93) else bytes([byte])
        stream += bytes([ZDLE, ord("k"), XON, XOFF, 0x0D, 0x7F, 0xFF, 0x00, 0x03, 0x04, 0x1A, 0x1C])
    return bytes(stream)


async def goes_there_and_back(client: TerminalClient, data: bytes) -> None:
    """What is typed into a raw `cat` comes back, and nothing else."""
    before = client.received
    client.type(data)
    await client.reach(before + len(data))
    await client.ping()
    back = bytes(client.output[before - client.base :])
    assert len(back) == len(data)
    assert back == data
    assert client.accepted == client.sent == len(client.typed)


async def test_all_bytes_pass_both_ways(address: Address) -> None:
    async with on_new_terminal(address) as client:
        await client.start_raw("cat")
        await goes_there_and_back(client, ALL_BYTES)
        for byte in ALL_BYTES:  # alone in its frame, as keys come; raw: no key makes a signal
            before = client.received
            client.type(bytes([byte]))
            await client.reach(before + 1)
            assert client.output[-1] == byte
        shuffled = list(ALL_BYTES * 64)
        random.Random(4).shuffle(shuffled)
        await goes_there_and_back(client, bytes(shuffled))


async def test_a_zmodem_like_stream_passes_both_ways_in_frames_of_any_size(address: Address) -> None:
    data = zmodem_like(300, 5)
    sizes = random.Random(6)
    async with on_new_terminal(address) as client:
        await client.start_raw("cat")
        await goes_there_and_back(client, data)  # frames as large as they may be
        before, at = client.received, 0
        while at < len(data):
            await client.wait_for(lambda: client.limit > client.sent, "room for input")
            room = min(client.limit - client.sent, MAX_DATA_BYTES)
            piece = data[at : at + sizes.choice([0, 1, 2, 3, 100, 1000, 5000, room])][:room]
            client.typed += piece
            client.sent, at = client.sent + len(piece), at + len(piece)
            await client.send(Data(piece))
        await client.reach(before + len(data))
        assert bytes(client.output[before - client.base :]) == data


@pytest.mark.parametrize("bytes_in_packet", [1, 7, 1400])
async def test_a_network_that_splits_changes_nothing(
    terminal_server: RealServer, address: Address, bytes_in_packet: int
) -> None:
    way = Way(piece_bytes=bytes_in_packet, delay_s=0.003)
    async with FaultProxy(terminal_server.port, Fault(up=way, down=way)) as proxy, on_new_terminal(address) as near:
        async with TerminalClient(Address.of(terminal_server, proxy.port), near.name) as far:
            await far.start_raw("cat")
            await goes_there_and_back(far, zmodem_like(4 if bytes_in_packet == 1 else 40, 7))
            await near.reach(far.received)
            overlap = max(near.base, far.base)
            assert near.output[overlap - near.base :] == far.output[overlap - far.base :]


async def test_every_client_sees_the_same_bytes_at_the_same_offsets(address: Address) -> None:
    async with on_new_terminal(address) as first, TerminalClient(address, first.name) as second:
        first.type(b"head -c 400000 /dev/urandom | base64; echo al''l\r")
        await second.until(b"\r\n")
        async with TerminalClient(address, first.name) as third:
            await first.until(b"all\r\n")
            clients = (first, second, third)
            await asyncio.gather(*(client.reach(first.received) for client in clients))
            assert len({client.welcome.epoch for client in clients if client.welcome}) == 1
            begin, end = max(client.base for client in clients), first.received
            assert len({bytes(client.output[begin - client.base : end - client.base]) for client in clients}) == 1
            assert first.output.count(b"\n") > 400_000 * 4 / 3 / 76


async def test_a_program_s_megabytes_come_whole(address: Address) -> None:
    """Counted in a raw terminal, where a line's end is one byte."""
    expected = "".join(f"{n}\n" for n in range(1, 2_500_001)).encode()
    async with on_new_terminal(address) as client:
        await client.start_raw("seq 1 2500000; cat")
        begin = client.mark
        await client.reach(begin + len(expected), 2 * FLOOD_S)
        assert client.output[begin - client.base :] == expected
        assert client.gaps == []
