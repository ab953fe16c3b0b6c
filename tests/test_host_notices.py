"""The file for this user's programs, and what its secret is good for."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tornado.httputil import HTTPHeaders

from jupyter_ws_hub.host_notices import came_from_here, describe, has_secret
from jupyter_ws_hub.notifier.beacon import read_all
from tests.support.jupyterhub import FakeHubAuthorizer, FakeHubProvider

SAVED = "https://events.jupyter.org/jupyter_server/contents_service/v1"


@pytest.fixture
def jp_server_config(jp_server_config: dict[str, Any], request: pytest.FixtureRequest) -> dict[str, Any]:
    """With `hub` under a JupyterHub; it notifies of what happens to files."""
    jp_server_config["HubApp"]["notification_events"] = {SAVED: "{action} {path}"}
    if getattr(request, "param", None) == "hub":
        jp_server_config["ServerApp"].update(
            identity_provider_class=FakeHubProvider, authorizer_class=FakeHubAuthorizer
        )
    return jp_server_config


@pytest.fixture
def app(jp_serverapp: Any) -> Any:
    (app,) = jp_serverapp.extension_manager.extension_apps["jupyter_ws_hub"]
    return app


def request(peer: Any = ("127.0.0.1", 1), own: Any = ("127.0.0.1", 2), headers: Mapping[str, str] | None = None) -> Any:
    """A request that came over a socket with these ends."""
    socket = SimpleNamespace(getpeername=lambda: peer, getsockname=lambda: own)
    connection = SimpleNamespace(stream=SimpleNamespace(socket=socket))
    return SimpleNamespace(headers=HTTPHeaders(dict(headers or {})), connection=connection)


@pytest.mark.parametrize(
    ("peer", "own", "here"),
    [
        (("127.0.0.1", 1), ("127.0.0.1", 2), True),
        (("127.8.9.1", 1), ("127.0.0.1", 2), True),
        (("::1", 1, 0, 0), ("::1", 2, 0, 0), True),
        (("::ffff:127.0.0.1", 1, 0, 0), ("::ffff:127.0.0.1", 2, 0, 0), True),
        (("10.0.0.5", 1), ("10.0.0.5", 2), True),
        (("fe80::1%eth0", 1, 0, 2), ("fe80::1%eth0", 2, 0, 2), True),
        (("10.0.0.6", 1), ("10.0.0.5", 2), False),
        (("::ffff:10.0.0.6", 1, 0, 0), ("::ffff:10.0.0.5", 2, 0, 0), False),
        (("2001:db8::1", 1, 0, 0), ("2001:db8::2", 2, 0, 0), False),
        ("", "/run/jupyter.sock", True),
        (b"", b"/run/jupyter.sock", True),
    ],
)
def test_only_what_comes_from_this_machine_comes_from_here(peer: Any, own: Any, here: bool) -> None:
    assert came_from_here(request(peer, own)) is here
    assert came_from_here(request(peer, own, {"x-forwarded-for": "127.0.0.1"})) is False


def test_a_secret_is_told_from_other_logins() -> None:
    assert has_secret(request(headers={"Authorization": "ws-hub-secret x"}))
    assert has_secret(request(headers={"Authorization": "WS-Hub-Secret x"}))
    for other in ({}, {"Authorization": "token x"}, {"Authorization": "ws-hub-secretx"}):
        assert not has_secret(request(headers=other))


async def test_the_file_is_there_while_the_server_runs(app: Any, jp_runtime_dir: Path, jp_serverapp: Any) -> None:
    assert read_all(jp_runtime_dir) == []
    await app.start_services()
    (beacon,) = read_all(jp_runtime_dir)
    assert (beacon.pid, beacon.base_url) == (os.getpid(), jp_serverapp.base_url)
    assert beacon.url.startswith("http://")
    assert beacon.url.endswith(jp_serverapp.base_url)
    assert len(beacon.secret) >= 43
    await app.stop_extension()
    assert read_all(jp_runtime_dir) == []
    await app.stop_extension()


async def test_where_the_file_cannot_be_written_the_server_runs_all_the_same(
    app: Any, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    app._sources._folder = tmp_path / "file"
    await app.start_services()
    assert "cannot notify by themselves" in caplog.text
    await app.stop_extension()


@pytest.mark.parametrize("has_file", [True, False])
async def test_after_the_stop_events_are_listened_to_no_more(app: Any, tmp_path: Path, has_file: bool) -> None:
    (tmp_path / "file").write_text("")
    app._sources._folder = tmp_path if has_file else tmp_path / "file"
    listeners = app.serverapp.event_logger._modified_listeners
    assert listeners[SAVED] == set()
    await app.start_services()
    assert len(listeners[SAVED]) == 1
    await app.stop_extension()
    await app.stop_extension()
    assert listeners[SAVED] == set()


async def test_the_secret_is_in_no_setting_and_no_page(app: Any, jp_fetch: Any, jp_serverapp: Any) -> None:
    secret = app._sources._secret
    settings = jp_serverapp.web_app.settings
    assert secret not in json.dumps({str(key): str(value) for key, value in settings.items()})


async def test_the_secret_lets_post_and_nothing_more(app: Any) -> None:
    headers = {"Authorization": f"ws-hub-secret {app._sources._secret}"}
    peer = app._sources.by_secret(request(headers=headers))
    assert (peer.principal, peer.username) == ("owner", "owner")
    assert await peer.authorize("write", "notifications")
    assert await peer.authorize("execute", "notifications")  # here everybody is the owner
    for action, resource in [("read", "notifications"), ("write", "contents"), ("execute", "terminals")]:
        assert not await peer.authorize(action, resource)
    assert app._sources.by_secret(request(("10.0.0.6", 1), ("10.0.0.5", 2), headers)) is None
    assert app._sources.by_secret(request(headers={"Authorization": "ws-hub-secret wrong"})) is None


@pytest.mark.parametrize("jp_server_config", ["hub"], indirect=True)
async def test_under_a_hub_the_owner_is_its_user_and_others_are_not_told(
    app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTERHUB_USER", "alice")
    peer = app._sources.by_secret(request(headers={"Authorization": f"ws-hub-secret {app._sources._secret}"}))
    assert (peer.principal, peer.username) == ("alice", "alice")
    assert await peer.authorize("write", "notifications")
    assert not await peer.authorize("execute", "notifications")


@pytest.mark.parametrize("jp_server_config", ["hub"], indirect=True)
async def test_under_a_hub_the_secret_asks_the_hub_nothing(
    app: Any, http_server_client: Any, jp_base_url: str, jp_serverapp: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTERHUB_USER", "alice")
    hub = jp_serverapp.identity_provider.hub_auth
    hub.down = True
    url = f"{jp_base_url}api/ws-hub/notifications"
    secret = {"Authorization": f"ws-hub-secret {app._sources._secret}"}
    for body, status in [(b'{"title": "x"}', 201), (b'{"title": "x", "to": "all"}', 403)]:
        answer = await http_server_client.fetch(url, method="POST", body=body, headers=secret, raise_error=False)
        assert answer.code == status
        assert answer.headers.get_list("Set-Cookie") == []
    assert hub.asked == []


@pytest.mark.parametrize("jp_server_config", ["hub"], indirect=True)
async def test_where_nobody_is_named_the_secret_is_nobody_s(
    app: Any, http_server_client: Any, jp_base_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JUPYTERHUB_USER", raising=False)
    secret = {"Authorization": f"ws-hub-secret {app._sources._secret}"}
    assert app._sources.by_secret(request(headers=secret)).principal == ""
    url = f"{jp_base_url}api/ws-hub/notifications"
    for body, status in [({"title": "x"}, 404), ({"title": "x", "to": "all"}, 403)]:
        answer = await http_server_client.fetch(
            url, method="POST", body=json.dumps(body), headers=secret, raise_error=False
        )
        assert answer.code == status
        assert ("c.HubApp.owner" in json.loads(answer.body)["message"]) == (status == 404)


async def test_the_secret_s_owner_is_who_reads_where_there_are_no_names(
    app: Any, jp_serverapp: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTERHUB_USER", "alice")
    monkeypatch.setitem(jp_serverapp.web_app.settings, "hub_auth", object())  # as JupyterHub's older ways leave it
    peer = app._sources.by_secret(request(headers={"Authorization": f"ws-hub-secret {app._sources._secret}"}))
    assert peer.principal == app._parts.owner == "owner"


def fake_server(**traits: Any) -> Any:
    """A server with these traits."""
    usual = {"ip": "", "port": 8888, "base_url": "/x/", "certfile": "", "sock": "", "root_dir": "/"}
    return SimpleNamespace(connection_url="http://box:8888/x/", **usual | traits)


@pytest.mark.parametrize(
    ("traits", "url"),
    [
        ({}, "http://127.0.0.1:8888/x/"),
        ({"ip": "0.0.0.0"}, "http://127.0.0.1:8888/x/"),
        ({"ip": "*"}, "http://127.0.0.1:8888/x/"),
        ({"ip": "::"}, "http://[::1]:8888/x/"),
        ({"ip": "::1"}, "http://[::1]:8888/x/"),
        ({"ip": "10.0.0.5"}, "http://10.0.0.5:8888/x/"),
        ({"ip": "localhost", "base_url": "/a%40b/"}, "http://localhost:8888/a%40b/"),
        ({"port": 0}, "http://127.0.0.1:0/x/"),
    ],
)
def test_the_address_is_the_one_of_this_machine(traits: dict[str, Any], url: str) -> None:
    assert describe(fake_server(**traits), "s").url == url


def test_a_port_that_the_system_chose_is_told() -> None:
    listening = SimpleNamespace(getsockname=lambda: ("127.0.0.1", 4711))
    server = fake_server(port=0, http_server=SimpleNamespace(_sockets={3: listening}))
    assert describe(server, "s").url == "http://127.0.0.1:4711/x/"


def test_a_certificate_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text("nothing")
    with pytest.raises(ValueError, match="not found"):
        describe(fake_server(certfile=str(tmp_path / "cert.pem")), "s")
