"""Files that a manager keeps elsewhere: whole or not at all, with managers that keep their promises and others."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tornado.web import HTTPError

from jupyter_ws_hub.host_remote import RemoteAdapter
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from jupyter_ws_hub.protocol.transfer import ABSENT, IfExists
from jupyter_ws_hub.transfers import remote as module
from jupyter_ws_hub.transfers.body import Body
from jupyter_ws_hub.transfers.remote import CHUNK_BYTES, RemoteFiles, temporary_path
from jupyter_ws_hub.transfers.spool import Spool
from tests.support.file_client import root_of
from tests.support.managers import Async, Broken, Ignorant, Shelf, Sync, SyncIgnorant, WholeCalls

GOOD = [Async, Sync, WholeCalls]
ALL = [*GOOD, Ignorant, SyncIgnorant]
LARGE = os.urandom(2 * CHUNK_BYTES + 1)
OP = "0123456789abcdef"


class Office:
    """A manager, its files, and what was given its name."""

    def __init__(self, shelf: Shelf, tmp_path: Path) -> None:
        """Begin with an empty manager."""
        self.shelf = shelf
        serverapp: Any = SimpleNamespace(contents_manager=shelf)
        self.spool = tmp_path / "spool"
        self.files = RemoteFiles(RemoteAdapter(serverapp), Spool(self.spool, "/"), logging.getLogger("test"))
        self.begun: list[str] = []
        self.on_begin: Any = None

    @asynccontextmanager
    async def begin(self, path: str) -> AsyncIterator[None]:
        """See Begin."""
        self.begun.append(path)
        if self.on_begin is not None:
            self.on_begin()
        yield

    def temporary(self, path: str) -> str:
        """The name under which a file grows."""
        return temporary_path(path, OP, 1)

    def body(self, data: bytes) -> Body:
        """A file's bytes."""
        return Body(data, len(data), root_of(data), "xxh3-128", "a")

    async def put(self, path: str, data: bytes, if_exists: IfExists = "fail", expect: str | None = None) -> str:
        """Put a file; give the path that it got."""
        placed = await self.files.put(self.temporary(path), path, self.body(data), if_exists, expect, self.begin)
        assert placed.etag == await self.etag(placed.path)
        return placed.path

    async def etag(self, path: str) -> str:
        """What the manager says is there."""
        (found,) = await self.files.occupied("", [path], lambda name: True)
        return found.etag


@pytest.fixture(params=ALL, ids=lambda kind: kind.__name__)
def office(request: pytest.FixtureRequest, tmp_path: Path) -> Office:
    return Office(request.param(), tmp_path)


async def refusal(work: Awaitable[Any]) -> HubError:
    with pytest.raises(HubError) as caught:
        await work
    return caught.value


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES, len(LARGE)])
async def test_a_file_of_any_size_arrives_whole_and_nothing_else_is_there(office: Office, size: int) -> None:
    office.shelf.put("sub", None)
    assert await office.put("sub/a.bin", LARGE[:size]) == "sub/a.bin"
    assert office.shelf.names() == ["sub/a.bin"]
    assert office.shelf.read("sub/a.bin") == LARGE[:size]
    assert office.begun == ["sub/a.bin"]


async def test_each_policy_does_what_it_says(office: Office) -> None:
    office.shelf.put("a.bin", b"old")
    office.shelf.put("a-1.bin", b"older")
    policies: list[IfExists] = ["fail", "skip"]
    for policy in policies:
        error = await refusal(office.put("a.bin", LARGE, policy))
        assert error.code is Code.EXISTS
    assert office.shelf.saves == [], "nothing is sent for nothing"
    assert await office.put("a.bin", LARGE, "rename") == "a-2.bin"
    assert await office.put("a.bin", LARGE, "overwrite") == "a.bin"
    assert office.shelf.names() == ["a-1.bin", "a-2.bin", "a.bin"]
    assert office.shelf.read("a.bin") == LARGE


async def test_an_etag_must_still_hold(office: Office) -> None:
    office.shelf.put("a.bin", b"old")
    etag = await office.etag("a.bin")
    for expected in (ABSENT, "another"):
        error = await refusal(office.put("a.bin", b"new", "overwrite", expected))
        assert (error.code, (error.details or {})["current"]) == (Code.CONFLICT, etag)
    assert (await refusal(office.put("b.bin", b"new", "overwrite", etag))).code is Code.CONFLICT
    await office.put("a.bin", b"new", "overwrite", etag)
    assert office.shelf.read("a.bin") == b"new"


async def test_what_changes_while_the_file_is_on_its_way_is_seen_before_it_gets_its_name(office: Office) -> None:
    office.shelf.put("a.bin", b"old")
    etag = await office.etag("a.bin")
    office.on_begin = lambda: office.shelf.put("a.bin", b"theirs")
    assert (await refusal(office.put("a.bin", LARGE, "overwrite", etag))).code is Code.CONFLICT
    office.on_begin = lambda: office.shelf.put("b.bin", b"theirs")
    assert (await refusal(office.put("b.bin", LARGE, "fail"))).code is Code.EXISTS
    office.on_begin = lambda: office.shelf.put(office.begun[-1], b"theirs") if len(office.begun) == 3 else None
    assert await office.put("c.bin", LARGE, "rename") == "c-1.bin"
    assert {name: office.shelf.read(name)[:6] for name in office.shelf.names()} == {
        **dict.fromkeys(["a.bin", "b.bin", "c.bin"], b"theirs"),
        "c-1.bin": LARGE[:6],
    }


@pytest.mark.parametrize("at", [1, 2, 3])
@pytest.mark.parametrize("kind", GOOD)
async def test_a_store_that_fails_midway_leaves_what_was_there(kind: Any, at: int, tmp_path: Path) -> None:
    office = Office(kind(), tmp_path)
    office.shelf.put("a.bin", b"old")
    office.shelf.fail_at = at
    error = await refusal(office.put("a.bin", LARGE, "overwrite"))
    assert error.code.retryable
    assert ("'a.bin'" in error.message, "part~" in error.message) == (True, False)
    assert office.shelf.names() == ["a.bin"]
    assert office.shelf.read("a.bin") == b"old"
    await office.put("a.bin", LARGE, "overwrite")
    assert office.shelf.read("a.bin") == LARGE


@pytest.mark.parametrize("kind", [Async, Sync])
@pytest.mark.parametrize("failing", [1, 2])
async def test_a_rename_that_fails_brings_back_what_was_there(
    kind: Any, failing: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    office, count = Office(kind(), tmp_path), 0
    office.shelf.put("a.bin", b"old")
    rename = Shelf._rename

    def fail(self: Shelf, old: str, new: str) -> None:
        nonlocal count
        count += 1
        if count == failing:
            raise HTTPError(500, f"cannot rename {old}")
        rename(self, old, new)

    monkeypatch.setattr(Shelf, "_rename", fail)
    error = await refusal(office.put("a.bin", LARGE, "overwrite"))
    assert "part~" not in error.message
    assert office.shelf.names() == ["a.bin"]
    assert office.shelf.read("a.bin") == b"old"


async def test_a_manager_that_cannot_delete_the_old_file_has_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    office = Office(Async(), tmp_path)
    office.shelf.put("a.bin", b"old")

    def fail(self: Shelf, path: str) -> None:
        raise RuntimeError("read only")

    monkeypatch.setattr(Shelf, "_delete", fail)
    assert await office.put("a.bin", LARGE, "overwrite") == "a.bin"
    assert office.shelf.read("a.bin") == LARGE
    assert "old~ is left of an upload: read only" in caplog.text


async def test_a_manager_that_ignores_chunks_is_found_out_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WHOLE_BYTES", 3 * CHUNK_BYTES)
    office = Office(Ignorant(), tmp_path)
    office.files.check_size("a", 2**40)
    await office.put("a.bin", LARGE)
    assert [chunk for _, chunk in office.shelf.saves] == [1, 2, -1, None]
    await office.put("b.bin", LARGE)
    assert [chunk for _, chunk in office.shelf.saves][4:] == [None]
    with pytest.raises(HubError) as caught:
        office.files.check_size("a", 3 * CHUNK_BYTES + 1)
    assert caught.value.code is Code.UNSUPPORTED


async def test_a_file_too_large_to_be_saved_whole_is_refused_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_WHOLE_BYTES", 2 * CHUNK_BYTES)
    office = Office(Ignorant(), tmp_path)
    office.shelf.put("a.bin", b"old")
    error = await refusal(office.put("a.bin", LARGE, "overwrite"))
    assert (error.code, "'a.bin'" in error.message) == (Code.UNSUPPORTED, True)
    assert office.shelf.names() == ["a.bin"]
    assert office.shelf.read("a.bin") == b"old"


@pytest.mark.parametrize("size", [10, len(LARGE)])
@pytest.mark.parametrize("tells_sizes", [True, False])
async def test_a_manager_that_keeps_half_is_not_believed(size: int, tells_sizes: bool, tmp_path: Path) -> None:
    office = Office(Broken(), tmp_path)
    office.shelf.tells_sizes = tells_sizes
    Shelf._keep(office.shelf, "a.bin", b"old")
    error = await refusal(office.put("a.bin", LARGE[:size], "overwrite"))
    assert error.code is Code.UNSUPPORTED
    assert office.shelf.names() == ["a.bin"]
    assert office.shelf.read("a.bin") == b"old"


@pytest.mark.parametrize("size", [10, len(LARGE)])
async def test_where_no_size_is_told_the_bytes_are_compared(office: Office, size: int) -> None:
    office.shelf.tells_sizes = False
    await office.put("a.bin", LARGE[:size])
    assert office.shelf.read("a.bin") == LARGE[:size]


async def test_where_no_size_is_told_a_large_file_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_WHOLE_BYTES", CHUNK_BYTES)
    office = Office(Async(), tmp_path)
    office.shelf.tells_sizes = False
    assert (await refusal(office.put("a.bin", LARGE))).code is Code.UNSUPPORTED
    assert office.shelf.names() == []


async def test_a_put_that_is_cancelled_leaves_nothing(tmp_path: Path) -> None:
    shelf = Async()
    shelf.delay_s = 30.0
    office = Office(shelf, tmp_path)
    office.shelf.put(office.temporary("a.bin"), b"of an interrupted try")
    task = asyncio.create_task(office.put("a.bin", LARGE))
    for _ in range(50):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert office.shelf.names() == []


# After the death of a server, at each of its steps


async def test_a_server_that_died_before_the_file_had_its_name_has_changed_nothing(office: Office) -> None:
    office.shelf.put("a.bin", b"old")
    office.shelf.put(office.temporary("a.bin"), LARGE)
    assert await office.files.recover(office.temporary("a.bin"), "a.bin", office.body(LARGE)) is None
    assert (office.shelf.names(), office.shelf.read("a.bin")) == (["a.bin"], b"old")


async def test_what_was_there_is_brought_back(office: Office) -> None:
    office.shelf.put(office.temporary("a.bin").replace(".part~", ".old~"), b"old")
    office.shelf.put(office.temporary("a.bin"), LARGE)
    assert await office.files.recover(office.temporary("a.bin"), "a.bin", office.body(LARGE)) is None
    assert (office.shelf.names(), office.shelf.read("a.bin")) == (["a.bin"], b"old")


async def test_a_file_that_had_its_name_already_is_there(office: Office) -> None:
    office.shelf.put("a.bin", LARGE)
    office.shelf.put(office.temporary("a.bin").replace(".part~", ".old~"), b"old")
    placed = await office.files.recover(office.temporary("a.bin"), "a.bin", office.body(LARGE))
    assert placed == ("a.bin", await office.etag("a.bin"))
    assert office.shelf.names() == ["a.bin"]


async def test_another_file_of_that_size_is_not_taken_for_it(office: Office) -> None:
    office.shelf.put("a.bin", bytes(len(LARGE)))
    assert await office.files.recover(office.temporary("a.bin"), "a.bin", office.body(LARGE)) is None
    assert office.shelf.read("a.bin") == bytes(len(LARGE))


# Looking, directories, and reading


async def test_directories_are_made_with_those_above_them(office: Office) -> None:
    office.shelf.put("file", b"")
    await office.files.make_directory("", ["x", "y", "z"])
    await office.files.make_directory("x", ["y", "w"])
    assert {path for path, (data, _) in office.shelf.kept.items() if data is None} == {"", "x", "x/y", "x/y/z", "x/y/w"}
    assert (await refusal(office.files.make_directory("", ["file", "y"]))).code is Code.EXISTS
    assert await office.files.directory("x/y") == office.spool
    assert (await refusal(office.files.directory("file"))).code is Code.INVALID
    assert (await refusal(office.files.directory("missing"))).code is Code.NOT_FOUND


async def test_taken_names_are_told_in_order(office: Office) -> None:
    office.shelf.put("sub", None)
    office.shelf.put("sub/a", b"123")
    office.shelf.put("sub/x", None)
    names = ["b", "a", ".hidden", "../a", "x"]
    found = await office.files.occupied("sub", names, lambda name: not name.startswith("."))
    assert [(one.name, one.type, one.size) for one in found] == [("a", "file", 3), ("x", "directory", 0)]
    assert (await refusal(office.files.occupied("missing", [], lambda name: True))).code is Code.NOT_FOUND


async def test_a_file_is_fetched_once_while_it_stays_the_same(office: Office) -> None:
    office.shelf.put("a.bin", LARGE)
    place = await office.files.fetch("a.bin")
    assert place.read_bytes() == LARGE
    assert await office.files.fetch("a.bin") == place
    office.shelf.put("a.bin", LARGE[::-1])
    other = await office.files.fetch("a.bin")
    assert (other.read_bytes(), place.read_bytes()) == (LARGE[::-1], LARGE)
    assert (await refusal(office.files.fetch("missing"))).code is Code.NOT_FOUND


async def test_a_file_that_changed_within_one_moment_is_not_taken_for_the_old_one(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What managers tell of a time is coarse: it counts only when that time is over."""
    office.shelf.put("a.bin", b"12345")
    place = await office.files.fetch("a.bin")
    changed = os.stat(place).st_mtime_ns
    monkeypatch.setattr(module, "_SETTLED_MS", 10**14)
    office.shelf.kept["a.bin"] = (b"54321", office.shelf.kept["a.bin"][1])
    assert (await office.files.fetch("a.bin")).read_bytes() == b"54321"
    again = await office.files.fetch("a.bin")
    assert again.stat().st_mtime_ns > changed
    assert (await office.files.fetch("a.bin")).stat().st_ino == again.stat().st_ino


async def test_a_file_too_large_to_be_fetched_is_refused_before_it_is_read(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_FETCH_BYTES", 4)
    office.shelf.put("a.bin", b"12345")
    for tells_sizes in (True, False):
        office.shelf.tells_sizes = tells_sizes
        error = await refusal(office.files.fetch("a.bin"))
        assert (error.code, "'a.bin'" in error.message) == (Code.TOO_BIG, True)
    assert not office.spool.exists() or list(office.spool.iterdir()) == []
