"""Notifications over HTTP: who is let in, and what is answered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import pytest
from jupyter_server.auth import Authorizer, User
from tornado.httpclient import HTTPResponse

from jupyter_ws_hub.handlers.notices import DRAINED_BYTES, MAX_BODY_BYTES, STATUS
from jupyter_ws_hub.protocol.codes import Code
from tests.support.client import Address, HubClient

PATH = ("api", "ws-hub", "notifications")
Ask = Callable[..., Awaitable[HTTPResponse]]


class Denying(Authorizer):
    """Denies what is in `denied`."""

    denied: set[tuple[str, str]] = set()  # noqa: RUF012  # traitlets would take a ClassVar for no trait

    def is_authorized(self, handler: Any, user: User, action: str, resource: str) -> bool:
        """Decide by what is asked."""
        return (action, resource) not in self.denied


@pytest.fixture
def jp_server_config(jp_server_config: dict[str, Any], request: pytest.FixtureRequest) -> Any:
    """With the traits of HubApp that a test asks for."""
    jp_server_config["HubApp"].update(getattr(request, "param", {}))
    return jp_server_config


@pytest.fixture
def app(jp_serverapp: Any) -> Any:
    (app,) = jp_serverapp.extension_manager.extension_apps["jupyter_ws_hub"]
    return app


@pytest.fixture
def ask(http_server_client: Any, jp_base_url: str) -> Ask:
    """Send a request with these headers and no others."""

    async def ask(body: Any = None, headers: dict[str, str] | None = None, path: str = "", method: str = "POST") -> Any:
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        return await http_server_client.fetch(
            f"{jp_base_url}{path or '/'.join(PATH)}",
            method=method,
            body=data,
            headers=headers or {},
            raise_error=False,
            follow_redirects=False,
            allow_nonstandard_methods=True,
        )

    return ask


@pytest.fixture
def secret(app: Any) -> dict[str, str]:
    return {"Authorization": f"ws-hub-secret {app._sources._secret}"}


@pytest.fixture
def listed(http_server: Any, jp_http_port: int, jp_base_url: str, jp_auth_header: dict[str, str]) -> Any:
    """What the owner's list shows."""

    async def listed() -> list[dict[str, Any]]:
        async with HubClient(Address(jp_http_port, jp_base_url, jp_auth_header)) as client:
            return [item["notification"] for item in (await client.request("notifications.list"))["items"]]

    return listed


def code_of(response: HTTPResponse) -> tuple[int, str]:
    """The status and the code of a refusal, which says something to people, too."""
    answer = json.loads(response.body)
    assert answer["message"]
    assert response.headers["Content-Type"] == "application/json"
    return response.code, answer["code"]


@pytest.mark.parametrize("by", ["token", "secret"])
async def test_a_notification_is_posted_with_the_token_or_the_secret(
    ask: Ask, jp_auth_header: dict[str, str], secret: dict[str, str], listed: Any, by: str
) -> None:
    body = {"title": "done", "message": "m", "level": "success", "id": "n1", "source": "s", "sender": "mallory"}
    response = await ask(body, jp_auth_header if by == "token" else secret)
    assert response.code == 201
    assert json.loads(response.body) == {"topic": "notifications/me", "offset": 1, "id": "n1"}
    assert response.headers.get_list("Set-Cookie") == [] or by == "token"
    (found,) = await listed()
    assert (found["title"], found["level"], found["source"]) == ("done", "success", "s")
    assert found["sender"] != "mallory"
    assert found["sender"] == "owner" or by == "token"


async def test_who_has_neither_is_not_let_in(ask: Ask, secret: dict[str, str], listed: Any) -> None:
    good = secret["Authorization"]
    for headers in (
        {},
        {"Authorization": "token wrong"},
        {"Authorization": good + "x"},
        {"Authorization": good[:-1]},
        {"Authorization": "ws-hub-secret "},
        {"Authorization": "ws-hub-secret"},
        {"Authorization": good.replace("ws-hub-secret", "WS-HUB-SECRET")},
        {"Authorization": good.replace("ws-hub-secret", "token")},
        {"Authorization": good.replace("ws-hub-secret", "Bearer")},
        {"Authorization": "ws-hub-secret \xe9"},
    ):
        assert code_of(await ask({"title": "x"}, headers))[0] == 403, headers
    assert await listed() == []


@pytest.mark.parametrize(
    ("denied", "to", "status"),
    [(set(), "all", 201), ({"execute"}, "all", 403), ({"execute"}, "me", 201), ({"write"}, "me", 403)],
)
async def test_a_user_with_a_token_needs_the_permission_of_the_method(
    ask: Ask, app: Any, jp_auth_header: dict[str, str], denied: set[str], to: str, status: int
) -> None:
    authorizer = Denying(parent=app.serverapp)
    authorizer.denied = {(action, "notifications") for action in denied}
    app.serverapp.web_app.settings["authorizer"] = authorizer
    answer = await ask({"title": "x", "to": to}, jp_auth_header)
    assert answer.code == status
    assert status == 201 or code_of(answer) == (403, "forbidden")


async def test_a_wrong_secret_is_not_made_good_by_a_cookie_or_a_token_in_the_address(
    ask: Ask, jp_serverapp: Any, listed: Any
) -> None:
    token = jp_serverapp.identity_provider.token
    wrong = {"Authorization": "ws-hub-secret wrong"}
    assert code_of(await ask({"title": "x"}, wrong, f"{'/'.join(PATH)}?token={token}")) == (403, "unauthenticated")
    assert await listed() == []


@pytest.mark.parametrize(
    "header", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "Via", "X-Forwarded-Proto", "X-Forwarded-Host"]
)
async def test_the_secret_is_refused_where_a_proxy_passes_it_on(
    ask: Ask, secret: dict[str, str], listed: Any, header: str
) -> None:
    assert code_of(await ask({"title": "x"}, {**secret, header: "127.0.0.1"})) == (403, "unauthenticated")
    assert await listed() == []


async def test_the_secret_is_refused_under_another_host_s_name(
    ask: Ask, secret: dict[str, str], jp_serverapp: Any
) -> None:
    jp_serverapp.web_app.settings["allow_remote_access"] = False
    assert code_of(await ask({"title": "x"}, {**secret, "Host": "evil.example"}))[0] == 403


async def test_the_secret_opens_nothing_else(ask: Ask, app: Any, secret: dict[str, str], jp_base_url: str) -> None:
    for path in ("api/contents", "api/kernels", "api/terminals", "api/me", "files/x", "ws", "ws/terminal/1", "tree"):
        for method in ("GET", "POST"):
            response = await ask(b"" if method == "POST" else None, secret, path, method)
            assert response.code in (302, 403, 404, 405), (path, method)
            assert "/login" in response.headers["Location"] if response.code == 302 else True
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        assert code_of(await ask(None, secret, method=method)) == (405, "unsupported")
    assert not app._parts.sockets


async def test_a_logged_in_browser_needs_jupyter_s_own_xsrf_check(
    ask: Ask, jp_fetch: Any, http_server_client: Any, jp_base_url: str, listed: Any
) -> None:
    logged_in = await jp_fetch("api", "me")
    page = await http_server_client.fetch(f"{jp_base_url}login")
    headers = [*logged_in.headers.get_list("Set-Cookie"), *page.headers.get_list("Set-Cookie")]
    cookies = [header.split(";")[0] for header in headers if "expires=" not in header or "_xsrf" not in header]
    xsrf = next(cookie.partition("=")[2] for cookie in cookies if cookie.startswith("_xsrf="))
    cookie = {"Cookie": "; ".join(cookies)}
    assert code_of(await ask({"title": "x"}, cookie)) == (403, "forbidden")
    evil = {**cookie, "Origin": "http://evil.example", "X-XSRFToken": xsrf}
    assert (await ask({"title": "x"}, evil)).code == 404
    assert await listed() == []
    assert (await ask({"title": "x"}, {**cookie, "X-XSRFToken": xsrf})).code == 201


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'{"title": 1}',
        b"{}",
        b'{"title": "x", "level": "fatal"}',
        b'{"title": "x", "to": "bob"}',
        b'{"title": "x", "progress": 1.1}',
        b'{"title": "x", "progress": NaN}',
        b'{"title": "x", "expires_in_ms": 0}',
        b'{"title": "x", "actions": [{"label": "x", "kind": "url", "target": "javascript:alert(1)"}]}',
        b'{"title": "x", "actions": [{"label": "", "kind": "url", "target": "https://x"}]}',
        b"[" * 50_000,
    ],
)
async def test_what_makes_no_sense_is_refused_in_words(
    ask: Ask, secret: dict[str, str], listed: Any, body: bytes
) -> None:
    assert code_of(await ask(body, secret)) == (400, "invalid")
    assert await listed() == []


async def test_a_body_that_is_too_big_is_refused(ask: Ask, secret: dict[str, str], listed: Any) -> None:
    title = {"title": "x", "message": ""}
    fill = MAX_BODY_BYTES - len(json.dumps(title))
    assert code_of(await ask({**title, "message": "x" * fill}, secret)) == (413, "too_big")  # too long a message
    assert code_of(await ask({**title, "more": "x" * MAX_BODY_BYTES}, secret)) == (413, "too_big")
    assert code_of(await ask(b" " * DRAINED_BYTES, secret)) == (413, "too_big")
    assert await listed() == []


async def test_a_huge_body_is_refused_before_it_comes(
    app: Any, http_server: Any, jp_http_port: int, jp_base_url: str, secret: dict[str, str], ask: Ask
) -> None:
    head = (
        f"POST {jp_base_url}{'/'.join(PATH)} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 500000000\r\n"
        f"Authorization: {secret['Authorization']}\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", jp_http_port)
    writer.write(head.encode())
    async with asyncio.timeout(5):
        assert b"413" in await reader.readline()
        rest = await reader.read()
    assert b'"code":"too_big"' in rest
    writer.close()
    assert (await ask({"title": "x"}, secret)).code == 201


@pytest.mark.parametrize("jp_server_config", [{"notifications_per_s": 0.5, "notifications_burst": 3}], indirect=True)
async def test_a_flood_is_told_when_to_come_back(ask: Ask, secret: dict[str, str], listed: Any) -> None:
    answers = [await ask({"title": str(n)}, secret) for n in range(5)]
    assert [answer.code for answer in answers] == [201, 201, 201, 429, 429]
    assert code_of(answers[-1]) == (429, "rate_limited")
    assert 1000 < json.loads(answers[-1].body)["retry_after_ms"] <= 2000
    assert answers[-1].headers["Retry-After"] == "2"
    assert len(await listed()) == 3


@pytest.mark.parametrize("jp_server_config", [{"disabled_services": ["notifications"]}], indirect=True)
async def test_where_the_service_is_off_that_is_told(ask: Ask, secret: dict[str, str]) -> None:
    assert code_of(await ask({"title": "x"}, secret)) == (404, "unknown_method")


async def test_notifying_does_not_keep_an_idle_server_alive(
    ask: Ask, secret: dict[str, str], jp_serverapp: Any
) -> None:
    before = jp_serverapp.web_app.last_activity()
    assert (await ask({"title": "x"}, secret)).code == 201
    assert jp_serverapp.web_app.last_activity() == before


async def test_a_server_s_failure_is_no_secret_and_no_traceback(
    ask: Ask, secret: dict[str, str], app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def boom(*arguments: object) -> bytes:
        raise RuntimeError("/home/me/secret")

    monkeypatch.setattr(app._parts, "call", boom)
    response = await ask({"title": "x"}, secret)
    assert code_of(response) == (500, "internal")
    assert b"secret" not in response.body


def test_every_status_is_one() -> None:
    assert all(HTTPStatus(status) for status in STATUS.values())
    assert STATUS[Code.RATE_LIMITED] == 429
