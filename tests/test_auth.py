"""Who may do what: every route, method and topic asked with no user, a wrong token, from elsewhere, and by others.

A route or method that somebody adds without a decision on its permission fails here.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jupyter_server.auth import Authorizer, IdentityProvider, User
from jupyter_server.utils import JupyterServerAuthWarning
from websockets.exceptions import InvalidStatus

from jupyter_ws_hub.handlers.base import HubSocket
from jupyter_ws_hub.handlers.routes import routes
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.protocol.messages import Position
from tests.support.client import Address, FileClient, HubClient, Message
from tests.support.effects import EFFECTS, READING

# The stock terminals' own socket has no such decorator; ours must have it: see the last test.
pytestmark = pytest.mark.filterwarnings(
    r"ignore:Extension endpoints[\s\S]*TermSocket:jupyter_server.utils.JupyterServerAuthWarning"
)

OPEN_TO_ALL_USERS = {
    "/ws": "each message is asked for its own permission",
    "/ws/chat": "says only that it is gone",
    "/api/ws-hub/notifications": "takes POST only, with the permission of notifications.post; see test_notices.py",
    r"/ws/file-stream/(\w+)": "an operation is its maker's, who was asked when it was made",
}
"""Routes without a permission of their own, and why. A new route stands here or has a permission."""

OVER_HTTP = {
    "/ws/chat": "says only that it is gone",
    "/api/ws-hub/notifications": "asks for a token, or for a cookie with Jupyter's own XSRF check; see test_notices.py",
    r"/ws/file-stream/(\w+)/content": "as the operation; who may not read files is refused before it is looked for",
}
"""Routes that are no sockets, and why a page from elsewhere may ask them: it cannot read what they answer."""

VERBS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]


def member(pattern: str) -> str:
    """A topic of a family: one that exists."""
    return pattern.replace("files/*", "files/%2F").replace("*", "general")


class UserByHeader(IdentityProvider):
    """Whoever the header or the query names, as a proxy that authenticates would say it."""

    def get_user(self, handler: Any) -> User | None:
        """The user, None without a name."""
        name = handler.request.headers.get("X-Test-User") or handler.get_argument("test_user", None)
        return User(name) if name else None


class ByName(Authorizer):
    """`reader` may read, `nobody` nothing, everybody else all; what is in `revoked` nobody any more."""

    revoked: set[tuple[str, str, str]] = set()  # noqa: RUF012  # traitlets would take a ClassVar for no trait

    async def is_authorized(self, handler: Any, user: User, action: str, resource: str) -> bool:
        """Decide by the user's name."""
        if (user.username, action, resource) in self.revoked or user.username == "nobody":
            return False
        return user.username != "reader" or action == "read"


@pytest.fixture
def jp_server_config(jp_server_config: dict[str, Any], request: pytest.FixtureRequest) -> dict[str, Any]:
    """Users by header, permissions by name; with `own` Jupyter's own token instead."""
    if getattr(request, "param", None) != "own":
        jp_server_config["ServerApp"].update(identity_provider_class=UserByHeader, authorizer_class=ByName)
    ByName.revoked = set()
    return jp_server_config


own_token = pytest.mark.parametrize("jp_server_config", ["own"], indirect=True)


@pytest.fixture
def app(jp_serverapp: Any) -> Any:
    (app,) = jp_serverapp.extension_manager.extension_apps["jupyter_ws_hub"]
    return app


@pytest.fixture
def user(http_server: Any, jp_http_port: int, jp_base_url: str) -> Callable[[str], Address]:
    return lambda name: Address(jp_http_port, jp_base_url, {"X-Test-User": name})


@pytest.fixture
def root(jp_root_dir: Path) -> Path:
    (jp_root_dir / "a.txt").write_text("a")
    return jp_root_dir


async def refusal(work: Any) -> HubError:
    with pytest.raises(HubError) as caught:
        await work
    return caught.value


async def upgrade(address: Address, path: str, subprotocol: str | None = None) -> int:
    """The HTTP status that an upgrade gets."""
    try:
        socket = await address.open(path, subprotocol)
    except InvalidStatus as error:
        return error.response.status_code
    socket.transport.abort()
    await socket.wait_closed()
    return 101


async def paths_of(app: Any) -> dict[str, str]:
    """Each route's pattern and a path that it serves: an existing terminal, and no matter which operation."""
    terminal = app.serverapp.web_app.settings["terminal_manager"].create()
    names = {"/ws/terminal/": terminal["name"], "/ws/file-stream/": "0123"}
    paths = {}
    for pattern, _, _ in routes(app._parts):
        prefix, group, rest = pattern.partition("(")
        paths[pattern] = (prefix + names[prefix] if group else pattern).lstrip("/")
        paths[pattern] += rest.removeprefix(r"\w+)")
        assert rest in ("", r"\w+)", r"\w+)/content"), f"say here which path {pattern} serves"
    return paths


def test_every_route_and_method_has_a_decision_on_its_permission(app: Any) -> None:
    for pattern, handler, _ in routes(app._parts):
        if pattern not in OPEN_TO_ALL_USERS | OVER_HTTP:
            assert issubclass(handler, HubSocket)
            assert handler.permission is not None, f"{pattern} asks for no permission"
    router = app._hub.router
    assert set(router.methods) == set(EFFECTS), "add the method to EFFECTS, and to READING if a reader may call it"
    for declared in (*router.methods.values(), *router.topics.values()):
        action, resource = declared.permission
        assert action in ("read", "write", "execute")
        assert resource


async def test_without_a_user_nothing_answers(app: Any, user: Any, jp_fetch: Any, http_server_client: Any) -> None:
    paths = await paths_of(app)
    nobody_at_all = Address(user("x").port, user("x").base_url, {})
    for path in paths.values():
        assert await upgrade(nobody_at_all, path) == 403, path
        for verb in VERBS:
            response = await http_server_client.fetch(
                f"{nobody_at_all.base_url}{path}", method=verb, raise_error=False, allow_nonstandard_methods=True
            )
            assert response.code in (403, 405), (verb, path)
            assert b"subprotocol" not in (response.body or b"")
    assert not app._parts.sockets
    assert app._hub.connections == 0


@own_token
async def test_a_wrong_token_is_no_token(app: Any, user: Any, jp_fetch: Any) -> None:
    for path in (await paths_of(app)).values():
        for headers in ({"Authorization": "token wrong"}, {"Authorization": "Bearer wrong"}, {"Cookie": "username=x"}):
            assert await upgrade(Address(user("x").port, user("x").base_url, headers), path) == 403, (path, headers)
        assert await upgrade(Address(user("x").port, user("x").base_url, {}), f"{path}?token=wrong") == 403
    assert not app._parts.sockets


@own_token
async def test_a_page_from_elsewhere_cannot_use_a_logged_in_browser(app: Any, user: Any, jp_fetch: Any) -> None:
    paths = await paths_of(app)
    logged_in = await jp_fetch("api", "me")
    cookie = "; ".join(header.split(";")[0] for header in logged_in.headers.get_list("Set-Cookie"))
    port, base_url = user("x").port, user("x").base_url
    here = f"http://127.0.0.1:{port}"
    for pattern, path in paths.items():
        if pattern in OVER_HTTP:
            continue
        for origin in ("http://evil.example", f"http://127.0.0.1:{port + 1}", "null", f"http://127.0.0.1.evil:{port}"):
            headers = {"Cookie": cookie, "Origin": origin}
            assert await upgrade(Address(port, base_url, headers), path) == 403, (path, origin)
            headers["Sec-Fetch-Site"] = "cross-site"
            assert await upgrade(Address(port, base_url, headers), path) == 403, (path, origin)
        assert await upgrade(Address(port, base_url, {"Cookie": cookie, "Origin": here}), path) == 101, path
    with pytest.raises(Exception, match="404"):
        await jp_fetch("ws", "chat", headers={"Authorization": "", "Cookie": cookie, "Origin": "http://evil.example"})


async def test_a_user_with_no_permission_is_refused_everything(app: Any, user: Any, root: Path, jp_fetch: Any) -> None:
    paths = await paths_of(app)
    for pattern, path in paths.items():
        if pattern not in OPEN_TO_ALL_USERS:
            assert await upgrade(user("nobody"), path) == 403, path
    async with HubClient(user("nobody")) as client:
        for method in app._hub.router.methods:
            for params in EFFECTS.get(method, [{}]):
                error = await refusal(client.request(method, params))
                assert error.code is Code.FORBIDDEN, (method, error)
        for pattern in app._hub.router.topics:
            for since in ("earliest", "latest"):
                error = await refusal(client.subscribe(member(pattern), since))
                assert error.code is Code.FORBIDDEN, pattern
    await nothing_happened(user, root)


async def nothing_happened(user: Any, root: Path) -> None:
    """The files, rooms, messages, notifications and transfers are as at the start."""
    # To look for checkpoints makes Jupyter's own manager make the directory for them, which stays empty.
    assert [name for name in os.listdir(root) if name != ".ipynb_checkpoints"] == ["a.txt"]
    assert [file for _, _, files in os.walk(root) for file in files] == ["a.txt"]
    assert (root / "a.txt").read_text() == "a"
    async with HubClient(user("alice")) as client:
        (state,) = (await client.request("chat.rooms", {"archived": True}))["rooms"]
        room = {name: state["room"][name] for name in ("name", "title", "private", "members", "archived")}
        assert room == {"name": "general", "title": "", "private": False, "members": [], "archived": False}
        assert (await client.request("chat.history", {"room": "general"}))["messages"] == []
        assert (await client.request("notifications.list"))["items"] == []
        assert (await client.request("transfers.list"))["transfers"] == []


async def test_a_user_who_may_only_read_changes_nothing(app: Any, user: Any, root: Path, jp_fetch: Any) -> None:
    await paths_of(app)
    assert await upgrade(user("reader"), "ws/terminal/1") == 403
    async with HubClient(user("reader")) as client:
        for method in app._hub.router.methods:
            for number, params in enumerate(EFFECTS[method]):
                try:
                    await client.request(method, params)
                    refused = False
                except HubError as error:
                    refused = error.code is Code.FORBIDDEN
                assert refused is ((method, number) not in READING), (method, params)
        for pattern in app._hub.router.topics:
            assert (await client.subscribe(member(pattern))).status == "ok"
    await nothing_happened(user, root)


async def test_another_user_s_transfers_are_not_there(app: Any, user: Any, root: Path) -> None:
    async with HubClient(user("alice")) as alice, HubClient(user("bob")) as bob:
        before = await bob.subscribe("transfers/me")
        assert before.snapshot == []
        ops = [(await alice.request("transfers.create", params))["op"] for params in EFFECTS["transfers.create"]]
        for op in ops:
            assert (await refusal(bob.request("transfers.cancel", {"op": op}))).code is Code.NOT_FOUND
            unknown = await refusal(FileClient(user("bob"), "0123").open())
            theirs = await refusal(FileClient(user("bob"), op).open())
            assert (theirs.code, theirs.message) == (Code.NOT_FOUND, unknown.message)
        assert (await bob.request("transfers.list"))["transfers"] == []
        assert len((await alice.request("transfers.list"))["transfers"]) == 2
        assert (await bob.subscribe("transfers/me")).snapshot == []
        assert bob.events == []
        assert (await FileClient(user("alice"), ops[0]).upload(b"b")) is not None


async def test_another_user_s_download_is_not_there_over_http(user: Any, root: Path, http_server_client: Any) -> None:
    async with HubClient(user("alice")) as alice:
        op = (await alice.request("transfers.create", {"direction": "download", "path": "a.txt"}))["op"]
    for name, status in (("bob", 404), ("nobody", 403), ("reader", 404), ("alice", 200)):
        address = user(name)
        for verb in ("HEAD", "GET"):
            url = f"{address.base_url}ws/file-stream/{op}/content"
            answer = await http_server_client.fetch(url, method=verb, headers=address.headers, raise_error=False)
            assert answer.code == status, (name, verb)
            assert (answer.body == b"a") is (name == "alice" and verb == "GET")


async def test_another_user_s_own_topics_and_notifications_are_not_there(user: Any) -> None:
    async with HubClient(user("alice")) as alice, HubClient(user("bob")) as bob:
        await bob.subscribe("notifications/me", "earliest")
        await alice.request("notifications.post", {"title": "for alice"})
        mine = await alice.subscribe("notifications/me", "earliest")
        assert (await alice.next_events(1))[0].data["title"] == "for alice"
        for topic in ("notifications/me@alice", "notifications/alice", "transfers/me@alice", "transfers/*"):
            assert (await refusal(bob.subscribe(topic))).code is Code.UNKNOWN_TOPIC
        assert mine.position is not None
        theirs = await bob.subscribe("notifications/me", Position(mine.position.epoch, 1, "x"))
        assert theirs.status == "reset"
        assert (await bob.request("notifications.list"))["items"] == []
        assert bob.events == []


async def test_another_user_s_session_cannot_be_resumed(user: Any) -> None:
    async with HubClient(user("alice")) as alice, HubClient(user("mallory")) as mallory:
        await alice.request("chat.post", {"room": "general", "text": "hi", "id": "1"})
        stolen: Message | None = alice.welcome
        mallory.welcome = stolen
        welcome = await mallory.connect()
        assert welcome.resumed is False
        assert stolen is not None
        assert welcome.session != stolen.session
        assert welcome.principal == "mallory"
        assert alice.close_code is None
        assert await alice.request("chat.rooms")
        assert (await alice.connect()).resumed is True


@own_token
async def test_one_token_is_one_person_whatever_name_jupyter_makes_up(
    user: Any, jp_auth_header: dict[str, str]
) -> None:
    address = Address(user("x").port, user("x").base_url, jp_auth_header)
    async with HubClient(address) as one, HubClient(address) as two:
        assert one.welcome is not None
        assert two.welcome is not None
        assert one.welcome.principal == two.welcome.principal == "owner"
        await one.request("notifications.post", {"title": "hi"})
        assert len((await two.request("notifications.list"))["items"]) == 1


async def test_what_was_revoked_is_not_replayed_on_resume(user: Any) -> None:
    async with HubClient(user("alice")) as alice, HubClient(user("bob")) as bob:
        await bob.subscribe("chat/general")
        await bob.drop()
        await alice.request("chat.post", {"room": "general", "text": "secret", "id": "1"})
        ByName.revoked.add(("bob", "read", "chat"))
        assert (await bob.connect()).resumed is True
        (answer,) = await bob.wait_for(lambda: [one for one in bob.others if one.error], "an answer")
        assert answer.error is not None
        assert (answer.error.code, answer.error.details) == ("forbidden", {"topic": "chat/general"})
        assert (await refusal(bob.request("chat.history", {"room": "general"}))).code is Code.FORBIDDEN
        assert bob.events == []


async def test_the_author_of_a_message_is_who_asked_and_nobody_else(user: Any) -> None:
    async with HubClient(user("bob")) as bob:
        params = {"room": "general", "text": "hi", "id": "1", "author": {"username": "alice", "display_name": "A"}}
        message = await bob.request("chat.post", params)
        assert message["author"]["username"] == "bob"


def test_no_handler_of_ours_lacks_a_decision_on_authentication(jp_configurable_serverapp: Any) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        app = jp_configurable_serverapp()
    ours = [str(w.message) for w in caught if w.category is JupyterServerAuthWarning and "TermSocket" not in str(w)]
    assert ours == []
    assert "jupyter_ws_hub" in app.extension_manager.extension_apps
    assert app.web_app.settings["allow_unauthenticated_access"] is False
