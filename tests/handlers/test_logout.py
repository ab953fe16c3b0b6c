"""A route around the server's logout: the sockets of that login end, all others stay, the stock page is the stock's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from jupyter_server.auth.logout import LogoutHandler
from tornado.httputil import HTTPHeaders
from tornado.web import RequestHandler

from jupyter_ws_hub.handlers.logout import ClosingLogout, logout_routes
from tests.support.client import Address, HubClient, until
from tests.support.jupyterhub import FakeHubAuthorizer, FakeHubLogout, FakeHubOAuth, FakeHubProvider, model

UNDER_A_HUB = {"identity_provider_class": FakeHubProvider, "authorizer_class": FakeHubAuthorizer}
under_a_hub = pytest.mark.parametrize("jp_server_config", [UNDER_A_HUB], indirect=True)


@pytest.fixture
def jp_server_config(jp_server_config: dict[str, Any], request: pytest.FixtureRequest) -> dict[str, Any]:
    """With what a test asks for."""
    jp_server_config["ServerApp"].update(getattr(request, "param", {}))
    return jp_server_config


@pytest.fixture
def app(jp_serverapp: Any) -> Any:
    (app,) = jp_serverapp.extension_manager.extension_apps["jupyter_ws_hub"]
    return app


Fetch = Callable[..., Any]
Browser = Callable[[str], Address]


@pytest.fixture
def fetch(http_server_client: Any, jp_base_url: str) -> Fetch:
    """Ask as a browser does, without following where it is sent."""

    async def fetch(path: str, cookie: str = "", method: str = "GET", **headers: str) -> Any:
        return await http_server_client.fetch(
            f"{jp_base_url}{path}",
            method=method,
            headers=HTTPHeaders({**headers, **({"Cookie": cookie} if cookie else {})}),
            follow_redirects=False,
            raise_error=False,
        )

    return fetch


@pytest.fixture
def browser(jp_http_port: int, jp_base_url: str) -> Browser:
    """How a browser with a cookie reaches the server."""
    return lambda cookie: Address(jp_http_port, jp_base_url, {"Cookie": cookie})


async def log_in(fetch: Fetch, token: str) -> str:
    """The cookie that a new browser gets for the token."""
    response = await fetch("api/me", Authorization=f"token {token}")
    assert response.code == 200
    return "; ".join(header.split(";")[0] for header in response.headers.get_list("Set-Cookie"))


async def test_the_logout_closes_the_sockets_of_its_cookie_and_no_others(
    app: Any, fetch: Fetch, browser: Browser, jp_auth_header: dict[str, str]
) -> None:
    token = jp_auth_header["Authorization"].partition(" ")[2]
    mine, other = await log_in(fetch, token), await log_in(fetch, token)
    by_token = Address(browser("").port, browser("").base_url, jp_auth_header)
    async with HubClient(browser(mine)) as one, HubClient(browser(mine)) as two:
        async with HubClient(browser(other)) as three, HubClient(by_token) as four:
            response = await fetch("logout", mine)
            assert response.code == 200
            assert b"Successfully logged out" in response.body
            assert any('=""' in header or "=;" in header for header in response.headers.get_list("Set-Cookie"))
            assert [await one.wait_closed(), await two.wait_closed()] == [4501, 4501]
            (bye,) = [message for message in one.others if message.type == "bye"]
            assert bye.reason == "You have logged out."
            assert one.socket.close_reason == "You have logged out."
            assert await three.request("chat.rooms")
            assert await four.request("chat.rooms")


async def test_only_a_logout_that_is_one_closes_anything(
    app: Any, fetch: Fetch, browser: Browser, jp_auth_header: dict[str, str]
) -> None:
    mine = await log_in(fetch, jp_auth_header["Authorization"].partition(" ")[2])
    name, _, value = mine.partition("=")
    async with HubClient(browser(mine)) as client:
        assert (await fetch("logout")).code == 200
        assert (await fetch("logout", f"{name}={value[:-1]}x")).code == 200, "a forged cookie"
        assert (await fetch("logout", mine, "HEAD")).code == 405
        assert (await fetch("api/status", mine)).code == 200
        assert await client.request("chat.rooms")
        assert len(app._parts.sockets) == 1


@pytest.mark.parametrize("jp_server_config", [{"token": "", "password": ""}], indirect=True)
@pytest.mark.parametrize("jp_argv", [["--IdentityProvider.token="]])
async def test_where_nobody_needs_to_log_in_nobody_can_log_out(app: Any, fetch: Fetch, browser: Browser) -> None:
    assert not app.serverapp.identity_provider.auth_enabled
    response = await fetch("api/me")
    cookie = "; ".join(header.split(";")[0] for header in response.headers.get_list("Set-Cookie"))
    async with HubClient(browser(cookie)) as client:
        assert b"Cannot log out" in (await fetch("logout", cookie)).body
        assert await client.request("chat.rooms")


@under_a_hub
async def test_under_a_hub_its_own_logout_does_its_work_and_the_sockets_of_the_token_end(
    app: Any, fetch: Fetch, browser: Browser, jp_base_url: str
) -> None:
    hub_auth = app.serverapp.identity_provider.hub_auth
    assert isinstance(hub_auth, FakeHubOAuth)
    hub_auth.tokens.update(t1=model("alice"), t2=model("alice"))
    cookies = []
    for token in ("t1", "t2"):
        holder = RequestHandler(app.serverapp.web_app, fake_request())
        cookies.append(f"{hub_auth.cookie_name}={holder.create_signed_value(hub_auth.cookie_name, token).decode()}")
    by_token = Address(browser("").port, browser("").base_url, {"Authorization": "token t1"})
    async with (
        HubClient(browser(cookies[0])) as one,
        HubClient(browser(cookies[1])) as two,
        HubClient(by_token) as page,
    ):
        response = await fetch("logout", cookies[0])
        assert (response.code, response.headers["Location"]) == (302, "/hub/logout")
        assert any(header.startswith(hub_auth.cookie_name) for header in response.headers.get_list("Set-Cookie"))
        assert [await one.wait_closed(), await page.wait_closed()] == [4501, 4501]
        assert await two.request("chat.rooms")


def fake_request() -> Any:
    connection = SimpleNamespace(set_close_callback=lambda callback: None)
    return SimpleNamespace(connection=connection, method="GET", path="/", headers={}, cookies={}, arguments={})


# What is around what


class OtherLogout(LogoutHandler):
    """The logout of another package's provider, which takes arguments."""

    def initialize(self, where: str) -> None:
        """Take them."""
        self.where = where


class NoJupyterHandler(RequestHandler):
    """A logout that knows no users."""


def routes_of(*handlers: tuple[Any, ...]) -> list[tuple[str, type, dict[str, Any]]]:
    parts: Any = "parts"
    return logout_routes(SimpleNamespace(get_handlers=lambda: list(handlers)), parts)


def test_the_route_is_the_provider_s_with_its_arguments() -> None:
    ((pattern, handler, arguments),) = routes_of(
        (r"/login", NoJupyterHandler), (r"/logout", OtherLogout, {"where": "x"})
    )
    assert pattern == r"/logout"
    assert arguments == {"where": "x", "parts": "parts"}
    assert issubclass(handler, ClosingLogout)
    assert issubclass(handler, OtherLogout)
    assert handler.__mro__.index(ClosingLogout) < handler.__mro__.index(OtherLogout)
    ((_, handler, _),) = routes_of(("/logout", FakeHubLogout))
    assert handler.get is FakeHubLogout.get, "the stock handler's own, with its mark of who may call it"


@pytest.mark.parametrize("handlers", [[], [(r"/login", LogoutHandler)], [(r"/logout", NoJupyterHandler)]])
def test_where_there_is_no_logout_there_is_nothing_around_it(handlers: list[tuple[Any, ...]]) -> None:
    assert routes_of(*handlers) == []


async def test_a_socket_that_is_closing_already_keeps_its_code(
    app: Any, fetch: Fetch, browser: Browser, jp_auth_header: dict[str, str]
) -> None:
    mine = await log_in(fetch, jp_auth_header["Authorization"].partition(" ")[2])
    async with HubClient(browser(mine)) as client:
        (socket,) = await until(lambda: list(app._parts.sockets), "the socket")
        socket.end(4000, "stopping")
        await asyncio.gather(fetch("logout", mine), client.wait_closed())
        assert client.close_code == 4000
