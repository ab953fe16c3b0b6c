"""The files service on a fake ContentsManager: what it asks of it, and what it makes of the answer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.services.files import (
    CreateParams,
    Entry,
    FilesService,
    GetParams,
    MoveParams,
    PathParams,
    SaveParams,
)

from ..hub.client import code_of, content, opened
from ..support.fakes import FakeContents, Stage, fake_peer

TIME = "2026-01-02T03:04:05Z"
PEER = fake_peer()


def make() -> tuple[FilesService, FakeContents]:
    """The service on a few files."""
    service = FilesService()
    contents = Stage(service).contents
    contents.put("b.txt", format="text", content="hello", size=5, mimetype="text/plain")
    contents.put("a", "directory")
    contents.put("a/n.ipynb", "notebook", format="json", content={"cells": []})
    return service, contents


async def test_a_directory_is_listed_by_name_without_contents() -> None:
    service, contents = make()
    listing = await service.list(PathParams(""), PEER)
    assert listing.path == ""
    assert [(entry.name, entry.type) for entry in listing.entries] == [("a", "directory"), ("b.txt", "file")]
    assert contents.calls == [("get", "", True, "directory", None)]
    assert b"hello" not in msgspec.json.encode(listing)


async def test_an_entry_tells_what_a_model_does_with_times_in_utc() -> None:
    service, contents = make()
    expected = Entry("b.txt", "b.txt", "file", True, TIME, TIME, 5, "text/plain")
    assert await service.stat(PathParams("b.txt"), PEER) == expected
    contents.put("c", last_modified="2026-01-01T00:00:00Z", created=datetime(2026, 1, 1, tzinfo=UTC))
    entry = await service.stat(PathParams("c"), PEER)
    assert (entry.last_modified, entry.created, entry.size) == ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", None)


async def test_stat_reads_no_content() -> None:
    service, contents = make()
    await service.stat(PathParams("b.txt"), PEER)
    assert contents.calls == [("get", "b.txt", False, None, None)]


@pytest.mark.parametrize(
    ("path", "format", "expected"), [("b.txt", "text", "hello"), ("a/n.ipynb", "json", {"cells": []})]
)
async def test_a_file_is_read_with_its_format(path: str, format: str, expected: Any) -> None:
    service, _ = make()
    read = await service.get(GetParams(path), PEER)
    assert (read.entry.path, read.format, read.content) == (path, format, expected)


async def test_a_file_is_read_as_it_is_asked_for() -> None:
    service, contents = make()
    await service.get(GetParams("b.txt", type="file", format="base64"), PEER)
    assert contents.calls == [("get", "b.txt", True, "file", "base64")]


async def test_a_directory_is_not_read_as_a_file() -> None:
    service, _ = make()
    with pytest.raises(HubError) as caught:
        await service.get(GetParams("a"), PEER)
    assert caught.value.code is Code.INVALID
    assert "files.list" in caught.value.message


async def test_a_file_is_saved_whole_and_its_entry_given() -> None:
    service, contents = make()
    saved = await service.save(SaveParams("new.txt", "text"), PEER)
    assert saved.path == "new.txt"
    assert contents.calls == [("save", "new.txt", {"type": "file", "format": "text", "content": "text"})]


async def test_a_save_that_expects_another_state_is_a_conflict_and_writes_nothing() -> None:
    service, contents = make()
    with pytest.raises(HubError) as caught:
        await service.save(SaveParams("b.txt", "mine", expect="2020-01-01T00:00:00Z"), PEER)
    assert caught.value.code is Code.CONFLICT
    assert caught.value.details == {"expected": "2020-01-01T00:00:00Z", "current": TIME}
    assert contents.models["b.txt"]["content"] == "hello"
    await service.save(SaveParams("b.txt", "mine", expect=TIME), PEER)
    assert contents.models["b.txt"]["content"] == "mine"


async def test_a_save_that_expects_a_file_that_is_gone_is_not_found() -> None:
    service, contents = make()
    with pytest.raises(HubError) as caught:
        await service.save(SaveParams("gone.txt", "mine", expect=TIME), PEER)
    assert caught.value.code is Code.NOT_FOUND
    assert "gone.txt" not in contents.models


async def test_files_are_made_moved_copied_and_deleted() -> None:
    service, contents = make()
    assert (await service.create(CreateParams("d", "directory"), PEER)).type == "directory"
    assert (await service.copy(MoveParams("b.txt", "d/b.txt"), PEER)).path == "d/b.txt"
    assert (await service.rename(MoveParams("b.txt", "c.txt"), PEER)).path == "c.txt"
    await service.delete(PathParams("c.txt"), PEER)
    assert contents.calls == [
        ("create", "d", "directory"),
        ("copy", "b.txt", "d/b.txt"),
        ("rename", "b.txt", "c.txt"),
        ("delete", "c.txt"),
    ]
    assert {"d", "d/b.txt"} <= set(contents.models) and "b.txt" not in contents.models


@pytest.mark.parametrize("name", ["list", "stat", "get"])
async def test_what_is_not_there_is_told_in_the_words_of_contents(name: str) -> None:
    service, _ = make()
    stage = Stage(service)
    client = await opened(stage.hub)
    assert code_of(await client.ask(1, f"files.{name}", {"path": "nowhere"})) == "not_found"


READS = {"list": {"path": ""}, "stat": {"path": ""}, "get": {"path": "x"}}
WRITES: dict[str, dict[str, Any]] = {
    "save": {"path": "x", "content": ""},
    "create": {"path": "y"},
    "copy": {"path": "x", "to": "y"},
    "rename": {"path": "x", "to": "z"},
    "delete": {"path": "z"},
}


async def test_reading_needs_the_permission_to_read_and_writing_the_one_to_write() -> None:
    stage = Stage(FilesService())
    stage.contents.put("x", format="text", content="")
    reader = await opened(stage.hub, fake_peer("reader", denied=[("write", "contents")]))
    writer = await opened(stage.hub, fake_peer("writer", denied=[("read", "contents")]))
    for ref, (name, params) in enumerate([*READS.items(), *WRITES.items()], start=1):
        allowed, refused = (reader, writer) if name in READS else (writer, reader)
        assert code_of(await refused.ask(ref, f"files.{name}", params)) == "forbidden"
        assert (await allowed.ask(ref, f"files.{name}", params)).error is None


async def test_a_content_of_any_kind_goes_through_the_hub_and_back() -> None:
    stage = Stage(FilesService())
    client = await opened(stage.hub)
    notebook = {"cells": [{"source": "äöü\u2028", "n": [1, 2.5, None, True]}]}
    params = {"path": "n.ipynb", "type": "notebook", "format": "json", "content": notebook}
    assert (await client.ask(1, "files.save", params)).error is None
    reply = await client.ask(2, "files.get", {"path": "n.ipynb"})
    assert msgspec.json.decode(content(reply.result))["content"] == notebook
