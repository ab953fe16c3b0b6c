"""The files service on a fake ContentsManager: what it asks of it, and what it makes of the answer."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from jupyter_ws_hub.listing.elsewhere import ContentsEvent
from jupyter_ws_hub.listing.entry import DirectoryChanged, Entry, Page
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.protocol.messages import Event, Subscribe, Unsubscribe
from jupyter_ws_hub.services.files import (
    CheckpointParams,
    CreateParams,
    FilesService,
    GetParams,
    ListDirectory,
    MakeDirectory,
    MoveParams,
    PageParams,
    PathParams,
    SaveParams,
    path_of,
    topic_of,
)
from jupyter_ws_hub.services.ports import Model

from ..hub.client import code_of, content, only, opened
from ..support.fakes import FakeContents, Stage, fake_peer, turns, until

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


async def pages(service: FilesService, params: ListDirectory) -> list[Page]:
    return [msgspec.json.decode(msgspec.json.encode(page), type=Page) async for page in service.list(params, PEER)]


async def names(service: FilesService, path: str = "", **how: Any) -> list[str]:
    return [entry.name for page in await pages(service, ListDirectory(path, **how)) for entry in page.entries]


async def test_a_directory_is_listed_by_name_without_contents() -> None:
    service, contents = make()
    (page,) = await pages(service, ListDirectory(""))
    assert (page.path, page.first, page.total) == ("", 0, 2)
    assert [(entry.name, entry.type) for entry in page.entries] == [("a", "directory"), ("b.txt", "file")]
    assert contents.calls == [("get", "", True, "directory", None)]
    assert b"hello" not in msgspec.json.encode(page)


async def test_a_listing_through_the_manager_is_sorted_filtered_and_paged() -> None:
    service, contents = make()
    for number in range(1, 12):
        contents.put(f"a/f{number}.txt", size=20 - number)
    contents.put("a/.hidden")
    assert (await names(service, "a"))[:4] == ["f1.txt", "f2.txt", "f3.txt", "f4.txt"]
    assert (await names(service, "a", sort="size", filter="F?.TXT"))[0] == "f9.txt"
    assert (await names(service, "a", sort="type", descending=True))[-1] == "n.ipynb"
    assert ".hidden" in await names(service, "a", hidden=True)
    cut = await pages(service, ListDirectory("a", page_entries=5))
    assert [(page.first, len(page.entries), page.total) for page in cut] == [(0, 5, 12), (5, 5, 12), (10, 2, 12)]
    assert len({page.etag for page in cut}) == 1
    params = PageParams("a", first=4, limit=3)
    window = msgspec.json.decode(msgspec.json.encode(await service.page(params, PEER)), type=Page)
    assert [entry.name for entry in window.entries] == ["f5.txt", "f6.txt", "f7.txt"]
    assert (await pages(service, ListDirectory("a", filter="nothing")))[0].entries == []


@pytest.mark.parametrize(("first", "limit"), [(0, 0), (0, 201), (-1, 5)])
async def test_a_window_has_its_limits(first: int, limit: int) -> None:
    service, _ = make()
    with pytest.raises(HubError) as caught:
        await service.page(PageParams("", first=first, limit=limit), PEER)
    assert caught.value.code is Code.INVALID


async def test_an_entry_tells_what_a_model_does_with_times_in_utc() -> None:
    service, contents = make()
    etag, mtime_ms = contents.models["b.txt"]["etag"], 1767323045000
    expected = Entry("b.txt", "b.txt", "file", True, TIME, TIME, 5, "text/plain", etag, mtime_ms)
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
    etag = contents.models["b.txt"]["etag"]
    with pytest.raises(HubError) as caught:
        await service.save(SaveParams("b.txt", "mine", expect="old"), PEER)
    assert caught.value.code is Code.CONFLICT
    assert caught.value.details == {"expected": "old", "current": etag}
    assert contents.models["b.txt"]["content"] == "hello"
    saved = await service.save(SaveParams("b.txt", "mine", expect=etag), PEER)
    assert contents.models["b.txt"]["content"] == "mine"
    assert saved.etag not in (None, etag)


async def test_a_save_can_ask_that_nothing_is_there() -> None:
    service, contents = make()
    await service.save(SaveParams("new.txt", "first", expect="absent"), PEER)
    with pytest.raises(HubError) as caught:
        await service.save(SaveParams("new.txt", "second", expect="absent"), PEER)
    assert caught.value.details == {"expected": "absent", "current": contents.models["new.txt"]["etag"]}
    assert contents.models["new.txt"]["content"] == "first"


async def test_a_save_that_expects_a_file_that_is_gone_is_a_conflict() -> None:
    service, contents = make()
    with pytest.raises(HubError) as caught:
        await service.save(SaveParams("gone.txt", "mine", expect="tag"), PEER)
    assert (caught.value.code, caught.value.details) == (Code.CONFLICT, {"expected": "tag", "current": "absent"})
    assert "gone.txt" not in contents.models


async def test_of_two_saves_at_once_that_expect_the_same_one_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    service, contents = make()
    etag = contents.models["b.txt"]["etag"]
    inner = contents.save

    async def slow(path: str, model: Model) -> Model:
        await turns()
        return await inner(path, model)

    monkeypatch.setattr(contents, "save", slow)
    saves = [service.save(SaveParams("b.txt", text, expect=etag), PEER) for text in ("one", "two")]
    outcomes = await asyncio.gather(*saves, return_exceptions=True)
    assert [isinstance(outcome, HubError) for outcome in outcomes] == [False, True]
    assert contents.models["b.txt"]["content"] == "one"


async def test_directories_are_made_with_those_that_lead_to_them_if_asked() -> None:
    service, contents = make()
    assert (await service.mkdir(MakeDirectory("d"), PEER)).type == "directory"
    assert (await service.mkdir(MakeDirectory("a/x/y", parents=True), PEER)).path == "a/x/y"
    assert contents.models["a/x"]["type"] == "directory"
    with pytest.raises(HubError) as caught:
        await service.mkdir(MakeDirectory("b.txt", parents=True), PEER)
    assert caught.value.code is Code.EXISTS


async def test_what_is_moved_goes_into_a_directory_or_gets_a_path() -> None:
    service, contents = make()
    await service.move(MoveParams("b.txt", "a"), PEER)
    await service.move(MoveParams("a/b.txt", "c.txt"), PEER)
    await service.move(MoveParams("a/n.ipynb", "/"), PEER)
    moves = [call for call in contents.calls if call[0] == "rename"]
    assert moves == [("rename", "b.txt", "a/b.txt"), ("rename", "a/b.txt", "c.txt"), ("rename", "a/n.ipynb", "n.ipynb")]


async def test_checkpoints_are_made_listed_restored_and_forgotten() -> None:
    service, contents = make()
    assert await service.checkpoints(PathParams("b.txt"), PEER) == []
    made = await service.checkpoint(PathParams("b.txt"), PEER)
    assert await service.checkpoints(PathParams("b.txt"), PEER) == [made]
    assert (await service.restore(CheckpointParams("b.txt", made.id), PEER)).path == "b.txt"
    await service.delete_checkpoint(CheckpointParams("b.txt", made.id), PEER)
    assert await service.checkpoints(PathParams("b.txt"), PEER) == []
    assert contents.calls == [("restore", "b.txt", made.id), ("delete_checkpoint", "b.txt", made.id)]


@pytest.mark.parametrize("path", ["", "a", "a/b c", "ä/#?&+%/x'()*!~", "a\u2028"])
def test_a_directory_has_one_topic(path: str) -> None:
    topic = topic_of(path)
    assert path_of(topic) == path
    assert topic.count("/") == 1
    assert topic_of(f"/{path}/") == topic


@pytest.mark.parametrize("topic", ["files/a", "files/%2fa", "files/%2Fa%2F", "files/%2Fa b", "files/%2F%2Fa"])
def test_no_other_name_is_a_topic_of_it(topic: str) -> None:
    with pytest.raises(HubError) as caught:
        path_of(topic)
    assert caught.value.code is Code.NOT_FOUND


def test_topics_are_named_as_the_api_says() -> None:
    assert (topic_of(""), topic_of("a/b")) == ("files/%2F", "files/%2Fa%2Fb")


async def test_changes_through_the_manager_are_told_while_somebody_follows() -> None:
    service = FilesService()
    stage = Stage(service)
    contents = stage.contents
    contents.put("a", "directory")
    client = await opened(stage.hub)
    await service.start()
    try:
        assert (await client.subscribe(1, "files/%2Fa")).status == "ok"
        (tell,) = contents.listeners
        contents.put("a/new.txt")
        tell(ContentsEvent("save", "a/new.txt"))
        tell(ContentsEvent("rename", "elsewhere.txt", "a/old.txt"))
        tell(ContentsEvent("save", "other/x.txt"))
        await until(lambda: stage.hub.topics.state("files/%2Fa", "alice").batches > 0)
        (event,) = only(Event, await client.read())
        changed = msgspec.json.decode(event.data, type=DirectoryChanged)
        assert [entry.name for entry in changed.entries] == ["new.txt"]
        assert (changed.path, changed.removed, changed.reset, changed.gone) == ("a", ["old.txt"], False, False)
        client.send(Unsubscribe(2, "files/%2Fa"))
        await client.reply(2)
        await until(lambda: not contents.listeners)
        assert await client.refusal(Subscribe(3, "files/%2Fnowhere", "latest")) == "not_found"
    finally:
        await service.stop()


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


@pytest.mark.parametrize("name", ["list", "stat", "get", "checkpoints"])
async def test_what_is_not_there_is_told_in_the_words_of_contents(name: str) -> None:
    service, _ = make()
    stage = Stage(service)
    client = await opened(stage.hub)
    assert code_of(await client.ask(1, f"files.{name}", {"path": "nowhere"})) == "not_found"


READS: dict[str, dict[str, Any]] = {
    "list": {"path": ""},
    "page": {"path": "", "first": 0, "limit": 1},
    "stat": {"path": ""},
    "get": {"path": "x"},
    "checkpoints": {"path": "x"},
}
WRITES: dict[str, dict[str, Any]] = {
    "save": {"path": "x", "content": ""},
    "create": {"path": "y"},
    "mkdir": {"path": "d"},
    "copy": {"path": "x", "to": "y"},
    "checkpoint": {"path": "x"},
    "restore": {"path": "x", "id": "checkpoint"},
    "delete_checkpoint": {"path": "x", "id": "checkpoint"},
    "rename": {"path": "x", "to": "z"},
    "move": {"path": "z", "to": "w"},
    "delete": {"path": "w"},
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
