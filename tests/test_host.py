"""The adapters to jupyter_server, on real managers, sync and async: errors become codes and name no absolute path."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jupyter_server.auth import User
from jupyter_server.auth.identity import IdentityProvider, PasswordIdentityProvider
from jupyter_server.services.contents.filemanager import AsyncFileContentsManager, FileContentsManager
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager, LargeFileManager

from jupyter_ws_hub.host import Activity, ContentsAdapter, PlatformAdapter, make_peer
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from tests.support.fakes import FakeClock

MANAGERS = [LargeFileManager, AsyncLargeFileManager, FileContentsManager, AsyncFileContentsManager]
OUTSIDE = ["../outside.txt", "sub/../../outside.txt", "..", "../root2/x.txt"]
HIDDEN = [".hidden.txt", ".dir/a.txt", ".dir", "sub/.git/config", "sub/../.hidden.txt", ".not-there"]


@pytest.fixture(params=MANAGERS, ids=lambda kind: kind.__name__)
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A contents manager on a root with a few files."""
    root = tmp_path / "root"
    for folder in (root / "sub" / ".git", root / ".dir", tmp_path / "root2"):
        folder.mkdir(parents=True)
    for name in ("a.txt", "sub/b.txt", ".hidden.txt", ".dir/a.txt", "sub/.git/config", "../outside.txt"):
        (root / name).write_text(name)
    return request.param(root_dir=str(root), delete_to_trash=False)


@pytest.fixture
def contents(manager: Any) -> ContentsAdapter:
    return adapter(manager)


def adapter(manager: Any) -> ContentsAdapter:
    serverapp: Any = SimpleNamespace(contents_manager=manager)
    return ContentsAdapter(serverapp)


def names(manager: Any) -> list[str]:
    root = Path(manager.root_dir)
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


def everything(contents: ContentsAdapter, path: str) -> list[Callable[[], Awaitable[Any]]]:
    """All that can be asked about a path."""
    model = {"type": "file", "format": "text", "content": "x"}
    return [
        lambda: contents.get(path, content=True),
        lambda: contents.get(path, content=False),
        lambda: contents.get(path, content=True, type="directory"),
        lambda: contents.save(path, model),
        lambda: contents.create(path, "file"),
        lambda: contents.create(path, "directory"),
        lambda: contents.rename(path, "c.txt"),
        lambda: contents.rename("a.txt", path),
        lambda: contents.copy(path, "c.txt"),
        lambda: contents.copy("a.txt", path),
        lambda: contents.delete(path),
    ]


async def refusal(work: Awaitable[Any]) -> HubError:
    with pytest.raises(HubError) as caught:
        await work
    return caught.value


async def test_what_is_too_large_for_an_answer_is_not_read(
    manager: Any, contents: ContentsAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await contents.get("a.txt", content=True, max_bytes=5))["content"] == "a.txt"
    monkeypatch.setattr(manager, "get", lambda *args, **kwargs: pytest.fail("it was read"))
    with pytest.raises(HubError) as caught:
        await contents.get("a.txt", content=True, max_bytes=4)
    assert caught.value.code is Code.TOO_BIG
    for path in HIDDEN[:1] + OUTSIDE[:1]:
        with pytest.raises(HubError) as caught:
            await contents.get(path, content=True, max_bytes=1)
        assert caught.value.code is Code.NOT_FOUND, "its size is nobody's business"


async def test_files_are_made_read_changed_moved_copied_and_deleted(contents: ContentsAdapter, manager: Any) -> None:
    made = await contents.create("new.txt", "file")
    assert (made["path"], made["type"]) == ("new.txt", "file")
    assert (await contents.create("folder", "directory"))["type"] == "directory"
    assert (await contents.create("n.ipynb", "notebook"))["type"] == "notebook"
    saved = await contents.save("new.txt", {"type": "file", "format": "text", "content": "hello"})
    assert saved["path"] == "new.txt"
    assert (await contents.get("new.txt", content=True))["content"] == "hello"
    assert (await contents.rename("new.txt", "folder/moved.txt"))["path"] == "folder/moved.txt"
    assert (await contents.copy("folder/moved.txt", "copy.txt"))["path"] == "copy.txt"
    assert (await contents.copy("copy.txt", "folder"))["path"] == "folder/copy.txt"
    await contents.delete("copy.txt")
    listing = await contents.get("folder", content=True, type="directory")
    assert sorted(child["name"] for child in listing["content"]) == ["copy.txt", "moved.txt"]
    assert "copy.txt" not in names(manager)


async def test_a_directory_is_copied_to_the_path_that_was_asked_for(contents: ContentsAdapter, manager: Any) -> None:
    copied = await contents.copy("sub", "twin")
    assert copied["path"] == "twin"
    assert "twin/b.txt" in names(manager)
    assert "twin/sub" not in names(manager)


@pytest.mark.parametrize("path", [*OUTSIDE, *HIDDEN, "nul\x00"])
async def test_what_is_hidden_or_outside_is_not_there(contents: ContentsAdapter, manager: Any, path: str) -> None:
    before = names(manager)
    for ask in everything(contents, path):
        error = await refusal(ask())
        assert error.code is Code.NOT_FOUND
        assert error.message == (await refusal(contents.get(path, content=False))).message or "'" in error.message
    assert names(manager) == before


async def test_hidden_files_are_there_where_the_administrator_allows_them(
    contents: ContentsAdapter, manager: Any
) -> None:
    manager.allow_hidden = True
    assert (await contents.get(".hidden.txt", content=True))["content"] == ".hidden.txt"
    assert (await refusal(contents.get("../outside.txt", content=True))).code is Code.NOT_FOUND


async def test_what_is_in_the_way_or_missing_has_its_code(contents: ContentsAdapter, manager: Any) -> None:
    cases: list[tuple[Callable[[], Awaitable[Any]], Code]] = [
        (lambda: contents.create("a.txt", "file"), Code.EXISTS),
        (lambda: contents.create("missing/a.txt", "file"), Code.NOT_FOUND),
        (lambda: contents.create("", "file"), Code.INVALID),
        (lambda: contents.rename("a.txt", "sub/b.txt"), Code.EXISTS),
        (lambda: contents.rename("missing.txt", "c.txt"), Code.NOT_FOUND),
        (lambda: contents.copy("a.txt", "sub/b.txt"), Code.EXISTS),
        (lambda: contents.copy("missing.txt", "c.txt"), Code.NOT_FOUND),
        (lambda: contents.delete("missing.txt"), Code.NOT_FOUND),
        (lambda: contents.delete(""), Code.FORBIDDEN),
        (lambda: contents.get("missing.txt", content=False), Code.NOT_FOUND),
        (lambda: contents.get("a.txt", content=True, type="directory"), Code.NOT_FOUND),
        (lambda: contents.get("sub", content=True, type="file"), Code.INVALID),
        (lambda: contents.save("missing/a.txt", {"type": "file", "format": "text", "content": ""}), Code.NOT_FOUND),
        (lambda: contents.save("a.txt", {"type": "file", "format": "rot13", "content": "!"}), Code.INVALID),
    ]
    for work, code in cases:
        error = await refusal(work())
        assert error.code is code, error
        assert manager.root_dir not in error.message


async def test_no_absolute_path_gets_out_where_the_root_is_a_symbolic_link(manager: Any, tmp_path: Path) -> None:
    real = manager.root_dir
    os.symlink(real, tmp_path / "link")
    contents = adapter(type(manager)(root_dir=str(tmp_path / "link"), delete_to_trash=False))
    for work in (
        contents.rename("sub", "sub/inside"),
        contents.save("a.txt", {"type": "notebook", "format": "json", "content": {"cells": 5}}),
        contents.create("x" * 300, "file"),
    ):
        error = await refusal(work)
        for place in (real, str(tmp_path), str(tmp_path / "link")):
            assert place not in error.message


async def test_the_manager_is_asked_for_anew_each_time(manager: Any, tmp_path: Path) -> None:
    serverapp: Any = SimpleNamespace(contents_manager=manager)
    contents = ContentsAdapter(serverapp)
    await contents.get("a.txt", content=False)
    serverapp.contents_manager = type(manager)(root_dir=str(tmp_path / "root2"))
    assert (await refusal(contents.get("a.txt", content=False))).code is Code.NOT_FOUND


# What runs, and who asks


async def test_kernels_and_terminals_are_told_as_they_are() -> None:
    kernel = {"id": "k1", "name": "python3", "execution_state": "idle", "connections": 2, "last_activity": "now"}

    async def list_kernels() -> list[dict[str, Any]]:
        return [kernel]

    terminals = SimpleNamespace(
        terminals={"1": SimpleNamespace(clients=["a", "b"])}, list=lambda: [{"name": "1", "last_activity": "then"}]
    )
    for listing in (list_kernels, lambda: [kernel]):
        serverapp: Any = SimpleNamespace(
            kernel_manager=SimpleNamespace(list_kernels=listing),
            web_app=SimpleNamespace(settings={"terminal_manager": terminals}),
        )
        platform = PlatformAdapter(serverapp)
        (running,) = await platform.kernels()
        assert (running.id, running.name, running.state, running.connections) == ("k1", "python3", "idle", 2)
        (terminal,) = await platform.terminals()
        assert (terminal.id, terminal.connections, terminal.last_activity) == ("1", 2, "then")
        serverapp.web_app.settings.clear()
        assert await platform.terminals() == []


class ForeignProvider(IdentityProvider):
    """A provider that knows its users by name."""


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_peer_is_who_the_provider_says_and_may_what_the_authorizer_says(asynchronous: bool) -> None:
    def allow(handler: Any, user: User, action: str, resource: str) -> bool:
        return action == "read"

    async def allow_later(*arguments: Any) -> bool:
        return allow(*arguments)

    authorizer = SimpleNamespace(is_authorized=allow_later if asynchronous else allow)
    for provider, principal in ((PasswordIdentityProvider(), "owner"), (ForeignProvider(), "alice")):
        handler: Any = SimpleNamespace(
            current_user=User("alice", name="Alice A."), authorizer=authorizer, identity_provider=provider
        )
        peer = make_peer(handler, "owner")
        assert (peer.principal, peer.username, peer.display_name) == (principal, "alice", "Alice A.")
        assert await peer.authorize("read", "contents") is True
        assert await peer.authorize("write", "contents") is False


def test_activity_is_noted_where_the_server_looks_for_it() -> None:
    serverapp: Any = SimpleNamespace(web_app=SimpleNamespace(settings={}))
    settings, clock = serverapp.web_app.settings, FakeClock()
    activity = Activity(serverapp, clock)
    assert "ws_hub_last_activity" not in settings
    activity()
    assert settings["ws_hub_last_activity"].tzinfo is not None
    settings["ws_hub_last_activity"] = "then"
    clock.advance(0.99)
    activity()
    assert settings["ws_hub_last_activity"] == "then", "noted more than once a second"
    clock.advance(0.01)
    activity()
    assert settings["ws_hub_last_activity"] != "then"
