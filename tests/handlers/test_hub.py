"""`/ws` with real tornado: what is wrong gets its error and does nothing; what ends, ends with its code."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from jupyter_ws_hub.handlers import ticker
from jupyter_ws_hub.protocol import HUB_SUBPROTOCOL
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.protocol.messages import Cancel, Position
from jupyter_ws_hub.services.files import topic_of
from tests.support.client import Address, HubClient


@pytest.fixture
def jp_server_config(jp_server_config: dict[str, Any], request: pytest.FixtureRequest) -> dict[str, Any]:
    """With the settings of HubApp that a test asks for."""
    jp_server_config["HubApp"].update(getattr(request, "param", {}))
    return jp_server_config


def hub_settings(**traits: object) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("jp_server_config", [traits], indirect=True)


@pytest.fixture
def address(http_server: Any, jp_http_port: int, jp_base_url: str, jp_auth_header: dict[str, str]) -> Address:
    return Address(jp_http_port, jp_base_url, jp_auth_header)


@pytest.fixture
def fast_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time passes for a connection every 10 ms instead of every second."""
    monkeypatch.setattr(ticker, "TICK_S", 0.01)


def tree(root: Path) -> dict[str, tuple[bytes | None, int]]:
    """All that is under a directory: contents and modification times."""
    return {
        str(path.relative_to(root)): (path.read_bytes() if path.is_file() else None, path.stat().st_mtime_ns)
        for path in sorted(root.rglob("*"))
    }


@pytest.fixture
def unchanged(jp_root_dir: Path) -> Iterator[Path]:
    """The server's root with some files; after the test it is as it was, and so is what lies beside it."""
    (jp_root_dir / "sub").mkdir()
    (jp_root_dir / "a.txt").write_text("a")
    (jp_root_dir / ".hidden.txt").write_text("hidden")
    (jp_root_dir / "sub" / ".git").mkdir()
    (jp_root_dir / "sub" / ".git" / "config").write_text("hidden")
    outside = jp_root_dir.parent / "outside.txt"
    outside.write_text("outside")
    before = tree(jp_root_dir)
    yield jp_root_dir
    assert tree(jp_root_dir) == before
    assert outside.read_text() == "outside"


async def refusal(work: Any) -> HubError:
    with pytest.raises(HubError) as caught:
        await work
    return caught.value


# Frames that break the protocol end the connection


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("this is no JSON", Code.BAD_FRAME),
        ('{"type":"ping"}', Code.BAD_FRAME),
        ('[{"type":"ping"}', Code.BAD_FRAME),
        ("[1]", Code.BAD_FRAME),
        ("[[]]", Code.BAD_FRAME),
        ('[{"type":"hello"}]', Code.BAD_FRAME),
        (b'[{"type":"ping"}]', Code.BAD_FRAME),
        ("[" * 5000 + "]" * 5000, Code.BAD_FRAME),
        (" " * (1024 * 1024) + "[]", Code.TOO_BIG),
    ],
    ids=["no JSON", "no array", "cut short", "number", "array", "second hello", "binary", "too deep", "too big"],
)
async def test_a_frame_that_breaks_the_protocol_ends_the_connection_and_does_nothing(
    address: Address, unchanged: Path, frame: str | bytes, code: Code
) -> None:
    async with HubClient(address) as client:
        await client.socket.send(frame)
        assert await client.wait_closed() == code
        (bye,) = client.others
        assert (bye.type, bye.code) == ("bye", code)
        assert bye.reason
    async with HubClient(address) as client:
        assert await client.request("chat.rooms")


async def test_a_frame_far_above_the_limit_is_not_even_read(address: Address) -> None:
    async with HubClient(address) as client:
        with pytest.raises(ConnectionClosed):
            async with asyncio.timeout(5):
                await client.socket.send(" " * (8 * 1024 * 1024))
                await client.socket.wait_closed()
                await client.socket.send("[]")
        assert await client.wait_closed() in (1006, 1009)


@pytest.mark.parametrize(
    "frame", ['[{"type":"ping"}]', '[{"type":"request","ref":1,"method":"chat.rooms"}]', '[{"type":"nonsense"}]']
)
async def test_before_hello_nothing_else_may_come(address: Address, frame: str) -> None:
    socket = await address.open("ws", HUB_SUBPROTOCOL)
    await socket.send(frame)
    async with asyncio.timeout(5):
        (bye,) = json.loads(await socket.recv())
        await socket.wait_closed()
    assert (bye["type"], bye["code"], socket.close_code) == ("bye", 4500, 4500)


# Messages that are wrong get an error, the connection lives on


@pytest.mark.parametrize(
    ("envelope", "code"),
    [
        ({"type": "teleport", "ref": 7}, "unknown_type"),
        ({"type": "request", "ref": 7}, "invalid"),
        ({"type": "request", "ref": 7, "method": 5}, "invalid"),
        ({"type": "request", "ref": 7, "method": "files.fly"}, "unknown_method"),
        ({"type": "request", "ref": 7, "method": "files.list", "params": {"path": 5}}, "invalid"),
        ({"type": "request", "ref": 7, "method": "files.list", "params": []}, "invalid"),
        ({"type": "request", "ref": 7, "method": "files.list"}, "invalid"),
        ({"type": "request", "ref": 7, "method": "chat.rooms", "timeout_ms": "soon"}, "invalid"),
        ({"type": "request", "ref": 7, "method": "chat.rooms", "timeout_ms": 10**400}, None),
        ({"type": "subscribe", "ref": 7, "topic": "kernels"}, "unknown_topic"),
        ({"type": "subscribe", "ref": 7, "topic": "chat/nowhere"}, "not_found"),
        ({"type": "subscribe", "ref": 7, "topic": "chat/general", "since": "yesterday"}, "invalid"),
        ({"type": "subscribe", "ref": 7, "topic": "chat/general", "since": {"offset": 1}}, "invalid"),
        ({"type": "cancel", "ref": 7}, "not_found"),
    ],
    ids=lambda value: json.dumps(value)[:60] if isinstance(value, dict) else str(value),
)
async def test_a_wrong_message_gets_its_error_and_the_connection_lives_on(
    address: Address, unchanged: Path, envelope: dict[str, Any], code: str | None
) -> None:
    async with HubClient(address) as client:
        await client.socket.send(json.dumps([envelope]))
        (reply,) = await client.wait_for(lambda: client.others, "an answer", 3)
        assert reply.ref == 7
        if code is not None:
            assert reply.error is not None
            assert (reply.type, reply.error.code) == ("reply", code)
            assert reply.error.message
    async with HubClient(address) as client:
        await client.socket.send(json.dumps([envelope, {"type": "request", "ref": 8, "method": "chat.rooms"}]))
        await client.wait_for(lambda: [m for m in client.others if m.ref == 8], "the next request's answer")
        assert client.close_code is None


@pytest.mark.parametrize("offset", [-1, 2**31, 2**63, 2**70])
async def test_every_position_is_answered_also_one_that_no_log_can_have(address: Address, offset: int) -> None:
    async with HubClient(address) as client:
        await client.request("chat.post", {"room": "general", "text": "one", "id": "1"})
        now = await client.subscribe("chat/general")
        assert now.position is not None
        answer = await client.subscribe("chat/general", Position(now.position.epoch, offset, "x"), timeout_s=3)
        assert answer.status == "reset"
        assert answer.snapshot["messages"][0]["text"] == "one"


# Paths

OUTSIDE = ["../outside.txt", "sub/../../outside.txt", "/../outside.txt", "sub/../../root_dir/../outside.txt"]
HIDDEN = [".hidden.txt", "sub/.git/config", "sub/.git", "sub/.git/new.txt", ".new.txt", "sub/../.hidden.txt"]
NO_PATH = ["nowhere/x.txt", "a.txt/x.txt", "nul\x00.txt"]


def every_request_with(path: str) -> list[tuple[str, dict[str, Any]]]:
    return [
        ("files.list", {"path": path}),
        ("files.stat", {"path": path}),
        ("files.get", {"path": path}),
        ("files.save", {"path": path, "content": "x"}),
        ("files.create", {"path": path}),
        ("files.create", {"path": path, "type": "directory"}),
        ("files.rename", {"path": path, "to": "b.txt"}),
        ("files.rename", {"path": "a.txt", "to": path}),
        ("files.copy", {"path": path, "to": "b.txt"}),
        ("files.copy", {"path": "a.txt", "to": path}),
        ("files.delete", {"path": path}),
        ("files.page", {"path": path, "first": 0, "limit": 10}),
        ("files.mkdir", {"path": path}),
        ("files.move", {"path": path, "to": "b.txt"}),
        ("files.move", {"path": "a.txt", "to": path}),
        ("files.checkpoints", {"path": path}),
        ("files.checkpoint", {"path": path}),
        ("files.restore", {"path": path, "id": "checkpoint"}),
        ("files.delete_checkpoint", {"path": path, "id": "checkpoint"}),
        ("transfers.create", {"direction": "download", "path": path}),
        ("transfers.create", {"direction": "upload", "path": path, "size": 1, "if_exists": "overwrite"}),
    ]


@pytest.mark.parametrize("path", [*OUTSIDE, *HIDDEN, *NO_PATH])
async def test_what_is_outside_the_root_or_hidden_is_not_there_for_any_request(
    address: Address, unchanged: Path, path: str
) -> None:
    async with HubClient(address) as client:
        for method, params in every_request_with(path):
            error = await refusal(client.request(method, params))
            assert error.code is Code.NOT_FOUND, (method, params, error)
            assert str(unchanged.parent) not in error.message
        if path not in NO_PATH:
            assert (
                await refusal(client.request("files.mkdir", {"path": path, "parents": True}))
            ).code is Code.NOT_FOUND
        assert (await refusal(client.subscribe(topic_of(path)))).code is Code.NOT_FOUND
        assert (await client.request("transfers.list"))["transfers"] == []


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("files.delete", {"path": ""}),
        ("files.delete", {"path": "/"}),
        ("files.rename", {"path": "", "to": "b"}),
        ("files.rename", {"path": "sub", "to": "sub/b"}),
        ("files.save", {"path": "", "content": "x"}),
        ("files.create", {"path": ""}),
        ("files.mkdir", {"path": ""}),
        ("files.move", {"path": "", "to": "sub"}),
        ("files.move", {"path": "sub", "to": "sub"}),
        ("files.checkpoint", {"path": "sub"}),
        ("files.restore", {"path": "a.txt", "id": "../../outside"}),
        ("transfers.create", {"direction": "upload", "path": "", "size": 1}),
        ("transfers.create", {"direction": "upload", "path": "sub", "size": 1, "if_exists": "overwrite"}),
        ("transfers.create", {"direction": "download", "path": "sub"}),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else str(value),
)
async def test_a_directory_in_a_place_where_it_cannot_be_is_refused_for_good(
    address: Address, unchanged: Path, method: str, params: dict[str, Any]
) -> None:
    async with HubClient(address) as client:
        error = await refusal(client.request(method, params, timeout_s=5))
        assert not error.code.retryable, error


# The life of a connection


async def test_ping_is_answered_and_so_are_bye_and_unsubscribe(address: Address) -> None:
    async with HubClient(address) as client:
        await client.socket.send('[{"type":"ping","t":42},{"type":"unsubscribe","ref":900,"topic":"chat/general"}]')
        await client.wait_for(lambda: len(client.others) == 2, "pong and reply")
        assert [(m.type, m.t, m.ref) for m in client.others] == [("pong", 42, None), ("reply", 0, 900)]
        assert await client.bye() == 1000


@hub_settings(hello_timeout_s=0.1)
async def test_a_client_that_says_nothing_is_closed_as_too_late(address: Address, fast_ticks: None) -> None:
    socket = await address.open("ws", HUB_SUBPROTOCOL)
    async with asyncio.timeout(5):
        (bye,) = json.loads(await socket.recv())
        await socket.wait_closed()
    assert (bye["code"], socket.close_code) == (4003, 4003)


@hub_settings(heartbeat_interval_s=0.2, heartbeat_grace_s=0.4)
async def test_a_client_that_answers_no_ping_is_closed_and_one_that_does_is_not(
    address: Address, fast_ticks: None
) -> None:
    silent = await address.open("ws", HUB_SUBPROTOCOL)
    async with HubClient(address) as client:
        await silent.send('[{"type":"hello"}]')
        async with asyncio.timeout(5):
            messages = []
            with pytest.raises(ConnectionClosed):
                while True:
                    messages += json.loads(await silent.recv())
        assert [message["type"] for message in messages if message["type"] != "ping"] == ["welcome", "bye"]
        assert "ping" in [message["type"] for message in messages]
        assert silent.close_code == 4002
        assert await client.request("chat.rooms")


@hub_settings(heartbeat_interval_s=0.5, heartbeat_grace_s=0.5)
async def test_a_short_heartbeat_is_kept_to_as_well(address: Address) -> None:
    silent = await address.open("ws", HUB_SUBPROTOCOL)
    await silent.send('[{"type":"hello"}]')
    async with asyncio.timeout(6):
        await silent.wait_closed()
    assert silent.close_code == 4002


async def test_a_newer_connection_takes_the_session_over(address: Address) -> None:
    async with HubClient(address) as old, HubClient(address) as new:
        await new.bye()
        new.welcome = old.welcome
        assert (await new.connect()).resumed
        assert await old.wait_closed() == 4504
        assert await new.request("chat.rooms")


@hub_settings(max_connections=1)
async def test_one_connection_too_many_is_sent_away_for_now(address: Address) -> None:
    async with HubClient(address):
        socket = await address.open("ws", HUB_SUBPROTOCOL)
        async with asyncio.timeout(5):
            await socket.wait_closed()
        assert socket.close_code == Code.BUSY
    async with HubClient(address) as client:
        assert await client.request("chat.rooms")


@pytest.mark.parametrize("token", ["wrong", "", "wröng", None])
async def test_a_wrong_resume_token_gives_a_new_session(address: Address, token: str | None) -> None:
    async with HubClient(address) as client:
        first = client.welcome
        assert first is not None
        socket = await address.open("ws", HUB_SUBPROTOCOL)
        await socket.send(json.dumps([{"type": "hello", "session": first.session, "resume": token}]))
        async with asyncio.timeout(5):
            (welcome, *_) = json.loads(await socket.recv())
        assert welcome["resumed"] is False
        assert welcome["session"] != first.session
        assert await client.request("chat.rooms")
        await socket.close()


async def test_a_session_survives_any_number_of_welcomes_that_were_lost_on_the_way(address: Address) -> None:
    async with HubClient(address) as client:
        assert client.welcome is not None
        hello = {"type": "hello", "session": client.welcome.session, "resume": client.welcome.resume}
        await client.drop()
        for _ in range(3):
            socket = await address.open("ws", HUB_SUBPROTOCOL)
            await socket.send(json.dumps([hello]))
            async with asyncio.timeout(5):
                await socket.recv()  # the server has sent a welcome; this client never sees it
            socket.transport.abort()
            await socket.wait_closed()
        assert (await client.connect()).resumed


async def test_a_cancelled_request_is_answered(address: Address, jp_serverapp: Any) -> None:
    (app,) = jp_serverapp.extension_manager.extension_apps["jupyter_ws_hub"]
    hanging = asyncio.Event()

    async def hang(*args: Any) -> None:
        hanging.set()
        await asyncio.Event().wait()

    async with HubClient(address) as client:
        object.__setattr__(app._hub.router.methods["chat.rooms"], "call", hang)
        request = asyncio.create_task(client.request("chat.rooms"))
        await hanging.wait()
        await client.send(Cancel(1))
        assert (await refusal(request)).code is Code.CANCELLED
        late = asyncio.create_task(client.request("chat.rooms", timeout_ms=20))
        assert (await refusal(late)).code is Code.TIMEOUT


async def test_what_was_asked_when_the_connection_broke_runs_once_and_is_answered_after_it(address: Address) -> None:
    async with HubClient(address) as client:
        for number in range(5):
            params = {"title": "hi", "id": f"{number}"}
            posted = asyncio.create_task(client.request("notifications.post", params))
            await asyncio.sleep(0)
            assert (await client.connect()).resumed
            assert (await posted)["offset"] == number + 1
        # The reply may come twice, because the server tells what it has before it is asked; never two different ones.
        assert {message.type for message in client.others} <= {"reply", "live"}
        assert len((await client.request("notifications.list"))["items"]) == 5


async def test_errors_name_the_table_s_row_and_whether_to_try_again(address: Address) -> None:
    socket = await address.open("ws", HUB_SUBPROTOCOL)
    await socket.send(json.dumps([{"type": "hello"}, {"type": "request", "ref": 1, "method": "no.such"}]))
    frames: list[Any] = []
    async with asyncio.timeout(5):
        while not any(message["type"] == "reply" for message in frames):
            frames += json.loads(await socket.recv())
    (reply,) = [message for message in frames if message["type"] == "reply"]
    assert reply["error"].keys() == {"code", "message", "retryable"}
    assert reply["error"]["retryable"] is False
    await socket.close()
