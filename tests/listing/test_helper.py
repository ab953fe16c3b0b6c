"""The server's end of the helper: listings, bounds, cancelling, and a helper that dies."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from jupyter_ws_hub.listing import helper as module
from jupyter_ws_hub.listing.entry import Directory, DirectoryChanged, Order, Page
from jupyter_ws_hub.listing.helper import CREDIT, HelperDied, ListingHelper, ListingSettings
from jupyter_ws_hub.protocol.codes import Code
from jupyter_ws_hub.protocol.errors import HubError
from tests.support.fakes import until

MANY = 2000


@asynccontextmanager
async def running() -> AsyncIterator[ListingHelper]:
    """A helper that is ended."""
    helper = ListingHelper(logging.getLogger("test"), ListingSettings(max_listings=2, max_watches=2))
    try:
        yield helper
    finally:
        await helper.stop()
    assert helper.pid is None


@pytest.fixture
def many(tmp_path: Path) -> Directory:
    for number in range(MANY):
        (tmp_path / f"f{number}").touch()
    return Directory(str(tmp_path), "d")


def page(data: bytes) -> Page:
    return msgspec.json.decode(data, type=Page)


async def whole(helper: ListingHelper, directory: Directory, page_entries: int = 0) -> list[Page]:
    return [page(data) async for data in helper.pages(directory, Order(), page_entries)]


async def test_a_listing_is_whole_and_uses_one_process(many: Directory) -> None:
    async with running() as helper:
        await helper.start()
        pid = helper.pid
        pages = await whole(helper, many)
        assert [entry.name for one in pages for entry in one.entries] == [f"f{n}" for n in range(MANY)]
        window = page(await helper.window(many, Order(descending=True), 10, 5))
        assert [entry.name for entry in window.entries] == [f"f{MANY - 11 - n}" for n in range(5)]
        assert helper.pid == pid is not None
        assert helper.under_way == 0


async def test_it_starts_by_itself_and_guesses_types_as_the_server_does(tmp_path: Path) -> None:
    async with running() as helper:
        (tmp_path / "a.txt").touch()
        assert helper.pid is None
        ((one,),) = [one.entries for one in await whole(helper, Directory(str(tmp_path), ""))]
        assert one.mimetype == "text/plain"


async def test_what_cannot_be_listed_is_the_system_s_error(tmp_path: Path) -> None:
    async with running() as helper:
        with pytest.raises(FileNotFoundError):
            await whole(helper, Directory(str(tmp_path / "nowhere"), ""))
        with pytest.raises(FileNotFoundError):
            await helper.window(Directory(str(tmp_path / "nowhere"), ""), Order(), 0, 1)


async def test_a_slow_reader_has_few_pages_on_their_way(many: Directory) -> None:
    async with running() as helper:
        async with aclosing(helper.pages(many, Order(), 1)) as pages:
            await anext(pages)
            for _ in range(50):  # let come what would
                await asyncio.sleep(0.001)
            assert helper._process is not None
            (inbox,) = helper._process.inboxes.values()
            assert inbox.__self__.qsize() < CREDIT  # type: ignore[attr-defined]  # a bound method of the queue


async def test_a_thousand_cancelled_listings_leave_nothing(many: Directory) -> None:
    async with running() as helper:
        await helper.start()
        pid = helper.pid
        for _ in range(20):
            tasks = [asyncio.create_task(whole(helper, many, 1)) for _ in range(50)]
            await asyncio.sleep(0.005)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        assert helper.under_way == 0
        assert helper.pid == pid
        assert len(await whole(helper, many)) > 1
        assert len(os.listdir(f"/proc/{pid}/fd")) < 12


async def test_only_so_many_are_under_way_or_wait(many: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running() as helper:
        monkeypatch.setattr(module, "MAX_WAITING", 3)
        held = [helper.pages(many, Order(), 1) for _ in range(2)]
        for pages in held:
            await anext(pages)
        waiting = [asyncio.create_task(helper.window(many, Order(), 0, 1)) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(HubError) as caught:
            await helper.window(many, Order(), 0, 1)
        assert caught.value.code is Code.BUSY
        assert not any(task.done() for task in waiting)
        for pages in held:
            await pages.aclose()
        assert len(await asyncio.gather(*waiting)) == 3


async def test_a_helper_that_is_killed_ends_its_listings_and_the_next_one_works(many: Directory) -> None:
    async with running() as helper:
        async with aclosing(helper.pages(many, Order(), 1)) as pages:
            await anext(pages)
            first = helper.pid
            assert first is not None
            os.kill(first, signal.SIGKILL)
            with pytest.raises(HelperDied):
                async for _ in pages:
                    pass
        assert len(await whole(helper, many)) > 1
        assert helper.pid not in (None, first)


async def test_where_it_cannot_be_started_that_is_told(many: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running() as helper:
        monkeypatch.setattr(sys, "executable", "/nowhere/python")
        await helper.start()
        with pytest.raises(HelperDied):
            await whole(helper, many)
        monkeypatch.undo()
        assert await whole(helper, many)


async def test_changes_are_told_and_a_new_helper_goes_on_watching(tmp_path: Path) -> None:
    async with running() as helper:
        told: list[DirectoryChanged] = []
        watch = await helper.watch(Directory(str(tmp_path), "d"), False, told.append)
        (tmp_path / "a").touch()
        await until(lambda: [e.name for change in told for e in change.entries] == ["a"])
        told.clear()
        pid = helper.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await until(lambda: told == [DirectoryChanged("d", reset=True)])
        (tmp_path / "b").touch()
        await until(lambda: [e.name for change in told for e in change.entries] == ["b"])
        watch.stop()
        watch.stop()
        assert helper.under_way == 0 and not helper.watches


async def test_watches_have_a_limit_and_refusals_take_no_place(tmp_path: Path) -> None:
    async with running() as helper:
        here = Directory(str(tmp_path), "d")
        for _ in range(3):
            with pytest.raises(FileNotFoundError):
                await helper.watch(Directory(str(tmp_path / "nowhere"), "d"), False, print)
        first, _ = [await helper.watch(here, False, print) for _ in range(2)]
        with pytest.raises(HubError) as caught:
            await helper.watch(here, False, print)
        assert caught.value.code is Code.BUSY
        first.stop()
        await helper.watch(here, False, print)


async def test_after_the_end_nothing_starts_again(many: Directory) -> None:
    helper = ListingHelper(logging.getLogger("test"), ListingSettings())
    await helper.start()
    pid = helper.pid
    await helper.stop()
    assert pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(HelperDied):
        await whole(helper, many)
