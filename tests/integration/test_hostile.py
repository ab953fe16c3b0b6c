"""Clients that break the rules, against a real server: they harm themselves, and nobody else notices anything."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial

import msgspec
import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from jupyter_ws_hub.protocol import HUB_SUBPROTOCOL
from jupyter_ws_hub.protocol import messages as wire
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from tests.support.client import Address, HubClient, until
from tests.support.honest import honest
from tests.support.proxy import Fault, FaultProxy, Way
from tests.support.server import RealServer
from tests.support.users import BY_HEADER, HEADER, user

from .test_listing import helpers

HELLO_TIMEOUT_S = 1.0
OUTBOX_BYTES = 1024 * 1024
MB = 1 << 20
TEXT = "x" * 19_000
FLOOD = 1500
"""Messages of 19 kB: 28 MB, many times what one connection may have waiting, and less than the room's log keeps."""

CONFIG = f"""
{BY_HEADER}
c.HubApp.hello_timeout_s = {HELLO_TIMEOUT_S}
c.HubApp.outbox_bytes = {OUTBOX_BYTES}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """One server for all tests of this file; each test has rooms of its own."""
    server = RealServer(tmp_path_factory.mktemp("server"), config=CONFIG)
    try:
        server.start()
        yield server
        assert "Traceback" not in server.log_text
    finally:
        server.stop()


@asynccontextmanager
async def enemy(address: Address) -> AsyncIterator[ClientConnection]:
    """A bare socket."""
    connection = await address.open("ws", HUB_SUBPROTOCOL)
    try:
        yield connection
    finally:
        connection.transport.abort()
        await connection.wait_closed()


async def close_code_of(connection: ClientConnection) -> int | None:
    """How the server ends a connection, which it must within some seconds."""
    async with asyncio.timeout(5):
        with suppress(ConnectionClosed):
            while True:
                await connection.recv()
    return connection.close_code


async def flood(client: HubClient, room: str, number: int, *, text: str = TEXT, at_once: int = 4) -> None:
    """Post many messages, as fast as one connection may."""
    numbers = iter(range(number))

    async def post() -> None:
        for n in numbers:
            while not await posted(n):
                pass

    async def posted(n: int) -> bool:
        try:
            await client.request("chat.post", {"room": room, "text": text, "id": f"{room}-{n}"})
        except HubError as error:
            if error.code is not Code.RATE_LIMITED or error.retry_after_ms is None:
                raise
            await asyncio.sleep(error.retry_after_ms / 1000)
            return False
        return True

    await asyncio.gather(*(post() for _ in range(at_once)))


# Clients that do not read


async def everything_has_come(client: HubClient, room: str, number: int) -> None:
    """A client that reads again has every message once, in order."""
    await client.wait_for(lambda: len(client.events) >= number, "all that was missed", 30)
    assert sorted(event.id for event in client.events) == sorted(f"{room}-{n}" for n in range(number))
    assert [event.offset for event in client.events] == list(range(1, number + 1))


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("room", "way"),
    [("never", Way(stall_after=3000)), ("byte", Way(bytes_per_s=1, slow_after=3000, piece_bytes=1))],
)
async def test_a_client_that_hardly_reads_costs_little_memory_and_no_one_s_time(
    server: RealServer, room: str, way: Way
) -> None:
    async with (
        FaultProxy(server.port, lambda number: Fault(down=way) if number == 0 else Fault()) as proxy,
        HubClient(Address.of(server)) as writer,
        HubClient(Address.of(server, proxy.port)) as slow,
    ):
        for name in (room, f"{room}-before"):
            await writer.request("chat.create", {"name": name})
        await flood(writer, f"{room}-before", FLOOD)  # what the log, its cache and the allocator take
        await slow.subscribe(f"chat/{room}", "earliest")
        before = server.resident_bytes
        async with honest(server, f"{room}-honest"):
            await flood(writer, room, FLOOD)
        assert server.resident_bytes - before < 12 * MB, "it is kept for somebody who does not take it"
        assert len(slow.events) < FLOOD / 10
        await slow.reconnect()
        await everything_has_come(slow, room, FLOOD)


# Clients that say what they may not


DEEP = "[" * 5000 + "]" * 5000
NOT_TEXT = b'[{"type":"ping","t":1}]'
BAD_FRAMES: dict[str, tuple[str | bytes, set[int]]] = {
    "binary": (NOT_TEXT, {Code.BAD_FRAME}),
    "random bytes": (os.urandom(1000), {Code.BAD_FRAME}),
    "no JSON": ("hello?", {Code.BAD_FRAME}),
    "nothing": ("", {Code.BAD_FRAME}),
    "half a message": ('[{"type":"ping","t":', {Code.BAD_FRAME}),
    "no array": ('{"type":"ping","t":1}', {Code.BAD_FRAME}),
    "an array of numbers": ("[1,2,3]", {Code.BAD_FRAME}),
    "deep": ("[" * 200_000, {Code.BAD_FRAME}),
    "deep and closed": ("[" * 100_000 + "]" * 100_000, {Code.BAD_FRAME}),
    "deep parameters": (f'[{{"type":"request","ref":1,"method":"chat.rooms","params":{DEEP}}}]', {Code.BAD_FRAME}),
    "big": (f'[{{"type":"ping","x":"{"x" * 1_100_000}"}}]', {Code.TOO_BIG}),
    "huge": ("[" + " " * 8_000_000 + "]", {1009, 1006}),
    "a second hello": ('[{"type":"hello"}]', {Code.BAD_FRAME}),
    "two hellos": ('[{"type":"hello"},{"type":"hello"}]', {Code.BAD_FRAME}),
}


@pytest.mark.parametrize("greeted", [True, False])
async def test_a_frame_that_breaks_the_protocol_ends_its_connection_and_no_other(
    server: RealServer, greeted: bool
) -> None:
    async with honest(server, f"frames{int(greeted)}", user(server, "h")):
        for name, (frame, codes) in BAD_FRAMES.items():
            if not greeted and name == "a second hello":
                continue
            async with enemy(user(server, "enemy")) as connection:
                if greeted:
                    await connection.send('[{"type":"hello"}]')
                with suppress(ConnectionClosed):
                    await connection.send(frame)
                assert await close_code_of(connection) in codes, name


async def test_half_frames_and_torn_handshakes_end_and_leave_nothing(server: RealServer) -> None:
    handshake = (
        f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{HEADER}: enemy\r\n"
        f"Sec-WebSocket-Protocol: {HUB_SUBPROTOCOL}\r\n\r\n"
    ).encode()
    hello = b'[{"type":"hello"}]'
    mask = b"\0\0\0\0"
    whole = bytes([0x81, 0x80 | len(hello)]) + mask + hello
    torn = [handshake[:50], handshake, handshake + whole[:1], handshake + whole[:9], handshake + whole + whole[:-1]]
    torn.append(handshake + b"\x81\xff" + struct.pack(">Q", 1 << 62) + mask + b"[")
    torn.append(handshake + b"\x83\x80" + mask)
    loop = asyncio.get_running_loop()
    descriptors = server.descriptors
    async with honest(server, "torn", user(server, "h")):
        for data in torn * 3:
            with socket.socket() as raw:
                raw.setblocking(False)
                await loop.sock_connect(raw, ("127.0.0.1", server.port))
                await loop.sock_sendall(raw, data)
                await asyncio.sleep(0.01)
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    await until(lambda: server.descriptors <= descriptors, "the server to let go of its sockets")


async def test_what_is_wrong_in_one_message_is_answered_and_the_connection_goes_on(server: RealServer) -> None:
    deep = "[" * 100 + "]" * 100
    async with honest(server, "wrong", user(server, "h")), enemy(user(server, "enemy")) as connection:
        await connection.send('[{"type":"hello"}]')
        await connection.recv()
        for bad in (
            '{"type":"nonsense","ref":1}',
            '{"type":"request","ref":1}',
            '{"type":"request","ref":1,"method":"no.such"}',
            '{"type":"request","ref":2,"method":"chat.rooms","params":7}',
            f'{{"type":"request","ref":3,"method":"chat.rooms","params":{deep}}}',
            '{"type":"subscribe","ref":4,"topic":"../../etc"}',
            '{"type":"ack","frames":"many"}',
        ):
            await connection.send(f"[{bad}]")
            answer = await asyncio.wait_for(connection.recv(), 5)
            assert '"error"' in str(answer), bad
        await connection.send('[{"type":"ping","t":1}]')
        assert "pong" in str(await asyncio.wait_for(connection.recv(), 5))


async def test_who_says_no_hello_is_sent_away(server: RealServer) -> None:
    async with honest(server, "silent", user(server, "h")), enemy(user(server, "enemy")) as connection:
        assert await close_code_of(connection) == Code.HELLO_TIMEOUT


async def test_acknowledging_less_than_before_changes_nothing(server: RealServer) -> None:
    async with honest(server, "acks", user(server, "h")), HubClient(user(server, "enemy")) as client:
        await client.request("chat.create", {"name": "acked"})
        await client.subscribe("chat/acked")
        for n in range(30):
            await client.request("chat.post", {"room": "acked", "text": "x", "id": f"acked-{n}"})
            await client.send(wire.Ack(0, 0), wire.Ack(max(0, client.frames - 5), 1), wire.Ack(client.acked, 0))
        await everything_has_come(client, "acked", 30)
        assert client.close_code is None


# Clients that ask for listings and do not take them

LISTED = 5000
"""Files whose listing is many times what may wait for one connection."""


def has_item(client: HubClient) -> bool:
    """Whether a part of a streamed reply has come."""
    return any(message.type == "item" for message in client.others)


@asynccontextmanager
async def stuck(server: RealServer, names: list[str]) -> AsyncIterator[None]:
    """For each name a connection with as many listings as run at a time, of which it takes nothing."""
    async with AsyncExitStack() as stack:
        for name in names:
            client = await stack.enter_async_context(HubClient(user(server, name), ack_at=None))
            calls = [wire.Request(ref, "files.list", msgspec.Raw(b'{"path":"listed"}')) for ref in range(1, 17)]
            await client.send(*calls)
            await client.wait_for(partial(has_item, client), "a first page")
        yield


@pytest.mark.parametrize("names", [["enemy"] * 2, ["enemy"] * 6, [f"enemy{n}" for n in range(6)]], ids=len)
async def test_listings_that_nobody_takes_hold_up_nobody_s(server: RealServer, names: list[str]) -> None:
    (server.root / "listed").mkdir(exist_ok=True)
    for number in range(LISTED):
        (server.root / "listed" / f"file{number}.txt").touch()
    (helper,) = helpers(server)
    async with stuck(server, names):
        for name in ("h", "enemy"):
            async with HubClient(user(server, name)) as client:
                assert len(await client.list_files("listed", timeout_s=5)) == LISTED
                assert len(await client.list_files("listed", timeout_s=5)) == LISTED
        assert len(os.listdir(f"/proc/{helper}/fd")) < 80
    await until(lambda: len(os.listdir(f"/proc/{helper}/fd")) < 12, "nothing of it is left")


# Clients that want too much


async def test_a_flood_of_requests_is_answered_or_refused_and_others_are_served(server: RealServer) -> None:
    number = 3000
    async with honest(server, "flooded", user(server, "h")), enemy(user(server, "enemy")) as connection:
        await connection.send('[{"type":"hello"}]')
        for start in range(1, number + 1, 500):
            refs = range(start, start + 500)
            calls = ",".join(f'{{"type":"request","ref":{ref},"method":"chat.rooms"}}' for ref in refs)
            with suppress(ConnectionClosed):
                await connection.send(f"[{calls}]")
        answered, code = await answers(connection, number)
        assert len(answered) == len(set(answered)), "a request was answered twice"
        assert code == Code.RATE_LIMITED or sorted(answered) == list(range(1, number + 1))


async def answers(connection: ClientConnection, number: int) -> tuple[list[int], int | None]:
    """The refs that are answered, by a result or by a refusal that says to come later; and the close code."""
    decode = msgspec.json.decode
    answered: list[int] = []
    with suppress(ConnectionClosed):
        async with asyncio.timeout(20):
            while len(answered) < number:
                for message in decode(await connection.recv()):
                    if message["type"] == "reply":
                        answered.append(message["ref"])
                        assert message.get("error", {}).get("code", "") in ("", "busy", "rate_limited")
    return answered, connection.close_code


@pytest.mark.parametrize("params", [{}, {"type": "file"}, {"type": "file", "format": "base64"}], ids=str)
async def test_a_file_that_no_answer_can_hold_is_not_read(server: RealServer, params: dict[str, str]) -> None:
    with (server.root / "huge.bin").open("wb") as file:
        file.truncate(100 * MB)
    async with HubClient(user(server, "h")) as client:
        before = server.resident_bytes
        with pytest.raises(HubError) as caught:
            await client.request("files.get", {"path": "huge.bin", **params})
        limit = OUTBOX_BYTES // 2 if "format" not in params else OUTBOX_BYTES // 2 * 3 // 4
        assert (caught.value.code, caught.value.details) == (Code.TOO_BIG, {"size": 100 * MB, "limit": limit})
        assert server.resident_bytes - before < 12 * MB


async def test_a_stranger_s_token_opens_nothing_of_the_other_s(server: RealServer) -> None:
    async with (
        honest(server, "tokens", user(server, "h")),
        HubClient(user(server, "alice")) as alice,
        HubClient(user(server, "mallory")) as mallory,
    ):
        await alice.subscribe("notifications/me")
        await alice.request("notifications.post", {"title": "for alice"})
        mine = mallory.welcome
        assert mine is not None and alice.welcome is not None
        for session, token in (
            (alice.welcome.session, alice.welcome.resume),
            (alice.welcome.session, mine.resume),
            (mine.session, alice.welcome.resume),
        ):
            mallory.welcome = msgspec.structs.replace(mine, session=session, resume=token)
            mallory.positions = {"notifications/me": alice.positions["notifications/me"]}
            welcome = await mallory.connect()
            assert not welcome.resumed and welcome.principal == "mallory"
            assert welcome.session != alice.welcome.session
        await mallory.wait_for(lambda: mallory.subscribed, "an answer about the topic")
        assert mallory.subscribed[-1].status == "reset"
        assert (await mallory.request("notifications.list"))["items"] == []
        assert mallory.events == []
        await alice.request("notifications.post", {"title": "alice goes on"})
        assert len(await alice.next_events(2)) == 2 and alice.close_code is None
