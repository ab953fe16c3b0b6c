"""Who a user is, asked again of a Hub without its cache; and what the requests of one login have in common."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from jupyter_server.auth import User
from jupyter_server.auth.identity import IdentityProvider, PasswordIdentityProvider
from tornado.web import HTTPError

from jupyter_ws_hub import identity as identity_module
from jupyter_ws_hub.identity import Identity, login_of
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from tests.support.fakes import FakeClock, turns
from tests.support.jupyterhub import FakeHubOAuth, FakeHubUser, Model, model

SHARE_S = 30.0


class NamedProvider(IdentityProvider):
    """A provider of another package: its users have names."""


def handler_of(
    provider: Any,
    user: User | None,
    *,
    cookies: dict[str, str] | None = None,
    token: str | None = None,
    settings: dict[str, Any] | None = None,
) -> Any:
    """A request that was authenticated by its token if it has one, else by its cookies."""
    jar = cookies or {}
    return SimpleNamespace(
        identity_provider=provider,
        current_user=user,
        settings=settings or {},
        request=SimpleNamespace(host="here", headers={"Authorization": f"token {token}"} if token else {}),
        token_authenticated=token is not None,
        get_cookie=jar.get,
        get_secure_cookie=lambda name: jar[name].encode() if name in jar else None,
    )


def hub_handler(hub_auth: FakeHubOAuth, name: str = "alice", **more: Any) -> Any:
    return handler_of(SimpleNamespace(hub_auth=hub_auth), FakeHubUser(model(name)), **more)


def by_cookie(hub_auth: FakeHubOAuth, token: str = "t1", session: str = "s1") -> Any:
    return hub_handler(hub_auth, cookies={hub_auth.cookie_name: token, "jupyterhub-session-id": session})


async def refusal(work: Any) -> Code:
    with pytest.raises(HubError) as caught:
        await work
    return caught.value.code


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def identity(clock: FakeClock) -> Identity:
    return Identity(clock, SHARE_S)


async def test_without_a_hub_there_is_nobody_to_ask(identity: Identity) -> None:
    await identity.check(handler_of(NamedProvider(), User("alice")))


@pytest.mark.parametrize("by", ["cookie", "token", "settings"])
async def test_the_hub_is_asked_without_its_cache_with_what_the_user_came_with(identity: Identity, by: str) -> None:
    hub_auth = FakeHubOAuth({"t1": model("alice")})
    hub_auth.cache["token:s1:t1"] = model("alice")
    handler = by_cookie(hub_auth)
    if by == "token":
        handler = hub_handler(
            hub_auth, token="t1", cookies={"jupyterhub-session-id": "s1", hub_auth.cookie_name: "stale"}
        )
    if by == "settings":  # as before JupyterHub 3
        handler.settings["hub_auth"], handler.identity_provider = hub_auth, NamedProvider()
    await identity.check(handler)
    assert hub_auth.asked == [("t1", False, "s1")]


async def test_whom_the_hub_does_not_know_any_more_is_not_logged_in(identity: Identity) -> None:
    hub_auth = FakeHubOAuth()
    assert await refusal(identity.check(by_cookie(hub_auth))) is Code.UNAUTHENTICATED
    assert await refusal(identity.check(hub_handler(hub_auth))) is Code.UNAUTHENTICATED, "the cookie has expired"


async def test_who_may_not_use_this_server_any_more_is_forbidden(identity: Identity) -> None:
    hub_auth = FakeHubOAuth({"t1": model("alice", {"self"})})
    assert await refusal(identity.check(by_cookie(hub_auth))) is Code.FORBIDDEN


async def test_the_authorizer_sees_the_new_scopes(identity: Identity) -> None:
    hub_auth = FakeHubOAuth({"t1": model("alice", {*FakeHubOAuth().access_scopes, "read-only"})})
    handler = by_cookie(hub_auth)
    await identity.check(handler)
    assert "read-only" in handler.current_user.hub_user["scopes"]


async def test_one_answer_is_for_all_connections_of_a_login_for_a_while(identity: Identity, clock: FakeClock) -> None:
    hub_auth = FakeHubOAuth({"t1": model("alice"), "t2": model("alice")})
    await asyncio.gather(*(identity.check(by_cookie(hub_auth)) for _ in range(50)))
    assert len(hub_auth.asked) == 1
    await identity.check(by_cookie(hub_auth, "t2"))
    await identity.check(by_cookie(hub_auth, session="s2"))
    assert len(hub_auth.asked) == 3
    clock.advance(SHARE_S)
    del hub_auth.tokens["t1"]
    assert await refusal(identity.check(by_cookie(hub_auth))) is Code.UNAUTHENTICATED


async def test_a_hub_that_cannot_be_asked_says_nothing_and_is_asked_again(identity: Identity) -> None:
    hub_auth = FakeHubOAuth({"t1": model("alice")}, down=True)
    with pytest.raises(HTTPError):
        await identity.check(by_cookie(hub_auth))
    hub_auth.down = False
    await identity.check(by_cookie(hub_auth))


async def test_a_hub_that_does_not_answer_is_not_waited_for_for_ever(
    identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity_module, "HUB_TIMEOUT_S", 0.01)
    hub_auth = FakeHubOAuth({"t1": model("alice")}, pause=asyncio.Event().wait)
    with pytest.raises(TimeoutError):
        await identity.check(by_cookie(hub_auth))


async def test_one_who_does_not_wait_any_more_does_not_take_the_answer_from_the_others(identity: Identity) -> None:
    gate = asyncio.Event()
    hub_auth = FakeHubOAuth({"t1": model("alice")}, pause=gate.wait)
    first, second = (asyncio.create_task(identity.check(by_cookie(hub_auth))) for _ in range(2))
    await turns()
    first.cancel()
    await turns()
    gate.set()
    await second
    assert first.cancelled()
    assert len(hub_auth.asked) == 1


async def test_at_the_end_nothing_is_asked_any_more(identity: Identity) -> None:
    hub_auth = FakeHubOAuth({"t1": model("alice")}, pause=asyncio.Event().wait)
    check = asyncio.create_task(identity.check(by_cookie(hub_auth)))
    await turns()
    await identity.stop()
    await asyncio.wait([check])
    assert check.cancelled()
    assert len(asyncio.all_tasks()) == 1
    await identity.stop()


async def test_an_old_hub_s_blocking_call_blocks_only_a_thread(
    identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub_auth, threads = FakeHubOAuth({"t1": model("alice")}), []

    def user_for_token(token: str, use_cache: bool = True, session_id: str = "") -> Model | None:
        """As before JupyterHub 2.4."""
        assert not use_cache
        threads.append(threading.get_ident())
        return hub_auth.tokens.get(token)

    monkeypatch.setattr(hub_auth, "user_for_token", user_for_token)
    await identity.check(by_cookie(hub_auth))
    assert await refusal(identity.check(by_cookie(hub_auth, "t9"))) is Code.UNAUTHENTICATED
    assert len(threads) == 2
    assert threading.get_ident() not in threads


# What a login is


def stock(user: str, cookie: str | None, provider: Any = None, **more: Any) -> str | None:
    provider = provider or PasswordIdentityProvider(token="x")
    cookies = {} if cookie is None else {"username-here": cookie}
    return login_of(handler_of(provider, User(user), cookies=cookies, **more))


def test_with_jupyter_s_own_providers_a_login_is_the_random_user_that_the_cookie_holds() -> None:
    assert stock("u1", "v1") == stock("u1", "v2, set again later") == stock("u1", "v1", token="x") is not None
    assert stock("u1", "v1") != stock("u2", "v1")
    assert stock("u1", None) is None, "each request with only a token is a user of its own"


def test_where_users_have_names_two_browsers_of_one_user_are_two_logins() -> None:
    provider = NamedProvider()
    assert stock("alice", "v1", provider) == stock("alice", "v1", provider) is not None
    assert stock("alice", "v1", provider) != stock("alice", "v2", provider)
    assert stock("alice", "v1", provider) != stock("bob", "v1", provider)
    assert stock("alice", None, provider) is None


def test_under_a_hub_a_login_is_its_token_however_it_came() -> None:
    hub_auth = FakeHubOAuth()
    cookie = login_of(by_cookie(hub_auth, "t1"))
    assert cookie == login_of(by_cookie(hub_auth, "t1", "s2")) == login_of(hub_handler(hub_auth, token="t1"))
    assert cookie not in (None, login_of(by_cookie(hub_auth, "t2")), login_of(hub_handler(hub_auth, token="t2")))
    assert login_of(hub_handler(hub_auth)) is None


def test_nobody_has_no_login_and_a_login_tells_no_secret() -> None:
    assert login_of(handler_of(PasswordIdentityProvider(token="x"), None)) is None
    login = login_of(by_cookie(FakeHubOAuth(), "t1secret"))
    assert login is not None
    assert "secret" not in login
