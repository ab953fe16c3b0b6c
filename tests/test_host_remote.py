"""The plain calls to managers that keep their files elsewhere, sync and async."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from tornado.web import HTTPError

from jupyter_ws_hub.host_remote import RemoteAdapter, seen
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.transfers.body import decoded
from tests.support.managers import Async, Shelf, Sync, WholeCalls

from .test_host import refusal

KINDS = [Async, Sync, WholeCalls]


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def shelf(request: pytest.FixtureRequest) -> Any:
    return request.param()


@pytest.fixture
def remote(shelf: Shelf) -> RemoteAdapter:
    serverapp: Any = SimpleNamespace(contents_manager=shelf)
    return RemoteAdapter(serverapp)


async def test_what_is_there_is_seen(shelf: Shelf, remote: RemoteAdapter) -> None:
    shelf.put("sub", None)
    shelf.put("sub/a.txt", b"12345")
    assert await remote.look("nothing") is None
    directory = await remote.look("sub")
    assert directory is not None
    assert directory.type == "directory"
    before = await remote.look("sub/a.txt")
    assert before is not None
    assert (before.type, before.size, before.mtime_ms // 1000) == (
        "file",
        5,
        int(shelf.kept["sub/a.txt"][1].timestamp()),
    )
    shelf.put("sub/a.txt", b"54321")
    after = await remote.look("sub/a.txt")
    assert after is not None
    assert after.etag != before.etag, "the same size, but later"


async def test_pieces_follow_on_each_other_and_a_whole_file_replaces(shelf: Shelf, remote: RemoteAdapter) -> None:
    for number, text in ((1, b"one"), (2, b"two"), (-1, b"three")):
        await remote.save("a", base64.b64encode(text).decode(), number)
    assert shelf.read("a") == b"onetwothree"
    await remote.save("a", base64.b64encode(b"whole").decode(), None)
    assert shelf.read("a") == b"whole"
    assert shelf.saves == [("a", 1), ("a", 2), ("a", -1), ("a", None)]


async def test_files_are_renamed_deleted_and_directories_made(shelf: Shelf, remote: RemoteAdapter) -> None:
    await remote.make_directory("sub")
    shelf.put("a", b"x")
    shelf.put("b", b"y")
    assert (await refusal(remote.rename("a", "b"))).code is Code.EXISTS
    await remote.rename("a", "sub/c")
    await remote.delete("b")
    assert shelf.names() == ["sub/c"]
    assert await remote.is_directory("sub")
    assert not await remote.is_directory("sub/c")
    assert (await refusal(remote.is_directory(".hidden"))).code is Code.NOT_FOUND


async def test_a_manager_that_cannot_rename_is_unsupported(monkeypatch: pytest.MonkeyPatch) -> None:
    async def no(self: Any, *paths: str) -> None:
        raise NotImplementedError

    monkeypatch.setattr(Async, "rename", no)
    monkeypatch.setattr(Async, "rename_file", no)
    serverapp: Any = SimpleNamespace(contents_manager=Async())
    error = await refusal(RemoteAdapter(serverapp).rename("a", "b"))
    assert (error.code, "'a'" in error.message) == (Code.UNSUPPORTED, True)


async def test_bytes_text_and_notebooks_are_read_as_their_bytes(shelf: Shelf, remote: RemoteAdapter) -> None:
    data = bytes(range(256)) * 1000
    shelf.put("a.bin", data)
    assert b"".join(decoded(await remote.load("a.bin"))) == data
    notebook = {"cells": [], "metadata": {"name": "é"}, "nbformat": 4, "nbformat_minor": 5}
    models: dict[str, Any] = {"n.ipynb": notebook, "t.txt": "zwölf\n"}

    def get(path: str, content: bool = True, type: Any = None, format: Any = None) -> dict[str, Any]:
        if type == "file" and path == "n.ipynb":
            raise HTTPError(400, "n.ipynb is a notebook, not a file")
        return {"content": models[path], "format": "json" if path == "n.ipynb" else "text"}

    stubborn: Any = SimpleNamespace(contents_manager=SimpleNamespace(get=get, root_dir="/nowhere"))
    loaded = b"".join(decoded(await RemoteAdapter(stubborn).load("n.ipynb")))
    assert json.loads(loaded) == notebook
    assert "é".encode() in loaded
    assert loaded.endswith(b"}\n")
    assert b"".join(decoded(await RemoteAdapter(stubborn).load("t.txt"))) == "zwölf\n".encode()


def test_a_time_may_be_anything_and_a_size_may_be_missing() -> None:
    time = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    told = [
        seen({"type": "file", "last_modified": value, "size": 3}) for value in (time, time.isoformat(), "never", None)
    ]
    assert [one.mtime_ms for one in told] == [int(time.timestamp()) * 1000] * 2 + [0, 0]
    assert told[0].etag == told[1].etag
    assert len({one.etag for one in told}) == 3
    unknown = seen({"type": "notebook", "last_modified": time})
    assert (unknown.type, unknown.size) == ("file", None)
    assert unknown.etag != told[0].etag
