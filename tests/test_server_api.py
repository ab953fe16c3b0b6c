"""What other extensions of the server use."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from jupyter_server.auth import IdentityProvider, User

from jupyter_ws_hub import notify_from_server
from jupyter_ws_hub.notices.notification import Notification
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.server_api import ServerApi
from tests.support.client import Address, HubClient


class Named(IdentityProvider):
    """Whoever the header names."""

    def get_user(self, handler: Any) -> User | None:
        """The user, None without a name."""
        name = handler.request.headers.get("X-Test-User")
        return User(name) if name else None


@pytest.fixture
def jp_server_config(jp_server_config: dict[str, Any], request: pytest.FixtureRequest) -> dict[str, Any]:
    """With `named` users have names; a second word is the owner's."""
    kind, _, owner = getattr(request, "param", "").partition(" ")
    if kind == "named":
        jp_server_config["ServerApp"]["identity_provider_class"] = Named
    if owner:
        jp_server_config["HubApp"]["owner"] = owner
    return jp_server_config


named = pytest.mark.parametrize("jp_server_config", ["named"], indirect=True)


@pytest.fixture
def listed(http_server: Any, jp_http_port: int, jp_base_url: str, jp_auth_header: dict[str, str]) -> Any:
    """What a user's list shows."""

    async def listed(user: str = "") -> list[dict[str, Any]]:
        headers = {"X-Test-User": user} if user else jp_auth_header
        async with HubClient(Address(jp_http_port, jp_base_url, headers)) as client:
            return [item["notification"] for item in (await client.request("notifications.list"))["items"]]

    return listed


async def done(future: Future[str]) -> str:
    """Its result, without blocking the loop."""
    return await asyncio.wait_for(asyncio.wrap_future(future), 5)


async def test_one_call_notifies_the_owner(jp_serverapp: Any, listed: Any) -> None:
    future = notify_from_server(
        jp_serverapp, "Backup", "all of it", level="success", source="backup", actions=[("Open", "a.txt")], progress=1
    )
    id = await done(future)
    (found,) = await listed()
    expected = {"id": id, "sender": "server", "source": "backup", "level": "success", "progress": 1.0}
    assert {key: found[key] for key in expected} == expected
    assert found["actions"] == [{"label": "Open", "kind": "path", "target": "a.txt"}]
    assert set(found) == set(Notification.__struct_fields__)


async def test_whatever_an_author_has_at_hand_will_do(jp_serverapp: Any, listed: Any) -> None:
    (extension,) = jp_serverapp.extension_manager.extension_apps["jupyter_ws_hub"]
    handler = SimpleNamespace(settings=jp_serverapp.web_app.settings)
    for server in (jp_serverapp, extension, handler):
        await done(notify_from_server(server, "hi"))
    api = jp_serverapp.web_app.settings["jupyter_ws_hub"].api
    assert isinstance(api, ServerApi)
    await done(api.notify("hi"))
    assert len(await listed()) == 4


async def test_threads_may_notify_and_wait(jp_serverapp: Any, listed: Any) -> None:
    results: list[str] = []

    def work() -> None:
        results.append(notify_from_server(jp_serverapp, "from a thread", id="t1").result(5))

    thread = threading.Thread(target=work)
    thread.start()
    await asyncio.to_thread(thread.join)
    assert results == ["t1"]
    assert [one["title"] for one in await listed()] == ["from a thread"]


@named
async def test_a_user_is_told_by_name_or_as_a_handler_has_them(jp_serverapp: Any, listed: Any) -> None:
    await done(notify_from_server(jp_serverapp, "for alice", user="alice"))
    await done(notify_from_server(jp_serverapp, "for bob", user=User("bob")))
    await done(notify_from_server(jp_serverapp, "for all", to="all"))
    assert {one["title"] for one in await listed("alice")} == {"for alice", "for all"}
    assert {one["title"] for one in await listed("bob")} == {"for bob", "for all"}
    assert {one["title"] for one in await listed("owner")} == {"for all"}


@named
async def test_where_nobody_can_be_meant_that_is_raised_each_time_and_logged_once(
    jp_serverapp: Any, listed: Any, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        with pytest.raises(HubError, match=r"c\.HubApp\.owner = ") as caught:
            await done(notify_from_server(jp_serverapp, "for whom?"))
        assert caught.value.code == Code.NOT_FOUND
    (record,) = [record for record in caplog.records if "c.HubApp.owner" in record.getMessage()]
    assert record.levelname == "WARNING"
    with pytest.raises(HubError, match="no path"):
        await done(notify_from_server(jp_serverapp, "x", user="alice", actions=[("Open", "javascript:x")]))
    assert "no path" in caplog.text
    assert await listed("owner") == []


@pytest.mark.parametrize("jp_server_config", ["named alice"], indirect=True)
async def test_where_the_configuration_names_the_owner_they_are_told(jp_serverapp: Any, listed: Any) -> None:
    await done(notify_from_server(jp_serverapp, "for alice"))
    assert [one["title"] for one in await listed("alice")] == ["for alice"]
    assert await listed("bob") == []


async def test_where_there_are_no_names_everything_is_the_owner_s(jp_serverapp: Any, listed: Any) -> None:
    await done(notify_from_server(jp_serverapp, "hi", user="a random name"))
    assert len(await listed()) == 1


async def test_what_is_wrong_is_logged_and_told_to_who_asks(
    jp_serverapp: Any, caplog: pytest.LogCaptureFixture
) -> None:
    future = notify_from_server(jp_serverapp, "x", actions=[("Open", "javascript:alert(1)")])
    with pytest.raises(HubError, match="no path"):
        await done(future)
    assert "An extension or an event of the server could not notify" in caplog.text


def test_where_the_hub_is_not_on_that_is_told() -> None:
    with pytest.raises(LookupError, match="not enabled"):
        notify_from_server(SimpleNamespace(web_app=SimpleNamespace(settings={})), "x")
