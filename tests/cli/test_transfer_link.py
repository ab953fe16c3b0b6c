"""The streams of one operation: which ends are followed by another, and which are the end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import msgspec
import pytest
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.server import ServerConnection

from jupyter_ws_hub.cli import transfer_link
from jupyter_ws_hub.cli.servers import CommandError, Server
from jupyter_ws_hub.cli.transfer_link import LocalError, TransferLink, attend
from jupyter_ws_hub.protocol import transfer as wire
from jupyter_ws_hub.protocol import transfer_client
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import ErrorInfo, HubError
from jupyter_ws_hub.protocol.transfer_client import UploadSender

from ..support.scripted import Script, scripted

DONE = wire.Done("p", 0, "r", "e")
WELCOME = wire.StreamWelcome("upload", "p", 0, 0, 0, 0, 4, "xxh3-128")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(transfer_link, "BACKOFF_S", (0.01,))
    monkeypatch.setattr(transfer_link, "PAUSED_S", 0.01)
    monkeypatch.setattr(transfer_link, "NOTICE_S", 0.0)
    yield


def saying(*messages: wire.StreamServerMessage, code: int | None = 1000) -> Script:
    """Answer hello, and close."""

    async def script(socket: ServerConnection) -> None:
        await socket.recv()
        for message in messages:
            await socket.send(wire.encode_stream(message))
        if code is None:
            socket.transport.abort()
        else:
            await socket.close(code)

    return script


def failing(code: Code, **more: object) -> Script:
    info = ErrorInfo(code.wire_name, f"It is {code.wire_name}.", code.retryable)
    return saying(wire.StreamError(info), code=code.value)


def drive(machine: UploadSender) -> Callable[[ClientConnection], Awaitable[wire.Done]]:
    """The smallest driver."""

    async def driven(socket: ClientConnection) -> wire.Done:
        now_s = asyncio.get_running_loop().time

        def take(message: wire.StreamServerMessage | bytes) -> wire.Done | None:
            assert not isinstance(message, bytes)
            news = machine.receive(message, now_s())
            return news if isinstance(news, wire.Done) else None

        return await attend(socket, machine, machine.hello(now_s()), take)

    return driven


async def outcome(*scripts: Script) -> tuple[wire.Done, list[str]]:
    notices: list[str] = []
    async with scripted(*scripts) as server:
        link = TransferLink(server, "op", notices.append)
        done = await link.run(drive(UploadSender(0)))
        link.progress()
        return done, notices


async def test_it_comes_back_until_it_is_done() -> None:
    cuts = [saying(WELCOME, code=None), saying(code=1001), saying(WELCOME, code=4000), failing(Code.NO_SPACE)]
    done, notices = await outcome(*cuts, saying(DONE))
    assert done == DONE
    assert "no connection; trying again" in notices and "It is no_space." in notices and notices[-1] == ""


async def test_one_that_is_paused_is_waited_for() -> None:
    done, notices = await outcome(failing(Code.PAUSED), failing(Code.PAUSED), saying(DONE))
    assert done == DONE and "paused elsewhere" in notices[0]


@pytest.mark.parametrize("code", [Code.NOT_FOUND, Code.CANCELLED, Code.SUPERSEDED, Code.EXISTS, Code.BAD_FRAME])
async def test_what_has_failed_has_failed(code: Code) -> None:
    for script in (failing(code), saying(code=code.value)):
        with pytest.raises(HubError) as caught:
            await outcome(script)
        assert caught.value.code is code


async def test_a_message_that_is_too_large_is_too_large_each_time() -> None:
    """To try again would go on for ever."""
    large = msgspec.structs.replace(WELCOME, digests=["0" * 64] * 40_000)
    async with asyncio.timeout(10):
        with pytest.raises(HubError, match="larger than this command takes") as caught:
            await outcome(saying(large, code=None))
        assert caught.value.code is Code.TOO_BIG
        with pytest.raises(HubError, match="larger than the server takes") as caught:
            await outcome(saying(code=1009))
        assert caught.value.code is Code.TOO_BIG


async def test_the_reason_comes_before_the_end_of_the_connection() -> None:
    """A driver that is still sending sees the close first."""
    notices: list[str] = []

    async def flood(socket: ClientConnection) -> wire.Done:
        machine = UploadSender(0)
        now_s = asyncio.get_running_loop().time()

        def take(message: wire.StreamServerMessage | bytes) -> wire.Done | None:
            assert not isinstance(message, bytes)
            machine.receive(message, now_s)
            return None

        async def write() -> None:
            while True:
                await socket.send(bytes(60_000))

        return await attend(socket, machine, machine.hello(now_s), take, write)

    async with scripted(failing(Code.FORBIDDEN)) as server:
        with pytest.raises(HubError) as caught:
            await TransferLink(server, "op", notices.append).run(flood)
    assert caught.value.code is Code.FORBIDDEN


async def test_what_goes_wrong_here_is_not_tried_again() -> None:
    async def broken(socket: ClientConnection) -> wire.Done:
        async def write() -> None:
            raise LocalError("gone")

        machine = UploadSender(0)
        return await attend(socket, machine, machine.hello(asyncio.get_running_loop().time()), lambda _: None, write)

    async with scripted(saying()) as server:
        with pytest.raises(LocalError, match="gone"):
            await TransferLink(server, "op", lambda _: None).run(broken)


async def test_a_dead_connection_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer_link, "LOOK_S", 0.02)
    monkeypatch.setattr(transfer_client, "ASK_S", 0.05)
    monkeypatch.setattr(transfer_client, "DEAD_S", 0.2)
    asked: list[str] = []

    async def silent(socket: ServerConnection) -> None:
        async for message in socket:
            asked.append(str(message))

    async with scripted(silent, saying(DONE)) as server:
        assert await TransferLink(server, "op", lambda _: None).run(drive(UploadSender(0))) == DONE
    assert any("ping" in message for message in asked)


async def test_a_login_that_is_no_good_any_more_ends_it() -> None:
    with pytest.raises((CommandError, HubError)):
        await outcome(saying(code=4501))


async def test_a_server_that_is_away_is_waited_for() -> None:
    notices: list[str] = []

    class Enough(Exception):
        pass

    def notice(text: str) -> None:
        notices.append(text)
        if len(notices) == 3:
            raise Enough

    with pytest.raises(Enough):
        await TransferLink(Server("http://127.0.0.1:1/"), "op", notice).run(drive(UploadSender(0)))
    assert notices == ["no connection; trying again"] * 3
