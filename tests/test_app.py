"""The composition root: what fails is told and does not take the rest with it, and the end comes soon and quietly."""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jupyter_ws_hub import __version__, services
from jupyter_ws_hub import app as app_module
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.services.base import Health, Service
from jupyter_ws_hub.services.chat import ChatService
from jupyter_ws_hub.services.notifications import NotificationsService
from jupyter_ws_hub.storage.base import Draft
from jupyter_ws_hub.transfers import store
from tests.support.assistants import Puppet, ScriptedAssistant
from tests.support.client import Address, HubClient, until
from tests.support.fakes import fake_runtime
from tests.support.follower import Follower
from tests.transfers.test_store import FakeStream


@pytest.fixture
def jp_server_config(jp_server_config: dict[str, Any], request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """With the traits of HubApp that a test asks for; `TMP` in them is the test's directory."""
    for name, value in getattr(request, "param", {}).items():
        jp_server_config["HubApp"][name] = value.replace("TMP", str(tmp_path)) if isinstance(value, str) else value
    return jp_server_config


def traits(*sets: dict[str, Any]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("jp_server_config", sets, indirect=True)


@pytest.fixture
def address(http_server: Any, jp_http_port: int, jp_base_url: str, jp_auth_header: dict[str, str]) -> Address:
    return Address(jp_http_port, jp_base_url, jp_auth_header)


@pytest.fixture
def app(jp_serverapp: Any) -> Any:
    (app,) = jp_serverapp.extension_manager.extension_apps["jupyter_ws_hub"]
    return app


async def states(client: HubClient) -> dict[str, tuple[str, str | None]]:
    status = await client.request("status.get")
    return {service["id"]: (service["state"], service["reason"]) for service in status["services"]}


# The database


@pytest.fixture
def broken(tmp_path: Path) -> None:
    """Paths that are no database: a directory, a file of something else, and a place in a file."""
    (tmp_path / "directory").mkdir()
    (tmp_path / "garbage").write_bytes(b"this is no database" * 100)


@traits({"database": "TMP/directory"}, {"database": "TMP/garbage/hub.sqlite"})
async def test_a_database_that_cannot_be_used_is_told_and_memory_serves(
    broken: None, caplog: pytest.LogCaptureFixture, address: Address, app: Any
) -> None:
    # Once more, because the log of a fixture's setup is not kept.
    assert app._open_storage(app.freeze("test", Path("unused")), fake_runtime()).degraded
    assert [record.levelno for record in caplog.records if "cannot be used" in record.getMessage()] == [logging.WARNING]
    async with HubClient(address) as client:
        for state, reason in (await states(client)).values():
            assert state == "degraded"
            assert reason is not None
            assert "memory" in reason
        await client.request("chat.post", {"room": "general", "text": "hi", "id": "1"})
        assert len((await client.request("chat.history", {"room": "general"}))["messages"]) == 1


@traits({"database": "TMP/garbage"})
async def test_a_file_that_is_no_database_is_set_aside(broken: None, address: Address, tmp_path: Path) -> None:
    async with HubClient(address) as client:
        assert set((await states(client)).values()) == {("ok", None)}
        await client.request("chat.post", {"room": "general", "text": "hi", "id": "1"})
    (aside,) = [file for file in tmp_path.iterdir() if file.name.startswith("garbage.corrupt-")]  # noqa: ASYNC240
    assert aside.read_bytes().startswith(b"this is no database")


@traits({"database": "TMP/directory/hub.sqlite", "database_retry_s": 0.05})
async def test_a_database_that_can_be_used_again_is_used(broken: None, address: Address, app: Any) -> None:
    await app._storage.log.append("before", [Draft("1", "kind", 0, b"{}")])
    await app._storage.current._writer.submit(lambda c: c.execute("PRAGMA max_page_count=1").fetchall())
    await app._storage.values.put("big", bytes(100_000))
    assert app._storage.degraded
    async with HubClient(address) as client:
        await until(lambda: app._storage.degraded is None, "the file to be used again")
        assert set((await states(client)).values()) == {("ok", None)}
    found = await app._storage.values.get("big")
    assert found is not None and len(found.value) == 100_000


async def test_with_a_database_all_is_well_and_the_file_is_the_user_s_own(address: Address, tmp_path: Path) -> None:
    async with HubClient(address) as client:
        assert set((await states(client)).values()) == {("ok", None)}
    assert_private(tmp_path / "hub.sqlite")


def assert_private(path: Path) -> None:
    assert path.stat().st_mode & 0o077 == 0


@traits({"keep_messages": False})
async def test_where_messages_are_not_to_be_kept_no_file_is_made_and_nothing_is_wrong(
    address: Address, tmp_path: Path
) -> None:
    async with HubClient(address) as client:
        await client.request("chat.post", {"room": "general", "text": "hi", "id": "1"})
        assert set((await states(client)).values()) == {("ok", None)}
    assert not list(tmp_path.glob("hub.sqlite*"))  # noqa: ASYNC240  # a test's own directory


@traits({"database": ""})
async def test_each_root_has_a_file_of_its_own_in_jupyter_s_data_directory(
    address: Address, jp_data_dir: Path, jp_root_dir: Path, app: Any
) -> None:
    path = app._default_database(app.serverapp)
    assert path.parent == jp_data_dir / "ws_hub"
    assert path in (jp_data_dir / "ws_hub").iterdir()
    assert path == app._default_database(app.serverapp)
    app.serverapp.root_dir = str(jp_root_dir.parent)
    assert path != app._default_database(app.serverapp)


# Services


async def boom(*arguments: object) -> None:
    raise RuntimeError("no luck today")


@pytest.fixture
def chat_cannot_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ChatService, "start", boom)


async def test_a_service_that_cannot_start_is_down_and_the_others_work(
    chat_cannot_start: None, address: Address, caplog: pytest.LogCaptureFixture
) -> None:
    async with HubClient(address) as client:
        seen = await states(client)
        assert seen.pop("chat") == ("down", "It could not start: RuntimeError.")
        assert set(seen.values()) == {("ok", None)}
        await client.request("notifications.post", {"title": "hi"})
        assert await client.list_files("") == []
        (event,) = [value for value in (await client.subscribe("status")).snapshot if value["data"]["id"] == "chat"]
        assert event["data"]["state"] == "down"
    assert "no luck today" in caplog.text


async def test_a_service_that_cannot_tell_how_it_is_is_down(monkeypatch: pytest.MonkeyPatch, address: Address) -> None:
    def health(self: Service) -> Health:
        raise ValueError("who knows")

    monkeypatch.setattr(NotificationsService, "health", health)
    async with HubClient(address) as client:
        assert (await states(client))["notifications"] == ("down", "It failed: ValueError.")


@traits({"disabled_services": ["chat", "status"]})
async def test_a_disabled_service_is_not_there(address: Address) -> None:
    async with HubClient(address) as client:
        for method in ("chat.rooms", "status.get"):
            with pytest.raises(HubError) as caught:
                await client.request(method)
            assert caught.value.code is Code.UNKNOWN_METHOD
        with pytest.raises(HubError) as caught:
            await client.subscribe("chat/general")
        assert caught.value.code is Code.UNKNOWN_TOPIC
        await client.request("notifications.list")


class NoName(Service):
    """A service of another package that forgot its name."""


class NameTaken(Service):
    """A service of another package that declares a method which is taken."""

    name = "another"

    def methods(self) -> Iterator[Any]:
        """Chat's."""
        yield from ChatService().methods()


class BadBind(Service):
    """A service of another package that fails at once."""

    name = "bad-bind"

    def bind(self, context: Any) -> None:
        """Fail."""
        raise RuntimeError("no luck today")


@pytest.fixture(params=[NoName, NameTaken, BadBind], ids=lambda kind: kind.__name__)
def foreign_service(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.setattr(services, "load_plugins", lambda *which: [("foreign (foreign:Service)", request.param)])


async def test_a_broken_service_of_another_package_does_not_take_the_hub_with_it(
    foreign_service: None, address: Address
) -> None:
    async with HubClient(address) as client:
        assert await client.request("chat.rooms")


# Start and end


async def test_services_start_once_for_all_first_connections(
    monkeypatch: pytest.MonkeyPatch, address: Address, jp_serverapp: Any
) -> None:
    started: list[float] = []

    async def start(self: Service) -> None:
        started.append(time.monotonic())
        await asyncio.sleep(0)

    monkeypatch.setattr(NotificationsService, "start", start)
    clients = [HubClient(address) for _ in range(5)]
    await asyncio.gather(jp_serverapp.extension_manager.start_all_extensions(), *(c.connect() for c in clients))
    assert len(started) == 1
    for client in clients:
        await client.drop()


async def stop_of(app: Any, limit_s: float = 3.5) -> None:
    """Stop; fails if that raises, or takes longer than was promised."""
    started = time.monotonic()
    await app.stop_extension()
    assert time.monotonic() - started < limit_s


async def test_an_app_that_was_never_used_stops(app: Any) -> None:
    await stop_of(app, 1)
    await stop_of(app, 1)


async def test_clients_are_told_when_to_come_back_and_nothing_goes_on(address: Address, app: Any) -> None:
    async with HubClient(address) as client:
        await client.subscribe("chat/general")
        await stop_of(app, 2)
        assert await client.wait_closed() == 4000
        (bye,) = [message for message in client.others if message.type == "bye"]
        assert bye.retry_after_ms == app_module.RETRY_AFTER_MS
    names = [task.get_name() + repr(task.get_coro()) for task in asyncio.all_tasks()]
    assert not [name for name in names if "jupyter_ws_hub" in name or "_sweep" in name or "_watch" in name]


@traits({"report_stalls_ms": 40.0}, {})
async def test_what_blocks_the_loop_is_looked_for_where_that_is_asked_for_until_the_end(
    address: Address, app: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def block() -> None:
        time.sleep(0.2)

    async with HubClient(address):
        threads = [thread for thread in threading.enumerate() if thread.name == "jupyter-ws-hub-watchdog"]
        assert len(threads) == (0 if app._monitor is None else 1)
        asyncio.get_running_loop().call_soon(block)
        if app._monitor is None:
            return
        stall = await until(lambda: app._monitor.longest, "the stall")
        assert "block (" in stall.callback
        await until(lambda: "stood still for" in caplog.text, "the warning, which its thread writes after that")
        await stop_of(app)
    assert not threads[0].is_alive()


async def hang(*arguments: object) -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize("failure", [hang, boom])
async def test_a_service_that_does_not_stop_holds_up_nothing_for_long(
    monkeypatch: pytest.MonkeyPatch, address: Address, app: Any, failure: Callable[..., Any], tmp_path: Path
) -> None:
    assert app_module.STOP_S <= 3
    monkeypatch.setattr(app_module, "STOP_S", 0.3)
    monkeypatch.setattr(ChatService, "stop", failure)
    async with HubClient(address) as client:
        await client.request("chat.rooms")
        await stop_of(app, 1)
    with sqlite3.connect(tmp_path / "hub.sqlite") as connection:
        assert connection.execute("SELECT COUNT(*) FROM keyvalues").fetchone()[0] >= 1
    connection.close()


async def test_the_end_does_not_wait_for_a_database_that_another_process_holds(
    address: Address, app: Any, tmp_path: Path
) -> None:
    async with HubClient(address) as client:
        await client.request("chat.rooms")
        other = sqlite3.connect(tmp_path / "hub.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        post = asyncio.create_task(client.request("chat.post", {"room": "general", "text": "hi", "id": "1"}))
        try:
            await client.list_files("")
            await stop_of(app)
        finally:
            other.close()
            post.cancel()
            await asyncio.wait([post])


async def test_a_transfer_under_way_keeps_the_server_from_being_stopped_as_idle(address: Address, app: Any) -> None:
    assert app.current_activity() is None
    async with HubClient(address) as client:
        op = (await client.request("transfers.create", {"direction": "upload", "path": "a", "size": 1}))["op"]
        assert app.current_activity() is None
        operation = await app._transfers.find(op, "owner")
        await app._transfers.claim(operation, stream := FakeStream())
        assert app.current_activity() == {"transfers": 1}
        await app._transfers.released(operation, stream)
        assert app.current_activity() is None


async def test_an_answer_keeps_the_server_from_being_stopped_as_idle_and_ends_before_the_database_closes(
    address: Address, app: Any
) -> None:
    puppet = app._assistants["puppet"] = Puppet()
    async with HubClient(address) as client:
        await client.request("chat.create", {"name": "room"})
        await client.subscribe("chat/room")
        await client.request("chat.post", {"room": "room", "id": "1", "text": "@puppet words=9999 pause=0.01"})
        assert app.current_activity() == {"answers": 1}
        follower = Follower(client, "room")
        (id,) = await client.wait_for(lambda: follower.begun(), "its beginning")
        await follower.until_text(id, 20)
        began_s = time.monotonic()
        await app._generations.close()
        assert time.monotonic() - began_s < 1
        ended = await follower.until_ended(id)
        assert (ended["answer"]["state"], ended["text"]) == ("failed", follower.text(id))
        assert ended["answer"]["error"] == "The server stopped. Ask again."
        assert puppet.info().description == "closed: 1"
        assert app.current_activity() is None


async def test_an_assistant_that_cannot_start_makes_its_service_degraded_and_nothing_else(
    address: Address, app: Any
) -> None:
    broken = app._assistants["robot"] = ScriptedAssistant()
    broken.state = msgspec.structs.replace(broken.state, state="down", reason="The key is missing.")
    async with HubClient(address) as client:
        assert (await states(client))["assistants"] == ("degraded", "Robot: The key is missing.")
        assert {state for name, (state, _) in (await states(client)).items() if name != "assistants"} == {"ok"}
        await client.request("chat.post", {"room": "general", "id": "1", "text": "@robot hi"})
        history = await client.request("chat.history", {"room": "general"})
        assert [message["text"] for message in history["messages"]] == ["@robot hi", ""]
        answer = history["messages"][-1]["answer"]
        assert (answer["state"], answer["error"]) == ("failed", "Robot cannot answer: The key is missing.")


@traits({"disabled_services": ["chat", "assistants"]})
def test_the_page_learns_that_the_server_half_is_here_and_with_which_services(jp_serverapp: Any) -> None:
    page = jp_serverapp.web_app.settings["page_config_data"]
    assert page["jupyterWsHub"] == __version__
    assert page["jupyterWsHubServices"] == ["files", "notifications", "status", "transfers"]


def test_the_page_learns_that_the_system_has_no_transfers(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setattr(store, "has_descriptors", lambda: False)
    page = request.getfixturevalue("jp_serverapp").web_app.settings["page_config_data"]
    assert "transfers" not in page["jupyterWsHubServices"] and "files" in page["jupyterWsHubServices"]


@traits({"transfers_dir": "TMP/transfers", "keep_transfers_s": 100.0})
async def test_what_dead_servers_have_left_in_the_spool_is_collected(app: Any, tmp_path: Path) -> None:
    spool = tmp_path / "transfers" / "spool"
    spool.mkdir(parents=True)
    old_s = time.time() - 200
    for name in (".~a.bin.0123456789ab.part", "0123.4567.source", "new.source"):
        (spool / name).write_bytes(b"left")
        if name != "new.source":
            os.utime(spool / name, (old_s, old_s))
    await app._keep_up()
    assert os.listdir(spool) == ["new.source"]
